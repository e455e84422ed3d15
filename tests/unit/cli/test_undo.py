"""`undo` and `changes`: what is requested, which runs are refused, and when the wait for an undo ends."""

from typing import Any

import pytest

from tidegate.cli.decisions.goal import Planned, Undone, judge
from tidegate.cli.decisions.integration import Integration
from tidegate.cli.decisions.undo import Undo, last_that_wrote, require_that_it_may_have_written
from tidegate.cli.errors import ExitCode, RefusedError

from .situations import AT, PLAN_REQUEST, ago, integration, off, plan, refused, run, syncing, waiting

REQUEST = "tidegate.dev/undo-requested"


def entry(number: int, kind: str = "Incremental", outcome: str = "Succeeded", **more: Any) -> dict[str, Any]:
    """In recent activity; it has pushed 3 records unless `pushed` says otherwise."""
    report = {"pushed": {"crm": 0, "erp": more.pop("pushed", 3)}, "reason": more.pop("reason", "")}
    times = {"startedAt": ago(minutes=2), "finishedAt": ago(minutes=1), "duration": "1m"}
    shown = {"mark": "✓" if outcome == "Succeeded" else "✗", "summary": f"run {number}"}
    return {"run": number, "kind": kind, "outcome": outcome, **shown, **times, "report": report, **more}


def seen(status: dict[str, Any] | None = None, request: str | None = None, **spec: Any) -> Integration:
    annotations = {} if request is None else {REQUEST: request}
    return integration(status=waiting() if status is None else status, annotations=annotations, **spec)


def handled(*activity: dict[str, Any], **more: Any) -> dict[str, Any]:
    return waiting(handled={"undoRequested": "9", **more}, recentActivity=list(activity))


def test_it_requests_the_undo_of_one_run() -> None:
    change = Undo(9).change(seen())
    assert (change.spec, change.annotations) == ({}, {REQUEST: "9"})
    assert change.sentence == "requested run 13, the undo of run 9, to start at once"
    assert Undo(9).goal(seen()) == Undone(9, 12)


def test_it_says_what_it_waits_for() -> None:
    sentence = Undo(9).change(seen(syncing())).sentence
    assert sentence == "requested run 14, the undo of run 9, to start when run 13 has ended"


def test_a_request_that_is_not_handled_yet_is_not_repeated() -> None:
    change = Undo(9).change(seen(request="9"))
    assert change.empty
    assert change.sentence.startswith("the undo of run 9 is requested already; waiting until")


def test_the_same_run_can_be_undone_again_after_another_one() -> None:
    later = waiting(handled={"undoRequested": "10"})
    assert Undo(9).change(seen(later, request="10")).annotations == {REQUEST: "9"}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (seen(off(runs=12), switch="OFF"),
         "it is OFF; an undo is a run, so turn it ON first: kubectl sync on contacts -n sales"),
        (seen(refused()), "no run can start until the spec is corrected: Job is invalid"),
        (seen(handled(entry(10, "Undo", undo=9)), request="9"),
         "run 10 has undone run 9; to take that back, undo run 10: kubectl sync undo contacts -n sales --run 10"),
        (seen(handled(entry(10, "Undo", "ConfigurationError", undo=9)), request="9"),
         "its undo was requested before and was run 10, which has ended with ConfigurationError: waiting until"),
        (seen(handled(undoRefused="no"), request="9"), "its undo was requested before and was refused: waiting"),
    ],
)  # fmt: skip
def test_what_could_not_be_carried_out_is_refused(given: Integration, why: str) -> None:
    with pytest.raises(RefusedError) as error:
        Undo(9).change(given)
    assert error.value.message.startswith(why)


@pytest.mark.parametrize(
    ("number", "status", "why"),
    [
        (13, waiting(), "there is no run 13: the newest is run 12"),
        (0, waiting(), "there is no run 0: the newest is run 12"),
        (1, {}, "there is no run 1: it has not run yet"),
        (13, syncing(), "run 13 has not ended: wait for its end with kubectl sync watch contacts -n sales"),
        (13, waiting(run=run(13, kind="Plan"), runs=13), "run 13 is a plan and writes nothing"),
        (9, waiting(recentActivity=[entry(9, "Plan")]), "run 9 was a plan and has written nothing"),
        (9, waiting(recentActivity=[entry(9, pushed=0)]), "run 9 has written nothing"),
    ],
)
def test_a_run_that_has_written_nothing_is_refused(number: int, status: dict[str, Any], why: str) -> None:
    with pytest.raises(RefusedError) as error:
        require_that_it_may_have_written(seen(status), number)
    assert error.value.message == why


@pytest.mark.parametrize("activity", [[], [entry(9)], [entry(9, outcome="Failed", pushed=0)]])
def test_the_journal_judges_a_run_of_which_less_is_known(activity: list[dict[str, Any]]) -> None:
    require_that_it_may_have_written(seen(waiting(recentActivity=activity)), 9)


def test_the_newest_run_that_wrote_anything_is_the_default() -> None:
    activity = [entry(12, pushed=0), entry(11, "Plan", pushed=0), entry(10), entry(9)]
    assert last_that_wrote(seen(waiting(recentActivity=activity))) == 10
    with pytest.raises(RefusedError, match="no recent run has written anything: name an earlier one with --run"):
        last_that_wrote(seen())


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        (seen(request="9"), None, ""),
        (seen(waiting(recentActivity=[entry(13)]), request="9"), None, ""),
        (seen(handled(entry(13, "Undo", undo=9)), request="9"), ExitCode.DONE, "run 13"),
        (seen(waiting(recentActivity=[entry(13, "Undo", "Failed", undo=9, reason="no route")]), request="9"),
         ExitCode.FAILED, "run 13: no route"),
        (seen(handled(undoRefused="it must be the number of a run"), request="9"),
         ExitCode.STALLED, "the undo of run 9 was refused: it must be the number of a run"),
        (seen(request="8"), ExitCode.FAILED, "another client has withdrawn the request"),
        (seen(off(), request="9", switch="OFF"), ExitCode.FAILED, "it is OFF: no run will start"),
        (seen(refused(), request="9"), ExitCode.STALLED, "Job is invalid: spec.template"),
    ],
)  # fmt: skip
def test_the_wait_ends_with_the_undo(given: Integration, code: ExitCode | None, words: str) -> None:
    verdict = judge(Undone(9, 12), given)
    assert (verdict.code if verdict else None) == code
    assert verdict is None or verdict.sentence.startswith(words)


def test_a_plan_of_an_undo_is_called_so() -> None:
    made = integration(status=waiting(plan=plan(undo=9)), annotations={PLAN_REQUEST: AT})
    verdict = judge(Planned(AT), made)
    assert verdict is not None
    assert verdict.sentence == "run 13 has planned the undo of run 9; nothing was written"
