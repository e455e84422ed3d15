"""What a plan's log says of single records: missing lines are counted, and only the right key opens what is sealed."""

import base64
import json
from typing import Any

import pytest

from tidegate.cli.display.log_lines import detail, words
from tidegate.cli.display.plan_log import PlanLog
from tidegate.cli.sealed import KeyPair
from tidegate.worker.run.sealed import Seal

RECORD = {"object": "contact", "connector": "erp", "id": 7}
UPDATE = {"type": "planned", **RECORD, "what": "update", "fields": ["name", "phone"]}
PARKED = {"type": "waiting", **RECORD, "field": "phone", "reason": "it was changed on both sides"}
VALUES = {**UPDATE, "match": {"email": "ada@x"}, "fields": {"name": ["Ada", "Ada Lovelace"], "phone": [None, "1"]}}


def lines(*said: object) -> list[str]:
    return [each if isinstance(each, str) else json.dumps(each) for each in said]


def end(lines: int) -> dict[str, Any]:
    return {"type": "plan", "first": False, "sides": [], "wouldHalt": [], "lines": lines}


def test_details_are_what_the_worker_names() -> None:
    log = PlanLog()
    said = lines({"type": "progress"}, UPDATE, "free text", PARKED, end(2))
    assert list(log.details(said)) == [UPDATE, PARKED]
    assert log.missing is None


def test_what_a_run_has_written_and_what_its_undo_leaves_alone_are_details() -> None:
    wrote = {"type": "written", **RECORD, "what": "update", "fields": {"name": ["Ada", "Eve"]}}
    left = {"type": "left", **RECORD, "field": "phone", "reason": "it has been changed since"}
    log = PlanLog()
    assert list(log.details(lines(left, wrote, end(1)))) == [left, wrote]
    assert log.missing is None
    assert detail(wrote) == 'updated contact 7 in erp: name "Ada" → "Eve"'
    assert detail({**wrote, "what": "create", "done": "unknown"}) == (
        'created contact 7 in erp: name "Eve" (unknown whether it was carried out)'
    )
    assert detail(left) == "left as it is: contact 7 of erp, field phone: it has been changed since"


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        (
            lines(UPDATE, end(12_000)),
            "11,999 of 12,000 records are missing here: the node keeps only the end of a long log",
        ),
        (lines(end(1)), "1 of 1 records are missing here: the node keeps"),
        (lines(UPDATE), "the log ends before the plan's last line: records may be missing here"),
        (lines(UPDATE, {"type": "plan", "first": False}), "the log ends before the plan's last line"),
        (lines(UPDATE, end(0)), None),
    ],
)
def test_lines_that_are_missing_are_counted(said: list[str], missing: str | None) -> None:
    log = PlanLog()
    list(log.details(said))
    assert (log.missing or "").startswith(missing or "\0") == (missing is not None), log.missing


def test_values_are_read_by_the_one_who_asked() -> None:
    asked = KeyPair()
    boxes = list(Seal(asked.public).boxes([VALUES, {**VALUES, "id": "line\x85break\u2028"}]))
    log = PlanLog(asked.open)
    assert [each["id"] for each in log.details(lines(*boxes, end(2)))] == [7, "line\x85break\u2028"]
    assert log.missing is None


@pytest.mark.parametrize("box", [None, "no base64", base64.b64encode(b"no box").decode()])
def test_values_sealed_for_another_key_are_omitted_and_reported(box: str | None) -> None:
    sealed = {"type": "sealed", "data": box} if box else next(Seal(KeyPair().public).boxes([VALUES]))
    log = PlanLog(KeyPair().open)
    assert list(log.details(lines(sealed, end(1)))) == []
    assert log.missing == (
        "1 of 1 records are missing here: their values were sealed with another key; request the plan again"
    )


def test_a_key_pair_does_not_show_its_private_half() -> None:
    assert "PrivateKey" not in repr(KeyPair())


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (UPDATE, "update contact 7 in erp: name, phone"),
        (VALUES, 'update contact 7 in erp (email "ada@x"): name "Ada" → "Ada Lovelace", phone null → "1"'),
        ({**VALUES, "what": "create", "match": {}}, 'create contact 7 in erp: name "Ada Lovelace", phone "1"'),
        ({**VALUES, "what": "delete"}, 'delete contact 7 in erp (email "ada@x"): name "Ada", phone null'),
        ({**UPDATE, "what": "delete", "fields": []}, "delete contact 7 in erp"),
        ({"type": "planned"}, "None None None in None"),
        (PARKED, "set aside contact 7 of erp, field phone: it was changed on both sides"),
        (
            {**PARKED, "held": {"crm": "1", "erp": 2}},
            'set aside contact 7 of erp, field phone: it was changed on both sides (crm "1", erp 2)',
        ),
    ],
)
def test_a_record_is_described_on_one_line(said: dict[str, Any], expected: str) -> None:
    assert detail(said) == expected


def test_the_log_of_a_plan_is_readable() -> None:
    sealed = {"type": "sealed", "data": "…"}
    assert [words(line) for line in lines(UPDATE, sealed, end(1200))] == [
        "planned: update contact 7 in erp: name, phone",
        "sealed: details for the one who requested this plan",
        "planned: 1,200 records are listed above",
    ]
