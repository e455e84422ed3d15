"""Claim: a claimed run that has no Job yet, or not any more: create the Job, or end the claim. Pure.

The claim is the lock (invariant I1): it ends only when no creation of its Job can be on its way.
"""

from dataclasses import replace
from datetime import datetime
from functools import partial

from tidegate.api.runs import Outcome, Run
from tidegate.api.spec import Switch
from tidegate.api.status import Phase, SyncIntegrationStatus
from tidegate.control.conflict_decisions import for_run
from tidegate.control.declared import phase_of_running, with_sync_request_handled
from tidegate.control.due import sync_requested
from tidegate.control.history import CREATION_PATIENCE, entry_of, finished_jobs, with_entry
from tidegate.control.next_run import be_off, launch, refused_words, start_next_run
from tidegate.control.observation import Observation, Refusal
from tidegate.control.reasons import JOB_GONE, JOB_REFUSED
from tidegate.control.step import LOOK_AGAIN, LOOK_UP_AGAIN, Announce, DeleteJob, LookUpJob, Step, earliest
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
    wait = wait_for_certainty if sync_requested(seen, status) else wait_before_creating
    waits = wait(seen, step, run, now)
    if waits is not None:
        return waits
    launched = launch(seen, with_sync_request_handled(seen, status), claimed_again(seen, run, now))
    actions = (*make_room(seen, run, now), *launched.actions, *step.actions, *tell_of_lost_job(seen, run))
    return replace(step, status=launched.status, actions=actions)


def wait_before_creating(seen: Observation, step: Step, run: Run, now: datetime) -> Step | None:
    """The step while a claim's Job cannot be created, for a refusal or for lack of certainty; None: create it now."""
    refusal = refusal_of(seen, run)
    if refusal and now < refusal.retry_at:
        return replace(step, look_again_at=earliest(step.look_again_at, refusal.retry_at))
    return wait_for_certainty(seen, step, run, now)


def wait_for_certainty(seen: Observation, step: Step, run: Run, now: datetime) -> Step | None:
    """The step until it is certain that the run has no Job, and that no Pod is alive; None: it is."""
    if seen.has_live_pod:
        return replace(step, look_again_at=earliest(step.look_again_at, now + LOOK_AGAIN))
    if seen.absent_job != run.job_name:
        at = earliest(step.look_again_at, now + LOOK_UP_AGAIN)
        return replace(step, actions=(*step.actions, LookUpJob(run.job_name)), look_again_at=at)
    return None


def claimed_again(seen: Observation, run: Run, now: datetime) -> Run:
    """The run as its Job is created now: from the spec as it is."""
    declared = seen.integration
    decisions = for_run(declared, declared.status, run.kind, push=run.push)
    return run.replace(
        partial(
            Run,
            claimed_at=now,
            generation=declared.generation,
            spec_digest=declared.spec.digest,
            decisions=decisions,
        )
    )


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


def make_room(seen: Observation, run: Run, now: datetime) -> tuple[DeleteJob, ...]:
    """Before a create that a quota on Jobs has refused, the oldest finished Job goes: its result is in the status."""
    refusal = refusal_of(seen, run)
    if refusal is None or _QUOTA_ON_JOBS not in refusal.message:
        return ()
    # The create depends on it: it is not put off until afterwards, as housekeeping is.
    deletions = {job.name: replace(job, housekeeping=False) for job in finished_jobs(seen, now)[0]}
    oldest_first = sorted(seen.jobs, key=lambda job: job.run.number)
    return next(((deletions[job.name],) for job in oldest_first if job.name in deletions), ())


def tell_of_lost_job(seen: Observation, run: Run) -> tuple[Announce, ...]:
    """The Event of a Job that is created again, unless it was refused until now."""
    return () if refusal_of(seen, run) else (_job_gone(run, "creating it again"),)


def _job_gone(run: Run, what_follows: str) -> Announce:
    return Announce(
        JOB_GONE,
        f"run {run.number} has no Job: it was deleted, or the operator stopped before creating it; {what_follows}",
        warning=True,
    )


def give_up_claim(seen: Observation, status: SyncIntegrationStatus, run: Run, now: datetime) -> Step:
    """End a claim whose Job does not exist and, as certain as can be, will not come to exist any more."""
    waits = wait_before_ending(seen, Step(phase_of_running(seen), status), run, now)
    return end_claim(seen, status, run, now) if waits is None else waits


def wait_before_ending(seen: Observation, step: Step, run: Run, now: datetime) -> Step | None:
    """The step while a creation of the claim's Job may be on its way, or a Pod of it is alive; None: end the claim."""
    if run.claimed_at > now:  # the clock was set back
        step = replace(step, status=with_run(step.status, run.replace(partial(Run, claimed_at=now))))
    certain_at = min(run.claimed_at, now) + CREATION_PATIENCE
    if now < certain_at:
        return replace(step, look_again_at=earliest(step.look_again_at, certain_at))
    return wait_for_certainty(seen, step, run, now)


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
