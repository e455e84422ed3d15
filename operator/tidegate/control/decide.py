"""Decide: Observation, now → Plan. Pure: no clock, no I/O, no framework.

The third step of the flow. Every rule of design section 3 and every invariant of section 4 is kept here, from levels
only: the declared state, the remembered status and what the cluster holds. Nothing depends on having seen a change.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from tidegate.api import names
from tidegate.api.spec import Mode, OffPolicy, Switch
from tidegate.api.status import (
    Activation,
    HandledRequests,
    LastRun,
    Outcome,
    Phase,
    Run,
    RunKind,
    SyncIntegrationStatus,
)
from tidegate.control import cache_identity, ending
from tidegate.control.due import deletes_confirmed, is_corrected, sync_requested, wait_for_next_run
from tidegate.control.duplicate import end_duplicates
from tidegate.control.history import (
    CREATION_PATIENCE,
    entry_of,
    finished_jobs,
    record_end,
    superfluous_jobs,
    with_entry,
)
from tidegate.control.observation import NO_RUN, Job, Observation, Refusal, inert
from tidegate.control.plan import Action, Announce, CreateCache, CreateJob, DeleteJob, LookUpJob, Plan, SuspendJob
from tidegate.control.starting import (
    is_interrupted,
    obstacle,
    obstacle_due_at,
    worker_may_have_started,
)

# How the API server names the resource of a ResourceQuota that Jobs count towards.
_QUOTA_ON_JOBS = "count/jobs.batch"

# Reasons of conditions and of Events.
CANNOT_START = "PodCannotStart"
JOB_REFUSED = "JobRefused"
JOB_HELD = "JobHeld"
POD_DOES_NOT_END = "PodDoesNotEnd"
JOB_GONE = "JobGone"
CACHE_REQUIRED = "CacheRequired"

LOOK_AGAIN = timedelta(seconds=1)
LOOK_UP_AGAIN = timedelta(seconds=10)  # a request each time


def decide(seen: Observation, now: datetime) -> Plan:
    """What to do about one integration.

    Calling it again with the result applied yields a Plan that writes nothing, until something changes or
    `look_again_at` has come (invariant I6).
    """
    remembered = _remembered(seen)
    if seen.integration.deleting:
        return Plan(phase=remembered.phase or Phase.OFF, status=remembered)
    remembered, announcements = record_end(seen, remembered, now)
    remembered = _adopt_stray_job(seen, remembered)
    unfinished = (job for job in seen.jobs if not job.finished and not ending.is_out_of_use(seen, job))
    strays = tuple(job for job in unfinished if not _is_claimed(job, remembered))
    if remembered.run is not None:
        plan = _continue_run(seen, remembered, remembered.run, strays, now)
    elif strays:
        plan = Plan(_phase_between_runs(seen), remembered)
    elif seen.integration.spec.status is Switch.OFF:
        plan = _be_off(seen, remembered)
    else:
        plan = _start_next_run(seen, remembered, now)
    put_away = tuple(action for job in strays for action in _put_away(seen, job))
    pruned, prune_at = superfluous_jobs(seen, now)
    plan = replace(
        plan,
        actions=(*announcements, *plan.actions, *put_away, *pruned),
        look_again_at=_earliest(plan.look_again_at, prune_at, ending.look_again_at(seen, now)),
    )
    return _tell_of_lost_pod(seen, end_duplicates(seen, plan), now)


def _tell_of_lost_pod(seen: Observation, plan: Plan, now: datetime) -> Plan:
    """A Pod that should have terminated and has not is reported, whatever else the plan waits for."""
    why = ending.overdue(seen, now)
    if why is None:
        return plan
    if plan.reason is not None:
        return replace(plan, does_not_end=why)
    told = () if seen.integration.tells_of(POD_DOES_NOT_END) else (Announce(POD_DOES_NOT_END, why, warning=True),)
    return replace(plan, actions=(*plan.actions, *told), does_not_end=why, reason=POD_DOES_NOT_END)


def _earliest(*times: datetime | None) -> datetime | None:
    return min((at for at in times if at is not None), default=None)


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
            recent_activity=status.recent_activity[: seen.integration.spec.activity_limit],
        )
    )


def _adopt_stray_job(seen: Observation, status: SyncIntegrationStatus) -> SyncIntegrationStatus:
    """An unfinished Job whose number was never claimed, according to the status, becomes the run (invariant I1).

    A Job whose claim was cancelled or whose end is recorded is left over, or is seen on an old view: it is retired.
    """
    newest = max((job for job in seen.jobs if not job.finished), key=lambda job: job.run.number, default=None)
    if newest is None or newest.run.number <= seen.integration.status.runs:
        return status
    return _with_run(status, newest.run)


def _with_run(status: SyncIntegrationStatus, run: Run) -> SyncIntegrationStatus:
    return status.replace(partial(SyncIntegrationStatus, run=run))


def _is_claimed(job: Job, status: SyncIntegrationStatus) -> bool:
    return status.run is not None and status.run.job_name == job.name


def _put_away(seen: Observation, job: Job) -> tuple[Action, ...]:
    """Give up an unfinished Job: it is deleted only at rest, so that its Pod has ended before its name is free.

    Both carry the Job's resourceVersion: on an old view of a Job that has finished they do nothing.
    """
    if not job.suspended:
        return (SuspendJob(job.name, job.uid, job.resource_version, suspend=True),)
    return (DeleteJob(job.name, job.uid, job.resource_version),) if _is_at_rest(seen, job) else ()


def _is_at_rest(seen: Observation, job: Job) -> bool:
    """True when the Job is suspended, its controller has acknowledged that, and no Pod of it is left."""
    return job.suspended and job.suspension_seen and not job.pods and not any(p.live for p in seen.pods_of(job))


def _continue_run(
    seen: Observation, status: SyncIntegrationStatus, run: Run, strays: tuple[Job, ...], now: datetime
) -> Plan:
    job = seen.job_of(run)
    if job is None:
        if strays:  # first come, first served: the claimed Job is not created beside another one
            return Plan(_phase_of_running(seen), status)
        return _give_up_claim(seen, status, run, now) if run.cancelling else _continue_claim(seen, status, run, now)
    if job.finished:  # its termination message has not arrived yet
        return Plan(_phase_of_running(seen), status, look_again_at=now + LOOK_AGAIN)
    if ending.is_out_of_use(seen, job):
        return _await_removal(seen, status, run, job, now)
    if run.cancelling:
        return _cancel(seen, status, run, job, now)
    why = _held_words(job) or obstacle(seen, run, now)
    if why and _has_nothing_to_finish(seen, status, run):
        return _give_up_unstarted(seen, status, run, job, why)
    if job.held_by and (seen.integration.spec.status is Switch.OFF or not wants_reset(seen, status)):
        return _be_held(seen, status, run, job)
    if seen.integration.spec.status is Switch.OFF:
        return _turn_off(seen, status, run, job, now)
    if not job.suspended:
        return _watch_over(seen, Phase.SYNCING, status, now)
    if wants_reset(seen, status):
        # The cancellation is written first, so that the Job is not created again.
        cancelling = _with_run(status, run.replace(partial(Run, cancelling=True)))
        return Plan(Phase.SYNCING, cancelling, _put_away(seen, job))
    # The new time makes the status differ, so that its write is a fence against an old view of the switch.
    resumed = _with_run(status, run.replace(partial(Run, claimed_at=now)))
    resume = SuspendJob(job.name, job.uid, job.resource_version, suspend=False)
    return Plan(Phase.SYNCING, resumed, (resume, Announce("Resumed", f"run {run.number} picks up where it left off")))


def _held_words(job: Job) -> str | None:
    return f"its Job is suspended by {job.held_by}" if job.held_by else None


def _be_held(seen: Observation, status: SyncIntegrationStatus, run: Run, job: Job) -> Plan:
    """Another client suspended the Job and has to resume it. OFF with PauseRun makes the suspension the operator's."""
    words = _held_words(job)
    if is_interrupted(seen, run):
        status = _with_run(status, run.replace(partial(Run, interrupted=True)))
    off = seen.integration.spec.status is Switch.OFF
    if off and seen.integration.spec.off_policy is OffPolicy.PAUSE_RUN:
        pause = SuspendJob(job.name, job.uid, job.resource_version, suspend=True)
        return Plan(Phase.TURNING_OFF, status, (pause,))
    told = () if seen.integration.tells_of(JOB_HELD) else (Announce(JOB_HELD, f"run {run.number} waits: {words}"),)
    return Plan(_phase_between_runs(seen), status, told, cannot_start=words, reason=JOB_HELD)


def _has_nothing_to_finish(seen: Observation, status: SyncIntegrationStatus, run: Run) -> bool:
    """True when a run that cannot start is in the way of what has been declared since, and its worker never started."""
    declared_since = seen.integration.spec.status is Switch.OFF or is_corrected(seen, run) or wants_reset(seen, status)
    if seen.integration.spec.status is Switch.ON and cache_identity.lacks_cache(seen):
        # Its Pod waits for a volume that has been deleted. With a new one it starts: cancelled now, the Pod would end
        # unstarted, be taken for one that had started, and the run be resumed, again and again.
        return False
    return declared_since and not worker_may_have_started(seen, status, run)


def _give_up_unstarted(seen: Observation, status: SyncIntegrationStatus, run: Run, job: Job, why: str) -> Plan:
    # Written first, so that the Job is not created again.
    given_up = run.replace(partial(Run, cancelling=True, unstarted=True))
    note = f"run {run.number} is cancelled, because its worker could not start: {why}"
    announcement = Announce("RunGivenUp", note, warning=True)
    given_up_first = _with_run(status, given_up)
    return Plan(_phase_of_running(seen), given_up_first, (*_put_away(seen, job), announcement))


def _cancel(seen: Observation, status: SyncIntegrationStatus, run: Run, job: Job, now: datetime) -> Plan:
    if run.unstarted and worker_may_have_started(seen, status, run):
        # It started after all, between the observation and the suspension: it is paused, so that nothing is lost.
        kept = run.replace(partial(Run, cancelling=False, unstarted=False))
        return _continue_run(seen, _with_run(status, kept), kept, (), now)
    free_at = min(run.claimed_at, now) + CREATION_PATIENCE
    if job.suspended and now < free_at:
        # While another create request may be under way, the name is the lock: the run would be created again.
        return Plan(_phase_of_running(seen), status, look_again_at=free_at)
    return Plan(_phase_of_running(seen), status, _put_away(seen, job))


def _await_removal(seen: Observation, status: SyncIntegrationStatus, run: Run, job: Job, now: datetime) -> Plan:
    """End the run when OFF is declared; otherwise it is made again when the Job's name is free."""
    if seen.integration.spec.status is Switch.OFF or run.cancelling:
        return _end_claim(seen, status, run, now)
    kept_by = ", ".join(job.finalizers) or "Kubernetes"
    why = f"its Job {job.name} is being deleted, but {kept_by} still holds it"
    return Plan(Phase.WAITING, status, cannot_start=why)


def _turn_off(seen: Observation, status: SyncIntegrationStatus, run: Run, job: Job, now: datetime) -> Plan:
    if _is_at_rest(seen, job):
        return _be_paused(seen, status, run, now)
    if job.suspended:
        return Plan(Phase.TURNING_OFF, status)
    if seen.integration.spec.off_policy is OffPolicy.FINISH_RUN:
        return _watch_over(seen, Phase.TURNING_OFF, status, now)
    if job.suspension_seen:
        # Its controller has not noticed yet that it was resumed: suspended again now, it would look as if at rest.
        return Plan(Phase.TURNING_OFF, status)
    pause = SuspendJob(job.name, job.uid, job.resource_version, suspend=True)
    return Plan(Phase.TURNING_OFF, status, (pause,))


def _watch_over(seen: Observation, phase: Phase, status: SyncIntegrationStatus, now: datetime) -> Plan:
    """Let the run continue, and report a Pod that is late to start."""
    run = status.run
    trouble_at, why = None, None
    announcements: tuple[Announce, ...] = ()
    if run is not None:
        trouble_at, why = obstacle_due_at(seen, run, now), obstacle(seen, run, now)
        if is_interrupted(seen, run):
            status = _with_run(status, run.replace(partial(Run, interrupted=True)))
        if why is not None:
            phase = Phase.WAITING if phase is Phase.SYNCING else phase
            if not seen.integration.tells_of(CANNOT_START):
                announcements = (Announce(CANNOT_START, f"run {run.number}: {why}", warning=True),)
    reason = CANNOT_START if why else None
    plan = Plan(phase, status, announcements, look_again_at=trouble_at, cannot_start=why, reason=reason)
    if not cache_identity.lacks_cache(seen):
        return plan
    refusal = _refusal_of(seen, status.run)
    if refusal and now < refusal.retry_at:
        return replace(plan, look_again_at=_earliest(trouble_at, refusal.retry_at))
    # It was deleted; without it the run's Pod would wait without end.
    return replace(plan, actions=(CreateCache(), *announcements))


def _phase_of_running(seen: Observation) -> Phase:
    return Phase.SYNCING if seen.integration.spec.status is Switch.ON else Phase.TURNING_OFF


def _phase_between_runs(seen: Observation) -> Phase:
    return Phase.WAITING if seen.integration.spec.status is Switch.ON else Phase.TURNING_OFF


def _be_paused(seen: Observation, status: SyncIntegrationStatus, run: Run, now: datetime) -> Plan:
    if status.phase is Phase.PAUSED:
        return Plan(Phase.PAUSED, status)
    entry = entry_of(run, Outcome.PAUSED, now)
    paused = status.replace(partial(SyncIntegrationStatus, recent_activity=with_entry(seen, status, entry)))
    return Plan(Phase.PAUSED, paused, (Announce("Paused", f"run {run.number} is paused"),))


def _continue_claim(seen: Observation, status: SyncIntegrationStatus, run: Run, now: datetime) -> Plan:
    """A claim without a Job: the operator stopped between the two writes, or the Job was deleted."""
    if seen.integration.spec.status is Switch.OFF:
        return _give_up_claim(seen, status, run, now)
    refusal = _refusal_of(seen, run)
    # It stays refused until an attempt succeeds, so that a status does not flicker with every attempt.
    plan = Plan(Phase.SYNCING, status) if refusal is None else _be_refused(seen, status, run, refusal)
    asked = sync_requested(seen, status)
    if refusal and now < refusal.retry_at and not asked:
        return replace(plan, look_again_at=refusal.retry_at)
    if seen.has_live_pod:
        return replace(plan, look_again_at=now + LOOK_AGAIN)
    if seen.absent_job != run.job_name:
        return replace(plan, actions=(*plan.actions, LookUpJob(run.job_name)), look_again_at=now + LOOK_UP_AGAIN)
    declared = seen.integration
    again = run.replace(partial(Run, claimed_at=now, generation=declared.generation, spec_digest=declared.spec.digest))
    launched = _launch(seen, _with_sync_request_handled(seen, status), again)
    room = _make_room(seen, refusal, now)
    gone = () if refusal else (_job_gone(run, "creating it again"),)
    return replace(plan, status=launched.status, actions=(*room, *launched.actions, *plan.actions, *gone))


def _job_gone(run: Run, what_follows: str) -> Announce:
    return Announce(
        JOB_GONE,
        f"run {run.number} has no Job: it was deleted, or the operator stopped before creating it; {what_follows}",
        warning=True,
    )


def _make_room(seen: Observation, refusal: Refusal | None, now: datetime) -> tuple[DeleteJob, ...]:
    """Before a create that a quota on Jobs has refused, the oldest finished Job goes: its result is in the status."""
    if refusal is None or _QUOTA_ON_JOBS not in refusal.message:
        return ()
    # The create depends on it: it is not put off until afterwards, as housekeeping is.
    deletions = {job.name: replace(job, housekeeping=False) for job in finished_jobs(seen, now)[0]}
    oldest_first = sorted(seen.jobs, key=lambda job: job.run.number)
    return next(((deletions[job.name],) for job in oldest_first if job.name in deletions), ())


def _be_refused(seen: Observation, status: SyncIntegrationStatus, run: Run, refusal: Refusal) -> Plan:
    what = f"run {run.number} cannot start"
    announcement = Announce(JOB_REFUSED, f"{what}: {inert(refusal.message)}", warning=True)
    return Plan(
        Phase.WAITING,
        status,
        () if seen.integration.tells_of(JOB_REFUSED) else (announcement,),
        stalled=_refused_words(what, refusal) if refusal.needs_human else None,
        cannot_start=inert(refusal.message),
        reason=JOB_REFUSED,
    )


def _with_sync_request_handled(seen: Observation, status: SyncIntegrationStatus) -> SyncIntegrationStatus:
    handled = status.handled.replace(partial(HandledRequests, sync_requested_at=seen.integration.requests.sync))
    return status.replace(partial(SyncIntegrationStatus, handled=handled))


def _give_up_claim(seen: Observation, status: SyncIntegrationStatus, run: Run, now: datetime) -> Plan:
    """End a claim whose Job does not exist and, as certain as can be, will not come to exist any more."""
    phase = _phase_of_running(seen)
    if run.claimed_at > now:  # the clock was set back
        status = _with_run(status, run.replace(partial(Run, claimed_at=now)))
    certain_at = min(run.claimed_at, now) + CREATION_PATIENCE
    if now < certain_at:
        return Plan(phase, status, look_again_at=certain_at)
    if seen.has_live_pod:
        return Plan(phase, status, look_again_at=now + LOOK_AGAIN)
    if seen.absent_job != run.job_name:
        return Plan(phase, status, (LookUpJob(run.job_name),), look_again_at=now + LOOK_UP_AGAIN)
    return _end_claim(seen, status, run, now)


def _end_claim(seen: Observation, status: SyncIntegrationStatus, run: Run, now: datetime) -> Plan:
    cancelled = with_entry(seen, status, entry_of(run, Outcome.CANCELLED, now))
    ended = status.replace(partial(SyncIntegrationStatus, run=None, recent_activity=cancelled))
    if seen.integration.spec.status is Switch.OFF:
        plan = _be_off(seen, ended)
        if run.cancelling or _refusal_of(seen, run):  # the reason was reported
            return plan
        return replace(plan, actions=(*plan.actions, _job_gone(run, "the run is cancelled because OFF is declared")))
    if not run.unstarted:
        ended = ended.replace(partial(SyncIntegrationStatus, activation=None))
    return _start_next_run(seen, ended, now)


def _refusal_of(seen: Observation, run: Run | None) -> Refusal | None:
    """The API server's refusal of this run, unless the spec has changed since."""
    refusal = seen.refusal
    if refusal is None or run is None or refusal.run != run.number:
        return None
    return refusal if refusal.generation == seen.integration.generation else None


def _refused_words(what: str, refusal: Refusal) -> str:
    when = "retrying periodically, and at once when the spec changes"
    return f"{what}: {inert(refusal.message)}; {when}"


def _launch(seen: Observation, status: SyncIntegrationStatus, run: Run, *announcements: Announce) -> Plan:
    """Claim, then create. The claim changes the status each time, so that its write is a fence against a second
    operator and against an older self: who cannot write the claim creates nothing (invariant I1).
    """
    cache: tuple[Action, ...] = (CreateCache(),) if cache_identity.lacks_cache(seen) else ()
    claimed = status.replace(partial(SyncIntegrationStatus, run=run, next_run_at=None))
    return Plan(Phase.SYNCING, claimed, (*cache, CreateJob(run), *announcements))


def _be_off(seen: Observation, status: SyncIntegrationStatus) -> Plan:
    if seen.has_live_pod:  # the check mark must be true: no sync is running
        return Plan(Phase.TURNING_OFF, status)
    handled = status.handled.replace(partial(HandledRequests, sync_requested_at=seen.integration.requests.sync))
    off = status.replace(
        partial(SyncIntegrationStatus, activation=None, next_run_at=None, consecutive_failures=0, handled=handled)
    )
    announcements = (Announce("TurnedOff", "OFF is honoured: no sync is running"),) if status.activation else ()
    return Plan(Phase.OFF, off, announcements)


def wants_reset(seen: Observation, status: SyncIntegrationStatus) -> bool:
    """True when a new activation with reset is owed: declared and not yet done in this activation, or requested."""
    declared = seen.integration.spec.reset and status.activation is not None and not status.activation.reset
    return declared or _reset_requested(seen, status)


def _reset_requested(seen: Observation, status: SyncIntegrationStatus) -> bool:
    requested = seen.integration.requests.reset
    return requested is not None and requested != status.handled.reset_requested_at


def _start_next_run(seen: Observation, status: SyncIntegrationStatus, now: datetime) -> Plan:
    if seen.has_live_pod:
        return Plan(Phase.WAITING, status, look_again_at=now + LOOK_AGAIN)
    if seen.integration.spec.lacks_cache_of_built_in_worker:
        words = (
            "the built-in worker cannot sync without a cache: every run would be like the first one; "
            "delete the SyncIntegration and create it without cache.none"
        )
        told = () if seen.integration.tells_of(CACHE_REQUIRED) else (Announce(CACHE_REQUIRED, words, warning=True),)
        return Plan(Phase.WAITING, status, told, stalled=words, reason=CACHE_REQUIRED)
    activation = status.activation
    if activation is None or wants_reset(seen, status):
        return _activate(seen, status, now)
    last = status.last_run
    if last is not None and last.finished_at > now:
        # The clock was set back: the run ended before now, whatever it says.
        status = status.replace(
            partial(SyncIntegrationStatus, last_run=last.replace(partial(LastRun, finished_at=now)))
        )
    wait = wait_for_next_run(seen, status, now)
    if wait is not None:
        waiting = status.replace(partial(SyncIntegrationStatus, next_run_at=wait.until))
        return Plan(Phase.WAITING, waiting, look_again_at=wait.until, stalled=wait.stalled)
    if cache_identity.is_gone(seen, status):
        return _make_cache(seen, status, now)
    if cache_identity.is_being_deleted(seen):
        return _let_cache_go(seen, status, now)
    lost = cache_identity.difference(seen, status)
    if lost is None:
        return _claim(seen, status, activation, now)
    status, activation = cache_identity.begin_again(status, lost), cache_identity.owing(activation, lost)
    return _claim(seen, status, activation, now, cache_identity.announce(lost))


def _let_cache_go(seen: Observation, status: SyncIntegrationStatus, now: datetime) -> Plan:
    """Delete what holds a claim that is being deleted: no Pod can start with it, and finished ones keep it there."""
    holders, due = finished_jobs(seen, now)
    return Plan(Phase.WAITING, status, holders, look_again_at=due)


def _make_cache(seen: Observation, status: SyncIntegrationStatus, now: datetime) -> Plan:
    """Create the claim that is gone before a run is claimed: if it was there after all, it is the cache still."""
    refusal = seen.refusal
    if refusal is None or refusal.run != NO_RUN or refusal.generation != seen.integration.generation:
        return Plan(Phase.WAITING, status, (CreateCache(),), look_again_at=now + LOOK_AGAIN)
    stalled = _refused_words("the cache's volume cannot be created", refusal) if refusal.needs_human else None
    if now < refusal.retry_at:
        return Plan(Phase.WAITING, status, look_again_at=refusal.retry_at, stalled=stalled)
    return Plan(Phase.WAITING, status, (CreateCache(),), now + LOOK_AGAIN, stalled)


def _activate(seen: Observation, status: SyncIntegrationStatus, now: datetime) -> Plan:
    """Begin an activation; it captures mode and reset. Its first run is claimed in the same write, so that a reset
    is done exactly once (invariant I4). The delay lies between runs of an activation: turning ON starts at once.
    """
    spec = seen.integration.spec
    reset = spec.reset or _reset_requested(seen, status)
    if cache_identity.is_being_deleted(seen):
        return _let_cache_go(seen, status, now)
    if not reset and cache_identity.is_gone(seen, status):
        return _make_cache(seen, status, now)
    lost = None if reset else cache_identity.difference(seen, status)
    if reset:
        status = cache_identity.reset(status)
    elif lost:
        status = cache_identity.begin_again(status, lost)
    activation = Activation(number=status.activations + 1, mode=spec.mode, reset=reset, started_at=now, cache_lost=lost)
    requested = seen.integration.requests.reset
    if requested is None:
        requested = status.handled.reset_requested_at
    begun = status.replace(
        partial(
            SyncIntegrationStatus,
            activation=activation,
            activations=activation.number,
            consecutive_failures=0,
            handled=status.handled.replace(partial(HandledRequests, reset_requested_at=requested)),
        )
    )
    what = "read-only full sync" if activation.mode is Mode.FUTURE_ONLY else "full sync"
    first = "; all cached data is deleted first" if activation.reset else ""
    note = f"activation {activation.number} begins with a {what} ({activation.mode}){first}"
    announcements = (Announce("TurnedOn", note), *((cache_identity.announce(lost),) if lost else ()))
    return _claim(seen, begun, activation, now, *announcements)


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
    confirmed = last if deletes_confirmed(seen, last) else None
    kind = RunKind.INCREMENTAL if activation.caught_up else RunKind.FULL
    run = Run(
        number=number,
        kind=kind,
        push=kind is RunKind.INCREMENTAL or activation.mode is Mode.PAST_AND_FUTURE,
        cache_epoch=status.cache_epoch,
        # Without a volume each run finds it empty.
        cache_run=status.cache.run if status.cache and not integration.spec.cache.none else None,
        # A reset deletes any other cache. If it was cancelled, a later activation keeps the one that it finds (I4).
        oldest_cache_epoch=None if activation.reset else status.oldest_cache_epoch,
        job_name=names.job_name(integration.name, integration.uid, number),
        started_at=now,
        claimed_at=now,
        generation=integration.generation,
        spec_digest=integration.spec.digest,
        allow_deletes=confirmed.number if confirmed else None,
        confirmed=confirmed.found if confirmed else None,
    )
    claimed = _with_sync_request_handled(seen, status.replace(partial(SyncIntegrationStatus, runs=number)))
    return _launch(seen, claimed, run, *announcements)
