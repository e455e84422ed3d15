"""Decide: Observation, now → Plan. Pure: no clock, no I/O, no framework.

The third step of the flow. Every rule of design section 3 and every invariant of section 4 is kept here, from levels
only: the declared state, the remembered status and what the cluster holds. Nothing depends on having seen a change.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from tidegate.api import names
from tidegate.api.contract import ExitCode
from tidegate.api.spec import Mode, OffPolicy, Switch
from tidegate.api.status import (
    Activation,
    ActivityEntry,
    LastRun,
    Outcome,
    Phase,
    Run,
    RunKind,
    SyncIntegrationStatus,
)
from tidegate.control.observe import TROUBLE_PATIENCE, Job, JobState, Observation, exit_code_of, report_of
from tidegate.control.plan import Action, Announce, CreateCache, CreateJob, DeleteJob, LookUpJob, Plan, SuspendJob

FIRST_BACKOFF = timedelta(seconds=10)
LONGEST_BACKOFF = timedelta(hours=1)

# A Job's end and its Pod's last words come by two watches; this is how long the words are waited for.
LAST_WORDS_PATIENCE = timedelta(seconds=5)
LOOK_AGAIN = timedelta(seconds=1)

# Kubernetes cuts times to the second, so a run may have ended this much later than its Job says (invariant I5).
TIME_RESOLUTION = timedelta(seconds=1)

_OUTCOME_OF_EXIT_CODE = {
    ExitCode.CONFIGURATION_ERROR: Outcome.CONFIGURATION_ERROR,
    ExitCode.HALTED: Outcome.HALTED,
    ExitCode.CACHE_UNUSABLE: Outcome.CACHE_UNUSABLE,
}


def decide(seen: Observation, now: datetime) -> Plan:
    """What to do about one integration.

    Calling it again with the result applied yields a Plan that writes nothing, until something changes or
    `look_again_at` has come (invariant I6).
    """
    remembered = _without_reused_numbers(seen)
    if seen.integration.deleting:
        return Plan(phase=remembered.phase or Phase.OFF, status=remembered)
    remembered, announcements = _record_end(seen, remembered, now)
    if remembered.run is None:
        remembered = _adopt_stray_job(seen, remembered)
    if remembered.run is not None:
        plan = _continue_run(seen, remembered, remembered.run, now)
    elif seen.integration.spec.status is Switch.OFF:
        plan = _be_off(seen, remembered)
    else:
        plan = _start_next_run(seen, remembered, now)
    return replace(plan, actions=(*announcements, *plan.actions, *_prune_history(seen)))


def _without_reused_numbers(seen: Observation) -> SyncIntegrationStatus:
    # Should the status have been lost, the Jobs still know which numbers have been used.
    status = seen.integration.status
    newest = max((job.run.number for job in seen.jobs), default=0)
    return status.model_copy(update={"runs": max(status.runs, newest)})


def _record_end(
    seen: Observation, status: SyncIntegrationStatus, now: datetime
) -> tuple[SyncIntegrationStatus, tuple[Action, ...]]:
    """Turn a finished Job into history; its result and the honoured OFF are one write."""
    run = status.run
    job = seen.job_of(run) if run else None
    if run is None or job is None or not job.finished or _awaiting_last_words(seen, job, now):
        return status, ()
    outcome = _outcome(seen, job)
    report = report_of(seen.pods_of(job))
    reason = None
    if outcome is not Outcome.SUCCEEDED:
        reason = (report.reason if report else None) or job.failure_message or job.failure_reason
    # Two clocks meet here: an end that lies ahead of our own would prolong the delay.
    finished_at = min(job.finished_at or now, now)
    entry = _entry(run, outcome, finished_at).model_copy(update={"report": report})
    succeeded = outcome is Outcome.SUCCEEDED
    caught_up = succeeded and run.kind is RunKind.FULL and status.activation is not None
    failures = 0 if succeeded else status.consecutive_failures + 1
    updated = status.model_copy(
        update={
            "run": None,
            "last_run": LastRun(
                number=run.number,
                kind=run.kind,
                outcome=outcome,
                finished_at=finished_at,
                generation=seen.integration.generation,
                reason=reason,
            ),
            "last_synced_at": finished_at if succeeded else status.last_synced_at,
            "consecutive_failures": failures,
            "recent_activity": _with_entry(seen, status, entry),
        }
    )
    if caught_up and status.activation:
        updated = updated.model_copy(update={"activation": status.activation.model_copy(update={"caught_up": True})})
        return updated, (Announce("CaughtUp", f"run {run.number} completed the full sync"),)
    if not succeeded:
        return updated, (Announce(f"Run{outcome}", f"run {run.number}: {reason}", warning=True),)
    return updated, ()


def _awaiting_last_words(seen: Observation, job: Job, now: datetime) -> bool:
    pods = seen.pods_of(job)
    if any(pod.live for pod in pods):
        return True
    heard = any(pod.exit_code is not None for pod in pods)
    return not heard and job.finished_at is not None and now < job.finished_at + LAST_WORDS_PATIENCE


def _outcome(seen: Observation, job: Job) -> Outcome:
    if job.state is JobState.COMPLETE:
        return Outcome.SUCCEEDED
    if job.failure_reason == "DeadlineExceeded":
        return Outcome.TIMED_OUT
    code = exit_code_of(job, seen.pods_of(job))
    known = {int(code): outcome for code, outcome in _OUTCOME_OF_EXIT_CODE.items()}
    return known.get(code, Outcome.FAILED) if code is not None else Outcome.FAILED


def _entry(run: Run, outcome: Outcome, finished_at: datetime) -> ActivityEntry:
    return ActivityEntry(
        run=run.number,
        kind=run.kind,
        outcome=outcome,
        mark=outcome.mark,
        summary=f"{outcome.mark} run {run.number}",
        started_at=run.started_at,
        finished_at=finished_at,
        duration=max(finished_at - run.started_at, timedelta(0)),
    )


def _with_entry(seen: Observation, status: SyncIntegrationStatus, entry: ActivityEntry) -> tuple[ActivityEntry, ...]:
    # A run that was paused before it ended stands once, with its end.
    others = tuple(other for other in status.recent_activity if other.run != entry.run)
    return (entry, *others)[: seen.integration.spec.activity_limit]


def _adopt_stray_job(seen: Observation, status: SyncIntegrationStatus) -> SyncIntegrationStatus:
    """An unfinished Job of ours that no claim names is the run, never ignored (invariant I1)."""
    stray = min((job for job in seen.jobs if not job.finished), key=lambda job: job.run.number, default=None)
    return status.model_copy(update={"run": stray.run}) if stray else status


def _continue_run(seen: Observation, status: SyncIntegrationStatus, run: Run, now: datetime) -> Plan:
    job = seen.job_of(run)
    if run.cancelling:
        return _cancel_run(seen, status, run, job, now)
    if job is None:
        return _continue_claim(seen, status, run, now)
    if job.finished:  # its last words are still on their way
        return Plan(_phase_of_running(seen), status, look_again_at=now + LOOK_AGAIN)
    spec = seen.integration.spec
    if spec.status is Switch.ON:
        if not job.suspended:
            return Plan(Phase.SYNCING, status, look_again_at=_trouble_due(seen, now))
        if _wants_reset(seen, status):
            cancelling = run.model_copy(update={"cancelling": True})
            return _cancel_run(seen, status.model_copy(update={"run": cancelling}), cancelling, job, now)
        resume = SuspendJob(job.name, job.uid, job.resource_version, suspend=False)
        return Plan(
            Phase.SYNCING, status, (resume, Announce("Resumed", f"run {run.number} picks up where it left off"))
        )
    if not job.suspended:
        if spec.off_policy is OffPolicy.FINISH_RUN:
            return Plan(Phase.TURNING_OFF, status, look_again_at=_trouble_due(seen, now))
        pause = SuspendJob(job.name, job.uid, job.resource_version, suspend=True)
        return Plan(Phase.TURNING_OFF, status, (pause,))
    if job.pods or any(pod.live for pod in seen.pods_of(job)):
        return Plan(Phase.TURNING_OFF, status)
    return _be_paused(seen, status, run, now)


def _trouble_due(seen: Observation, now: datetime) -> datetime | None:
    """When a Pod that has not started yet is late enough to be spoken of."""
    due = (pod.created_at + TROUBLE_PATIENCE for pod in seen.pods if pod.trouble)
    return min((at for at in due if at > now), default=None)


def _phase_of_running(seen: Observation) -> Phase:
    return Phase.SYNCING if seen.integration.spec.status is Switch.ON else Phase.TURNING_OFF


def _be_paused(seen: Observation, status: SyncIntegrationStatus, run: Run, now: datetime) -> Plan:
    if status.phase is Phase.PAUSED:
        return Plan(Phase.PAUSED, status)
    entry = _entry(run, Outcome.PAUSED, now)
    paused = status.model_copy(update={"recent_activity": _with_entry(seen, status, entry)})
    return Plan(Phase.PAUSED, paused, (Announce("Paused", f"run {run.number} is paused"),))


def _cancel_run(seen: Observation, status: SyncIntegrationStatus, run: Run, job: Job | None, now: datetime) -> Plan:
    """Give up a paused run. That it is given up is written first, so that its Job is never made again."""
    if job is not None:
        return Plan(_phase_of_running(seen), status, (DeleteJob(job.name, job.uid),))
    if seen.has_live_pod:
        return Plan(_phase_of_running(seen), status, look_again_at=now + LOOK_AGAIN)
    entry = _entry(run, Outcome.CANCELLED, now)
    cancelled = status.model_copy(update={"run": None, "recent_activity": _with_entry(seen, status, entry)})
    if seen.integration.spec.status is Switch.OFF:
        return _be_off(seen, cancelled)
    return _start_next_run(seen, cancelled, now)


def _continue_claim(seen: Observation, status: SyncIntegrationStatus, run: Run, now: datetime) -> Plan:
    """A claim without a Job: the operator stopped between the two writes, or somebody deleted the Job."""
    if seen.integration.spec.status is Switch.OFF:
        if seen.absent_job != run.job_name:
            return Plan(Phase.TURNING_OFF, status, (LookUpJob(run.job_name),))
        return _be_off(seen, status.model_copy(update={"run": None}))
    if seen.has_live_pod:  # of the Job that somebody deleted: two at once must never be (invariant I1)
        return Plan(Phase.SYNCING, status, look_again_at=now + LOOK_AGAIN)
    refusal = seen.refusal
    if (
        refusal
        and refusal.run == run.number
        and refusal.permanent
        and refusal.generation == seen.integration.generation
    ):
        return Plan(Phase.WAITING, status, stalled=refusal.message)
    return _launch(seen, status, run.model_copy(update={"claimed_at": now}))


def _launch(seen: Observation, status: SyncIntegrationStatus, run: Run, *announcements: Announce) -> Plan:
    """Claim, then create. The claim changes the status each time, so that its write is a fence against a second
    operator and against an older self: who cannot write the claim creates nothing (invariant I1).
    """
    needs_cache = seen.cache is None and not seen.integration.spec.cache.none
    actions: tuple[Action, ...] = (*announcements, *((CreateCache(),) if needs_cache else ()), CreateJob(run))
    return Plan(Phase.SYNCING, status.model_copy(update={"run": run, "next_run_at": None}), actions)


def _be_off(seen: Observation, status: SyncIntegrationStatus) -> Plan:
    if seen.has_live_pod:  # the check mark must be true: no sync is running
        return Plan(Phase.TURNING_OFF, status)
    handled = status.handled.model_copy(update={"sync_requested_at": seen.integration.requests.sync})
    off = status.model_copy(
        update={"activation": None, "next_run_at": None, "consecutive_failures": 0, "handled": handled}
    )
    announcements = (Announce("TurnedOff", "OFF is honoured: no sync is running"),) if status.activation else ()
    return Plan(Phase.OFF, off, announcements)


def _wants_reset(seen: Observation, status: SyncIntegrationStatus) -> bool:
    """True when a new activation with reset is owed: declared and not yet done in this activation, or requested."""
    declared = seen.integration.spec.reset and status.activation is not None and not status.activation.reset
    return declared or _reset_requested(seen, status)


def _reset_requested(seen: Observation, status: SyncIntegrationStatus) -> bool:
    requested = seen.integration.requests.reset
    return requested is not None and requested != status.handled.reset_requested_at


def _start_next_run(seen: Observation, status: SyncIntegrationStatus, now: datetime) -> Plan:
    if seen.has_live_pod:
        return Plan(Phase.WAITING, status, look_again_at=now + LOOK_AGAIN)
    if status.activation is None or _wants_reset(seen, status):
        return _activate(seen, status, now)
    last = status.last_run
    requests = seen.integration.requests
    asked = requests.sync is not None and requests.sync != status.handled.sync_requested_at
    confirmed = last is not None and last.outcome is Outcome.HALTED and requests.allow_deletes == str(last.number)
    if last is not None and last.outcome.needs_human:
        if not (asked or confirmed or seen.integration.generation > last.generation):
            waiting = status.model_copy(update={"next_run_at": None})
            return Plan(Phase.WAITING, waiting, stalled=_stalled_words(last))
    elif last is not None and not asked:
        due = last.finished_at + _pause_before_next(seen, status)
        if now < due:
            return Plan(Phase.WAITING, status.model_copy(update={"next_run_at": due}), look_again_at=due)
    return _claim(seen, status, status.activation, now)


_WHAT_HELPS = {
    Outcome.CONFIGURATION_ERROR: "correct spec.sync or spec.template, and it is tried again",
    Outcome.HALTED: f'confirm with the annotation {names.ALLOW_DELETES_ANNOTATION}: "{{run}}", or turn OFF and reset',
    Outcome.CACHE_UNUSABLE: "reset the sync to start with a new cache",
}


def _stalled_words(last: LastRun) -> str:
    what_helps = _WHAT_HELPS[last.outcome].format(run=last.number)
    return f"run {last.number} stopped: {last.reason or last.outcome}; {what_helps}"


def _pause_before_next(seen: Observation, status: SyncIntegrationStatus) -> timedelta:
    delay = seen.integration.spec.delay
    if not status.consecutive_failures:
        return delay + TIME_RESOLUTION if delay else delay
    # The exponent is bounded so that a large count cannot overflow a timedelta.
    doublings = min(status.consecutive_failures - 1, 20)
    return max(delay + TIME_RESOLUTION, min(FIRST_BACKOFF * (1 << doublings), LONGEST_BACKOFF))


def _activate(seen: Observation, status: SyncIntegrationStatus, now: datetime) -> Plan:
    """Begin an activation; it captures mode and reset. Its first run is claimed in the same write, so that a reset
    is done exactly once (invariant I4). The delay lies between runs of an activation: turning ON starts at once.
    """
    spec = seen.integration.spec
    requested = _reset_requested(seen, status)
    activation = Activation(
        number=status.activations + 1,
        mode=spec.mode,
        reset=spec.reset or requested,
        started_at=now,
    )
    begun = status.model_copy(
        update={
            "activation": activation,
            "activations": activation.number,
            "cache_epoch": status.cache_epoch + (1 if activation.reset else 0),
            "consecutive_failures": 0,
            "handled": status.handled.model_copy(
                update={"reset_requested_at": seen.integration.requests.reset or status.handled.reset_requested_at}
            ),
        }
    )
    what = "read-only full sync" if activation.mode is Mode.FUTURE_ONLY else "full sync"
    first = "; all cached data is deleted first" if activation.reset else ""
    note = f"activation {activation.number} begins with a {what} ({activation.mode}){first}"
    return _claim(seen, begun, activation, now, Announce("TurnedOn", note))


def _claim(
    seen: Observation,
    status: SyncIntegrationStatus,
    activation: Activation,
    now: datetime,
    *announcements: Announce,
) -> Plan:
    integration = seen.integration
    number = status.runs + 1
    last = status.last_run
    kind = RunKind.INCREMENTAL if activation.caught_up else RunKind.FULL
    confirmed = last is not None and integration.requests.allow_deletes == str(last.number)
    run = Run(
        number=number,
        kind=kind,
        push=kind is RunKind.INCREMENTAL or activation.mode is Mode.PAST_AND_FUTURE,
        cache_epoch=status.cache_epoch,
        job_name=names.job_name(integration.name, integration.uid, number),
        started_at=now,
        claimed_at=now,
        allow_deletes=last.number if last is not None and confirmed else None,
    )
    handled = status.handled.model_copy(update={"sync_requested_at": integration.requests.sync})
    return _launch(seen, status.model_copy(update={"runs": number, "handled": handled}), run, *announcements)


def _prune_history(seen: Observation) -> tuple[DeleteJob, ...]:
    """Delete finished Jobs beyond the limit, of runs whose end the API server already holds in the status.

    The newest finished Job stays until a newer one has finished: its name is a lock against a late creation.
    """
    recorded = seen.integration.status.last_run
    if recorded is None:
        return ()
    finished = sorted(
        (job for job in seen.jobs if job.finished and job.run.number <= recorded.number),
        key=lambda job: job.run.number,
        reverse=True,
    )
    return tuple(DeleteJob(job.name, job.uid) for job in finished[seen.integration.spec.activity_limit :])
