"""Which side was changed last, when that is what decides a conflict."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from tidegate.worker.connectors import Record
from tidegate.worker.newest import newer_side

from .databases import WITH_CURSOR, Databases

NOON = datetime(2026, 11, 24, 12, 0)
INDIA = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    ("crm", "erp", "newer"),
    [
        (2, 1, 0),
        (1, 2, 1),
        (1, 1, None),
        (1, Decimal("1.5"), 1),
        (NOON, NOON + timedelta(seconds=1), 1),
        (NOON, NOON.replace(tzinfo=UTC), None),
        (NOON.replace(tzinfo=UTC), NOON.replace(hour=13, tzinfo=INDIA), 0),
        ("2026-11-24 12:00:01", NOON, 0),
        ("2026-11-24T12:00:00Z", NOON, None),
        (date(2026, 11, 25), NOON, 0),
        (NOON, 5, None),  # a time and a number cannot be compared
        ("yesterday", NOON, None),
        (True, False, None),
        (None, NOON, None),
    ],
)
def test_the_later_cursor_is_the_newer_side_where_the_two_can_be_compared(crm: Any, erp: Any, newer: Any) -> None:
    assert newer_side([Record(1, (), crm), Record(1, (), erp)]) == newer


def test_a_record_that_is_not_there_is_not_newer() -> None:
    assert newer_side([Record(1, (), NOON), None]) is None


@pytest.mark.parametrize(("last", "winner"), [("crm", "of crm"), ("erp", "of erp")])
def test_the_newest_edit_wins_a_conflict(databases: Databases, last: str, winner: str) -> None:
    databases.add("crm", ("ada@x", "Ada"))
    changes: dict[str, Any] = {"crm": WITH_CURSOR, "erp": WITH_CURSOR, "conflict": "newest"}
    databases.run(**changes)
    for side in ("crm", "erp"):
        databases.edit(side, "ada@x", name=f"of {side}")
    databases.sql(last, "UPDATE contact SET version = version + 100")
    ended = databases.run(**changes)
    assert ended.message["conflicts"] == 1
    assert [contact[1] for side in ("crm", "erp") for contact in databases.contacts(side)] == [winner, winner]
