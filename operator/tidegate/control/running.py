"""Running: a claimed run that has a Job: let it run, pause, resume, hold or cancel it. Pure.

OFF never kills it (invariant I2), and a pause continues the same Job (invariant I3).
"""

from dataclasses import replace
from datetime import datetime
from functools import partial

from tidegate.api.runs import Outcome, Run
from tidegate.api.spec import OffPolicy, Switch
from tidegate.api.status import Phase, SyncIntegrationStatus
from tidegate.control import cache_identity, ending
from tidegate.control.claim import continue_claim, end_claim, give_up_claim, refusal_of, with_run
from tidegate.control.declared import phase_between_runs, phase_of_running, wants_reset
from tidegate.control.due import is_corrected
from tidegate.control.history import CREATION_PATIENCE, entry_of, with_entry
from tidegate.control.observation import Job, Observation
from tidegate.control.reasons import CANNOT_START, JOB_HELD
from tidegate.control.starting import is_interrupted, obstacle, obstacle_due_at, worker_may_have_started
from tidegate.control.step import LOOK_AGAIN, Action, Announce, CreateCache, DeleteJob, Step, SuspendJob, earliest


def continue_run(
    seen: Observation, status: SyncIntegrationStatus, run: Run, strays: tuple[Job, ...], now: datetime
) -> Step:
    """What to do about the claimed run; `strays` are unfinished Jobs of other runs."""
    job = seen.job_of(run)
    if job is None:
        if strays:  # first come, first served: the claimed Job is not created beside another one
            return Step(phase_of_running(seen), status)
        return give_up_claim(seen, status, run, now) if run.cancelling else continue_claim(seen, status, run, now)
    if job.finished:  # its termination message has not arrived yet
        return Step(phase_of_running(seen), status, look_again_at=now + LOOK_AGAIN)
    if ending.is_out_of_use(seen, job):
        return _await_removal(seen, status, run, job, now)
    if run.cancelling:
        return _cancel(seen, status, run, job, now)
    why = held_words(job) or obstacle(seen, run, now)
    if why and _has_nothing_to_finish(seen, status, run):
        return _give_up_unstarted(seen, status, run, job, why, now)
    if job.held_by and (seen.integration.spec.status is Switch.OFF or not wants_reset(seen, status)):
        return _be_held(seen, status, run, job)
    if seen.integration.spec.status is Switch.OFF:
        return _turn_off(seen, status, run, job, now)
    if not job.suspended:
        return _watch_over(seen, Phase.SYNCING, status, now)
    if wants_reset(seen, status):
        # The cancellation is written first, so that the Job is not created again.
        cancelling = with_run(status, run.replace(partial(Run, cancelling=True)))
        return Step(Phase.SYNCING, cancelling, retire(seen, job, now))
    # The new time makes the status differ, so that its write is a fence against an old view of the switch.
    resumed = with_run(status, run.replace(partial(Run, claimed_at=now)))
    resume = SuspendJob(job.name, job.uid, job.resource_version, suspend=False)
    return Step(Phase.SYNCING, resumed, (resume, Announce("Resumed", f"run {run.number} picks up where it left off")))


def _watch_over(seen: Observation, phase: Phase, status: SyncIntegrationStatus, now: datetime) -> Step:
    """Let the run continue, and report a Pod that is late to start."""
    run = status.run
    trouble_at, why = None, None
    announcements: tuple[Announce, ...] = ()
    if run is not None:
        trouble_at, why = obstacle_due_at(seen, run, now), obstacle(seen, run, now)
        if is_interrupted(seen, run):
            status = with_run(status, run.replace(partial(Run, interrupted=True)))
        if why is not None:
            phase = Phase.WAITING if phase is Phase.SYNCING else phase
            if not seen.integration.tells_of(CANNOT_START):
                announcements = (Announce(CANNOT_START, f"run {run.number}: {why}", warning=True),)
    reason = CANNOT_START if why else None
    step = Step(phase, status, announcements, look_again_at=trouble_at, cannot_start=why, reason=reason)
    if not cache_identity.lacks_cache(seen):
        return step
    refusal = refusal_of(seen, status.run)
    if refusal and now < refusal.retry_at:
        return replace(step, look_again_at=earliest(trouble_at, refusal.retry_at))
    # It was deleted; without it the run's Pod would wait without end.
    return replace(step, actions=(CreateCache(), *announcements))


def _turn_off(seen: Observation, status: SyncIntegrationStatus, run: Run, job: Job, now: datetime) -> Step:
    if _is_at_rest(seen, job):
        return _be_paused(seen, status, run, now)
    if job.suspended:
        return Step(Phase.TURNING_OFF, status)
    # What another client has resumed would be resumed again, without end.
    if seen.integration.spec.off_policy is OffPolicy.FINISH_RUN or job.resumed_by:
        return _watch_over(seen, Phase.TURNING_OFF, status, now)
    if job.suspension_seen:
        # Its controller has not noticed yet that it was resumed: suspended again now, it would look as if at rest.
        return Step(Phase.TURNING_OFF, status)
    pause = SuspendJob(job.name, job.uid, job.resource_version, suspend=True)
    return Step(Phase.TURNING_OFF, status, (pause,))


def _be_paused(seen: Observation, status: SyncIntegrationStatus, run: Run, now: datetime) -> Step:
    if status.phase is Phase.PAUSED:
        return Step(Phase.PAUSED, status)
    entry = entry_of(run, Outcome.PAUSED, now)
    paused = status.replace(partial(SyncIntegrationStatus, recent_activity=with_entry(seen, status, entry)))
    return Step(Phase.PAUSED, paused, (Announce("Paused", f"run {run.number} is paused"),))


def held_words(job: Job) -> str | None:
    """Who else has suspended a Job."""
    return f"its Job is suspended by {job.held_by}" if job.held_by else None


def _be_held(seen: Observation, status: SyncIntegrationStatus, run: Run, job: Job) -> Step:
    """Another client suspended the Job and has to resume it. OFF with PauseRun makes the suspension the operator's."""
    words = held_words(job)
    if is_interrupted(seen, run):
        status = with_run(status, run.replace(partial(Run, interrupted=True)))
    off = seen.integration.spec.status is Switch.OFF
    if off and seen.integration.spec.off_policy is OffPolicy.PAUSE_RUN:
        pause = SuspendJob(job.name, job.uid, job.resource_version, suspend=True)
        return Step(Phase.TURNING_OFF, status, (pause,))
    told = () if seen.integration.tells_of(JOB_HELD) else (Announce(JOB_HELD, f"run {run.number} waits: {words}"),)
    return Step(phase_between_runs(seen), status, told, cannot_start=words, reason=JOB_HELD)


def _has_nothing_to_finish(seen: Observation, status: SyncIntegrationStatus, run: Run) -> bool:
    """True when a run that cannot start is in the way of what has been declared since, and its worker never started."""
    declared_since = seen.integration.spec.status is Switch.OFF or is_corrected(seen, run) or wants_reset(seen, status)
    if seen.integration.spec.status is Switch.ON and cache_identity.lacks_cache(seen):
        # Its Pod waits for a volume that has been deleted. With a new one it starts: cancelled now, the Pod would end
        # unstarted, be taken for one that had started, and the run be resumed, again and again.
        return False
    return declared_since and not worker_may_have_started(seen, status, run)


def _give_up_unstarted(
    seen: Observation, status: SyncIntegrationStatus, run: Run, job: Job, why: str, now: datetime
) -> Step:
    # Written first, so that the Job is not created again.
    given_up = run.replace(partial(Run, cancelling=True, unstarted=True))
    note = f"run {run.number} is cancelled, because its worker could not start: {why}"
    announcement = Announce("RunGivenUp", note, warning=True)
    given_up_first = with_run(status, given_up)
    return Step(phase_of_running(seen), given_up_first, (*retire(seen, job, now), announcement))


def _cancel(seen: Observation, status: SyncIntegrationStatus, run: Run, job: Job, now: datetime) -> Step:
    if run.unstarted and worker_may_have_started(seen, status, run):
        # It started after all, between the observation and the suspension: it is paused, so that nothing is lost.
        kept = run.replace(partial(Run, cancelling=False, unstarted=False))
        return continue_run(seen, with_run(status, kept), kept, (), now)
    return cancel_job(seen, Step(phase_of_running(seen), status), job, now)


def cancel_job(seen: Observation, step: Step, job: Job, now: datetime) -> Step:
    """The step, and the Job of a cancelled run retired."""
    due = earliest(step.look_again_at, retire_due_at(job, now))
    return replace(step, actions=(*step.actions, *retire(seen, job, now)), look_again_at=due)


def retire(seen: Observation, job: Job, now: datetime) -> tuple[Action, ...]:
    """Give up an unfinished Job: it is deleted only at rest, so that its Pod has ended before its name is free.

    While another create request may be under way, the name is the lock: the run would be created again.
    One that another client resumes would never come to rest; the next run waits for its Pod in any case.
    Both carry the Job's resourceVersion: on an old view of a Job that has finished they do nothing.
    """
    if not job.suspended and not job.resumed_by:
        return (SuspendJob(job.name, job.uid, job.resource_version, suspend=True),)
    if not (job.resumed_by or _is_at_rest(seen, job)) or retire_due_at(job, now) is not None:
        return ()
    return (DeleteJob(job.name, job.uid, job.resource_version),)


def retire_due_at(job: Job, now: datetime) -> datetime | None:
    """When the name of a suspended Job will be free to go; None when it is, or when something else has to happen."""
    free_at = min(job.run.claimed_at, now) + CREATION_PATIENCE
    return free_at if (job.suspended or job.resumed_by) and now < free_at else None


def _is_at_rest(seen: Observation, job: Job) -> bool:
    """True when the Job is suspended, its controller has acknowledged that, and no Pod of it is left."""
    return job.suspended and job.suspension_seen and not job.pods and not any(p.live for p in seen.pods_of(job))


def _await_removal(seen: Observation, status: SyncIntegrationStatus, run: Run, job: Job, now: datetime) -> Step:
    """End the run when OFF is declared; otherwise it is made again when the Job's name is free."""
    if seen.integration.spec.status is Switch.OFF or run.cancelling:
        return end_claim(seen, status, run, now)
    return Step(Phase.WAITING, status, cannot_start=removal_words(job))


def removal_words(job: Job) -> str:
    """What holds a Job that is being deleted."""
    kept_by = ", ".join(job.finalizers) or "Kubernetes"
    return f"its Job {job.name} is being deleted, but {kept_by} still holds it"
