"""docs/troubleshooting.md: it has every reason and event of the operator and no other, and quotes its messages."""

import re
from collections.abc import Iterator

from devcluster.paths import ROOT
from documentation.pages import Page
from tidegate.api.runs import Outcome
from tidegate.api.status import Condition
from tidegate.control.report import report
from tidegate.control.step import Announce, Step
from unit.control.test_decision_table import TABLE

PAGE = Page.read("docs/troubleshooting.md")


def told() -> Iterator[tuple[Step, tuple[Condition, ...]]]:
    """What is decided and reported in every situation of the decision table."""
    for row in (row for rows in TABLE.values() for row in rows):
        step = row.given.decide(row.at)
        yield step, report(row.given.observe(), step, row.at).conditions


def words(cell: str) -> str:
    return cell.strip("`")


def test_it_lists_every_reason_of_a_true_condition() -> None:
    listed = [(words(condition), words(reason)) for condition, reason, _ in PAGE.section("Conditions").rows(3)]
    assert len(listed) == len(set(listed))
    assert set(listed) == {(c.type, c.reason) for _, conditions in told() for c in conditions if c.status == "True"}


def test_it_lists_every_reason_of_a_false_condition() -> None:
    reasons = {c.reason for _, conditions in told() for c in conditions if c.status == "False"}
    assert [reason for reason in reasons if f"`{reason}`" not in PAGE.section("Conditions").text] == []


def test_it_lists_every_event() -> None:
    events = {action.reason for step, _ in told() for action in step.actions if isinstance(action, Announce)}
    ends = {f"Run{outcome}" for outcome in Outcome} - {"RunSucceeded", "RunCancelled", "RunPaused"}
    assert {words(reason) for reason, _ in PAGE.section("Events").rows(2)} == events | ends
    assert events > ends


def test_it_quotes_messages_literally() -> None:
    modules = ("report", "records", "decide", "due", "ending", "duplicate")
    source = "".join((ROOT / "operator/tidegate/control" / f"{name}.py").read_text() for name in modules)
    for message, _ in PAGE.section("Messages").rows(2):
        fragments = [
            fragment.strip(":; ")
            for fragment in re.split(r"…|run 4|FutureOnly|contacts|2 of 3|(?<=for a decision): ", words(message))
        ]
        assert any(fragments)
        assert [fragment for fragment in fragments if fragment not in source] == [], message
