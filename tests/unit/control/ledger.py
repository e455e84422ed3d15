"""The ledger of what has happened in the model, and the invariants of design section 4, asserted at every step.

What exactly is promised, beyond the words of the design:

- I1 holds for any number of operators, provided that a request that is given up does not arrive later, that the
  operators' clocks agree, and that nobody deletes an unfinished Job by hand. Of two Pods that the Job controller makes
  by mistake one is evicted, and never the only one of a run.
- I2: a run is claimed, and a paused one resumed, only by a write to a resource that says ON. A Job is created only
  while its claim stands. So a Job that comes to be after an OFF belongs to a claim from before, is seen, and is
  waited for.
- I3: a run is shown as Paused when its Pod has ended, provided that there is one operator, whose watches lag by less
  than WRITE_VISIBLE_WITHIN.
- I4: the cache is deleted once in an activation with reset, before its first run works on it, and in no other one.
- I5 is measured by the operators' clock, and a clock that is set forward counts as time that has passed. The delay
  lies between runs of one activation and is skipped by a requested sync.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tidegate.api.contract import ExitCode
from tidegate.api.runs import Outcome, Run, RunKind
from tidegate.api.spec import Mode, OffPolicy, Switch, SyncIntegrationSpec
from tidegate.api.status import Activation, Phase, SyncIntegrationStatus
from tidegate.control.observation import Integration, Job, Pod

# After one of these a run is over, whatever becomes of its Job.
FINAL = frozenset(ExitCode) - {ExitCode.PAUSED}
# After any other end a requested undo is tried again.
_ENDS_OF_UNDO = (Outcome.SUCCEEDED, Outcome.HALTED, Outcome.CONFIGURATION_ERROR)

# What etcd holds, and a restored backup of it puts back.
_STORED = (
    *("claimed", "created", "lost", "ended", "workers_ended", "succeeded", "over"),
    *("activations", "prepared", "made_from", "off_policies", "owes_full_sync"),
)


@dataclass
class Ledger:
    """All that has happened, as far as a later check needs it."""

    uid: str
    watches_keep_up: Callable[[], bool] = lambda: True
    clock: timedelta = timedelta(0)  # what the operators' clock has gone forward, jumps included
    claimed: dict[int, Run] = field(default_factory=dict)
    created: dict[int, str] = field(default_factory=dict)  # run → UID of its Job
    lost: set[int] = field(default_factory=set)  # runs whose Job somebody has deleted before their end was recorded
    ended: dict[int, timedelta] = field(default_factory=dict)  # run → the operators' clock then
    workers_ended: dict[int, timedelta] = field(default_factory=dict)  # likewise, of a worker that a sidecar outlives
    succeeded: set[int] = field(default_factory=set)  # runs of whose Job a worker has succeeded
    over: set[int] = field(default_factory=set)  # runs whose only Pod has ended for good, before a running operator
    given: dict[int, str | None] = field(default_factory=dict)  # run → the decisions that its Job was given
    activations: dict[int, Activation] = field(default_factory=dict)  # run → the activation that claimed it
    prepared: set[int] = field(default_factory=set)  # activations of which a Pod has prepared the cache
    wiped: set[tuple[int, datetime | None]] = field(default_factory=set)  # epochs for which a Pod has wiped a cache
    newest_use: tuple[str, int] | None = None  # the cache that the newest Pod has used, and its run
    restored: bool = False  # somebody has deleted the cache, or put an old one back, since a Pod has used it
    plans: set[str] = field(default_factory=set)  # the names of the Jobs of plans
    made_from: dict[int, SyncIntegrationSpec] = field(default_factory=dict)  # run → the spec then, without its switch
    off_policies: set[OffPolicy] = field(default_factory=set)  # declared at some time since the run was claimed

    owes_full_sync: bool = False  # another one was requested in this activation after it had caught up

    # Writes of operators

    def status_written(self, before: Integration, after: Integration, jobs: list[Job], pods: list[Pod]) -> None:
        old, new = before.status, after.status
        on = after.spec.status is Switch.ON
        plans = {job.name for job in jobs if job.run.kind is RunKind.PLAN} | self.plans
        busy = [job.name for job in jobs if not job.finished and job.name not in plans]
        busy += [pod.name for pod in pods if pod.live and pod.labelled_job not in plans]
        if new.activation is None or self._has_succeeded_in_full(old, new):
            self.owes_full_sync = False
        if new.run is not None and (old.run is None or old.run.number != new.run.number):
            self._run_claimed(before, old, new, new.run)
            self.off_policies = {after.spec.off_policy}
        # A paused run that goes on is that of the spec that its Job was made from.
        claimed_before = old.run and (old.run.number, old.run.spec_digest)
        if new.run is not None and claimed_before != (new.run.number, new.run.spec_digest):
            self.made_from[new.run.number] = _without_switch(before.spec)
        if new.phase is Phase.OFF:
            assert not on
            assert not busy, "OFF is shown and a sync is running"
        if new.phase is Phase.PAUSED and self.watches_keep_up():
            # The Job controller may make another Pod by mistake afterwards, and ends it by itself.
            assert old.phase is Phase.PAUSED or not any(pod.live for pod in pods), "Paused is shown and a Pod is alive"
            assert new.run is not None
            assert new.run.number not in self.over, "Paused is shown and the worker has ended for good"
        if new.activation and new.activation.caught_up and not (old.activation and old.activation.caught_up):
            assert new.last_run is not None
            assert (new.last_run.kind, new.last_run.outcome) == (RunKind.FULL, Outcome.SUCCEEDED), (
                "it has not caught up"
            )
        ready = any(condition.type == "Ready" and condition.status == "True" for condition in new.conditions)
        if ready and on:
            assert new.activation is not None
            assert new.activation.caught_up
        assert new.runs >= old.runs
        if new.handled.decisions != old.handled.decisions:
            assert new.last_run is not None
            assert new.last_run.outcome is Outcome.SUCCEEDED, "decisions count as carried out and no run has succeeded"
            assert new.handled.decisions == self.given.get(new.last_run.number), "decisions count that no run was given"
        self._object_resets_written(before, old, new)
        numbers = [entry.run for entry in new.recent_activity]
        assert len(set(numbers)) == len(numbers), "a run stands twice in recent activity"
        assert len(numbers) <= after.spec.activity_limit
        self._plan_recorded(old, new)
        self._undo_handled(before, old, new)
        if new.last_run is not None and old.last_run is not None and new.last_run.number == old.last_run.number:
            assert new.last_run.outcome is old.last_run.outcome, "an end is recorded twice"
        elif new.last_run is not None:
            number = new.last_run.number
            if number in self.workers_ended:
                self.ended.setdefault(number, self.workers_ended[number])
            assert number in self.ended, "an end is recorded that was none"
            assert self.claimed[number].kind is not RunKind.PLAN, "a plan counts as a run of the sync"
            assert old.last_run is None or new.last_run.number > old.last_run.number

    def _object_resets_written(
        self, before: Integration, old: SyncIntegrationStatus, new: SyncIntegrationStatus
    ) -> None:
        """I4: each run is given a reset of an object until one has succeeded, and no reset comes from nowhere."""
        owed, still = ({(reset.object, reset.began) for reset in each.object_resets} for each in (old, new))
        asked = before.requests.reset_objects if _asks_for_reset(before, old) else ()
        assert {name for name, _ in still - owed} <= set(asked), "I4: a reset of an object that nobody requested"
        last = new.last_run
        run = self.claimed.get(last.number) if last is not None and last != old.last_run else None
        succeeded = run is not None and last is not None and last.outcome is Outcome.SUCCEEDED
        done = {(reset.object, reset.began) for reset in run.object_resets} if succeeded and run else set()
        again = {reset for reset in owed if reset[0] in {name for name, _ in still - owed}}
        whole = new.cache_epoch != old.cache_epoch
        assert whole or owed - done - again <= still, "I4: a reset of an object is lost"
        syncs = new.run is not None and new.run.kind not in (RunKind.PLAN, RunKind.UNDO)
        if new.run is not None and new.run.number not in self.created and syncs:
            assert new.run.object_resets == new.object_resets, "I4: a run is not given all resets"

    def _has_succeeded_in_full(self, old: SyncIntegrationStatus, new: SyncIntegrationStatus) -> bool:
        last = new.last_run
        if last is None or (old.last_run is not None and old.last_run.number == last.number):
            return False
        return (last.kind, last.outcome) == (RunKind.FULL, Outcome.SUCCEEDED)

    def _plan_recorded(self, old: SyncIntegrationStatus, new: SyncIntegrationStatus) -> None:
        number = new.plan.run if new.plan else None
        if new.plan is None or number is None or old.plan == new.plan:
            return
        assert self.claimed[number].kind is RunKind.PLAN, "a run of the sync is taken for a plan"
        assert number in self.ended or number in self.workers_ended or new.plan.outcome is Outcome.CANCELLED
        ends = [status.last_run and (status.last_run.number, status.last_run.outcome) for status in (old, new)]
        assert ends[0] == ends[1], "a plan counts as a run of the sync"
        assert new.last_synced_at == old.last_synced_at
        assert new.record_totals == old.record_totals
        assert new.consecutive_failures <= old.consecutive_failures, "a plan counts as a failure of the sync"

    def _undo_handled(self, before: Integration, old: SyncIntegrationStatus, new: SyncIntegrationStatus) -> None:
        """A request counts as handled with the end of its undo, with its refusal, and until it is withdrawn."""
        last, asked = new.last_run, before.requests.undo
        ends = last is not None and (old.last_run is None or old.last_run.number != last.number)
        if last is not None and ends and last.undo is not None:
            assert last.undo == self.claimed[last.number].undo, "another undo is recorded"
            final = last.outcome in _ENDS_OF_UNDO
            # What was asked for meanwhile may be refused in the same write.
            assert not final or new.handled.undo_refused or new.handled.undo_requested in (None, str(last.undo)), (
                "an undo that has ended is not handled"
            )
            if final:
                return
        if new.handled.undo_requested == old.handled.undo_requested:
            return
        if new.handled.undo_requested is None:
            assert asked is None, "a request for an undo is forgotten while it stands, and would be carried out twice"
        else:
            assert new.handled.undo_refused, "an undo counts as handled that has not ended"
            assert new.handled.undo_requested == asked

    def _undo_claimed(self, before: Integration, old: SyncIntegrationStatus, new: SyncIntegrationStatus) -> None:
        run, last, asked = new.run, new.last_run, before.requests.undo
        assert run is not None
        assert run.undo is not None
        assert run.undo < run.number, "a run is undone that is to come"
        assert run.push
        if run.approved is not None:
            assert last is not None
            assert last.undo == run.undo, "an undo has the approval of another run"
        else:
            assert asked == str(run.undo), "an undo is claimed that nobody requested"
            assert asked != new.handled.undo_requested, "an undo is carried out twice"

    def _undo_waits(self, before: Integration, new: SyncIntegrationStatus) -> bool:
        """Whether an undo is requested that can be carried out, and has not been."""
        asked = before.requests.undo
        if asked is None or not asked.isdigit() or asked == new.handled.undo_requested:
            return False
        return int(asked) in self.claimed and self.claimed[int(asked)].kind is not RunKind.PLAN

    def _plan_claimed(self, before: Integration, old: SyncIntegrationStatus, new: SyncIntegrationStatus) -> None:
        assert new.run is not None
        assert before.requests.plan is not None, "a plan is claimed that nobody requested"
        assert before.requests.plan != old.handled.plan_requested_at, "a plan is made twice"
        assert new.handled.plan_requested_at == before.requests.plan
        assert not new.run.push
        assert new.run.cache_epoch == new.cache_epoch
        self.plans.add(new.run.job_name)

    def _run_claimed(
        self, before: Integration, old: SyncIntegrationStatus, new: SyncIntegrationStatus, run: Run
    ) -> None:
        assert run.number not in self.claimed, "a number is used again"
        spec = before.spec
        assert run.number > max(self.claimed, default=0), "a number is used again"
        self.claimed[run.number] = run
        if run.kind is RunKind.PLAN:
            self._plan_claimed(before, old, new)
            return
        assert spec.status is Switch.ON, "I2: a run is claimed while OFF"
        activation = new.activation
        assert activation is not None
        begins = old.activation is None or old.activation.number != activation.number
        if begins:
            assert activation.mode is spec.mode
            asked = _asks_for_reset(before, old) and not before.requests.reset_objects
            assert activation.reset == (spec.reset or asked), "I4: a reset is lost or invented"
        self.activations[run.number] = activation
        assert run.cache_epoch >= old.cache_epoch, "an epoch goes back"
        if run.kind is RunKind.UNDO:
            assert not (begins and activation.reset), "an undo takes the place of a reset"
            self._undo_claimed(before, old, new)
        else:
            assert (begins and activation.reset) or not self._undo_waits(before, new), "a requested undo is passed over"
        if run.approved is not None:
            assert new.last_run is not None
            assert (new.last_run.number, new.last_run.outcome) == (run.approved, Outcome.HALTED), (
                "an approval is used twice, or for another run"
            )
            assert str(run.approved) in (before.requests.approve, before.requests.allow_deletes), "nobody approved it"
        catching_up = begins or not activation.caught_up
        self.owes_full_sync &= not catching_up
        answered = new.handled.full_sync_requested_at == before.requests.full_sync
        assert answered or run.kind is RunKind.UNDO, "a request is not answered by the run that it is for"
        if _asks_for_full_sync(before, old) and not catching_up and answered:
            self.owes_full_sync = True
        assert activation.full_sync_owed == self.owes_full_sync, "a requested full sync is lost or invented"
        if run.kind is not RunKind.UNDO:
            full = catching_up or self.owes_full_sync
            assert run.kind is (RunKind.FULL if full else RunKind.INCREMENTAL)
            assert run.push == (not catching_up or activation.mode is Mode.PAST_AND_FUTURE)
        if not begins:
            self._check_delay(before, old, new)

    def _check_delay(self, before: Integration, old: SyncIntegrationStatus, new: SyncIntegrationStatus) -> None:
        requested = (
            _asks_for_full_sync(before, old)
            or _asks_for_reset(before, old)
            or (new.handled.sync_requested_at != old.handled.sync_requested_at)
        )
        last = new.last_run
        if new.run is not None and new.run.kind is RunKind.UNDO and last is not None:
            # Only an attempt that failed keeps the next attempt at the same undo waiting.
            requested |= last.undo != new.run.undo or last.outcome in _ENDS_OF_UNDO
        made_from = self.made_from.get(last.number) if last is not None else None
        corrected = new.consecutive_failures > 0 and _without_switch(before.spec) != made_from
        if last is not None and last.outcome is Outcome.HALTED:
            approved = str(last.number) in (before.requests.approve, before.requests.allow_deletes)
            assert requested or corrected or approved, "a halted run is repeated, and nothing is corrected"
        if requested or corrected or last is None or last.outcome.needs_human or last.number not in self.ended:
            return
        pause = before.spec.delay
        if new.consecutive_failures:
            pause = max(pause, min(timedelta(seconds=10) * 2 ** (new.consecutive_failures - 1), timedelta(hours=1)))
        assert self.clock - self.ended[last.number] >= pause, "I5: the delay is cut short"

    def job_created(self, job: Job, jobs: list[Job], integration: Integration) -> None:
        number = job.run.number
        assert sum(1 for one in jobs if not one.finished) <= 1, "I1: two unfinished Jobs"
        run = integration.status.run
        assert run is not None, "a Job is created without a claim"
        assert run.number == number, "a Job is created for another claim"
        assert number not in self.created or number in self.lost, "I3: a run has a second Job"
        assert self.claimed[number].cache_epoch == job.run.cache_epoch
        self.lost.discard(number)
        self.ended.pop(number, None)
        self.workers_ended.pop(number, None)
        self.succeeded.discard(number)
        self.over.discard(number)  # a Pod that was orphaned speaks for another Job
        self.created[number] = job.uid
        plans = job.run.kind is RunKind.PLAN
        assert job.run.push or plans or job.run.decisions is None, "a read-only run is given decisions"
        assert job.run.decisions is None or job.run.decisions != integration.status.handled.decisions, (
            "decisions that are handled are given to a run"
        )
        self.given[number] = job.run.decisions

    def job_is_to_be_suspended(self, job: Job) -> None:
        assert job.resumed_by is None, "what another client resumes is suspended without end"

    def job_suspended(self, job: Job, integration: Integration) -> None:
        run = integration.status.run
        if job.suspended and self._is_recorded(job, integration.status):
            return  # its end is recorded: what is left of its Pods is stopped
        assert run is not None
        assert run.job_name == job.name
        assert self.created[run.number] == job.uid, "I3: another Job is resumed"
        if job.suspended and not run.cancelling:
            assert OffPolicy.PAUSE_RUN in self.off_policies, "I2: OFF stops the running run"

    def job_deleted(self, job: Job, jobs: list[Job], integration: Integration) -> None:
        status = integration.status
        if job.finished:
            assert self._is_recorded(job, status), "a result is deleted before it is recorded"
            assert any(one.run.number > job.run.number for one in jobs), "the newest Job is a lock"
        else:
            assert job.suspended or job.resumed_by
            assert status.run is None or status.run.number != job.run.number or status.run.cancelling

    def _is_recorded(self, job: Job, status: SyncIntegrationStatus) -> bool:
        last, plan = status.last_run, status.plan
        recorded = max(last.number if last else 0, (plan.run or 0) if plan else 0)
        return job.run.number <= recorded

    def pod_evicted(self, doomed: Pod, jobs: list[Job], pods: list[Pod]) -> None:
        assert any(doomed.job_uid == job.uid for job in jobs), "I7: a Pod of somebody else's is evicted"
        others = [pod for pod in pods if pod.job_uid == doomed.job_uid and pod.name != doomed.name]
        assert others, "the only Pod of a run is evicted"

    def touched(self, owner: str | None) -> None:
        assert owner == self.uid, "I7: an object of somebody else is touched"

    # What the cluster does

    def pod_created(self, pods: list[Pod], *, by_mistake: bool) -> None:
        """`by_mistake`: the Job controller has acted on an old view."""
        self.over.clear()  # the newest Pod speaks
        assert by_mistake or sum(1 for pod in pods if pod.live) <= 1, "I1: two live Pods"

    def etcd_restored(self, backup: "Ledger") -> None:
        """Objects, and with them the numbers of runs and activations, are as they were; volumes and clocks are not."""
        for name in _STORED:
            setattr(self, name, copy.copy(getattr(backup, name)))
        self.newest_use, self.restored = None, True

    def backed_up(self) -> "Ledger":
        """What a backup of etcd knows."""
        return replace(self, **{name: copy.copy(getattr(self, name)) for name in _STORED})

    def cache_restored(self) -> None:
        self.restored = True

    def cache_looked_at(self, run: int) -> None:
        """The init container of a plan has looked at the cache."""
        assert self.claimed[run].kind is RunKind.PLAN, "I4: a run does not prepare its cache"

    def cache_prepared(self, run: int, cache: str, used_by: int | None, *, existed: bool, wiped: bool) -> None:
        """The init container of a run has found a cache that `used_by` used, or none; it has wiped it, or kept it."""
        assert self.claimed[run].kind is not RunKind.PLAN, "a plan writes to the cache"
        if run not in self.succeeded:
            self.workers_ended.pop(run, None)  # another worker begins
        self.over.discard(run)
        activation = self.activations[run]
        first = activation.number not in self.prepared
        self.prepared.add(activation.number)
        if existed and not self.restored:
            owed = (activation.reset and first) or activation.cache_lost is not None
            assert not wiped or owed, "I4: a wipe that nobody asked for"
        epoch = self.claimed[run].cache_epoch, self.claimed[run].cache_epoch_began
        if wiped or not existed:
            self.wiped.add(epoch)
        # A restored etcd does not know of the wipe that the same claim has led to before.
        assert epoch in self.wiped or not (activation.reset and first), "I4: a reset without a wipe"
        if self.claimed[run].kind is RunKind.INCREMENTAL:
            assert not wiped, "a lost cache is taken for an empty one"
            # Of a run that was cancelled, or whose Job was deleted, nobody knows whether it has used the cache.
            before = self.newest_use[1] if self.newest_use else None
            if before in self.ended:
                assert (cache, used_by) == self.newest_use, "an older cache is taken for the present one"
        self.newest_use, self.restored = (cache, run), False

    def job_ended(self, job: Job) -> None:
        self.ended.setdefault(job.run.number, self.clock)

    def worker_ended(self, run: int, exit_code: int) -> None:
        """A worker has ended, and not its Job: a sidecar keeps its Pod alive, or the Job is being suspended."""
        self.workers_ended.setdefault(run, self.clock)
        if exit_code == ExitCode.COMPLETE:
            self.succeeded.add(run)
        if exit_code in FINAL:
            self.over.add(run)

    def operator_started(self) -> None:
        """It knows of no Pod that is gone."""
        self.over.clear()

    # What people do

    def declared(self, spec: SyncIntegrationSpec) -> None:
        self.off_policies.add(spec.off_policy)

    def job_deleted_by_hand(self, job: Job, integration: Integration) -> None:
        if not self._is_recorded(job, integration.status):
            self.lost.add(job.run.number)

    def status_is_true(self, integration: Integration) -> None:
        """In the end, when everybody has seen everything."""
        status = integration.status
        assert status.declared is integration.spec.status
        assert status.observed_generation == integration.generation
        syncs = (number for number in self.ended if self.claimed[number].kind is not RunKind.PLAN)
        last = max((number for number in syncs if number not in self.lost), default=None)
        assert (status.last_run.number if status.last_run else None) == last, "an end is not recorded"


def _asks_for_reset(integration: Integration, status: SyncIntegrationStatus) -> bool:
    requested = integration.requests.reset
    return requested is not None and requested != status.handled.reset_requested_at


def _asks_for_full_sync(integration: Integration, status: SyncIntegrationStatus) -> bool:
    requested = integration.requests.full_sync
    return requested is not None and requested != status.handled.full_sync_requested_at


def _without_switch(spec: SyncIntegrationSpec) -> SyncIntegrationSpec:
    return spec.model_copy(update={"status": Switch.ON, "off_policy": OffPolicy.FINISH_RUN})
