"""Each row of design section 3, as a table: a situation, and what the operator does about it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tidegate.api import names
from tidegate.api.contract import ExitCode
from tidegate.api.spec import Mode
from tidegate.api.status import HandledRequests, LastRun, Outcome, Phase, RunKind
from tidegate.control.decide import LAST_WORDS_PATIENCE, decide
from tidegate.control.observe import JobState, Refusal, Requests
from tidegate.control.plan import CreateCache, CreateJob, DeleteJob, LookUpJob, SuspendJob

from .situations import CACHE, NOW, UID, Situation, activation, deeds, job, last_run, pod, run, status

ON: dict[str, Any] = {"status": "ON", "delay": "5m"}
OFF: dict[str, Any] = {"status": "OFF", "delay": "5m"}
FIRST = run(1)
CAUGHT_UP = activation(caught_up=True)

NEW_AND_OFF = Situation(OFF)
NEW_AND_ON = Situation(ON)
RUNNING = Situation(
    ON, status(Phase.SYNCING, run=FIRST, activation=activation()), jobs=(job(FIRST),), pods=(pod(FIRST),)
)
WAITING = Situation(
    ON,
    status(Phase.WAITING, runs=1, activation=CAUGHT_UP, last_run=last_run(1)),
    jobs=(job(FIRST, JobState.COMPLETE, ago=30),),
)
SUSPENDED = RUNNING.but(jobs=(job(FIRST, suspended=True),), pods=(pod(FIRST, ExitCode.PAUSED),))
PAUSED = SUSPENDED.but(
    spec={**OFF, "offPolicy": "PauseRun"}, status=status(Phase.PAUSED, run=FIRST, activation=activation())
)
CLAIMED = RUNNING.but(jobs=(), pods=())
FINISHED = RUNNING.but(jobs=(job(FIRST, JobState.COMPLETE),), pods=(pod(FIRST, ExitCode.COMPLETE),))


def failed(code: int, message: str = "") -> Situation:
    return RUNNING.but(
        jobs=(job(FIRST, JobState.FAILED, failure_reason="PodFailurePolicy"),),
        pods=(pod(FIRST, code, message=message),),
    )


class TestTurningOn:
    def test_a_new_integration_that_is_off_stays_off_and_nothing_is_created(self) -> None:
        plan = NEW_AND_OFF.decide()
        assert plan.phase is Phase.OFF
        assert deeds(plan.actions) == []

    def test_on_claims_run_1_as_a_read_write_full_sync(self) -> None:
        plan = NEW_AND_ON.decide()
        assert plan.phase is Phase.SYNCING
        assert plan.status.run is not None
        assert (plan.status.run.number, plan.status.run.kind, plan.status.run.push) == (1, RunKind.FULL, True)
        assert deeds(plan.actions) == [CreateJob(plan.status.run)]

    def test_future_only_makes_the_full_sync_read_only(self) -> None:
        run_ = NEW_AND_ON.but(spec={**ON, "mode": "FutureOnly"}).decide().status.run
        assert run_ is not None
        assert (run_.kind, run_.push) == (RunKind.FULL, False)

    def test_the_cache_volume_is_created_before_the_first_job(self) -> None:
        plan = NEW_AND_ON.but(cache=None).decide()
        assert [type(action) for action in deeds(plan.actions)] == [CreateCache, CreateJob]

    def test_without_a_cache_no_volume_is_created(self) -> None:
        plan = NEW_AND_ON.but(spec={**ON, "cache": {"none": True}}, cache=None).decide()
        assert [type(action) for action in deeds(plan.actions)] == [CreateJob]

    def test_an_activation_captures_mode_and_reset(self) -> None:
        plan = NEW_AND_ON.but(spec={**ON, "mode": "FutureOnly", "reset": True}).decide()
        assert plan.status.activation is not None
        assert (plan.status.activation.mode, plan.status.activation.reset) == (Mode.FUTURE_ONLY, True)

    def test_on_after_off_starts_at_once_whatever_the_delay(self) -> None:
        off_since_a_second = Situation(ON, status(Phase.OFF, runs=4, last_run=last_run(4, ago=1)))
        assert off_since_a_second.decide().status.run is not None


class TestAFullSyncIsOwedUntilOneHasSucceeded:
    @pytest.mark.parametrize(
        ("caught_up", "mode", "kind", "push"),
        [
            (False, Mode.PAST_AND_FUTURE, RunKind.FULL, True),
            (False, Mode.FUTURE_ONLY, RunKind.FULL, False),
            (True, Mode.PAST_AND_FUTURE, RunKind.INCREMENTAL, True),
            (True, Mode.FUTURE_ONLY, RunKind.INCREMENTAL, True),
        ],
    )
    def test_the_kind_of_the_next_run(self, caught_up: bool, mode: Mode, kind: RunKind, push: bool) -> None:
        situation = WAITING.but(
            status=status(activation=activation(mode=mode, caught_up=caught_up), runs=1, last_run=last_run(1, ago=600))
        )
        run_ = situation.decide().status.run
        assert run_ is not None
        assert (run_.number, run_.kind, run_.push) == (2, kind, push)

    def test_a_successful_full_sync_pays_the_debt(self) -> None:
        plan = FINISHED.decide()
        assert plan.status.activation is not None
        assert plan.status.activation.caught_up

    def test_a_failed_one_does_not(self) -> None:
        plan = failed(1).decide()
        assert plan.status.activation is not None
        assert not plan.status.activation.caught_up


class TestTheEndOfARun:
    def test_success_is_a_check_mark_in_recent_activity_and_no_run_is_claimed(self) -> None:
        plan = FINISHED.decide()
        entry = plan.status.recent_activity[0]
        assert (entry.run, entry.mark, entry.outcome, entry.summary) == (1, "✓", Outcome.SUCCEEDED, "✓ run 1")
        assert plan.status.run is None
        assert plan.phase is Phase.WAITING

    @pytest.mark.parametrize(
        ("code", "outcome"),
        [
            (1, Outcome.FAILED),
            (137, Outcome.FAILED),
            (ExitCode.CONFIGURATION_ERROR, Outcome.CONFIGURATION_ERROR),
            (ExitCode.HALTED, Outcome.HALTED),
            (ExitCode.CACHE_UNUSABLE, Outcome.CACHE_UNUSABLE),
        ],
    )
    def test_the_exit_code_is_the_verdict(self, code: int, outcome: Outcome) -> None:
        plan = failed(code).decide()
        assert plan.status.last_run is not None
        assert plan.status.last_run.outcome is outcome
        assert plan.status.recent_activity[0].mark == "✗"

    @pytest.mark.parametrize("code", [ExitCode.CONFIGURATION_ERROR, ExitCode.HALTED, ExitCode.CACHE_UNUSABLE])
    def test_when_only_a_human_can_help_nothing_is_started_and_the_workers_reason_is_shown(self, code: int) -> None:
        plan = failed(code, '{"reason": "table contact has no column phone"}').decide()
        assert plan.stalled is not None
        assert "table contact has no column phone" in plan.stalled
        assert (deeds(plan.actions), plan.look_again_at) == ([], None)

    def test_the_exit_code_is_read_from_the_jobs_words_when_its_pod_is_gone(self) -> None:
        words = "Container sync for pod sales/x failed with exit code 2 matching FailJob rule at index 0"
        gone = failed(2).but(
            jobs=(job(FIRST, JobState.FAILED, failure_reason="PodFailurePolicy", failure_message=words),), pods=()
        )
        last = gone.decide(NOW + LAST_WORDS_PATIENCE).status.last_run
        assert last is not None
        assert last.outcome is Outcome.CONFIGURATION_ERROR

    def test_a_run_over_its_time_limit_is_timed_out(self) -> None:
        late = RUNNING.but(
            jobs=(job(FIRST, JobState.FAILED, failure_reason="DeadlineExceeded"),), pods=(pod(FIRST, 75),)
        )
        assert late.decide().status.recent_activity[0].outcome is Outcome.TIMED_OUT

    def test_the_end_is_not_recorded_before_the_pods_last_words_have_come(self) -> None:
        plan = FINISHED.but(pods=(pod(FIRST),)).decide()
        assert plan.status.run == FIRST
        assert plan.look_again_at is not None

    def test_a_report_that_is_not_json_is_shown_as_a_reason(self) -> None:
        report = failed(1, "boom\x1b[31m at line 3").decide().status.recent_activity[0].report
        assert report is not None
        assert report.reason == "boom [31m at line 3"

    def test_recent_activity_keeps_as_many_runs_as_the_limit_says(self) -> None:
        limited = FINISHED.but(spec={**ON, "activityLimit": 1})
        entries = limited.decide().status.recent_activity
        again = limited.but(status=limited.status.model_copy(update={"recent_activity": entries}))
        assert [entry.run for entry in again.decide().status.recent_activity] == [1]


class TestDelay:
    def test_the_next_run_waits_for_the_delay_after_the_end_of_the_last(self) -> None:
        plan = WAITING.decide()
        assert plan.phase is Phase.WAITING
        assert deeds(plan.actions) == []
        assert plan.look_again_at == plan.status.next_run_at
        assert plan.status.next_run_at is not None
        assert plan.status.next_run_at >= NOW - timedelta(seconds=30) + timedelta(minutes=5)

    def test_it_is_started_when_the_delay_is_over(self) -> None:
        due = WAITING.decide().look_again_at
        assert due is not None
        plan = WAITING.decide(due)
        assert plan.status.run is not None
        assert plan.status.run.number == 2

    def test_a_changed_delay_applies_at_once(self) -> None:
        assert WAITING.but(spec={**ON, "delay": "10s"}).decide().status.run is not None

    def test_a_delay_of_0s_chains_the_next_run_to_the_end_of_the_last(self) -> None:
        plan = FINISHED.but(spec={**ON, "delay": "0s"}).decide()
        assert plan.status.run is not None
        assert plan.status.run.number == 2
        assert plan.status.recent_activity[0].run == 1

    @pytest.mark.parametrize(("failures", "seconds"), [(1, 10), (2, 20), (3, 40), (9, 2560), (10, 3600), (99, 3600)])
    def test_failures_in_a_row_double_the_wait_up_to_an_hour(self, failures: int, seconds: int) -> None:
        failing = WAITING.but(
            spec={**ON, "delay": "0s"},
            status=status(
                activation=activation(),
                runs=failures,
                last_run=last_run(failures, Outcome.FAILED, ago=0),
                consecutive_failures=failures,
            ),
            jobs=(),
        )
        due = failing.decide().look_again_at
        assert due is not None
        assert timedelta(seconds=seconds) <= due - NOW <= timedelta(seconds=seconds + 1)

    def test_a_requested_sync_skips_the_rest_of_the_delay_once(self) -> None:
        asked = WAITING.but(requests=Requests(sync="now"))
        plan = asked.decide()
        assert plan.status.run is not None
        assert plan.status.handled.sync_requested_at == "now"
        handled = asked.status.model_copy(update={"handled": HandledRequests(sync_requested_at="now")})
        assert asked.but(status=handled).decide().status.run is None


class TestTurningOff:
    def test_off_waits_for_the_running_run_and_touches_nothing(self) -> None:
        plan = RUNNING.but(spec=OFF).decide()
        assert plan.phase is Phase.TURNING_OFF
        assert deeds(plan.actions) == []

    def test_the_end_of_the_run_and_the_honoured_off_are_one_write(self) -> None:
        plan = FINISHED.but(spec=OFF).decide()
        assert plan.phase is Phase.OFF
        assert plan.status.recent_activity[0].mark == "✓"
        assert plan.status.activation is None

    def test_off_while_waiting_is_honoured_at_once(self) -> None:
        assert WAITING.but(spec=OFF).decide().phase is Phase.OFF

    def test_on_while_turning_off_goes_on_with_the_activation(self) -> None:
        plan = RUNNING.but(status=status(Phase.TURNING_OFF, run=FIRST, activation=activation())).decide()
        assert plan.phase is Phase.SYNCING
        assert plan.status.activation == activation()

    def test_off_is_not_claimed_while_a_pod_of_a_deleted_job_is_still_alive(self) -> None:
        plan = WAITING.but(spec=OFF, pods=(pod(FIRST),)).decide()
        assert plan.phase is Phase.TURNING_OFF

    def test_a_claim_without_a_job_is_released_only_after_a_live_look(self) -> None:
        off = CLAIMED.but(spec=OFF)
        assert deeds(off.decide().actions) == [LookUpJob(FIRST.job_name)]
        released = off.but(absent_job=FIRST.job_name).decide()
        assert released.phase is Phase.OFF
        assert (released.status.run, released.status.runs) == (None, 1)


class TestPause:
    PAUSE = {**OFF, "offPolicy": "PauseRun"}

    def test_off_suspends_the_job(self) -> None:
        plan = RUNNING.but(spec=self.PAUSE).decide()
        assert plan.phase is Phase.TURNING_OFF
        assert deeds(plan.actions) == [SuspendJob(FIRST.job_name, "job-1", "20", suspend=True)]

    def test_it_is_paused_only_when_its_pod_has_ended(self) -> None:
        terminating = SUSPENDED.but(spec=self.PAUSE, jobs=(job(FIRST, suspended=True, pods=1),))
        assert terminating.decide().phase is Phase.TURNING_OFF
        plan = SUSPENDED.but(spec=self.PAUSE).decide()
        assert plan.phase is Phase.PAUSED
        assert plan.status.recent_activity[0].mark == "⏸"

    def test_on_resumes_the_same_job(self) -> None:
        plan = PAUSED.but(spec=ON).decide()
        assert plan.phase is Phase.SYNCING
        assert deeds(plan.actions) == [SuspendJob(FIRST.job_name, "job-1", "20", suspend=False)]
        assert plan.status.run == FIRST

    def test_on_with_reset_cancels_the_paused_run_before_a_new_activation_starts(self) -> None:
        reset = PAUSED.but(spec={**ON, "reset": True})
        plan = reset.decide()
        assert deeds(plan.actions) == [DeleteJob(FIRST.job_name, "job-1")]
        assert plan.status.run is not None
        assert plan.status.run.cancelling
        gone = reset.but(status=plan.status, jobs=(), pods=()).decide()
        assert gone.status.run is not None
        assert (gone.status.run.number, gone.status.cache_epoch) == (2, 2)
        assert gone.status.recent_activity[0].outcome is Outcome.CANCELLED

    def test_a_finished_resumed_run_stands_once_in_recent_activity(self) -> None:
        paused = SUSPENDED.but(spec=self.PAUSE).decide().status
        entries = FINISHED.but(status=paused).decide().status.recent_activity
        assert [(entry.run, entry.mark) for entry in entries] == [(1, "✓")]


class TestReset:
    def test_on_with_reset_starts_a_new_cache_epoch(self) -> None:
        plan = Situation({**ON, "reset": True}, status(Phase.OFF, runs=3, cache_epoch=4)).decide()
        assert plan.status.cache_epoch == 5
        assert plan.status.run is not None
        assert plan.status.run.cache_epoch == 5

    def test_left_at_true_it_does_nothing_more(self) -> None:
        started_with_reset = WAITING.but(
            spec={**ON, "reset": True},
            status=WAITING.status.model_copy(update={"activation": activation(reset=True, caught_up=True)}),
        )
        plan = started_with_reset.decide()
        assert (plan.phase, plan.status.cache_epoch) == (Phase.WAITING, 1)

    def test_declared_while_on_it_lets_the_run_finish_first(self) -> None:
        reset = {**ON, "reset": True}
        assert deeds(RUNNING.but(spec=reset).decide().actions) == []
        plan = FINISHED.but(spec=reset).decide()
        assert plan.status.activation is not None
        assert (plan.status.activation.number, plan.status.activation.reset) == (2, True)
        assert plan.status.cache_epoch == 2

    def test_requested_by_annotation_it_happens_once(self) -> None:
        asked = WAITING.but(requests=Requests(reset="today"))
        plan = asked.decide()
        assert plan.status.cache_epoch == 2
        assert plan.status.handled.reset_requested_at == "today"
        finished = plan.status.model_copy(update={"run": None, "last_run": last_run(2)})
        assert asked.but(status=finished, jobs=()).decide().status.cache_epoch == 2

    def test_requested_while_off_it_waits_for_on(self) -> None:
        off = NEW_AND_OFF.but(requests=Requests(reset="today"))
        assert off.decide().status.cache_epoch == 1
        plan = off.but(spec=ON).decide()
        assert plan.status.cache_epoch == 2


class TestWhatHelpsAStalledSync:
    def stalled(self, outcome: Outcome, **changes: Any) -> Situation:
        remembered = status(
            activation=activation(), runs=1, last_run=last_run(1, outcome, ago=5), consecutive_failures=1
        )
        return Situation(ON, remembered).but(**changes)

    @pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome.needs_human])
    def test_a_changed_spec_is_tried_at_once(self, outcome: Outcome) -> None:
        assert self.stalled(outcome).decide().status.run is None
        assert self.stalled(outcome, generation=2).decide().status.run is not None

    def test_confirmed_deletes_let_a_halted_run_be_tried_again(self) -> None:
        run_ = self.stalled(Outcome.HALTED, requests=Requests(allow_deletes="1")).decide().status.run
        assert run_ is not None
        assert run_.allow_deletes == 1

    def test_a_confirmation_of_another_run_does_not(self) -> None:
        assert self.stalled(Outcome.HALTED, requests=Requests(allow_deletes="7")).decide().status.run is None

    def test_a_reset_helps_an_unusable_cache(self) -> None:
        plan = self.stalled(Outcome.CACHE_UNUSABLE, spec={**ON, "reset": True}).decide()
        assert plan.status.cache_epoch == 2


class TestOneRunAtATime:
    def test_a_claim_without_a_job_is_claimed_again_and_its_job_created(self) -> None:
        plan = CLAIMED.decide()
        assert plan.status.run is not None
        assert plan.status.run.number == 1
        assert plan.status.run.claimed_at == NOW
        assert deeds(plan.actions) == [CreateJob(plan.status.run)]

    def test_an_unfinished_job_without_a_claim_is_adopted(self) -> None:
        plan = Situation(ON, status(Phase.OFF), jobs=(job(run(7)),)).decide()
        assert plan.status.run is not None
        assert (plan.status.run.number, plan.status.runs) == (7, 7)
        assert deeds(plan.actions) == []

    def test_a_number_that_a_job_has_used_is_not_used_again(self) -> None:
        lost_status = Situation(ON, status(), jobs=(job(run(7), JobState.COMPLETE),))
        run_ = lost_status.decide().status.run
        assert run_ is not None
        assert run_.number == 8

    def test_no_job_is_made_while_a_pod_of_a_deleted_job_is_alive(self) -> None:
        orphan = (pod(FIRST, job_uid="gone"),)
        assert deeds(CLAIMED.but(pods=orphan).decide().actions) == []
        due = WAITING.but(pods=orphan).decide(NOW + timedelta(hours=1))
        assert deeds(due.actions) == []

    def test_a_job_that_the_api_server_refuses_for_good_stalls_the_sync_in_its_words(self) -> None:
        refusal = Refusal(run=1, generation=1, message='unknown field "spec.template.spec.imge"', permanent=True)
        plan = decide(replace(CLAIMED.observe(), refusal=refusal), NOW)
        assert plan.stalled is not None
        assert "imge" in plan.stalled
        assert deeds(plan.actions) == []


class TestHistory:
    def test_finished_jobs_beyond_the_limit_are_deleted_oldest_first_kept_newest(self) -> None:
        runs = [run(number) for number in range(1, 6)]
        situation = WAITING.but(
            spec={**ON, "activityLimit": 2},
            status=WAITING.status.model_copy(update={"runs": 5, "last_run": last_run(5)}),
            jobs=tuple(job(run_, JobState.COMPLETE) for run_ in runs),
        )
        deleted = {action.uid for action in deeds(situation.decide().actions) if isinstance(action, DeleteJob)}
        assert deleted == {"job-1", "job-2", "job-3"}

    def test_a_job_whose_end_is_not_stored_yet_is_kept(self) -> None:
        limited = FINISHED.but(spec={**ON, "activityLimit": 1})
        assert deeds(limited.decide().actions) == []


def test_a_resource_that_is_being_deleted_is_left_to_the_garbage_collector() -> None:
    plan = RUNNING.but(deleting=True).decide()
    assert plan.actions == ()


def test_what_belongs_to_the_resource_carries_its_name_and_uid() -> None:
    assert CACHE.name == names.cache_name("crm-to-billing", UID)
    assert names.cache_name("crm-to-billing", "another-uid") != CACHE.name


def test_the_last_run_says_why_it_failed() -> None:
    last: LastRun | None = failed(1, '{"reason": "connection refused"}').decide().status.last_run
    assert last is not None
    assert last.reason == "connection refused"
