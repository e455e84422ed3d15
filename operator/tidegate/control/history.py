"""History: how runs ended, and which finished Jobs are kept. Pure.

A finished Job and its Pod's termination message become the newest run in the status, exactly once; a Job is
deleted only when its result is stored and its name can no longer be needed as a lock.
"""

from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise

from tidegate.api.contract import ExitCode
from tidegate.api.runs import ActivityEntry, LastRun, Outcome, Run, RunKind, RunReport
from tidegate.api.spec import Mode
from tidegate.api.status import Activation, SyncIntegrationStatus
from tidegate.control import cache_identity, object_resets, plan_result, undo_request
from tidegate.control.conflict_decisions import with_handled
from tidegate.control.ending import ended_by_worker
from tidegate.control.observation import Job, JobState, Observation, Pod
from tidegate.control.plan_result import announce, plan_of
from tidegate.control.records import (
    bounded_activity,
    records_waiting,
    set_everything_aside,
    summary_of,
    totals_after,
    waiting_after,
)
from tidegate.control.step import Action, Announce, DeleteJob
from tidegate.control.termination_message import exit_code_of, report_of

# A Job's end and its Pod's termination message come by two watches; this is how long to wait for the message.
MESSAGE_PATIENCE = timedelta(seconds=5)

# A claimed Job is created within this time, or never by that claim: `act` gives up earlier. Until then another
# operator's request may be on its way, so the name must stay taken or the claim must stay (invariants I1 and I2).
CREATION_PATIENCE = timedelta(seconds=30)

_OUTCOME_OF_EXIT_CODE = {
    int(ExitCode.CONFIGURATION_ERROR): Outcome.CONFIGURATION_ERROR,
    int(ExitCode.HALTED): Outcome.HALTED,
    int(ExitCode.CACHE_UNUSABLE): Outcome.CACHE_UNUSABLE,
    int(ExitCode.CACHE_LOST): Outcome.CACHE_LOST,
}


def record_end(
    seen: Observation, status: SyncIntegrationStatus, now: datetime
) -> tuple[SyncIntegrationStatus, tuple[Action, ...]]:
    """Turn the claimed run, if its Job has finished, into history; nothing is claimed afterwards."""
    run = status.run
    job = seen.job_of(run) if run else None
    if run is None or job is None:
        return status, ()
    by_worker = ended_by_worker(seen, job, now)
    if by_worker is None and (not job.finished or _awaiting_message(seen, job, now)):
        return status, ()
    outcome = _outcome(seen, job)
    succeeded = outcome is Outcome.SUCCEEDED
    report = report_of(seen.pods_of(job))
    reason = None if succeeded else _reason(seen, job, report)
    finished_at = min((by_worker.ended_at if by_worker else job.finished_at) or now, now)
    if run.kind is RunKind.PLAN:
        plan = plan_of(run, outcome, finished_at, reason, seen.pods_of(job))
        activity = with_entry(seen, status, entry_of(run, plan.outcome, finished_at, report))
        return plan_result.ended(status, plan, activity), (*_sidecar_stopped(run, by_worker), announce(plan))
    entry = entry_of(run, outcome, finished_at, report)
    last = LastRun(
        number=run.number,
        kind=run.kind,
        undo=run.undo,
        outcome=outcome,
        finished_at=now,
        generation=run.generation,
        spec_digest=run.spec_digest,
        reason=reason,
        found=report.found if report and outcome is Outcome.HALTED else None,
    )
    worker_ran = succeeded or exit_code_of(job, seen.pods_of(job)) is not None
    activation = status.activation
    caught_up = succeeded and activation is not None and _pays(run, activation) and not set_everything_aside(entry)
    if activation and caught_up:
        activation = activation.replace(partial(Activation, caught_up=True, cache_lost=None))
    if activation and succeeded and run.kind is RunKind.FULL:
        activation = activation.replace(partial(Activation, full_sync_owed=False))
    if run.cancelling and not run.unstarted:  # it ended first; what it was cancelled for is still owed
        activation = None
    updated = status.replace(
        partial(
            SyncIntegrationStatus,
            run=None,
            activation=activation,
            oldest_cache_epoch=None if worker_ran else status.oldest_cache_epoch,
            cache=cache_identity.used(seen, status, run) if worker_ran else status.cache,
            last_run=last,
            last_synced_at=finished_at if succeeded and run.kind is not RunKind.UNDO else status.last_synced_at,
            consecutive_failures=_failures_after(status, run, outcome),
            recent_activity=with_entry(seen, status, entry),
            waiting_records=waiting_after(status, entry),
            record_totals=totals_after(status, report),
        )
    )
    updated = undo_request.with_handled(updated, run.undo, outcome)
    if succeeded:
        updated = with_handled(updated, job.run.decisions)
        updated = object_resets.without_done(updated, run)
    more = (
        *_sidecar_stopped(run, by_worker),
        *_records_waiting(seen, run, status.waiting_records, updated.waiting_records),
    )
    if not succeeded:
        announcement = Announce(f"Run{outcome}", f"run {run.number}: {reason}", warning=True)
        if outcome is not Outcome.CACHE_LOST:
            return updated, (announcement, *more)
        why = reason or "the cache is lost"
        return cache_identity.begin_again(updated, why, now), (announcement, *more, cache_identity.announce(why))
    if caught_up:
        return updated, (Announce("CaughtUp", f"run {run.number} completed the full sync"), *more)
    return updated, more


def _sidecar_stopped(run: Run, pod: Pod | None) -> tuple[Announce, ...]:
    if pod is None or not pod.live:
        return ()
    what = ", ".join(pod.not_ended)
    note = (
        f"the worker of run {run.number} has ended, but {what} kept Pod {pod.name} alive, so the Pod is stopped; "
        "declare it as a native sidecar, which ends with the worker: an init container with restartPolicy Always"
    )
    return (Announce("SidecarStopped", note, warning=True),)


def _records_waiting(seen: Observation, run: Run, before: int, after: int) -> tuple[Announce, ...]:
    if after <= before:
        return ()
    what = f"{records_waiting(after)}, {after - before} more than before run {run.number}"
    note = f"{what}: kubectl sync conflicts {seen.integration.name}"
    return (Announce("RecordsWaiting", note, warning=True),)


def _awaiting_message(seen: Observation, job: Job, now: datetime) -> bool:
    pods = seen.pods_of(job)
    if pods or job.finished_at is None:
        return any(pod.live for pod in pods)
    # Two clocks meet here: where they disagree by more than the patience, nothing is to be learned from them.
    return abs(now - job.finished_at) < MESSAGE_PATIENCE


def _outcome(seen: Observation, job: Job) -> Outcome:
    pods = seen.pods_of(job)
    if job.state is JobState.COMPLETE or (pods and pods[0].exit_code == ExitCode.COMPLETE):
        return Outcome.SUCCEEDED  # a sidecar may have failed after the worker's own success
    if job.failure_reason == "DeadlineExceeded":
        return Outcome.TIMED_OUT
    code = exit_code_of(job, pods)
    return Outcome.FAILED if code is None else _OUTCOME_OF_EXIT_CODE.get(code, Outcome.FAILED)


def _reason(seen: Observation, job: Job, report: RunReport | None) -> str:
    said = (report.reason if report else None) or job.failure_message or job.failure_reason
    return said or f"the worker ended with exit code {exit_code_of(job, seen.pods_of(job))}"


def _failures_after(status: SyncIntegrationStatus, run: Run, outcome: Outcome) -> int:
    """How many runs have failed in a row: an undo that is not tried again keeps no run of the sync waiting."""
    if outcome is Outcome.SUCCEEDED:
        return 0
    is_over = run.kind is RunKind.UNDO and outcome is Outcome.CONFIGURATION_ERROR
    return status.consecutive_failures + (0 if is_over else 1)


def _pays(run: Run, activation: Activation) -> bool:
    """Whether the run is the full sync that the activation owes, if it succeeds."""
    return run.kind is RunKind.FULL and run.push is (activation.mode is Mode.PAST_AND_FUTURE)


def entry_of(run: Run, outcome: Outcome, finished_at: datetime, report: RunReport | None = None) -> ActivityEntry:
    """A run as recent activity shows it."""
    entry = ActivityEntry(
        run=run.number,
        kind=run.kind,
        undo=run.undo,
        check=run.check,
        outcome=outcome,
        mark=outcome.mark,
        summary="",
        started_at=run.started_at,
        finished_at=finished_at,
        duration=max(finished_at - run.started_at, timedelta(0)),
        report=report,
    )
    return entry.replace(partial(ActivityEntry, summary=summary_of(entry)))


def with_entry(seen: Observation, status: SyncIntegrationStatus, entry: ActivityEntry) -> tuple[ActivityEntry, ...]:
    """Recent activity with one more run; a run that was paused before it ended stands once, with its end."""
    others = tuple(other for other in status.recent_activity if other.run != entry.run)
    return bounded_activity((entry, *others), seen.integration.spec.activity_limit)


def finished_jobs(seen: Observation, now: datetime) -> tuple[tuple[DeleteJob, ...], datetime | None]:
    """All finished Jobs whose results the API server holds, even the newest; and when to look for more.

    The newest one's name is needed as a lock only until no creation of it can be on its way any more.
    """
    recorded = _newest_recorded(seen.integration.status)
    finished = [job for job in seen.jobs if job.finished and job.run.number <= recorded]
    free_at = {job: job.run.claimed_at + CREATION_PATIENCE for job in finished}
    deletions = tuple(
        DeleteJob(job.name, job.uid, job.resource_version, housekeeping=True) for job in finished if free_at[job] <= now
    )
    return deletions, min((at for at in free_at.values() if at > now), default=None)


def superfluous_jobs(seen: Observation, now: datetime) -> tuple[tuple[DeleteJob, ...], datetime | None]:
    """Finished Jobs beyond the limit whose results the API server holds; and when to look for more.

    Of plans the newest is kept, beside the runs of the sync. A Job's name is a lock against a late creation, so it
    stays until a newer one has had time to be created.
    """
    recorded = _newest_recorded(seen.integration.status)
    newest_first = sorted(seen.jobs, key=lambda job: job.run.number, reverse=True)
    finished = [job for job in newest_first if job.finished and job.run.number <= recorded]
    plans = [job for job in finished if job.run.kind is RunKind.PLAN]
    syncs = [job for job in finished if job.run.kind is not RunKind.PLAN]
    beyond_limit = {job.uid for job in (*syncs[seen.integration.spec.activity_limit :], *plans[1:])}
    superfluous, due = [], None
    for newer, job in pairwise(newest_first):
        if job.uid not in beyond_limit:
            continue
        at = newer.run.started_at + CREATION_PATIENCE
        if at <= now:
            superfluous.append(DeleteJob(job.name, job.uid, job.resource_version, housekeeping=True))
        else:
            due = at if due is None else min(due, at)
    return tuple(superfluous), due


def _newest_recorded(status: SyncIntegrationStatus) -> int:
    """The newest run whose end is stored: all before it have ended, too."""
    plan, last = status.plan, status.last_run
    return max((last.number if last else 0), (plan.run if plan and plan.run else 0))
