"""Which side was changed last, when that is what decides a conflict."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tidegate.api.contract import ExitCode
from tidegate.worker.connectors import Record
from tidegate.worker.merge.newest import ZoneUnknownError, newer_side

from .databases import WITH_CURSOR, Databases

NOON = datetime(2026, 11, 24, 12, 0)
ZONED = NOON.replace(tzinfo=UTC)
INDIA = timezone(timedelta(hours=5, minutes=30))
BERLIN = ZoneInfo("Europe/Berlin")
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("crm", "erp", "newer"),
    [
        (2, 1, 0),
        (1, 2, 1),
        (1, 1, None),
        (1, Decimal("1.5"), 1),
        (NOON, NOON + SECOND, 1),
        (NOON, ZONED, None),
        (ZONED, NOON.replace(hour=13, tzinfo=INDIA), 0),
        ("2026-11-24 12:00:01", NOON, 0),
        ("2026-11-24T12:00:00Z", NOON, None),
        (date(2026, 11, 25), NOON, None),  # of that day it may be any moment
        (date(2026, 11, 26), NOON, 0),
        ("2026-11-25", date(2026, 11, 25), None),
        (int(ZONED.timestamp()), ZONED + 2 * SECOND, 1),
        (int(ZONED.timestamp()), int((ZONED + SECOND).timestamp() * 1000), 1),  # seconds and milliseconds
        (NOON, 5, None),  # a time and a number cannot be compared
        ("yesterday", NOON, None),
        (True, False, None),
        (None, NOON, None),
        (float("nan"), 1, None),
        (datetime(1, 1, 1), ZONED, 1),
        (datetime(1, 1, 1, tzinfo=INDIA), datetime(9999, 12, 31, 23, 59, 59), 1),
        (datetime(9999, 12, 31, 23, 59, 59), datetime(1, 1, 1, tzinfo=INDIA), 0),
    ],
)
def test_the_later_cursor_is_the_newer_side_where_both_are_comparable(crm: Any, erp: Any, newer: Any) -> None:
    assert newer_side([Record(1, (), crm), Record(1, (), erp)], (UTC, UTC)) == newer


@pytest.mark.parametrize(
    ("ahead", "cut_off", "newer"),
    [
        (timedelta(milliseconds=900), ZONED, None),  # the other may have been at .950, and lost what would tell it
        (timedelta(milliseconds=1100), ZONED, 0),
        (-timedelta(milliseconds=900), ZONED, None),
        (-timedelta(milliseconds=1100), ZONED, 1),
        (timedelta(microseconds=300), ZONED + timedelta(milliseconds=3), 0),
    ],
)
def test_a_difference_below_the_coarser_precision_is_a_tie(ahead: timedelta, cut_off: datetime, newer: Any) -> None:
    exact = ZONED + ahead + timedelta(microseconds=1)
    if cut_off.microsecond:
        assert newer_side([Record(1, (), cut_off + ahead), Record(1, (), cut_off)], (UTC, UTC)) is None
        return
    assert newer_side([Record(1, (), exact), Record(1, (), cut_off)], (UTC, UTC)) == newer


def _by_seconds(moment: datetime) -> float:
    return int(moment.timestamp() * 1000) / 1000


# How systems write a time, and cut it off.
CUT_OFF: dict[str, Callable[[datetime], Any]] = {
    "microseconds": lambda moment: moment,
    "milliseconds": lambda moment: moment.isoformat(timespec="milliseconds"),
    "tenths": lambda moment: moment.replace(microsecond=moment.microsecond // 100_000 * 100_000),
    "seconds": lambda moment: moment.replace(microsecond=0),
    "seconds with zeros": lambda moment: moment.replace(microsecond=0).isoformat(timespec="milliseconds"),
    "minutes": lambda moment: moment.isoformat(timespec="minutes"),
    "minutes without colons": lambda moment: moment.strftime("%Y%m%dT%H%M%z"),
    "hours": lambda moment: moment.isoformat(timespec="hours"),
    "days": lambda moment: moment.date().isoformat(),
    "a number of seconds": lambda moment: int(moment.timestamp()),
    "a number with milliseconds": _by_seconds,
    "a number of milliseconds": lambda moment: int(moment.timestamp() * 1000),
}


@given(
    first=st.sampled_from([*CUT_OFF]),
    second=st.sampled_from([*CUT_OFF]),
    moment=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),
    later=st.one_of(st.timedeltas(timedelta(), SECOND), st.timedeltas(timedelta(), timedelta(days=2))),
)
@example(first="minutes", second="microseconds", moment=NOON + 40 * SECOND, later=-20 * SECOND)
def test_an_edit_never_loses_to_an_earlier_one_however_their_times_are_cut_off(
    first: str, second: str, moment: datetime, later: timedelta
) -> None:
    one, other = moment.replace(tzinfo=UTC), (moment + later).replace(tzinfo=UTC)
    records = [Record(1, (), CUT_OFF[first](one)), Record(1, (), CUT_OFF[second](other))]
    earlier = 0 if later >= timedelta() else 1
    assert newer_side(records, (UTC, UTC)) != earlier


def test_a_local_time_is_an_instant_of_its_connectors_zone() -> None:
    an_edit_in_berlin = Record(1, (), NOON.replace(hour=14))  # 13:00 UTC
    half_an_hour_later = Record(1, (), NOON.replace(hour=13, minute=30, tzinfo=UTC))
    assert newer_side([half_an_hour_later, an_edit_in_berlin], (None, BERLIN)) == 0


def test_a_local_time_in_a_repeated_hour_may_be_either() -> None:
    twice = Record(1, (), datetime(2026, 10, 25, 2, 30))
    for minutes, newer in ((-90, 0), (-30, None), (30, None), (90, 1)):
        moment = datetime(2026, 10, 25, 1, 0, tzinfo=UTC) + timedelta(minutes=minutes)
        assert newer_side([twice, Record(1, (), moment)], (BERLIN, None)) == newer


@pytest.mark.parametrize("cursor", [NOON, date(2026, 11, 24), "2026-11-24 12:00:00"])
def test_a_time_without_a_zone_needs_the_setting_timezone(cursor: Any) -> None:
    with pytest.raises(ZoneUnknownError) as caught:
        newer_side([Record(1, (), ZONED), Record(1, (), cursor)], (None, None))
    assert caught.value.side == 1


def test_the_first_and_last_days_of_the_calendar_are_compared_in_every_zone() -> None:
    ends = [Record(1, (), datetime(1, 1, 1)), Record(1, (), datetime(9999, 12, 31, 23, 59, 59))]
    for zone in ("Asia/Kolkata", "America/Lima"):
        assert newer_side(ends, (ZoneInfo(zone), ZoneInfo(zone))) == 1


def test_a_missing_record_is_not_newer() -> None:
    assert newer_side([Record(1, (), NOON), None], (UTC, UTC)) is None


def test_a_conflict_of_times_without_a_zone_stops_the_run_before_it_writes(databases: Databases) -> None:
    for side in ("crm", "erp"):
        databases.sql(side, "ALTER TABLE contact ADD COLUMN changed_at TEXT DEFAULT '2026-11-24 12:00:00'")
        databases.add(side, ("ada@x", "Ada"))
    place = {"table": "contact", "id": "id", "cursor": "changed_at"}
    changes: dict[str, Any] = {"crm": place, "erp": place, "conflict": "newest"}
    databases.run(**changes)
    for side in ("crm", "erp"):
        databases.edit(side, "ada@x", name=f"of {side}")
    databases.sql("erp", "UPDATE contact SET changed_at = '2026-11-24 12:00:05'")
    ended = databases.run(**changes)
    assert ended.code == ExitCode.CONFIGURATION_ERROR
    assert ended.message["reason"] == (
        "object contact: conflict newest compares times, and the cursor of crm is a time without a zone; set "
        "timezone of connector crm, such as timezone: Europe/Berlin or timezone: UTC"
    )
    connectors = {side: {"type": "sql", "url": databases.url(side), "timezone": "UTC"} for side in ("crm", "erp")}
    assert databases.run(**changes, connectors=connectors).code == 0
    assert [contact[1] for side in ("crm", "erp") for contact in databases.contacts(side)] == ["of erp", "of erp"]


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
