"""An approval covers what a person has seen: one that comes before its run has halted is refused, for good."""

from typing import Any

import pytest

from tidegate.api.runs import Outcome
from tidegate.api.status import SyncIntegrationStatus
from tidegate.control.report import report
from tidegate.control.step import Announce, CreateJob

from .decision_table.notation import asked
from .situations import NOW, RUNNING, WAITING, Situation, last_run

TOO_EARLY = (
    "the annotation tidegate.dev/approve was set before run 2 had halted, and approves nothing: remove it, and set it "
    "again when you have seen what that run has found"
)
NO_NUMBER = 'the annotation tidegate.dev/approve must be the number of a run that has halted, not "yes"'


def told(given: Situation) -> list[str]:
    return [a.note for a in given.decide().actions if isinstance(a, Announce) and a.reason == "ApprovalRefused"]


def after(given: Situation) -> SyncIntegrationStatus:
    """The status that the operator then writes."""
    return report(given.observe(), given.decide(), NOW)


def halted(handled: Any = None, **requests: str) -> Situation:
    """Run 2 has halted since."""
    given = WAITING.but(requests=asked(**requests)).remembering(runs=2, last_run=last_run(2, Outcome.HALTED))
    return given if handled is None else given.remembering(handled=handled)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (WAITING.but(requests=asked(approve="2")), TOO_EARLY),
        (WAITING.but(requests=asked(allow_deletes="2")), TOO_EARLY.replace("approve was", "allow-deletes was")),
        (RUNNING.but(requests=asked(approve="1")), TOO_EARLY.replace("run 2", "run 1")),
        (WAITING.but(requests=asked(approve="yes")), NO_NUMBER),
    ],
    ids=["a future run", "by its earlier name", "a run in progress", "no number"],
)
def test_one_that_nobody_can_have_meant_is_refused_once_with_words(given: Situation, why: str) -> None:
    assert told(given) == [why]
    status = after(given)
    assert (status.message or "").endswith(why)
    again = given.remembering(handled=status.handled)
    assert told(again) == []
    assert (after(again).message or "").endswith(why)


def test_it_stays_refused_when_that_run_halts() -> None:
    early = after(WAITING.but(requests=asked(approve="2")))
    step = halted(early.handled, approve="2").decide()
    assert not [action for action in step.actions if isinstance(action, CreateJob)]
    assert step.stalled


def test_removed_and_set_again_it_approves_what_was_seen() -> None:
    early = after(WAITING.but(requests=asked(approve="2")))
    removed = after(halted(early.handled))
    assert removed.handled.refused_approvals == ()
    (create,) = (a for a in halted(removed.handled, approve="2").decide().actions if isinstance(a, CreateJob))
    assert create.run.approved == 2


def test_one_that_was_used_may_stay() -> None:
    assert told(halted(approve="1")) == []
    assert "approves nothing" not in (after(halted(approve="1")).message or "")
