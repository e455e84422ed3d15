"""Every combination of what may be declared, remembered and seen: nothing forbidden is done, and it comes to rest.

The decision table says what is right in situations worth a name; here no situation is left out, however odd.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product

import pytest

from tidegate.api import names
from tidegate.api.contract import ExitCode
from tidegate.api.runs import LastRun, Outcome, Run, RunKind
from tidegate.api.spec import Mode, OffPolicy, Switch
from tidegate.api.status import Activation, Phase, SyncIntegrationStatus
from tidegate.control.decide import decide
from tidegate.control.observation import Job, JobState, Observation, Pod, Requests
from tidegate.control.report import report
from tidegate.control.step import CreateCache, CreateJob, DeleteJob, LookUpJob, Step, SuspendJob

from .situations import (
    CACHE,
    NAME,
    NOW,
    UID,
    Situation,
    activation,
    at_rest,
    deeds,
    job,
    last_run,
    pod,
    run,
    status,
)

RUN, NEWER = run(5), run(6)
PLAN = run(5, RunKind.PLAN, push=False)
UNDO = run(5, RunKind.UNDO, undo=3)
ENDING_PLAN = run(5, RunKind.PLAN, push=False, cancelling=True)
CANCELLING = run(5, cancelling=True)
FRESH = run(5, ago=3)

# What is claimed, what Jobs there are, and the phase that is remembered.
CLAIMS: dict[str, tuple[Run | None, tuple[Job, ...], Phase | None]] = {
    "nothing at all": (None, (), None),
    "a recorded run": (None, (job(run(4), JobState.COMPLETE),), Phase.WAITING),
    "a stray Job": (None, (job(run(4), JobState.COMPLETE), job(RUN)), Phase.OFF),
    "a stray Job of a recorded run": (None, (job(run(4)),), Phase.WAITING),
    "a claim": (RUN, (), Phase.SYNCING),
    "a fresh claim": (FRESH, (), Phase.SYNCING),
    "a running Job": (RUN, (job(RUN),), Phase.SYNCING),
    "a running Job beside a newer one": (RUN, (job(RUN), job(NEWER)), Phase.SYNCING),
    "a claim beside an older Job": (RUN, (job(run(4)),), Phase.SYNCING),
    "a suspended Job": (RUN, (job(RUN, suspended=True),), Phase.TURNING_OFF),
    "a Job whose Pod is ending": (RUN, (job(RUN, suspended=True, suspension_seen=True, pods=1),), Phase.TURNING_OFF),
    "a Job at rest": (RUN, (at_rest(RUN),), Phase.TURNING_OFF),
    "a paused run": (RUN, (at_rest(RUN),), Phase.PAUSED),
    "a resumed Job": (RUN, (job(RUN, suspension_seen=True),), Phase.SYNCING),
    "a complete Job": (RUN, (job(RUN, JobState.COMPLETE),), Phase.SYNCING),
    "a failed Job": (RUN, (job(RUN, JobState.FAILED),), Phase.SYNCING),
    "a run that is given up": (CANCELLING, (at_rest(RUN),), Phase.SYNCING),
    "a run that was given up": (CANCELLING, (), Phase.SYNCING),
    "a run that ended when given up": (CANCELLING, (job(RUN, JobState.COMPLETE),), Phase.SYNCING),
    "a claimed undo": (UNDO, (), Phase.SYNCING),
    "a running undo": (UNDO, (job(UNDO),), Phase.SYNCING),
    "a paused undo": (UNDO, (at_rest(UNDO),), Phase.PAUSED),
    "a complete undo": (UNDO, (job(UNDO, JobState.COMPLETE),), Phase.SYNCING),
    "a failed undo": (UNDO, (job(UNDO, JobState.FAILED),), Phase.SYNCING),
    "a claimed plan": (PLAN, (), Phase.OFF),
    "a running plan": (PLAN, (job(PLAN),), Phase.WAITING),
    "a running plan beside a newer Job": (PLAN, (job(PLAN), job(NEWER)), Phase.OFF),
    "a plan at rest": (PLAN, (at_rest(PLAN),), Phase.OFF),
    "a plan that is cancelled": (ENDING_PLAN, (job(PLAN),), Phase.WAITING),
    "a cancelled plan at rest": (ENDING_PLAN, (at_rest(PLAN),), Phase.WAITING),
    "a cancelled plan without a Job": (ENDING_PLAN, (), Phase.OFF),
    "a complete plan": (PLAN, (job(PLAN, JobState.COMPLETE),), Phase.OFF),
    "a stray Job of a plan": (None, (job(run(4, RunKind.PLAN, push=False)),), Phase.OFF),
}
PODS: dict[str, tuple[Pod, ...]] = {
    "no Pod": (),
    "a live Pod": (pod(RUN),),
    "a halted Pod": (pod(RUN, ExitCode.HALTED),),
    "an orphan": (pod(RUN, job_uid="gone"),),
}
ACTIVATIONS: dict[str, Activation | None] = {
    "no activation": None,
    "not caught up": activation(3),
    "caught up": activation(3, caught_up=True),
    "read-only with reset": activation(3, Mode.FUTURE_ONLY, reset=True),
}


def last_undo(outcome: Outcome) -> LastRun:
    return last_run(4, outcome).model_copy(update={"kind": RunKind.UNDO, "undo": 3})


# How the last run ended, and what has been asked since.
PAST: dict[str, tuple[LastRun | None, Requests]] = {
    "no run": (None, Requests()),
    "a success": (last_run(4), Requests()),
    "a success, and a requested sync": (last_run(4), Requests(sync="now")),
    "a failure": (last_run(4, Outcome.FAILED, ago=600), Requests()),
    "a failure, and a requested reset": (last_run(4, Outcome.FAILED), Requests(reset="now")),
    "a halt": (last_run(4, Outcome.HALTED), Requests()),
    "a success, and a requested plan": (last_run(4), Requests(plan="now")),
    "a success, and a requested undo": (last_run(4), Requests(undo="3")),
    "a failed undo": (last_undo(Outcome.FAILED), Requests(undo="3")),
    "a halted undo that is approved": (last_undo(Outcome.HALTED), Requests(approve="4")),
}


def declared() -> Iterator[dict[str, object]]:
    for switch, policy, mode, reset in product(Switch, OffPolicy, Mode, (False, True)):
        yield {"status": switch, "offPolicy": policy, "mode": mode, "reset": reset, "delay": "5m"}


def combinations(claim: str) -> Iterator[Observation]:
    claimed, jobs, phase = CLAIMS[claim]
    for spec, pods, begun, (last, requests) in product(declared(), PODS.values(), ACTIVATIONS.values(), PAST.values()):
        failures = 1 if last is not None and last.outcome is not Outcome.SUCCEEDED else 0
        remembered = status(
            phase, run=claimed, activation=begun, last_run=last, runs=5, activations=3, consecutive_failures=failures
        )
        yield Situation(spec, remembered, jobs, pods, requests, cache=CACHE).observe()


def next_of(seen: Observation, step: Step, now: datetime) -> Observation:
    """What is seen when all of the step has been done, and nothing else has happened."""
    wire = report(seen, step, now).to_wire()
    written = SyncIntegrationStatus.model_validate(wire)
    # A status that is stored as it was written is not made into JSON to see whether it has changed.
    assert written.to_wire() == wire
    jobs = {job.name: job for job in seen.jobs}
    absent, cache = None, seen.cache
    for action in step.actions:
        match action:
            case CreateJob(claimed):
                assert claimed.job_name not in jobs
                jobs[claimed.job_name] = job(claimed)
            case SuspendJob(name=name, suspend=suspend):
                jobs[name] = replace(jobs[name], suspended=suspend)
            case DeleteJob(name=name):
                del jobs[name]
            case LookUpJob(name=name):
                absent = name if name not in jobs and not seen.has_live_pod else None
            case CreateCache():
                cache = CACHE
    integration = replace(seen.integration, status=written)
    return replace(seen, integration=integration, jobs=tuple(jobs.values()), absent_job=absent, cache=cache)


def writes(seen: Observation, step: Step, now: datetime) -> bool:
    changes = [action for action in step.actions if not isinstance(action, LookUpJob)]
    return bool(changes) or report(seen, step, now).to_wire() != seen.integration.status.to_wire()


def check_rules(seen: Observation, step: Step) -> None:
    """What section 4 forbids, whatever the situation."""
    on = seen.integration.spec.status is Switch.ON
    unfinished = [job for job in seen.jobs if not job.finished]
    busy = bool(unfinished) or seen.has_live_pod
    before, after = seen.integration.status, step.status
    for action in deeds(step.actions):
        match action:
            case CreateJob(claimed):
                assert on or claimed.kind is RunKind.PLAN, "I2: no run starts while OFF"
                assert not busy, "I1: nothing is started beside a run"
                assert after.run == claimed, "the claim is written first"
                assert claimed.number == after.runs
                assert claimed.job_name == names.job_name(NAME, UID, claimed.number), "the name is the lock"
                assert claimed.cache_epoch == after.cache_epoch
                check_claim(before, after, claimed)
            case SuspendJob(name=name, suspend=False):
                assert on, "I2: nothing is resumed while OFF"
                assert before.run is not None
                assert before.run.job_name == name, "I3: the same Job goes on"
            case SuspendJob(name=name):
                if after.run is not None and after.run.job_name == name and not after.run.cancelling:
                    assert after.run.kind is not RunKind.PLAN, "a plan is not paused"
                    assert seen.integration.spec.off_policy is OffPolicy.PAUSE_RUN, "I2: OFF touches no run"
                    assert not on
            case DeleteJob(name=name):
                doomed = next(job for job in unfinished if job.name == name)
                assert doomed.suspended, "its Pod has ended before its Job is deleted"
                assert not any(pod.live for pod in seen.pods_of(doomed))
                assert after.run is None or after.run.job_name != name or after.run.cancelling
    if step.phase is Phase.OFF:
        writing = any(job.run.kind is not RunKind.PLAN for job in unfinished) or seen.has_syncing_pod
        assert (on, writing) == (False, False), "the check mark is true"
        assert after.run is None or after.run.kind is RunKind.PLAN
    if step.phase is Phase.PAUSED:
        assert after.run is not None
        assert not any(job.pods for job in unfinished)
    assert after.runs >= before.runs, "numbers never come twice"
    syncs = [a for a in step.actions if isinstance(a, CreateJob) and a.run.kind is not RunKind.PLAN]
    assert step.stalled is None or not syncs, "a stalled sync starts nothing but a plan"


def check_claim(before: SyncIntegrationStatus, after: SyncIntegrationStatus, claimed: Run) -> None:
    if before.run is not None and before.run.number == claimed.number:
        return
    if claimed.kind is RunKind.PLAN:
        assert not claimed.push
        assert claimed.cache_epoch == after.cache_epoch, "I4: a plan begins no epoch"
        return
    assert after.activation is not None
    begins = before.activation is None or before.activation.number != after.activation.number
    renewed = claimed.cache_epoch != before.cache_epoch
    assert renewed == (begins and after.activation.reset), "I4: one new epoch for each activation with reset"
    if claimed.kind is RunKind.UNDO:
        assert claimed.undo == 3
        assert claimed.push
        assert not (begins and after.activation.reset), "a reset wins"
        return
    if begins or not after.activation.caught_up:
        assert claimed.kind is RunKind.FULL, "a full sync is owed until one has succeeded"
        assert claimed.push == (after.activation.mode is Mode.PAST_AND_FUTURE)
    else:
        assert (claimed.kind, claimed.push) == (RunKind.INCREMENTAL, True)


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_invariants_hold_and_the_state_converges(claim: str) -> None:
    for seen in combinations(claim):
        now = NOW
        for _ in range(5):
            step = decide(seen, now)
            check_rules(seen, step)
            if not writes(seen, step, now) and not any(isinstance(action, LookUpJob) for action in step.actions):
                break
            seen = next_of(seen, step, now)
        else:
            raise AssertionError(f"it goes on writing (invariant I6): {seen}")
        # The clock alone changes nothing before the time that was named.
        until = step.look_again_at or now + timedelta(days=365)
        assert until > now
        a_moment_before = until - timedelta(microseconds=1)
        assert not writes(seen, decide(seen, a_moment_before), a_moment_before)


def test_there_are_tens_of_thousands_of_combinations() -> None:
    assert sum(1 for claim in CLAIMS for _ in combinations(claim)) >= 25_000
