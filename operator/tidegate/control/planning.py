"""Planning: a run that says what a full sync would do and writes nothing, between the runs of the sync or while it is
OFF. Pure.

A check, which only looks whether the configuration fits both systems, is a plan that ends early.

It is claimed like any run and so is the only one (invariant I1), and it is no run of the activation: the switch, the
delay and the next run go on beside it. It can be cancelled at any time, since it has nothing to finish.
"""

from dataclasses import replace
from datetime import datetime
from functools import partial

from tidegate.api import names
from tidegate.api.plans import PlanStatus
from tidegate.api.runs import Outcome, Run, RunKind
from tidegate.api.spec import Switch
from tidegate.api.status import Phase, SyncIntegrationStatus
from tidegate.control import cache_identity, ending, object_resets, undo_request
from tidegate.control.claim import (
    claimed_again,
    make_room,
    refusal_of,
    tell_of_lost_job,
    wait_before_creating,
    wait_before_ending,
    with_run,
)
from tidegate.control.conflict_decisions import for_run
from tidegate.control.declared import (
    owes_activation,
    phase_between_runs,
    plan_requested,
    with_plan_request_handled,
)
from tidegate.control.due import is_corrected, wait_for_next_run
from tidegate.control.history import entry_of, with_entry
from tidegate.control.next_run import be_off
from tidegate.control.observation import Job, Observation
from tidegate.control.plan_result import announce, ended, plan_of
from tidegate.control.running import cancel_job, held_words, removal_words
from tidegate.control.starting import obstacle, obstacle_due_at
from tidegate.control.step import LOOK_AGAIN, Announce, CreateJob, Step, earliest
from tidegate.control.untrusted import inert

_NOT_DECLARED = (
    "the template has an image of its own and does not say that its worker can plan: one that does not know SYNC_PLAN "
    f'would sync. Once it does, set the annotation {names.WORKER_PLANS_ANNOTATION}: "true" in spec.template.metadata'
)
_GIVES_WAY = "a plan gives way to a new activation; request it again once the sync has caught up, or turn OFF first"


def refuse_plan(
    seen: Observation, status: SyncIntegrationStatus, now: datetime
) -> tuple[SyncIntegrationStatus, tuple[Announce, ...]]:
    """The status with a requested plan as handled and refused, where it cannot be made."""
    if not plan_requested(seen, status):
        return status, ()
    why = _obstacle(seen, status)
    if why is None:
        return status, ()
    plan = PlanStatus(
        requested_at=seen.integration.requests.plan,
        check=seen.integration.requests.plan_check,
        finished_at=now,
        outcome=Outcome.CONFIGURATION_ERROR,
        reason=why,
    )
    refused = with_plan_request_handled(seen, status).replace(partial(SyncIntegrationStatus, plan=plan))
    return refused, (Announce("PlanRefused", why, warning=True),)


def _obstacle(seen: Observation, status: SyncIntegrationStatus) -> str | None:
    """Why the requested plan cannot be made: the worker may not know plans, or no such run can be undone."""
    if not seen.integration.spec.worker_plans:
        return _NOT_DECLARED
    undo, check = seen.integration.requests.plan_undo, seen.integration.requests.plan_check
    if check and undo is not None:
        return (
            f"{names.PLAN_CHECK_ANNOTATION} asks for a check, and {names.PLAN_UNDO_ANNOTATION} for the plan of an "
            "undo: remove one of the two annotations"
        )
    why = None if undo is None else undo_request.obstacle(seen, status, undo)
    return why and f"the annotation {names.PLAN_UNDO_ANNOTATION} starts no plan: {why}"


def plan_is_due(seen: Observation, status: SyncIntegrationStatus) -> bool:
    """Whether a requested plan comes next. A run that is only due follows it, a new activation comes first."""
    return plan_requested(seen, status) and not seen.has_live_pod and not owes_activation(seen, status)


def start_plan(seen: Observation, status: SyncIntegrationStatus, now: datetime) -> Step:
    """Claim a plan, then create its Job."""
    beside = _sync_beside(seen, with_plan_request_handled(seen, status), now)
    status, integration = beside.status, seen.integration
    number = status.runs + 1
    finds_cache = _finds_cache(seen, status)
    wipes = status.activation is not None and status.activation.reset
    undo = integration.requests.plan_undo
    of_full_sync = undo is None and not integration.requests.plan_check
    run = Run(
        number=number,
        kind=RunKind.PLAN,
        push=False,
        cache_epoch=status.cache_epoch,
        cache_run=status.cache.run if status.cache and finds_cache else None,
        oldest_cache_epoch=None if wipes else status.oldest_cache_epoch,
        job_name=names.job_name(integration.name, integration.uid, number),
        started_at=now,
        claimed_at=now,
        generation=integration.generation,
        spec_digest=integration.spec.digest,
        requested_at=integration.requests.plan,
        undo=int(undo) if undo is not None else None,
        check=integration.requests.plan_check,
        plan_key=integration.requests.plan_key,
        without_cache=not finds_cache,
        # As the full sync that is planned would be; a plan carries none out.
        decisions=for_run(integration, status, RunKind.FULL, push=True) if of_full_sync else None,
        object_resets=object_resets.foreseen(seen, status, now) if of_full_sync else (),
    )
    claimed = status.replace(partial(SyncIntegrationStatus, run=run, runs=number))
    return replace(beside, status=claimed, actions=(*beside.actions, CreateJob(run)))


def _finds_cache(seen: Observation, status: SyncIntegrationStatus) -> bool:
    """Whether the next full sync would find the cache that there is, rather than an empty one."""
    claim, spec = seen.cache, seen.integration.spec
    if claim is None or claim.deleting or not claim.bound or spec.cache.none:
        return False
    resets = status.activation is None and (spec.reset or object_resets.whole_requested(seen, status))
    return not resets and cache_identity.difference(seen, status) is None


def continue_plan(
    seen: Observation, status: SyncIntegrationStatus, run: Run, strays: tuple[Job, ...], now: datetime
) -> Step:
    """What to do about the claimed plan; `strays` are unfinished Jobs of other runs."""
    job = seen.job_of(run)
    if strays and job is None:  # first come, first served: the claimed Job is not created beside another one
        return Step(phase_between_runs(seen), status)
    beside = _sync_beside(seen, status, now)
    why = _waits_for(seen, run, job, now)
    if run.cancelling:
        return _go_on_cancelling(seen, beside, run, job, now)
    if owes_activation(seen, beside.status):
        return _cancel(seen, beside, run, job, _GIVES_WAY, now)
    if job and job.suspended and not job.held_by:
        return _cancel(seen, beside, run, job, "its Job was suspended", now)
    if why and _is_in_the_way(seen, beside, run, job):
        return _cancel(seen, beside, run, job, f"it could not start: {why}", now)
    run = run.replace(partial(Run, cannot_start=why))
    beside = replace(beside, status=with_run(beside.status, run))
    if job is None:
        return _create_again(seen, beside, run, now)
    if job.finished:  # its termination message has not arrived yet
        return replace(beside, look_again_at=now + LOOK_AGAIN)
    again = earliest(beside.look_again_at, obstacle_due_at(seen, run, now))
    return replace(beside, look_again_at=again)


def _sync_beside(seen: Observation, status: SyncIntegrationStatus, now: datetime) -> Step:
    """What the sync itself comes to meanwhile: OFF is honoured at once, and a run that is due waits."""
    if seen.integration.spec.status is Switch.OFF:
        return be_off(seen, status)
    if owes_activation(seen, status):
        return Step(Phase.WAITING, status.replace(partial(SyncIntegrationStatus, next_run_at=None)))
    wait = wait_for_next_run(seen, status, now)
    until = wait.until if wait else None
    waiting = status.replace(partial(SyncIntegrationStatus, next_run_at=until))
    return Step(Phase.WAITING, waiting, look_again_at=until, stalled=wait.stalled if wait else None)


def _waits_for(seen: Observation, run: Run, job: Job | None, now: datetime) -> str | None:
    """What keeps the plan's Pod from starting; None while all is well or may still be."""
    if job is None:
        refusal = refusal_of(seen, run)
        return inert(refusal.message) if refusal else None
    if ending.is_out_of_use(seen, job):
        return removal_words(job)
    return held_words(job) or obstacle(seen, run, now)


def _is_in_the_way(seen: Observation, beside: Step, run: Run, job: Job | None) -> bool:
    """Whether a plan that cannot start keeps something else waiting."""
    on = seen.integration.spec.status is Switch.ON
    is_due = on and beside.status.next_run_at is None and beside.stalled is None
    return is_due or plan_requested(seen, beside.status) or (job is not None and is_corrected(seen, run))


def _create_again(seen: Observation, step: Step, run: Run, now: datetime) -> Step:
    """A claim without a Job: the operator stopped between the two writes, or the Job was deleted or refused."""
    waits = wait_before_creating(seen, step, run, now)
    if waits is not None:
        return waits
    again = claimed_again(seen, run, now)
    actions = (*make_room(seen, run, now), CreateJob(again), *step.actions, *tell_of_lost_job(seen, run))
    return replace(step, status=with_run(step.status, again), actions=actions)


def _cancel(seen: Observation, beside: Step, run: Run, job: Job | None, why: str, now: datetime) -> Step:
    """Decide it, and tell whoever waits for the plan; written first, so that the Job is not created again."""
    plan = plan_of(run, Outcome.CANCELLED, now, why)
    cancelling = run.replace(partial(Run, cancelling=True))
    status = beside.status.replace(partial(SyncIntegrationStatus, run=cancelling, plan=plan))
    return _go_on_cancelling(
        seen, replace(beside, status=status, actions=(*beside.actions, announce(plan))), cancelling, job, now
    )


def _go_on_cancelling(seen: Observation, step: Step, run: Run, job: Job | None, now: datetime) -> Step:
    if job is None:
        waits = wait_before_ending(seen, step, run, now)
        return _end(seen, step, run, now) if waits is None else waits
    if job.finished:
        return replace(step, look_again_at=now + LOOK_AGAIN)
    if ending.is_out_of_use(seen, job):
        return _end(seen, step, run, now)
    return cancel_job(seen, step, job, now)


def _end(seen: Observation, step: Step, run: Run, now: datetime) -> Step:
    """End the claim; the write of it is the event upon which the sync goes on."""
    plan = step.status.plan
    if plan is None or plan.run != run.number:  # the status was lost
        plan = plan_of(run, Outcome.CANCELLED, now, "it was cancelled")
    activity = with_entry(seen, step.status, entry_of(run, Outcome.CANCELLED, now))
    return replace(step, status=ended(step.status, plan, activity))
