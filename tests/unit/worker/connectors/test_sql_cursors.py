"""Where reading of changes begins: at no later value than one that a change may still be given."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Column, Date, DateTime, Float, Integer, MetaData, Numeric, String, Table, Uuid

from tidegate.worker.connectors.sql.cursors import Seen, Start, can_be_cursor, scale_of, token_of, typed_scale
from tidegate.worker.connectors.sql.watermark import Watermark, advance

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HALF_A_MINUTE = timedelta(seconds=30)


def column(kind: Any) -> Column[Any]:
    return Table("contact", MetaData(), Column("at", kind)).columns["at"]


def start(kind: Any, newest: Any, clock: datetime = NOON, zone: str | None = None) -> Start:
    token = token_of(newest)
    scale = scale_of(column(kind), ZoneInfo(zone) if zone else None, (token, token))
    return scale.start(Seen(token, clock.isoformat()), HALF_A_MINUTE)


LOCAL, ZONED = DateTime(), DateTime(timezone=True)
LONG_AGO = datetime(2026, 1, 5, 8, 30, 7)


@pytest.mark.parametrize(
    ("kind", "newest", "zone", "begins"),
    [
        (ZONED, NOON, None, Start(NOON - HALF_A_MINUTE)),
        (ZONED, LONG_AGO.replace(tzinfo=UTC), None, Start(LONG_AGO.replace(tzinfo=UTC), excluded=True)),
        # All changes of a day may have its midnight.
        (ZONED, datetime(2026, 11, 24, tzinfo=UTC), None, Start(datetime(2026, 11, 24, tzinfo=UTC))),
        (LOCAL, datetime(2026, 11, 24, 12, 0, 1), "UTC", Start(datetime(2026, 11, 24, 11, 59, 30))),
        (LOCAL, datetime(2026, 11, 24, 13, 0, 1), "Europe/Berlin", Start(datetime(2026, 11, 24, 12, 59, 30))),
        (LOCAL, datetime(2026, 11, 24, 13, 0, 1), None, Start(datetime(2026, 11, 23, 23, 59, 30))),
        (LOCAL, LONG_AGO, None, Start(LONG_AGO, excluded=True)),
        (Date(), date(2026, 11, 24), "UTC", Start(date(2026, 11, 24))),
        (Date(), date(2026, 11, 24), None, Start(date(2026, 11, 23))),
        (Date(), date(2020, 1, 1), None, Start(date(2020, 1, 1))),
        (String(), "2026-11-24T12:00:00Z", None, Start("2026-11-24T11:59:30")),
        (String(), "2026-11-24 12:00:00", "UTC", Start("2026-11-24 11:59:30")),
        (String(), "2026-01-05T08:30:07Z", None, Start("2026-01-05T08:30:07Z", excluded=True)),
        (BigInteger(), 17, None, Start(17)),
        (Numeric(), Decimal("17.5"), None, Start(Decimal("17.5"))),
        (BigInteger(), int(NOON.timestamp()), None, Start(int(NOON.timestamp()) - 30)),
        (Float(), NOON.timestamp() * 1000, None, Start((int(NOON.timestamp()) - 30) * 1000)),
        (BigInteger(), 1_600_000_001, None, Start(1_600_000_001, excluded=True)),
        (BigInteger(), None, None, Start(None)),
        (ZONED, None, None, Start(None)),
    ],
)
def test_reading_starts_an_overlap_before_the_last_look_or_at_the_last_change(
    kind: Any, newest: Any, zone: str | None, begins: Start
) -> None:
    assert start(kind, newest, zone=zone) == begins


@given(
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Antarctica/Troll"]),
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)),
    st.timedeltas(timedelta(), timedelta(days=2)),
)
def test_no_later_change_has_an_earlier_local_time_even_when_clocks_are_turned_back(
    zone: str, seen: datetime, later: timedelta
) -> None:
    clock = seen.replace(tzinfo=UTC)
    there = ZoneInfo(zone)
    newest = clock.astimezone(there).replace(tzinfo=None)
    begins = start(LOCAL, newest, clock, zone)
    change = (clock + later).astimezone(there).replace(tzinfo=None)
    assert begins.value <= change
    assert not (begins.excluded and begins.value == change)


@given(st.sampled_from(["Europe/Berlin", "America/New_York"]), st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)))
def test_no_present_change_counts_as_one_of_the_future(zone: str, now: datetime) -> None:
    scale = typed_scale(column(LOCAL), ZoneInfo(zone))
    assert scale is not None
    for ago in (timedelta(), timedelta(minutes=50)):
        moment = now.replace(tzinfo=UTC)
        assert scale.ceiling(moment) >= (moment - ago).astimezone(ZoneInfo(zone)).replace(tzinfo=None)


@pytest.mark.parametrize("text", ["24.11.2026", "20261124", "2026-11-24T12:00:00+01:00", "2026-13-01", "12:00"])
def test_texts_that_do_not_sort_by_time_are_refused_as_a_cursor(text: str) -> None:
    with pytest.raises(ValueError, match="^2026-11-24 12:00:00$|^" + text.replace("+", r"\+")):
        scale_of(column(String()), None, ("2026-11-24 12:00:00", text))


def test_texts_of_two_formats_are_refused_as_a_cursor() -> None:
    with pytest.raises(ValueError, match="2026-11-24T12:00:00"):
        scale_of(column(String()), None, ("2026-11-24 12:00:00", "2026-11-24T12:00:00"))


def test_only_times_numbers_and_texts_can_be_cursors() -> None:
    assert can_be_cursor(column(Integer()))
    assert not can_be_cursor(column(Uuid()))


class Transaction:
    """Draws a number when it begins to write, and shows it when it ends."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.name = str(number)


@given(st.lists(st.one_of(st.just("begin"), st.integers(0, 5), st.just("run"))))
def test_no_number_is_missed_for_any_overlap_of_transactions(events: list[Any]) -> None:
    running: list[Transaction] = []
    visible: set[int] = set()
    read: set[int] = set()
    drawn = 0
    last: Mapping[str, Any] | None = None

    def run() -> None:
        nonlocal last
        watermark = advance(Watermark.of_token(last), Seen(max(visible, default=None), ""), {t.name for t in running})
        settled = Watermark.of_token(last).settled
        begins = settled.newest if settled is not None and settled.newest is not None else 0
        # What is above `until` belongs to the rows without a place, which are all read.
        read.update(number for number in visible if number >= begins)
        last = watermark.to_token()

    for event in events:
        if event == "begin":
            drawn += 1
            running.append(Transaction(drawn))
        elif event == "run":
            run()
            assert visible <= read
        elif isinstance(event, int) and running:
            visible.add(running.pop(event % len(running)).number)
    visible.update(transaction.number for transaction in running)
    running.clear()
    run()
    assert visible <= read


def test_a_token_of_another_version_settles_nothing() -> None:
    assert Watermark.of_token("2026-11-24") == Watermark(None, None)
