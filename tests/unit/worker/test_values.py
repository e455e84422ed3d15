"""The value space in which two systems are compared: what counts as the same, whichever system holds it."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any, get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.worker.values.normal_form import HASH_BYTES, Hasher, Normalization, are_identical, normal, normalized

HASHER = Hasher(b"one cache's salt")


class Colour(StrEnum):
    RED = "red"


NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SAME: list[tuple[str, list[Any]]] = [
    ("no value", [None, "", b""]),
    ("five", [5, 5.0, Decimal(5), Decimal("5.000"), "5"]),
    ("nothing left after the point", [Decimal("1E+2"), 100, 100.0]),
    ("minus zero", [0, -0.0, Decimal("-0.00")]),
    ("a truth", [True, 1, "1"]),
    ("a tenth", [0.1, Decimal("0.10"), "0.1"]),
    ("a tiny number", [1e-7, Decimal("0.0000001")]),
    ("an instant in any zone", [NOON, NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))]),
    ("an instant without a zone", [NOON, datetime(2026, 11, 24, 12, 0)]),
    ("a day", [date(2026, 11, 24), "2026-11-24"]),
    ("a time of day", [time(12, 30), "12:30:00"]),
    ("bytes", [b"\x00\xff", bytearray(b"\x00\xff"), memoryview(b"\x00\xff"), "00ff"]),
    ("a document with its keys in any order", [{"a": 1, "b": [1, 2]}, {"b": [1, 2], "a": 1}]),
    (
        "a document with its numbers however they are written",
        [{"a": 1.5, "b": [2]}, {"a": Decimal("1.50"), "b": [2.0]}],
    ),
    ("a number with more zeros than are worth writing", [Decimal("1E+2000"), Decimal("10E+1999"), Decimal(10**2000)]),
    ("an id", [UUID(int=7), str(UUID(int=7))]),
    ("a text of an enumeration", [Colour.RED, "red"]),
]

DIFFERENT: list[tuple[Any, Any]] = [
    (None, 0),
    (None, " "),
    (None, False),
    ("a", "A"),
    ("5", "5.0"),  # texts are compared as texts
    (1, 10),
    (NOON, NOON + timedelta(microseconds=1)),
    ([1, 2], [2, 1]),
    ({"a": 2**70}, {"a": 2**70 + 1}),
    ({"a": "1"}, {"a": 1}),
    (Decimal("1E+2000"), Decimal("1E+2001")),
    ({"a": None}, {}),
]


class TestTheNormalForm:
    @pytest.mark.parametrize(("values"), [values for _, values in SAME], ids=[title for title, _ in SAME])
    def test_is_the_same_for_all_representations_of_a_value(self, values: list[Any]) -> None:
        assert len({normal(value) for value in values}) == 1

    @pytest.mark.parametrize(("one", "another"), DIFFERENT)
    def test_differs_for_different_values(self, one: Any, another: Any) -> None:
        assert normal(one) != normal(another)

    def test_of_no_value_is_none(self) -> None:
        assert normal(None) is normal("") is None

    @given(st.one_of(st.integers(), st.decimals(), st.floats(), st.text(), st.datetimes(), st.binary()))
    def test_is_idempotent(self, value: Any) -> None:
        assert normal(normal(value)) == normal(value)

    @given(st.decimals(allow_nan=False, allow_infinity=False, places=6), st.integers(0, 20))
    def test_of_a_number_does_not_depend_on_trailing_zeros(self, number: Decimal, places: int) -> None:
        assert normal(number) == normal(Decimal(f"{number:.{6 + places}f}"))

    @given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)), st.integers(-14 * 60, 14 * 60))
    def test_of_an_instant_does_not_depend_on_the_zone(self, moment: datetime, minutes: int) -> None:
        instant = moment.replace(tzinfo=UTC)
        assert normal(instant) == normal(instant.astimezone(timezone(timedelta(minutes=minutes))))

    def test_of_a_number_is_no_longer_than_its_digits(self) -> None:
        assert normalized("1e999999999", ["number"]) == normal(Decimal("1e999999999")) == "1E999999999"
        assert normal(Decimal("-1.50e-999999")) == "-15E-1000000"

    def test_of_a_document_works_at_any_depth(self) -> None:
        document: Any = 1
        for _ in range(5000):
            document = {"a": [document]}
        assert str(normal(document)).startswith('{"a":[{"a":[')
        assert HASHER.of_records([(document,)]) != HASHER.of_records([([document],)])

    def test_of_an_instant_beyond_python_s_years_is_its_own_notation(self) -> None:
        end = datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-5)))
        assert normal(end) == "9999-12-31T23:59:59-05:00"
        assert normalized("9999-12-31T23:59:59-05:00", ["time"]) == "9999-12-31T23:59:59-05:00"


NORMALIZED: list[tuple[list[Normalization], str, list[str | None]]] = [
    (["casefold"], "strasse", ["STRASSE", "Straße", "strasse"]),
    (["accents"], "Jose Munoz", ["José Muñoz", "Jose\u0301 Mun\u0303oz", "Jose Munoz"]),
    (["accents"], "한", ["\ud55c", "\u1112\u1161\u11ab"]),
    (["trim"], "Ada Lovelace", [" Ada  Lovelace", "Ada\tLovelace\n"]),
    (["digits"], "4420718", ["+44 (207) 18", "44-20718"]),
    (["number"], "5", ["5", " 5.00 ", "5e0", "+5"]),
    (["number"], "none", ["none"]),
    (["time"], "2026-11-24T12:00:00Z", ["2026-11-24T12:00:00.250Z", "2026-11-24 13:00:00+01:00", "2026-11-24T12:00"]),
    (["time"], "at noon", ["at noon"]),
    (["trim", "casefold"], "ada", [" ADA "]),
]


class TestNormalizing:
    @pytest.mark.parametrize(("how", "form", "texts"), NORMALIZED, ids=["+".join(how) for how, _, _ in NORMALIZED])
    def test_removes_irrelevant_differences(self, how: list[Normalization], form: str, texts: list[str | None]) -> None:
        assert {normalized(text, how) for text in texts} == {form}

    @pytest.mark.parametrize(("how", "text"), [("trim", "  "), ("digits", "none"), ("digits", None), ("time", "")])
    def test_may_result_in_no_value(self, how: Normalization, text: str | None) -> None:
        assert normalized(text, [how]) is None

    @given(st.sampled_from(get_args(Normalization)), st.text())
    def test_a_second_time_changes_nothing(self, how: Normalization, text: str) -> None:
        once = normalized(text, [how])
        assert normalized(once, [how]) == once


# Some of which are equal, and some of those not the same.
VALUES = st.sampled_from([None, "", "1", "1.0", 1, True, 1.0, Decimal(1), Decimal("1.0"), 0.0, -0.0, NOON, "no", b""])


class TestIdenticalValues:
    @given(st.tuples(VALUES, VALUES), st.tuples(VALUES, VALUES))
    def test_have_the_same_hashes(self, values: tuple[Any, ...], others: tuple[Any, ...]) -> None:
        if are_identical(values, others):
            assert [*map(normal, values)] == [*map(normal, others)]
            first, second = HASHER.of_records([values, others])
            assert first == second

    def test_include_most_values_in_practice(self) -> None:
        assert are_identical(("ann", 5, None), ("ann", 5, None))
        assert not are_identical(("ann", 5, None), ("ann", 6, None))


# Little of each kind, so that equal forms of different values are met.
_SCALARS = st.sampled_from(
    [None, "", "1", "null", "NaN", "ab", "2024-01-01", "2024-01-01T00:00:00", "2024-01-01T00:00:00Z", "(", 1, 1.0, True,
     2**70, float("nan"), float("inf"), float("-inf"), Decimal("NaN"), Decimal("1.0"), b"\xab", NOON, date(2024, 1, 1),
     datetime(2024, 1, 1), time(1), "\ud800", "\0", "a\0"]
)  # fmt: skip
ANYTHING = st.one_of(_SCALARS, st.lists(_SCALARS, max_size=2), st.dictionaries(st.text("a", max_size=1), _SCALARS))


class TestHashes:
    def test_of_no_value_is_that_of_no_text(self) -> None:
        assert HASHER.of_texts([None, ""]) == [HASHER.blank, HASHER.of_bytes(b"")]
        assert HASHER.of_texts(["a"]) != [HASHER.blank]

    def test_depend_on_the_salt_so_that_two_caches_cannot_be_compared(self) -> None:
        assert HASHER.of_texts(["ada@example.com"]) != Hasher(b"another salt").of_texts(["ada@example.com"])

    @given(st.lists(st.sampled_from([None, "", "a", "b", "\ud800"])))
    def test_of_many_texts_are_those_of_each(self, texts: list[str | None]) -> None:
        assert HASHER.of_texts(texts) == [HASHER.of_texts([text])[0] for text in texts]

    @pytest.mark.parametrize(
        "record",
        [
            (),
            ("\ud800", None),  # not a Unicode text, and still somebody's data
            (2**64, 1),
            (Decimal("1.5"), NOON, date.min, UUID(int=1)),
            (b"\xff", {"k": [1, None]}),
            (float("nan"),),
        ],
    )
    def test_exist_for_any_record(self, record: tuple[Any, ...]) -> None:
        first, second = HASHER.of_records([record, record])
        assert first == second
        assert len(first) == HASH_BYTES

    @given(st.lists(ANYTHING, min_size=2, max_size=2), st.lists(ANYTHING, min_size=2, max_size=2))
    def test_of_records_are_equal_only_where_their_normal_forms_are(self, one: list[Any], another: list[Any]) -> None:
        first, second = HASHER.of_records([tuple(one), tuple(another)])
        if first == second:
            assert [*map(normal, one)] == [*map(normal, another)]

    @pytest.mark.parametrize(
        "values",
        [
            [None, float("nan"), float("inf"), float("-inf"), Decimal("NaN"), ""],
            [b"\xab", "ab", bytearray(b"\xab\x00")],
            [[None], [float("inf")], [float("nan")]],
        ],
    )
    def test_of_values_with_equal_json_differ(self, values: list[Any]) -> None:
        assert len(set(HASHER.of_records([(value, "x") for value in values]))) == len(values)

    @given(st.lists(st.one_of(st.none(), st.text(), st.integers(-(2**80), 2**80), st.booleans())), st.data())
    def test_of_a_record_change_with_any_of_its_values(self, values: list[Any], data: st.DataObject) -> None:
        changed = [*values, "one more"]
        if values:
            at = data.draw(st.integers(0, len(values) - 1))
            changed = [*values[:at], f"{values[at]}, changed", *values[at + 1 :]]
        before, after = HASHER.of_records([tuple(values), tuple(changed)])
        assert before != after
