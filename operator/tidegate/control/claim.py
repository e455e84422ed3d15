"""Claim: a claimed run that has no Job yet, or not any more: create the Job, or end the claim. Pure.

The claim is the lock (invariant I1): it ends only when no creation of its Job can be on its way.
"""

from dataclasses import replace
from datetime import datetime
from functools import partial

from tidegate.api.spec import Switch
from tidegate.api.status import Outcome, Phase, Run, SyncIntegrationStatus
from tidegate.control.declared import phase_of_running, with_sync_request_handled
from tidegate.control.due import sync_requested
from tidegate.control.history import CREATION_PATIENCE, entry_of, finished_jobs, with_entry
from tidegate.control.next_run import be_off, launch, refused_words, start_next_run
from tidegate.control.observation import Observation, Refusal
from tidegate.control.reasons import JOB_GONE, JOB_REFUSED
from tidegate.control.step import LOOK_AGAIN, LOOK_UP_AGAIN, Announce, DeleteJob, LookUpJob, Step
from tidegate.control.untrusted import inert

# How the API server names the resource of a ResourceQuota that Jobs count towards.
_QUOTA_ON_JOBS = "count/jobs.batch"


def continue_claim(seen: Observation, status: SyncIntegrationStatus, run: Run, now: datetime) -> Step:
    """A claim without a Job: the operator stopped between the two writes, or the Job was deleted."""
    if seen.integration.spec.status is Switch.OFF:
        return give_up_claim(seen, status, run, now)
    refusal = refusal_of(seen, run)
    # It stays refused until an attempt succeeds, so that a status does not flicker with every attempt.
    step = Step(Phase.SYNCING, status) if refusal is None else _be_refused(seen, status, run, refusal)
    asked = sync_requested(seen, status)
    if refusal and now < refusal.retry_at and not asked:
        return replace(step, look_again_at=refusal.retry_at)
    if seen.has_live_pod:
        return replace(step, look_again_at=now + LOOK_AGAIN)
    if seen.absent_job != run.job_name:
        return replace(step, actions=(*step.actions, LookUpJob(run.job_name)), look_again_at=now + LOOK_UP_AGAIN)
    declared = seen.integration
    again = run.replace(partial(Run, claimed_at=now, generation=declared.generation, spec_digest=declared.spec.digest))
    launched = launch(seen, with_sync_request_handled(seen, status), again)
    room = _make_room(seen, refusal, now)
    gone = () if refusal else (_job_gone(run, "creating it again"),)
    return replace(step, status=launched.status, actions=(*room, *launched.actions, *step.actions, *gone))


def _be_refused(seen: Observation, status: SyncIntegrationStatus, run: Run, refusal: Refusal) -> Step:
    what = f"run {run.number} cannot start"
    announcement = Announce(JOB_REFUSED, f"{what}: {inert(refusal.message)}", warning=True)
    return Step(
        Phase.WAITING,
        status,
        () if seen.integration.tells_of(JOB_REFUSED) else (announcement,),
        stalled=refused_words(what, refusal) if refusal.needs_human else None,
        cannot_start=inert(refusal.message),
        reason=JOB_REFUSED,
    )


def refusal_of(seen: Observation, run: Run | None) -> Refusal | None:
    """The API server's refusal of this run, unless the spec has changed since."""
    refusal = seen.refusal
    if refusal is None or run is None or refusal.run != run.number:
        return None
    return refusal if refusal.generation == seen.integration.generation else None


def _make_room(seen: Observation, refusal: Refusal | None, now: datetime) -> tuple[DeleteJob, ...]:
    """Before a create that a quota on Jobs has refused, the oldest finished Job goes: its result is in the status."""
    if refusal is None or _QUOTA_ON_JOBS not in refusal.message:
        return ()
    # The create depends on it: it is not put off until afterwards, as housekeeping is.
    deletions = {job.name: replace(job, housekeeping=False) for job in finished_jobs(seen, now)[0]}
    oldest_first = sorted(seen.jobs, key=lambda job: job.run.number)
    return next(((deletions[job.name],) for job in oldest_first if job.name in deletions), ())


def _job_gone(run: Run, what_follows: str) -> Announce:
    return Announce(
        JOB_GONE,
        f"run {run.number} has no Job: it was deleted, or the operator stopped before creating it; {what_follows}",
        warning=True,
    )


def give_up_claim(seen: Observation, status: SyncIntegrationStatus, run: Run, now: datetime) -> Step:
    """End a claim whose Job does not exist and, as certain as can be, will not come to exist any more."""
    phase = phase_of_running(seen)
    if run.claimed_at > now:  # the clock was set back
        status = with_run(status, run.replace(partial(Run, claimed_at=now)))
    certain_at = min(run.claimed_at, now) + CREATION_PATIENCE
    if now < certain_at:
        return Step(phase, status, look_again_at=certain_at)
    if seen.has_live_pod:
        return Step(phase, status, look_again_at=now + LOOK_AGAIN)
    if seen.absent_job != run.job_name:
        return Step(phase, status, (LookUpJob(run.job_name),), look_again_at=now + LOOK_UP_AGAIN)
    return end_claim(seen, status, run, now)


def end_claim(seen: Observation, status: SyncIntegrationStatus, run: Run, now: datetime) -> Step:
    """Record that the claimed run was cancelled, and go on as after any run."""
    cancelled = with_entry(seen, status, entry_of(run, Outcome.CANCELLED, now))
    ended = status.replace(partial(SyncIntegrationStatus, run=None, recent_activity=cancelled))
    if seen.integration.spec.status is Switch.OFF:
        step = be_off(seen, ended)
        if run.cancelling or refusal_of(seen, run):  # the reason was reported
            return step
        return replace(step, actions=(*step.actions, _job_gone(run, "the run is cancelled because OFF is declared")))
    if not run.unstarted:
        ended = ended.replace(partial(SyncIntegrationStatus, activation=None))
    return start_next_run(seen, ended, now)


def with_run(status: SyncIntegrationStatus, run: Run) -> SyncIntegrationStatus:
    """The status with this run as the claimed one."""
    return status.replace(partial(SyncIntegrationStatus, run=run))
