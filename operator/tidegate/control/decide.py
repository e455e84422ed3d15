"""Decide: Observation, now → Step. Pure: no clock, no I/O, no framework.

The third step of the flow. Every rule of design section 3 and every invariant of section 4 is kept here, from levels
only: the declared state, the remembered status and what the cluster holds. Nothing depends on having seen a change.
"""

from dataclasses import replace
from datetime import datetime
from functools import partial

from tidegate.api.runs import RunKind
from tidegate.api.spec import Switch
from tidegate.api.status import Phase, SyncIntegrationStatus
from tidegate.control import approvals, conflict_decisions, ending, object_resets, undo_request
from tidegate.control.claim import with_run
from tidegate.control.declared import phase_between_runs
from tidegate.control.duplicate import end_duplicates
from tidegate.control.history import record_end, superfluous_jobs
from tidegate.control.next_run import be_off, start_next_run
from tidegate.control.observation import Job, Observation
from tidegate.control.planning import continue_plan, plan_is_due, refuse_plan, start_plan
from tidegate.control.reasons import POD_DOES_NOT_END
from tidegate.control.records import bounded_activity
from tidegate.control.running import continue_run, retire, retire_due_at
from tidegate.control.step import Announce, Step, earliest


def decide(seen: Observation, now: datetime) -> Step:
    """What to do about one integration.

    Calling it again with the result applied yields a Step that writes nothing, until something changes or
    `look_again_at` has come (invariant I6).
    """
    remembered = _remembered(seen)
    if seen.integration.deleting:
        return Step(phase=remembered.phase or Phase.OFF, status=remembered)
    remembered, announcements = record_end(seen, remembered, now)
    remembered = _adopt_stray_job(seen, remembered)
    remembered, refusals = _refuse_requests(seen, remembered, now)
    unfinished = (job for job in seen.jobs if not job.finished and not ending.is_out_of_use(seen, job))
    strays = tuple(job for job in unfinished if not _is_claimed(job, remembered))
    if remembered.run is not None:
        go_on = continue_plan if remembered.run.kind is RunKind.PLAN else continue_run
        step = go_on(seen, remembered, remembered.run, strays, now)
    elif strays and not _are_plans_while_off(seen, strays):
        step = Step(phase_between_runs(seen), remembered)
    elif plan_is_due(seen, remembered) and not strays:
        step = start_plan(seen, remembered, now)
    elif seen.integration.spec.status is Switch.OFF:
        step = be_off(seen, remembered)
    else:
        step = start_next_run(seen, remembered, now)
    retired = tuple(action for job in strays for action in retire(seen, job, now))
    retire_at = earliest(*(retire_due_at(job, now) for job in strays))
    pruned, prune_at = superfluous_jobs(seen, now)
    step = replace(
        step,
        actions=(*announcements, *refusals, *step.actions, *retired, *pruned),
        look_again_at=earliest(step.look_again_at, retire_at, prune_at, ending.look_again_at(seen, now)),
    )
    return _tell_of_lost_pod(seen, end_duplicates(seen, step), now)


def _refuse_requests(
    seen: Observation, status: SyncIntegrationStatus, now: datetime
) -> tuple[SyncIntegrationStatus, tuple[Announce, ...]]:
    """The status with requests that cannot be carried out as handled, and the Events that say why."""
    status, told = refuse_plan(seen, status, now)
    for refuse in (conflict_decisions.refuse, object_resets.refuse, undo_request.refuse, approvals.refuse):
        status, more = refuse(seen, status)
        told = (*told, *more)
    return status, told


def _tell_of_lost_pod(seen: Observation, step: Step, now: datetime) -> Step:
    """A Pod that should have terminated and has not is reported, whatever else the step waits for."""
    why = ending.overdue(seen, now)
    if why is None:
        return step
    if step.reason is not None:
        return replace(step, does_not_end=why)
    told = () if seen.integration.tells_of(POD_DOES_NOT_END) else (Announce(POD_DOES_NOT_END, why, warning=True),)
    return replace(step, actions=(*step.actions, *told), does_not_end=why, reason=POD_DOES_NOT_END)


def _remembered(seen: Observation) -> SyncIntegrationStatus:
    """The status, corrected by the Jobs: they record runs and cache epochs even if the status was lost."""
    status = seen.integration.status
    run = status.run
    job = seen.job_of(run) if run else None
    if run and job and job.run.started_at != run.started_at:
        # The Job under the claimed name is of another life of the status: trust the Job's own annotations.
        run = None if job.finished else job.run
    runs = max((job.run.number for job in seen.jobs), default=0)
    epoch = max((job.run.cache_epoch for job in seen.jobs), default=0)
    return status.replace(
        partial(
            SyncIntegrationStatus,
            run=run,
            runs=max(status.runs, runs),
            cache_epoch=max(status.cache_epoch, epoch),
            recent_activity=bounded_activity(status.recent_activity, seen.integration.spec.activity_limit),
            cache_epoch_began=status.cache_epoch_began if epoch <= status.cache_epoch else None,
        )
    )


def _adopt_stray_job(seen: Observation, status: SyncIntegrationStatus) -> SyncIntegrationStatus:
    """An unfinished Job whose number was never claimed, according to the status, becomes the run (invariant I1).

    A Job whose claim was cancelled or whose end is recorded is left over, or is seen on an old view: it is retired.
    """
    newest = max((job for job in seen.jobs if not job.finished), key=lambda job: job.run.number, default=None)
    if newest is None or newest.run.number <= seen.integration.status.runs:
        return status
    return with_run(status, newest.run)


def _are_plans_while_off(seen: Observation, strays: tuple[Job, ...]) -> bool:
    """What is left of a plan keeps no OFF waiting."""
    return seen.integration.spec.status is Switch.OFF and all(job.run.kind is RunKind.PLAN for job in strays)


def _is_claimed(job: Job, status: SyncIntegrationStatus) -> bool:
    return status.run is not None and status.run.job_name == job.name
