"""Which kinds of values can become which: what is not in the table is refused, and nothing changes its meaning."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.worker.values.conversions import convert
from tidegate.worker.values.kinds import Duration, JsonString, Kind, Spelling, Unfit, in_words, kind_of

NOON = datetime(2024, 2, 29, 12)
SOME_UUID = UUID("550e8400-e29b-41d4-a716-446655440000")

# A value, what it is to become, and what it becomes; None where it cannot.
CONVERSIONS: list[tuple[Any, Kind, Any]] = [
    ("1.50", Kind.DECIMAL, Decimal("1.50")),
    ("007", Kind.WHOLE, None),
    ("+49170", Kind.WHOLE, None),
    (" 5", Kind.WHOLE, None),
    ("5.0", Kind.WHOLE, 5),
    (1.5, Kind.WHOLE, None),
    (Decimal("NaN"), Kind.WHOLE, None),
    ("NaN", Kind.DECIMAL, Decimal("NaN")),
    ("1e999999999", Kind.DECIMAL, None),
    (2**53 + 1, Kind.FLOAT, None),
    (2**53, Kind.FLOAT, 2.0**53),
    (Decimal("1e400"), Kind.FLOAT, None),
    (0.1, Kind.DECIMAL, Decimal("0.1")),
    ("t", Kind.BOOLEAN, True),
    (2, Kind.BOOLEAN, None),
    (True, Kind.TEXT, "1"),
    (NOON, Kind.DATE, None),
    (datetime(2024, 2, 29), Kind.DATE, date(2024, 2, 29)),
    (date(2024, 2, 29), Kind.INSTANT, datetime(2024, 2, 29, tzinfo=UTC)),
    ("2024-02-29T12:00:00+02:00", Kind.LOCAL, datetime(2024, 2, 29, 10)),
    (datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5))), Kind.LOCAL, None),
    (time(23, tzinfo=timezone(timedelta(hours=2))), Kind.TIME, None),
    (time(23, tzinfo=UTC), Kind.TIME, time(23)),
    (time(23), Kind.ZONED_TIME, time(23, tzinfo=UTC)),
    (Duration(1, 0, 0), Kind.TIME, None),
    (Duration(0, 0, 3600 * 10**6), Kind.TIME, time(1)),
    ('{"a": 1, "b": [1.50]}', Kind.DOCUMENT, {"a": 1, "b": [Decimal("1.50")]}),
    ('{"a": 1, "a": 2}', Kind.DOCUMENT, None),
    ("hello", Kind.DOCUMENT, None),
    ('"5"', Kind.DOCUMENT, JsonString("5")),
    (JsonString("5"), Kind.TEXT, '"5"'),
    (JsonString("2024-02-29"), Kind.DATE, date(2024, 2, 29)),
    ('["a","b"]', Kind.LIST, ["a", "b"]),
    ("{a,b}", Kind.LIST, None),
    ('{"a":1}', Kind.LIST, None),
    ({"a": 1}, Kind.LIST, None),
    (["a", None], Kind.TEXT, '["a",null]'),
    (b"\x00\xff", Kind.TEXT, "00ff"),
    ("00ff", Kind.BYTES, b"\x00\xff"),
    (SOME_UUID, Kind.BYTES, SOME_UUID.bytes),
    (SOME_UUID.bytes, Kind.UUID, SOME_UUID),
    (5, Kind.UUID, None),
    (5, Kind.INSTANT, None),
    (Spelling(Kind.INSTANT, "infinity"), Kind.INSTANT, Spelling(Kind.INSTANT, "infinity")),
    (Spelling(Kind.INSTANT, "infinity"), Kind.LOCAL, None),
    (b"", Kind.TEXT, ""),
    ("", Kind.WHOLE, None),
    ("1e999999999", Kind.WHOLE, None),  # four hundred megabytes of digits
    (Decimal("1e999999999"), Kind.WHOLE, None),
    (Decimal("Infinity"), Kind.WHOLE, None),
    (float("nan"), Kind.WHOLE, None),
]


@pytest.mark.parametrize(("value", "kind", "becomes"), CONVERSIONS, ids=[f"{v!r} {k.name}" for v, k, _ in CONVERSIONS])
def test_a_conversion_keeps_the_meaning_or_is_refused(value: Any, kind: Kind, becomes: Any) -> None:
    if becomes is None and value != "":
        with pytest.raises(Unfit):
            convert(value, kind)
        return
    converted = convert(value, kind)
    assert (type(converted), str(converted)) == (type(becomes), str(becomes))


def test_no_value_stays_none() -> None:
    assert [convert(None, kind) for kind in Kind] == [None] * len(Kind)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Spelling(Kind.DATE, "0000-00-00"), "a zero date"),
        (Spelling(Kind.LOCAL, "2026-00-00 00:00:00"), "a zero date"),
        (Spelling(Kind.INSTANT, "-infinity"), "an instant that is -infinity"),
        (Spelling(Kind.DATE, "0044-03-15 BC"), "a date beyond the years 1 to 9999"),
        (Spelling(Kind.TIME, "24:00:00"), "a time of day that is 24:00:00"),
        (float("nan"), "NaN"),
        (Decimal("-Infinity"), "an infinite number"),
        ("x", "a text"),
        (True, "a boolean"),
        (NOON, "a date and time without a zone"),
        (NOON.replace(tzinfo=UTC), "an instant"),
    ],
)
def test_a_value_is_described_by_its_kind(value: Any, words: str) -> None:
    assert in_words(value) == words


DURATIONS = st.builds(Duration, st.integers(-5000, 5000), st.integers(-5000, 5000), st.integers(-(10**13), 10**13))


class TestADuration:
    @given(DURATIONS)
    def test_is_parsed_from_its_own_text(self, duration: Duration) -> None:
        assert Duration.parse(str(duration)) == duration

    @pytest.mark.parametrize(
        ("text", "duration"),
        [
            ("P1M", Duration(1, 0, 0)),
            ("1 mon", Duration(1, 0, 0)),
            ("30 days", Duration(0, 30, 0)),
            ("1 year 2 mons -3 days 04:05:06.5", Duration(14, -3, 14706500000)),
            ("-1 days -02:00:00", Duration(0, -1, -7200000000)),
            ("-26:00:01", Duration(0, 0, -93601000000)),
            ("PT-0.5S", Duration(0, 0, -500000)),
            ("PT0S", Duration(0, 0, 0)),
        ],
    )
    def test_is_parsed_from_the_notation_of_databases(self, text: str, duration: Duration) -> None:
        assert Duration.parse(text) == duration

    @pytest.mark.parametrize("text", ["", "P", "PT", "a month", "1 fortnight", "12", "P1", "1 day 3"])
    def test_is_parsed_from_no_other_text(self, text: str) -> None:
        with pytest.raises(Unfit):
            Duration.parse(text)


VALUES = st.one_of(
    st.integers(), st.decimals(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False), st.booleans(),
    st.datetimes(), st.datetimes(timezones=st.just(UTC)), st.dates(), st.times(), DURATIONS, st.uuids(),
    st.binary(min_size=1),
    st.dictionaries(st.text(), st.integers()), st.lists(st.text(min_size=1)),
)  # fmt: skip


@given(VALUES, st.sampled_from(Kind))
def test_a_round_trip_restores_the_kind(value: Any, kind: Kind) -> None:
    try:
        back = convert(convert(value, kind), kind_of(value))
    except Unfit:
        return
    if kind is Kind.TEXT and kind_of(value) is not Kind.LIST:
        assert back == value
    assert kind_of(back) is kind_of(value)
