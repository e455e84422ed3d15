"""When a wait ends, and with which exit code."""

from typing import Any

import pytest

from tidegate.cli.decisions.goal import CaughtUp, Goal, Off, Planned, RunEnded, judge, noticed
from tidegate.cli.errors import ExitCode

from .situations import (
    AT,
    PLAN_REQUEST,
    RESET_REQUEST,
    conditions,
    entry,
    halted,
    integration,
    off,
    paused,
    plan,
    refused,
    run,
    syncing,
    turning_off,
    waiting,
)

DONE, FAILED, STALLED = ExitCode.DONE, ExitCode.FAILED, ExitCode.STALLED
OFF = {"switch": "OFF"}
CANNOT_START = syncing(phase="Waiting", conditions=conditions(reason="PodCannotStart"))
CANNOT_START_AGAIN = turning_off(conditions=conditions(reason="PodCannotStart"))
DOES_NOT_END = turning_off(conditions=conditions(reason="PodDoesNotEnd"))
CATCHING_UP = syncing(conditions=conditions())
ASKED = {"annotations": {PLAN_REQUEST: AT}}
LATER = {"annotations": {PLAN_REQUEST: "later"}}
PLANNING = {**run(13, kind="Plan"), "requestedAt": AT}
HANDLED: dict[str, Any] = {"handled": {"planRequestedAt": AT}}
RETRYING = waiting(conditions=conditions(), consecutiveFailures=1)


@pytest.mark.parametrize(
    ("title", "goal", "spec", "status", "code"),
    [
        ("caught up", CaughtUp(1), {}, waiting(), DONE),
        ("catching up", CaughtUp(1), {}, CATCHING_UP, None),
        ("a failed run is tried again", CaughtUp(1), {}, RETRYING, None),
        ("the status is of before the change", CaughtUp(2), {}, waiting(), None),
        ("stalled", CaughtUp(1), {}, halted(), STALLED),
        ("stalled before the change", CaughtUp(2), {}, halted(), None),
        ("the Job is refused", CaughtUp(1), {}, refused(), STALLED),
        ("its Pod cannot start", CaughtUp(1), {}, CANNOT_START, STALLED),
        ("its Pod could not start before the change", CaughtUp(2), {"generation": 2}, CANNOT_START, None),
        ("somebody turns it OFF", CaughtUp(1), OFF, turning_off(), FAILED),
        ("no operator", CaughtUp(1), {}, {}, None),
        ("OFF is honoured", Off(1), OFF, off(), DONE),
        ("paused is OFF", Off(1), OFF, paused(), DONE),
        ("turning OFF", Off(1), OFF, turning_off(), None),
        ("turning OFF, and its Pod cannot start again", Off(1), OFF, CANNOT_START_AGAIN, STALLED),
        ("turning OFF, and its Pod does not end", Off(1), OFF, DOES_NOT_END, STALLED),
        ("OFF has not been seen, and its Pod does not end", Off(2), {**OFF, "generation": 2}, DOES_NOT_END, None),
        ("OFF has not been seen", Off(2), OFF, waiting(), None),
        ("somebody turns it ON", Off(1), {}, waiting(), FAILED),
        ("the run before", RunEnded(12), {}, waiting(recentActivity=[entry(12)]), None),
        ("in progress", RunEnded(12), {}, syncing(recentActivity=[entry(12)]), None),
        ("the run succeeds", RunEnded(12), {}, waiting(recentActivity=[entry(13), entry(12)]), DONE),
        ("a plan is none", RunEnded(12), {}, waiting(recentActivity=[entry(13) | {"kind": "Plan"}]), None),
        ("a later one counts too", RunEnded(12), {}, waiting(recentActivity=[entry(15)]), DONE),
        (
            "the first one counts",
            RunEnded(12),
            {},
            waiting(recentActivity=[entry(14), entry(13, "Failed", "✗")]),
            FAILED,
        ),
        ("the run is halted", RunEnded(11), {}, halted(recentActivity=[entry(12, "Halted", "✗")]), STALLED),
        ("halted before", RunEnded(12), {}, halted(recentActivity=[entry(12, "Halted", "✗")]), None),
        ("the run is paused", RunEnded(12), OFF, paused(recentActivity=[entry(13, "Paused", "⏸")]), FAILED),
        ("its Job is refused", RunEnded(12), {}, refused(), STALLED),
        ("its Pod cannot start", RunEnded(12), {}, CANNOT_START, STALLED),
        ("OFF before it could start", RunEnded(12), OFF, off(), FAILED),
        ("OFF is under way", RunEnded(12), OFF, turning_off(), None),
        ("a plan is no such run", RunEnded(12), {}, waiting(recentActivity=[entry(13, kind="Plan")]), None),
        ("the plan is made", Planned(AT), ASKED, off(plan=plan()), DONE),
        ("the configuration is checked", Planned(AT), ASKED, off(plan=plan(check=True)), DONE),
        ("the plan of an earlier request", Planned(AT), ASKED, off(plan=plan(requestedAt="earlier")), None),
        ("the plan is not made yet", Planned(AT), ASKED, off(run=PLANNING, **HANDLED), None),
        ("the plan is not made yet, and another is requested", Planned(AT), LATER, off(run=PLANNING), None),
        ("another plan is made first", Planned(AT), ASKED, off(run={**PLANNING, "requestedAt": "earlier"}), None),
        (
            "its Pod cannot start",
            Planned(AT),
            ASKED,
            off(run={**PLANNING, "cannotStart": "no image"}, **HANDLED),
            STALLED,
        ),
        ("the sync is stalled meanwhile", Planned(AT), ASKED, halted(run=PLANNING, **HANDLED), None),
        ("the sync is stalled, and its run waits for a plan", RunEnded(13), {}, halted(run=PLANNING), None),
        ("the plan waits for a run", Planned(AT), ASKED, syncing(), None),
        ("the plan waits for a paused run", Planned(AT), ASKED, paused(), None),
        ("no operator makes the plan", Planned(AT), ASKED, {}, None),
        ("an ON cancels the plan", Planned(AT), ASKED, syncing(**HANDLED), FAILED),
        ("an OFF follows the ON that cancelled the plan", Planned(AT), ASKED, off(**HANDLED), FAILED),
        ("the plan fails", Planned(AT), ASKED, off(plan=plan(outcome="Failed")), FAILED),
        ("the plan is refused", Planned(AT), ASKED, off(plan=plan(outcome="ConfigurationError")), STALLED),
        ("another plan is requested", Planned(AT), LATER, off(), FAILED),
        ("the Job of another run is refused", Planned(AT), ASKED, refused(), STALLED),
        ("the Pod of another run cannot start", Planned(AT), ASKED, CANNOT_START, STALLED),
    ],
)
def test_a_wait_ends_when_its_goal_is_reached(
    title: str, goal: Goal, spec: dict[str, Any], status: dict[str, Any], code: ExitCode | None
) -> None:
    verdict = judge(goal, integration(status=status, **spec))
    assert (verdict.code if verdict else None) == code, title


@pytest.mark.parametrize("status", [waiting(), halted()])
def test_a_wait_for_a_reset_counts_nothing_before_the_reset_starts(status: dict[str, Any]) -> None:
    pending = integration(status=status, annotations={RESET_REQUEST: "now"})
    assert judge(CaughtUp(1), pending) is None
    begun = {**status, "handled": {"resetRequestedAt": "now"}}
    assert judge(CaughtUp(1), integration(status=begun, annotations={RESET_REQUEST: "now"})) is not None


def test_a_failed_run_gives_its_reason() -> None:
    failed = waiting(recentActivity=[entry(13, "Failed", "✗", reason="no route to crm")])
    verdict = judge(RunEnded(12), integration(status=failed))
    assert verdict is not None
    assert verdict.sentence == "✗ run 13: no route to crm"


def test_a_stalled_run_reports_what_to_do() -> None:
    verdict = judge(RunEnded(11), integration(status=halted(recentActivity=[entry(12, "Halted", "✗")])))
    assert verdict is not None
    assert "approve it with the annotation" in verdict.sentence


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (off(plan=plan()), "run 13 has planned a full sync; nothing was written"),
        (off(plan=plan(check=True)), "run 13 has checked the configuration; nothing was written"),
        (off(plan=plan(check=True, outcome="TimedOut")), "no check was made: TimedOut"),
        (off(plan=plan(outcome="Failed", reason="no route to crm")), "no plan was made: no route to crm"),
        (off(plan=plan(outcome="TimedOut")), "no plan was made: TimedOut"),
        (off(**HANDLED), "it was cancelled: request it again"),
    ],
)
def test_a_plan_that_is_not_made_gives_its_reason(status: dict[str, Any], words: str) -> None:
    verdict = judge(Planned(AT), integration(status=status, switch="OFF", annotations={PLAN_REQUEST: AT}))
    assert verdict is not None
    assert verdict.sentence == words


@pytest.mark.parametrize(
    ("goal", "status", "expected"),
    [
        (CaughtUp(1), waiting(), True),
        (CaughtUp(2), waiting(), False),
        (CaughtUp(1), {}, False),
        (Off(2), syncing(), False),
        (RunEnded(12), waiting(), False),
        (RunEnded(12), waiting(runs=13), True),
        (RunEnded(13), syncing(), True),
        (Planned(AT), off(), False),
        (Planned(AT), off(**HANDLED), True),
        (Planned(AT), paused(), True),
    ],
)
def test_an_unresponsive_operator_is_reported(goal: Goal, status: dict[str, Any], expected: bool) -> None:
    assert noticed(goal, integration(status=status)) == expected


def test_a_reset_that_waits_for_a_run_counts_as_observed() -> None:
    annotations = {RESET_REQUEST: "now"}
    assert not noticed(CaughtUp(1), integration(status=waiting(), annotations=annotations))
    assert noticed(CaughtUp(1), integration(status=syncing(run=run(13)), annotations=annotations))
