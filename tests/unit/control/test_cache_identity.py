"""A cache that is not the one that the runs before have used is never taken for an empty one (invariant I4)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tidegate.api.runs import Outcome, RunKind
from tidegate.api.spec import Mode
from tidegate.api.status import CacheUse, Phase
from tidegate.control.observation import NO_RUN, JobState, Refusal
from tidegate.control.report import report
from tidegate.control.step import Announce, CreateCache, CreateJob, DeleteJob, Step

from .decision_table.notation import LATER
from .situations import (
    CACHE,
    CAUGHT_UP,
    FINISHED,
    FIRST,
    IS_OFF,
    NOW,
    ON,
    SECOND,
    WAITING,
    Situation,
    activation,
    deeds,
    job,
    pod,
    run,
)

USED = CacheUse(volume=CACHE.uid, run=1)
# Caught up without pushing anything, and due.
ACTIVATION = activation(mode=Mode.FUTURE_ONLY, caught_up=True)
FUTURE_ONLY = WAITING.declaring(mode="FutureOnly").remembering(activation=ACTIVATION, cache=USED)
ANOTHER = replace(CACHE, uid="cache-2")
NO_VOLUME: dict[str, Any] = {"cache": {"none": True}}


def events(step: Step) -> list[str]:
    return [action.reason for action in step.actions if isinstance(action, Announce)]


def message(given: Situation, at: Any = LATER) -> str:
    seen = given.observe()
    return report(seen, given.decide(at), at).message or ""


def test_a_run_gets_the_number_of_the_cache_s_last_run() -> None:
    step = FUTURE_ONLY.decide(LATER)
    assert step.status.run is not None
    assert (step.status.run.kind, step.status.run.cache_run) == (RunKind.INCREMENTAL, 1)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (FUTURE_ONLY.but(cache=ANOTHER), f"the cache that run 1 used is gone: PersistentVolumeClaim {CACHE.name}"),
        (FUTURE_ONLY.declaring(**NO_VOLUME), "the cache that run 1 used is no longer used: spec.cache.none is true"),
        (FUTURE_ONLY.remembering(cache=CacheUse(volume="none", run=1)), "the cache is new: run 1 had none"),
    ],
    ids=["another claim of that name", "a volume, then none", "none, then a volume"],
)
class TestALostCache:
    def test_requires_a_full_sync_in_the_activation_s_own_mode(self, given: Situation, why: str) -> None:
        step = given.decide(LATER)
        assert step.status.run is not None
        run = step.status.run
        assert (run.kind, run.push, run.cache_epoch, run.cache_run) == (RunKind.FULL, False, 2, None)
        assert run.cache_epoch_began == LATER
        assert step.status.activation is not None
        assert not step.status.activation.caught_up

    def test_is_reported_in_the_message_and_by_an_event(self, given: Situation, why: str) -> None:
        assert events(given.decide(LATER)) == ["CacheLost"]
        assert f"; a full sync is owed again: {why}" in message(given)

    def test_is_detected_by_a_new_activation_too(self, given: Situation, why: str) -> None:
        turned_on = given.remembering(activation=None, phase=Phase.OFF)
        step = turned_on.decide()
        assert step.status.run is not None
        assert (step.status.run.kind, step.status.run.cache_epoch) == (RunKind.FULL, 2)
        assert events(step) == ["TurnedOn", "CacheLost"]
        assert why in message(turned_on, NOW)

    def test_is_not_reported_when_the_cache_was_to_be_deleted_anyway(self, given: Situation, why: str) -> None:
        step = given.declaring(reset=True).decide()
        assert events(step) == ["TurnedOn"]
        assert why not in message(given.declaring(reset=True), NOW)


def test_without_a_volume_no_cache_is_expected() -> None:
    none = FUTURE_ONLY.declaring(**NO_VOLUME).remembering(cache=CacheUse(volume="none", run=1)).decide(LATER)
    assert none.status.run is not None
    assert (none.status.run.kind, none.status.run.cache_run) == (RunKind.INCREMENTAL, None)


class TestAMissingClaim:
    GONE = FUTURE_ONLY.but(cache=None)

    def test_is_created_before_the_next_claim_because_the_watch_may_lag(self) -> None:
        step = self.GONE.decide(LATER)
        assert deeds(step.actions) == [CreateCache()]
        assert step.status.run is None
        assert message(self.GONE) == "the cache's volume is gone: creating a new one; a full sync follows"

    def test_is_no_loss_if_it_existed_after_all(self) -> None:
        assert FUTURE_ONLY.decide(LATER).status.activation == self.GONE.decide(LATER).status.activation

    @pytest.mark.parametrize("needs_human", [False, True])
    def test_is_not_created_again_at_once_after_a_refusal(self, needs_human: bool) -> None:
        refused = Refusal(NO_RUN, 1, "exceeded quota", needs_human=needs_human, retry_at=LATER.replace(minute=30))
        given = self.GONE.but(refusal=refused)
        step = given.decide(LATER)
        assert deeds(step.actions) == []
        assert step.look_again_at == refused.retry_at
        assert "exceeded quota" in message(given)
        assert (step.stalled is not None) == needs_human
        assert deeds(given.decide(refused.retry_at).actions) == [CreateCache()]

    def test_waits_until_a_run_is_due(self) -> None:
        assert deeds(self.GONE.decide().actions) == []

    def test_is_created_with_the_job_while_no_run_has_used_it(self) -> None:
        step = IS_OFF.but(spec=ON, cache=None).decide()
        assert [type(deed) for deed in deeds(step.actions)] == [CreateCache, CreateJob]


class TestATerminatingClaim:
    """Kubernetes keeps it while there is a Pod that mounts it, even one that has ended; and starts no Pod with it."""

    DELETED = FUTURE_ONLY.but(cache=replace(CACHE, deleting=True), jobs=(job(FIRST, JobState.COMPLETE, ago=30),))

    def test_is_replaced_when_the_next_run_is_due(self) -> None:
        assert deeds(self.DELETED.decide().actions) == []
        step = self.DELETED.decide(LATER)
        assert deeds(step.actions) == [DeleteJob(FIRST.job_name, "job-1", "20", housekeeping=True)]
        assert step.status.run is None
        assert message(self.DELETED).startswith(
            f"waiting for the cache's PersistentVolumeClaim {CACHE.name} to be deleted"
        )

    @pytest.mark.parametrize("spec", [ON, {**ON, "reset": True}])
    def test_is_replaced_before_an_activation_starts(self, spec: dict[str, Any]) -> None:
        turned_on = self.DELETED.but(spec=spec).remembering(activation=None, phase=Phase.OFF)
        step = turned_on.decide()
        assert deeds(step.actions) == [DeleteJob(FIRST.job_name, "job-1", "20", housekeeping=True)]
        assert step.status.activation is None

    def test_stays_named_for_a_job_that_another_operator_may_still_create(self) -> None:
        fresh = run(1, ago=10)
        step = self.DELETED.but(spec={**ON, "delay": "0s"}, jobs=(job(fresh, JobState.COMPLETE),)).decide()
        assert deeds(step.actions) == []
        assert step.look_again_at == NOW + timedelta(seconds=20)


class TestCacheUse:
    def test_a_run_whose_worker_started_has_used_the_cache(self) -> None:
        assert FINISHED.decide().status.cache == USED

    def test_a_run_without_a_volume_has_used_it_too(self) -> None:
        assert FINISHED.declaring(**NO_VOLUME).decide().status.cache == CacheUse(volume="none", run=1)

    def test_a_run_whose_worker_may_not_have_started_proves_nothing(self) -> None:
        failed = FINISHED.but(jobs=(job(FIRST, JobState.FAILED, ago=60),), pods=())
        assert failed.decide().status.cache is None

    @pytest.mark.parametrize("code_of", ["pod", "job"])
    def test_a_run_that_ended_with_79_has_lost_the_cache(self, code_of: str) -> None:
        words = "Container prepare-cache for pod sales/x failed with exit code 79 matching FailJob rule at index 1"
        said = pod(SECOND, 79 if code_of == "pod" else 1, message="the cache is empty, but run 1 has used it")
        lost = FUTURE_ONLY.remembering(run=SECOND, runs=2).but(
            jobs=(
                job(FIRST, JobState.COMPLETE),
                job(SECOND, JobState.FAILED, failure_message=words if code_of == "job" else ""),
            ),
            pods=(said,),
        )
        step = lost.decide()
        status = step.status
        assert status.last_run is not None
        assert status.last_run.outcome is Outcome.CACHE_LOST
        assert (status.cache, status.cache_epoch) == (None, 3)
        assert events(step) == ["RunCacheLost", "CacheLost"]
        assert step.stalled is None
        retry = replace(lost, status=status, jobs=(), pods=()).decide(LATER)
        assert retry.status.run is not None
        assert (retry.status.run.number, retry.status.run.kind, retry.status.run.push) == (3, RunKind.FULL, False)
        assert retry.status.run.cache_epoch == 3

    def test_the_report_ends_when_the_sync_has_caught_up(self) -> None:
        lost = activation(cache_lost="the cache is empty")
        caught_up = FINISHED.remembering(activation=lost).decide().status.activation
        assert caught_up is not None
        assert (caught_up.caught_up, caught_up.cache_lost) == (True, None)


def test_a_caught_up_sync_stays_caught_up_while_its_cache_exists() -> None:
    assert WAITING.remembering(activation=CAUGHT_UP, cache=USED).decide(LATER).status.activation == CAUGHT_UP


def test_an_epoch_has_the_time_of_its_claim_and_keeps_it() -> None:
    began = FUTURE_ONLY.declaring(reset=True).decide().status
    assert began.run is not None
    assert (began.cache_epoch_began, began.run.cache_epoch_began) == (NOW, NOW)
    later = FUTURE_ONLY.remembering(cache_epoch_began=NOW).decide(LATER).status.run
    assert later is not None
    assert later.cache_epoch_began == NOW


def test_an_epoch_that_only_a_job_records_has_no_known_beginning() -> None:
    of = run(4, cache_epoch=4)
    lost = FUTURE_ONLY.remembering(cache_epoch_began=NOW).but(jobs=(job(of, JobState.COMPLETE),))
    status = lost.decide().status
    assert (status.cache_epoch, status.cache_epoch_began) == (4, None)
