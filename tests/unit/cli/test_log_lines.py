"""A worker's log as people read it."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.cli.display.log_lines import counts_of, readable, words

PROGRESS = {
    "type": "progress", "v": 1, "run": 26, "outcome": "running", "scope": "full", "push": True, "phase": "scan",
    "read": {"billing": 1650, "crm": 0}, "changed": {"billing": 0, "crm": 0},
    "pushed": {"billing": {"create": 0, "update": 0, "delete": 0}, "crm": {"create": 2, "update": 1, "delete": 0}},
    "conflicts": 0, "parked": 0, "checkpoint": "scan billing contact > 701650", "seconds": 16.573,
    "recordsPerSecond": 1098,
}  # fmt: skip

PARKED = {"type": "parked", "object": "contact", "connector": "crm", "id": 7}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (PROGRESS, "scan billing contact > 701650  read billing 1,650, crm 0; pushed billing 0, crm 3  1,098/s"),
        ({"type": "progress"}, ""),
        (
            {**PROGRESS, "type": "end", "outcome": "complete", "parked": 2, "reason": "see above"},
            "complete: read billing 1,650, crm 0; pushed billing 0, crm 3; 2 records wait for a decision; see above",
        ),
        ({"type": "end", "outcome": "failed", "reason": "no route to crm"}, "failed: no route to crm"),
        (
            {
                "type": "parked",
                "object": "contact",
                "connector": "crm",
                "id": 7,
                "field": "phone",
                "reason": "too long",
            },
            "set aside: contact 7 of crm, field phone: too long",
        ),
        (
            {**PARKED, "reason": "refused"},
            "set aside: contact 7 of crm: refused",
        ),
        ({"type": "gone", "object": "contact", "connector": "crm", "id": 7}, "gone: contact 7 of crm"),
        (
            {"type": "planned", "object": "contact", "connector": "erp", "what": "create", "id": 7, "of": "crm"},
            "planned: create contact 7 of crm in erp",
        ),
        (
            {"type": "planned", "object": "contact", "connector": "erp", "what": "update", "id": 7},
            "planned: update contact 7 in erp",
        ),
        (
            {"type": "blank", "object": "contact", "connector": "crm", "id": 7, "field": "phone"},
            "blank: contact 7 of crm, field phone",
        ),
        (
            {**PARKED, "type": "undecided", "field": "phone", "reason": "it waits for no decision"},
            "decision not carried out: contact 7 of crm, field phone: it waits for no decision",
        ),
        (
            {**PARKED, "type": "left", "field": "phone", "reason": "it has been changed since"},
            "left as it is: contact 7 of crm, field phone: it has been changed since",
        ),
        ({"type": "warning", "reason": "disk full"}, "warning: disk full"),
        ({"type": "something new", "a": 1}, '{"type": "something new", "a": 1}'),
        ("free text", "free text"),
        ("{not json", "{not json"),
        ("[]", "[]"),
    ],
)
def test_a_line_describes_its_step(said: object, expected: str) -> None:
    assert words(said if isinstance(said, str) else json.dumps(said)) == expected


def test_a_line_starts_with_its_time_of_day() -> None:
    assert re.fullmatch(r"\d\d:\d\d:\d\d  free text", readable("2026-11-24T08:02:12.123456789Z free text"))
    assert readable("no time at all") == "no time at all"


KEYS = st.sampled_from(["read", "pushed", "outcome", "parked", "recordsPerSecond", "checkpoint", "phase", "reason"])
SCALARS = st.none() | st.booleans() | st.integers() | st.text()


@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner)))
def test_output_of_any_worker_is_accepted(said: object) -> None:
    for type_ in ("progress", "end", "parked", "gone", "planned", "warning"):
        text = json.dumps({**said, "type": type_} if isinstance(said, dict) else said)
        words(text)
        counts_of(text)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (json.dumps(PROGRESS), "read billing 1,650, crm 0; pushed billing 0, crm 3"),
        ('{"type": "parked"}', None),
        ("free text", None),
        ('{"read": 3, "pushed": null}', None),
    ],
)
def test_progress_is_read_from_the_log(line: str, expected: str | None) -> None:
    assert counts_of(line) == expected
