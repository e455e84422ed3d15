"""An undo, as people and workers meet it: what its Pod is given, what the status, its message and the Events say."""

from typing import Any

import pytest

from tidegate.api.runs import ActivityEntry, Outcome, RunKind
from tidegate.api.status import HandledRequests, SyncIntegrationStatus
from tidegate.control import render
from tidegate.control.observation import JobState
from tidegate.control.parse import job_of
from tidegate.control.report import report
from tidegate.control.step import Announce

from .decision_table.notation import RESET, asked
from .decision_table.planning import FOREIGN
from .decision_table.undoing import (
    PLAN_OF_UNDO,
    REQUEST,
    UNDO,
    UNDOING,
    after_undo,
    undo_ended,
)
from .situations import IS_OFF, NOW, OFF, ON, PAUSED, RUNNING, UID, WAITING, Situation, job, pod, run
from .test_render import SETTINGS

NEXT_RUN = "waiting until 2026-11-24T12:04:31Z for the next run"
REFUSED = "the annotation tidegate.dev/undo-requested starts no undo: "


def shown(given: Situation) -> SyncIntegrationStatus:
    return report(given.observe(), given.decide(NOW), NOW)


def events(given: Situation) -> list[Announce]:
    return [action for action in given.decide().actions if isinstance(action, Announce)]


def environment(given: Situation) -> dict[str, str]:
    """What the worker of the run that is claimed now is given."""
    claimed = given.decide().status.run
    assert claimed is not None
    container = render.job(given.observe().integration, claimed, SETTINGS)["spec"]["template"]["spec"]["containers"][0]
    return {variable["name"]: variable["value"] for variable in container["env"]}


class TestMessage:
    @pytest.mark.parametrize(
        ("given", "words"),
        [
            (UNDOING, "run 2 is in progress: undoing run 1"),
            (UNDOING.but(spec=OFF), "waiting for run 2 to finish before turning OFF"),
            (
                RUNNING.but(requests=REQUEST),
                "pushing what has changed; then the requested undo of run 1 follows",
            ),
            (
                IS_OFF.but(requests=REQUEST),
                "OFF: no sync is running; the requested undo of run 1 waits until the sync is ON: turn it ON",
            ),
            (
                PAUSED.but(requests=REQUEST),
                "; the requested undo of run 1 waits until the sync is ON: turn it ON",
            ),
            (
                RUNNING.declaring(**RESET).but(requests=REQUEST),
                "; the requested undo of run 1 follows the reset, which deletes the journal that it needs; "
                "then a new activation begins with a reset, in mode PastAndFuture",
            ),
            (
                after_undo(Outcome.FAILED),
                "run 2 failed: the worker's own words; retrying at 2026-11-24T12:00:06Z; "
                "the next run is the requested undo of run 1",
            ),
            (
                after_undo(Outcome.CONFIGURATION_ERROR),
                "run 2, the undo of run 1, stopped: the worker's own words; to try it again, remove the annotation "
                "tidegate.dev/undo-requested and set it again; the next run follows at 2026-11-24T12:04:56Z",
            ),
            (
                after_undo(Outcome.HALTED),
                "run 2, the undo of run 1, stopped: the worker's own words; if that is intended, approve it with "
                '`kubectl sync approve crm-to-billing --run 2` or the annotation tidegate.dev/approve: "2"; if not, '
                "`kubectl sync run crm-to-billing` continues without it",
            ),
            (after_undo(Outcome.SUCCEEDED), "for the next run"),
            (WAITING.but(requests=asked(undo="2")), f"{NEXT_RUN}; {REFUSED}there is no run 2 yet; the newest is run 1"),
            (WAITING.but(requests=asked(undo="01")), f'{NEXT_RUN}; {REFUSED}it must be the number of a run, not "01"'),
            (WAITING.but(requests=asked(undo="")), f'{NEXT_RUN}; {REFUSED}it must be the number of a run, not ""'),
            (IS_OFF.declaring(**FOREIGN).but(requests=REQUEST), '"true" in spec.template.metadata'),
            (
                UNDOING.remembering(run=run(2, RunKind.PLAN, push=False, undo=1, requested_at="now"), phase=None).but(
                    requests=asked(), jobs=(job(run(2, RunKind.PLAN, push=False)),)
                ),
                "; run 2 plans what the undo of run 1 would do",
            ),
        ],
    )
    def test_it_says_what_becomes_of_the_request(self, given: Situation, words: str) -> None:
        message = shown(given).message
        assert message is not None
        assert message.endswith(words)


class TestARequestIsHandled:
    @pytest.mark.parametrize("code", [0, 2, 3])
    def test_once_its_run_has_ended_in_a_way_that_no_retry_would_change(self, code: int) -> None:
        assert shown(undo_ended(code)).handled == HandledRequests(undo_requested="1")

    @pytest.mark.parametrize("code", [1, 4, 79])
    def test_not_while_it_is_tried_again(self, code: int) -> None:
        assert shown(undo_ended(code)).handled == HandledRequests()

    def test_when_it_is_refused_with_the_reason_and_one_event(self) -> None:
        future = WAITING.but(requests=asked(undo="2"))
        why = "there is no run 2 yet; the newest is run 1"
        assert events(future) == [Announce("UndoRefused", REFUSED + why, warning=True)]
        refused = shown(future)
        assert refused.handled == HandledRequests(undo_requested="2", undo_refused=why)
        assert events(future.but(status=refused)) == []

    def test_for_good_a_refused_number_is_not_undone_when_there_is_such_a_run(self) -> None:
        refused = HandledRequests(undo_requested="2", undo_refused="there is no run 2 yet")
        later = WAITING.remembering(runs=2, handled=refused).but(requests=asked(undo="2"))
        assert later.decide().status.run is None
        assert "there is no run 2 yet" in (shown(later).message or "")

    def test_until_it_is_withdrawn(self) -> None:
        withdrawn = after_undo(Outcome.SUCCEEDED, asked())
        assert shown(withdrawn).handled == HandledRequests()

    def test_and_what_a_plan_was_is_not_undone(self) -> None:
        planned = entry(run(1, RunKind.PLAN, push=False))
        given = WAITING.remembering(recent_activity=(planned,)).but(requests=REQUEST)
        assert shown(given).handled.undo_refused == "run 1 was a plan and has written nothing"


def entry(of: Any) -> ActivityEntry:
    ended = WAITING.remembering(run=of, runs=of.number).but(jobs=(job(of, JobState.COMPLETE),), pods=(pod(of, 0),))
    return ended.decide().status.recent_activity[0]


class TestWhatIsRecorded:
    def test_recent_activity_names_the_run_that_was_undone(self) -> None:
        newest = shown(undo_ended(0)).recent_activity[0]
        assert (newest.kind, newest.undo, newest.summary) == (RunKind.UNDO, 1, "✓ run 2 (undo of run 1)")

    def test_the_last_run_names_it_so_that_an_approval_is_of_the_undo(self) -> None:
        last = shown(undo_ended(3)).last_run
        assert last is not None
        assert (last.kind, last.undo, last.outcome) == (RunKind.UNDO, 1, Outcome.HALTED)

    def test_an_undo_does_not_count_as_a_sync_since_it_pushes_no_other_change(self) -> None:
        before = NOW.replace(hour=9)
        assert shown(undo_ended(0).remembering(last_synced_at=before)).last_synced_at == before

    def test_a_request_that_cannot_be_carried_out_is_no_failure_of_the_sync(self) -> None:
        assert shown(undo_ended(2)).consecutive_failures == 0
        assert shown(undo_ended(1)).consecutive_failures == 1

    def test_the_plan_of_an_undo_says_of_which_run(self) -> None:
        planned = run(2, RunKind.PLAN, push=False, undo=1, requested_at="now")
        message = '{"plan": {"sides": [{"object": "contact", "connector": "crm", "update": 3}], "wouldHalt": []}}'
        ended = IS_OFF.remembering(run=planned, runs=2).but(
            jobs=(job(planned, JobState.COMPLETE),), pods=(pod(planned, 0, message=message),)
        )
        plan = shown(ended).plan
        assert plan is not None
        assert (plan.run, plan.undo, plan.pushed) == (2, 1, 3)
        assert events(ended)[-1].note == "run 2 planned what the undo of run 1 would do: see status.plan"
        assert shown(ended).recent_activity[0].summary == "✓ run 2 (plan of the undo of run 1)"

    def test_a_plan_of_an_undo_that_cannot_be_made_is_refused_with_the_reason(self) -> None:
        plan = shown(IS_OFF.but(requests=asked(plan="now", plan_undo="one"))).plan
        assert plan is not None
        assert (plan.outcome, plan.requested_at) == (Outcome.CONFIGURATION_ERROR, "now")
        assert plan.reason == (
            'the annotation tidegate.dev/plan-undo starts no plan: it must be the number of a run, not "one"'
        )

    def test_the_event_of_an_activation_says_that_it_begins_with_the_undo(self) -> None:
        note = "activation 2 begins with the undo of run 1, and then a full sync (PastAndFuture)"
        assert events(IS_OFF.but(spec=ON, requests=REQUEST)) == [Announce("TurnedOn", note)]


class TestWhatTheWorkerIsGiven:
    def test_an_undo_writes_and_reads_changes(self) -> None:
        given = environment(WAITING.but(requests=REQUEST))
        assert (given["SYNC_UNDO"], given["SYNC_SCOPE"], given["SYNC_PUSH"]) == ("1", "changes", "true")
        assert (given["SYNC_RUN"], "SYNC_PLAN" in given, "SYNC_APPROVED" in given) == ("2", False, False)

    def test_an_approved_undo_may_do_what_was_found(self) -> None:
        given = environment(after_undo(Outcome.HALTED, asked(approve="2")))
        assert (given["SYNC_UNDO"], given["SYNC_APPROVED"]) == ("1", "2")

    def test_the_plan_of_an_undo_writes_nothing(self) -> None:
        given = environment(IS_OFF.but(requests=PLAN_OF_UNDO))
        assert (given["SYNC_UNDO"], given["SYNC_PLAN"], given["SYNC_PUSH"]) == ("1", "true", "false")

    def test_no_other_run_is_told_to_undo(self) -> None:
        assert "SYNC_UNDO" not in environment(after_undo(Outcome.HALTED, asked(sync="now")))

    def test_the_run_that_is_undone_is_read_back_from_the_job(self) -> None:
        """So that a Job whose claim was lost is adopted as the undo that it is."""
        body = render.job(UNDOING.observe().integration, UNDO, SETTINGS)
        body["metadata"] |= {"uid": UID, "resourceVersion": "1", "creationTimestamp": "2026-11-24T12:00:00Z"}
        adopted = job_of(body).run
        assert (adopted.kind, adopted.undo, adopted.push) == (RunKind.UNDO, 1, True)
