"""Report: Observation, Step → the status that people and machines read. Pure.

The one place that makes messages and conditions. Conditions follow kstatus (`Ready`, `Reconciling`, `Stalled`), so that
`kubectl wait`, Flux and Argo CD tell an honoured OFF and a caught-up ON from one still under way.
"""

from datetime import datetime
from functools import partial
from typing import Literal

from tidegate.api.base import format_time
from tidegate.api.runs import Outcome, Run, RunKind, newest_of_sync
from tidegate.api.spec import OffPolicy, Switch
from tidegate.api.status import Condition, Phase, SyncIntegrationStatus
from tidegate.control import approvals, conflict_decisions, object_resets, undo_request
from tidegate.control.cache_identity import is_being_deleted, is_gone
from tidegate.control.declared import owes_activation, wants_reset
from tidegate.control.due import full_sync_requested
from tidegate.control.observation import NO_RUN, Observation
from tidegate.control.plan_words import plan_words
from tidegate.control.reasons import CANNOT_START, JOB_HELD, JOB_REFUSED
from tidegate.control.records import records_waiting, set_everything_aside
from tidegate.control.step import Step
from tidegate.control.termination_message import report_of
from tidegate.control.untrusted import inert


def report(seen: Observation, step: Step, now: datetime) -> SyncIntegrationStatus:
    """The status to be stored. It holds no relative time, so that nothing is written while nothing happens."""
    message = _message(seen, step)
    return step.status.replace(
        partial(
            SyncIntegrationStatus,
            observed_generation=seen.integration.generation,
            declared=seen.integration.spec.status,
            phase=step.phase,
            message=message,
            activity=_activity(step),
            conditions=_conditions(seen, step, message, now),
        )
    )


def _activity(step: Step) -> str | None:
    run = _run_of_sync(step.status)
    if run is not None and step.cannot_start:
        return f"▷ run {run.number}"
    if run is not None and step.phase in (Phase.SYNCING, Phase.TURNING_OFF):
        return f"▶ run {run.number}"
    newest = newest_of_sync(step.status.recent_activity)
    return newest.summary if newest else None


def _run_of_sync(status: SyncIntegrationStatus) -> Run | None:
    """The claimed run, unless it is a plan: that is no sync."""
    return status.run if status.run is not None and status.run.kind is not RunKind.PLAN else None


def _message(seen: Observation, step: Step) -> str:
    if seen.integration.deleting:
        return "deleting: stopping the current run; no new run will start"
    sentence = step.stalled or _phase_words(seen, step)
    also = "".join(f"; {words}" for words in (step.does_not_end, step.duplicate) if words)
    also += plan_words(seen, step) + _orphan_words(seen) + _cache_words(step.status)
    waiting = _waiting_records_words(seen, step.status) + conflict_decisions.words(seen, step.status)
    waiting += object_resets.words(seen, step.status) + undo_request.words(seen, step.status)
    waiting += approvals.words(seen, step.status)
    return sentence + also + waiting + _full_sync_words(seen, step) + _pending_words(seen, step)


def _phase_words(seen: Observation, step: Step) -> str:
    status = step.status
    match step.phase:
        case Phase.OFF:
            return "OFF: no sync is running"
        case Phase.WAITING if status.run and status.run.kind is RunKind.PLAN and not status.next_run_at:
            return "a new activation is due" if owes_activation(seen, status) else "the next run is due"
        case Phase.PAUSED if status.run:
            what = "cancels it and resets" if wants_reset(seen, status) else "continues it where it left off"
            return f"run {status.run.number} is paused; turning ON {what}"
        case Phase.TURNING_OFF if status.run and step.cannot_start:
            way_out = "offPolicy PauseRun pauses it instead"
            waits = f"waiting for run {status.run.number} to finish, but it cannot start again"
            return f"{waits}: {step.cannot_start}; {way_out}"
        case Phase.TURNING_OFF if status.run:
            return _turning_off_words(seen, status.run)
        case Phase.SYNCING if status.run and step.does_not_end:
            return f"run {status.run.number} waits for its Pod to end"
        case Phase.SYNCING if status.run and not status.run.cancelling and _has_lost_its_job(seen, status.run):
            return f"the Job of run {status.run.number} is gone; creating it again when its Pod has terminated"
        case Phase.SYNCING if status.run:
            return _running_words(status.run) + _attempt_words(seen, status.run)
        case Phase.WAITING if status.run and step.reason == CANNOT_START:
            way_out = "it will start as soon as it can; to cancel it, fix spec.template or turn OFF"
            return f"run {status.run.number} cannot start: {step.cannot_start}; {way_out}"
        case Phase.WAITING if seen.cache and is_being_deleted(seen) and not status.run:
            return f"waiting for the cache's PersistentVolumeClaim {seen.cache.name} to be deleted"
        case Phase.WAITING if is_gone(seen, status):
            return _making_cache_words(seen)
        case Phase.WAITING if status.run and step.cannot_start:
            return f"run {status.run.number} cannot start yet: {step.cannot_start}"
        case Phase.WAITING if status.next_run_at and not _has_remains(seen):
            return _waiting_words(status, status.next_run_at)
        case _:
            return "waiting for the Pod of an earlier run to end"


def _making_cache_words(seen: Observation) -> str:
    if seen.refusal and seen.refusal.run == NO_RUN:
        return f"the cache's volume is gone, and a new one cannot be created yet: {inert(seen.refusal.message)}"
    return "the cache's volume is gone: creating a new one; a full sync follows"


def _waiting_records_words(seen: Observation, status: SyncIntegrationStatus) -> str:
    count = status.waiting_records
    if not count:
        return ""
    return f"; {records_waiting(count)}: kubectl sync conflicts {seen.integration.name}"


def _turning_off_words(seen: Observation, run: Run) -> str:
    job = seen.job_of(run)
    if run.cancelling:
        return f"turning OFF: cancelling {_cancelled(run)}"
    if job is None and not seen.orphans and _was_paused(seen, run):
        return f"the Job of the paused run {run.number} is gone; confirming that it will not start again"
    if job is None and not seen.orphans:
        return f"turning OFF: confirming that run {run.number} did not start"
    policy = seen.integration.spec.off_policy
    pauses = job is not None and not job.finished and (job.suspended or policy is OffPolicy.PAUSE_RUN)
    resumed_by = job.resumed_by if job is not None and pauses else None
    what = "pause" if pauses and resumed_by is None else "finish"
    why = f": its Job was suspended to pause it, and was resumed by {resumed_by}" if resumed_by else ""
    return f"waiting for run {run.number} to {what} before turning OFF{why}" + _attempt_words(seen, run)


def _has_lost_its_job(seen: Observation, run: Run) -> bool:
    return seen.job_of(run) is None and bool(seen.orphans)


def _was_paused(seen: Observation, run: Run) -> bool:
    return any(
        entry.run == run.number and entry.outcome is Outcome.PAUSED for entry in seen.integration.status.recent_activity
    )


def _orphan_words(seen: Observation) -> str:
    """Which Pod is waited for when nothing but the Pod itself can end it."""
    names = ", ".join(sorted(pod.name for pod in seen.orphans if not pod.terminating))
    return (
        f"; Pod {names} is still running although its Job is gone; delete it if it does not terminate" if names else ""
    )


def _cancelled(run: Run) -> str:
    return f"run {run.number}, which never started" if run.unstarted else f"the paused run {run.number}"


def _running_words(run: Run) -> str:
    if run.cancelling:
        what_follows = "the next run follows" if run.unstarted else "a new activation follows"
        return f"cancelling {_cancelled(run)}; {what_follows}"
    if run.kind is RunKind.UNDO:
        return f"run {run.number} is in progress: undoing run {run.undo}"
    if run.kind is RunKind.INCREMENTAL:
        return f"run {run.number} is in progress: incremental sync"
    purpose = "pushing what has changed" if run.push else "read-only: catching up, pushing nothing"
    return f"run {run.number} is in progress: full sync, {purpose}"


def _attempt_words(seen: Observation, run: Run) -> str:
    """Which Pod of the run this is, once one has failed and is replaced."""
    job = seen.job_of(run)
    if job is None or job.finished or not job.failures:
        return ""
    pods = seen.pods_of(job)
    report, code = report_of(pods), next((pod.exit_code for pod in pods if pod.exit_code is not None), None)
    said = report.reason if report else None
    why = f": {said}" if said else f" with exit code {code}" if code is not None else ""
    attempts = job.backoff_limit + 1
    return f"; attempt {min(job.failures + 1, attempts)} of {attempts}, the last one failed{why}"


def _has_remains(seen: Observation) -> bool:
    unfinished = (job for job in seen.jobs if not job.finished and job.run.kind is not RunKind.PLAN)
    return seen.has_syncing_pod or any(unfinished)


def _waiting_words(status: SyncIntegrationStatus, next_run_at: datetime) -> str:
    at = format_time(next_run_at)
    last = status.last_run
    newest = newest_of_sync(status.recent_activity)
    if newest is not None and set_everything_aside(newest):
        return f"run {newest.run} set aside everything that it read, so the full sync is still owed; retrying at {at}"
    if last and status.consecutive_failures:
        why = f": {last.reason}" if last.reason else ""
        return f"run {last.number} failed{why}; retrying at {at}"
    return f"waiting until {at} for the next run"


def _cache_words(status: SyncIntegrationStatus) -> str:
    """Why a full sync is done again; a run that has just failed for it says so itself."""
    lost = status.activation.cache_lost if status.activation else None
    said = status.last_run is not None and status.last_run.outcome is Outcome.CACHE_LOST and status.run is None
    return f"; a full sync is owed again: {lost}" if lost and not said else ""


def _full_sync_words(seen: Observation, step: Step) -> str:
    """What follows the run in progress, where a full sync was requested. While OFF no request is left."""
    waits = seen.integration.spec.status is Switch.ON and full_sync_requested(seen, step.status)
    return "; then the requested full sync follows" if waits else ""


def _pending_words(seen: Observation, step: Step) -> str:
    """What is declared and does not apply yet."""
    status, spec = step.status, seen.integration.spec
    activation = status.activation
    if activation is None or step.phase is Phase.OFF or (status.run and status.run.cancelling):
        return ""
    on = spec.status is Switch.ON
    if on and wants_reset(seen, status):
        return f"; then a new activation begins with a reset, in mode {spec.mode}"
    if spec.mode is activation.mode or (wants_reset(seen, status) and step.phase is Phase.PAUSED):
        return ""
    if step.phase is Phase.PAUSED or spec.off_policy is OffPolicy.PAUSE_RUN:
        return f"; mode {spec.mode} applies to the next activation"
    return f"; mode {spec.mode} applies when it is next turned ON" if on else ""


def _conditions(seen: Observation, step: Step, message: str, now: datetime) -> tuple[Condition, ...]:
    status = step.status
    on = seen.integration.spec.status is Switch.ON
    # A Pod that is alive is a sync in progress, whichever run it belongs to: one that cannot start may still do so.
    in_progress = step.phase in (Phase.SYNCING, Phase.TURNING_OFF) or step.reason in (CANNOT_START, JOB_HELD)
    run, newest = _run_of_sync(status), newest_of_sync(status.recent_activity)
    running = seen.has_syncing_pod or (run is not None and in_progress)
    caught_up = status.activation is not None and status.activation.caught_up
    failing = on and status.consecutive_failures > 0
    # A paused run counts as an honoured OFF; ON is honoured when the full sync that it owes is done.
    honoured = (caught_up and not failing) if on else step.phase in (Phase.OFF, Phase.PAUSED)
    if step.reason:
        reason = step.reason
    elif step.stalled:
        reason = str(status.last_run.outcome) if status.last_run and run is None else JOB_REFUSED
    elif honoured:
        reason = "CaughtUp" if on else str(step.phase)
    elif failing:
        reason = "Retrying"
    elif on and newest is not None and set_everything_aside(newest):
        reason = "EverythingSetAside"
    else:
        reason = "CatchingUp" if on else "TurningOff"
    stalled = step.stalled is not None
    in_the_way = step.stalled or step.cannot_start or step.does_not_end or step.duplicate
    ready = honoured and in_the_way is None
    conditions = (
        ("Ready", ready, reason),
        # A Pod that cannot start is not Stalled: a node, an image or a Secret may still come, and then it starts.
        ("Reconciling", not ready and not stalled, reason),
        ("Stalled", stalled, reason if stalled else "Working"),
        ("Syncing", running, "RunInProgress" if running else "NoRunInProgress"),
    )
    return tuple(_condition(seen, type_, holds, why, message, now) for type_, holds, why in conditions)


def _condition(seen: Observation, type_: str, holds: bool, reason: str, message: str, now: datetime) -> Condition:
    status: Literal["True", "False"] = "True" if holds else "False"
    before = next((c for c in seen.integration.status.conditions if c.type == type_), None)
    unchanged = before is not None and before.status == status
    return Condition(
        type=type_,
        status=status,
        reason=reason,
        message=message,
        observed_generation=seen.integration.generation,
        last_transition_time=before.last_transition_time if before and unchanged else now,
    )
