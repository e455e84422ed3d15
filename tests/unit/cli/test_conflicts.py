"""What the logs of runs say of parked records, taken together."""

import json
from typing import Any

import pytest

from tidegate.cli.display import conflicts
from tidegate.cli.display.conflicts import RunLog

from .situations import entry, integration, plan, run, waiting


def parked(id_: str, field: str = "", reason: str = "refused") -> dict[str, Any]:
    said = {"type": "parked", "object": "contact", "connector": "crm", "id": id_, "reason": reason}
    return {**said, "field": field} if field else said


def end(parked: int, *, outcome: str = "complete") -> dict[str, Any]:
    return {"type": "end", "outcome": outcome, "parked": parked}


def log(run: int, *said: object) -> RunLog:
    return RunLog(run, [line if isinstance(line, str) else json.dumps(line) for line in said])


@pytest.mark.parametrize(
    ("title", "logs", "named", "summary"),
    [
        ("no log", [], [], "no run log is left to read conflicts from"),
        ("a foreign worker", [log(1, "hello", "{not json", "[]", "{}")], [], "no run log is left"),
        ("nothing", [log(1, end(0))], [], "as of run 1, nothing waits for a decision"),
        ("one", [log(1, parked("7"), end(1))], ["7"], "as of run 1, 1 record waits for a decision"),
        (
            "what waits is named by each complete run, and what is not named has been settled",
            [log(1, parked("7"), parked("8", "phone"), end(2)), log(2, parked("8", "phone"), end(1))],
            ["8 phone"],
            "as of run 2, 1 record waits for a decision",
        ),
        (
            "a run that failed does not come to name what waits",
            [log(1, parked("7"), end(1)), log(2, end(1, outcome="failed"))],
            ["7"],
            "as of run 2, 1 record waits for a decision",
        ),
        (
            "it may have settled some, and no log tells which",
            [log(1, parked("7", "phone"), parked("8", "name"), end(2)), log(2, end(1, outcome="failed"))],
            ["7 phone", "8 name"],
            "as of run 2, 1 record waits for a decision; 1 of those listed settled since, and the logs do not say",
        ),
        ("all are settled", [log(1, parked("7", "phone"), end(1)), log(2, end(0))], [], "as of run 2, nothing waits"),
        (
            "more than the worker names",
            [log(1, parked("7"), end(101))],
            ["7"],
            "as of run 1, 101 records wait for a decision; 100 of them are not named in the remaining logs",
        ),
        (
            "a run in progress",
            [log(2, parked("8"), {"type": "progress", "push": True, "outcome": "running", "parked": 2})],
            ["8"],
            "as of run 2, 2 records wait for a decision; 1 of them are not named",
        ),
        ("in any order", [log(2, end(0)), log(1, parked("7"), end(1))], [], "as of run 2, nothing waits"),
    ],
)
def test_conflicts_are_listed_as_the_log_reports_them(
    title: str, logs: list[RunLog], named: list[str], summary: str
) -> None:
    found = conflicts.read(logs)
    assert [f"{conflict.id} {conflict.field}".strip() for conflict in found.named] == named, title
    assert conflicts.summary(found).startswith(summary)


def test_the_newest_log_line_on_a_conflict_counts() -> None:
    found = conflicts.read([log(1, parked("7", reason="old"), end(1)), log(2, parked("7", reason="new"), end(1))])
    assert [(conflict.run, conflict.reason) for conflict in found.named] == [(2, "new")]


def test_the_json_output_says_whether_the_list_is_complete() -> None:
    found = conflicts.read([log(3, parked("7"), end(5))])
    assert conflicts.to_wire(found) == {
        "waiting": 5,
        "asOfRun": 3,
        "named": [{"run": 3, "object": "contact", "connector": "crm", "id": "7", "field": "", "reason": "refused"}],
    }


def test_the_logs_of_plans_are_known_by_the_status_and_say_nothing_of_what_waits() -> None:
    status = waiting(recentActivity=[entry(12), entry(11, kind="Plan")], plan=plan(run=10), run=run(13, kind="Plan"))
    assert integration(status=status).plans == {10, 11, 13}
