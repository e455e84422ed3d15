"""A Pod that does not end: the worker's container decides the run, and a lost Job or node is told."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tidegate.api.runs import Outcome
from tidegate.api.status import Condition, Phase
from tidegate.control.observation import JobState, Pod
from tidegate.control.report import report
from tidegate.control.step import Announce, CreateJob, DeleteJob, SuspendJob

from .decision_table.ending import LOST
from .decision_table.notation import ORPHAN, step_words
from .situations import (
    CLAIMED,
    CLAIMED_ONLY,
    FIRST,
    IS_OFF,
    NOW,
    OFF,
    ON,
    PAUSE,
    PAUSED,
    PAUSING,
    RUNNING,
    Situation,
    at_rest,
    deeds,
    job,
    pod,
    refusal,
)


def ended(exit_code: int, *, ago: float = 60, message: str = "", **fields: Any) -> Pod:
    """A Pod whose worker has ended, and which an injected proxy keeps alive."""
    ended_at = NOW - timedelta(seconds=ago)
    return replace(pod(FIRST, exit_code, message=message, ended_at=ended_at), live=True, not_ended=("proxy",), **fields)


def with_proxy(exit_code: int, **fields: Any) -> Situation:
    return RUNNING.but(pods=(ended(exit_code, **fields),))


def after(given: Situation) -> Situation:
    """What is remembered once the step's status is written."""
    seen = given.observe()
    return given.but(status=report(seen, given.decide(), NOW))


def warnings(given: Situation) -> dict[str, str]:
    return {a.reason: a.note for a in given.decide().actions if isinstance(a, Announce) and a.warning}


class TestASidecarThatKeepsRunning:
    @pytest.mark.parametrize(
        ("exit_code", "outcome"),
        [(0, Outcome.SUCCEEDED), (1, Outcome.FAILED), (2, Outcome.CONFIGURATION_ERROR), (3, Outcome.HALTED)],
    )
    def test_the_worker_container_decides_and_the_rest_is_stopped(self, exit_code: int, outcome: Outcome) -> None:
        given = with_proxy(exit_code, message='{"reason": "its own words"}')
        step = given.decide()
        assert step.status.run is None
        assert step.status.last_run is not None
        assert (step.status.last_run.number, step.status.last_run.outcome) == (1, outcome)
        assert step.status.last_run.reason == (None if outcome is Outcome.SUCCEEDED else "its own words")
        assert step.status.recent_activity[0].finished_at == NOW - timedelta(seconds=60)
        assert [action for action in deeds(step.actions) if isinstance(action, SuspendJob) and action.suspend]
        assert "proxy kept Pod" in warnings(given)["SidecarStopped"]

    def test_a_worker_without_a_termination_message_is_judged_by_its_exit_code(self) -> None:
        last = with_proxy(1).decide().status.last_run
        assert last is not None
        assert last.reason == "the worker ended with exit code 1"

    def test_the_end_is_recorded_once_and_nothing_starts_before_the_pod_ends(self) -> None:
        recorded = after(with_proxy(0))
        stopping = recorded.but(jobs=(replace(recorded.jobs[0], suspended=True, pods=1),))
        at_last = recorded.but(jobs=(at_rest(FIRST),), pods=())
        for given, done in ((recorded, "suspend Job 1"), (stopping, "nothing"), (at_last, "delete Job 1")):
            step = given.decide()
            assert step_words(step, NOW) == f"Waiting | none | {done}"
            assert step.status.recent_activity == recorded.status.recent_activity
            assert step.status.last_run == recorded.status.last_run

    @pytest.mark.parametrize("off", [OFF, PAUSE])
    def test_off_takes_effect_when_the_pod_has_ended(self, off: dict[str, object]) -> None:
        turning_off = after(with_proxy(0).but(spec=off))
        assert turning_off.status.phase is Phase.TURNING_OFF
        assert turning_off.but(jobs=(), pods=()).decide().phase is Phase.OFF

    def test_a_pod_that_was_evicted_in_the_same_second_does_not_hide_it(self) -> None:
        evicted = replace(pod(FIRST, 75), name="evicted", exit_code=None, failed=True)
        for pods in ((evicted, ended(0)), (ended(0), evicted)):
            assert RUNNING.but(pods=pods).decide().status.run is None

    def test_a_pod_that_was_paused_in_the_same_second_does_not_hide_one_that_ended_the_run_while_being_paused(
        self,
    ) -> None:
        replaced, halted = (replace(pod(FIRST, code), name=f"ended-with-{code}") for code in (75, 3))
        for pods in ((replaced, halted), (halted, replaced)):
            last = PAUSING.but(jobs=(at_rest(FIRST),), pods=pods).decide().status.last_run
            assert last is not None
            assert last.outcome is Outcome.HALTED

    def test_the_pod_may_end_by_itself_first(self) -> None:
        step = with_proxy(0, ago=5).decide()
        assert step_words(step, NOW) == "Syncing | keeps 1 full push | nothing"
        assert step.look_again_at == NOW + timedelta(seconds=15)

    @pytest.mark.parametrize(
        "given",
        [
            RUNNING.but(pods=(replace(ended(0), not_ended=()),)),
            RUNNING.but(pods=(ended(0, terminating=True),)),
            PAUSING.but(pods=(ended(75),)),
        ],
        ids=["only native sidecars are left", "the Pod is being deleted", "the run is being paused"],
    )
    def test_a_terminating_pod_is_left_to_end(self, given: Situation) -> None:
        assert given.decide().status.run is not None

    def test_a_failing_sidecar_does_not_fail_a_successful_run(self) -> None:
        failed = RUNNING.but(pods=(pod(FIRST, 0, failed=True),))
        for given in (failed, failed.but(jobs=(job(FIRST, JobState.FAILED, failure_reason="BackoffLimitExceeded"),))):
            last = given.decide().status.last_run
            assert last is not None
            assert last.outcome is Outcome.SUCCEEDED


class TestADeletedJob:
    def test_an_event_says_that_the_same_run_is_created_again(self) -> None:
        words = warnings(CLAIMED_ONLY)["JobGone"]
        assert words.startswith("run 1 has no Job: it was deleted, or the operator stopped")
        assert words.endswith("creating it again")

    @pytest.mark.parametrize("spec", [OFF, PAUSE])
    def test_an_event_says_that_off_cancels_it(self, spec: dict[str, Any]) -> None:
        given = CLAIMED_ONLY.but(spec=spec)
        assert given.decide().phase is Phase.OFF
        assert warnings(given)["JobGone"].endswith("the run is cancelled because OFF is declared")

    def test_a_job_that_the_api_server_refused_was_not_deleted(self) -> None:
        refused = CLAIMED_ONLY.but(refusal=refusal(needs_human=False, retry_in=-1))
        assert "JobGone" not in warnings(refused)
        assert "JobGone" not in warnings(refused.but(spec=OFF))

    def test_a_run_whose_pod_is_ending_is_not_reported_as_in_progress(self) -> None:
        ending = CLAIMED.but(pods=(replace(ORPHAN[0], terminating=True),))
        message = after(ending).status.message
        assert message == "the Job of run 1 is gone; creating it again when its Pod has terminated"

    def test_a_paused_run_without_a_job_is_not_reported_as_starting(self) -> None:
        paused = after(PAUSED.remembering(phase=Phase.TURNING_OFF))
        message = after(paused.but(jobs=(), pods=())).status.message
        assert message is not None
        assert message.startswith("the Job of the paused run 1 is gone")


class TestALostNode:
    @pytest.mark.parametrize(
        "given",
        [
            RUNNING.but(pods=(LOST,)),
            RUNNING.but(spec=OFF, pods=(LOST,)),
            PAUSING.but(pods=(LOST,)),
            IS_OFF.but(pods=(LOST,)),
            IS_OFF.but(spec=ON, pods=(LOST,)),
            RUNNING.but(jobs=(), pods=(LOST,)),
            after(with_proxy(0)).but(pods=(LOST,)),
        ],
        ids=["running", "turning OFF", "pausing", "off", "turning ON", "its Job is gone", "its sidecar was stopped"],
    )
    def test_an_overdue_pod_is_reported_with_what_to_do(self, given: Situation) -> None:
        told = after(given)
        (words,) = warnings(given).values()
        assert words.startswith(f"Pod {LOST.name} on node worker-7 should have terminated by 2026-11-24T11:59:00")
        assert words.endswith(f"kubectl delete pod {LOST.name} -n sales --force")
        assert told.status.message is not None
        assert words in told.status.message
        assert "in progress" not in told.status.message
        assert ready(told).status == "False"
        assert ready(told).reason == "PodDoesNotEnd"
        assert not warnings(told), "once"
        assert not [action for action in told.decide().actions if isinstance(action, CreateJob | DeleteJob)]

    def test_a_pod_is_not_overdue_within_its_grace_period_and_the_kubelet_s_time(self) -> None:
        given = RUNNING.but(pods=(replace(LOST, ends_by=NOW + timedelta(seconds=30)),))
        assert not warnings(given)
        assert given.decide().look_again_at == NOW + timedelta(seconds=50)


def ready(given: Situation) -> Condition:
    return next(c for c in given.status.conditions if c.type == "Ready")
