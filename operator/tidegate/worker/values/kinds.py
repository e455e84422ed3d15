"""Kinds of values: what a value is, and what a column or property can hold, in terms that all systems share.

Python's types cover most of it: a `datetime` with a zone is an instant, a `list` a list. Values for which Python has no
type, or the wrong one, have a class here. `conversions` says which kind converts to which.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from math import isfinite, isnan
from typing import Any
from uuid import UUID

from tidegate.worker.values.normal_form import Value


class Kind(Enum):
    """What a value means, whichever system holds it; the text is for messages."""

    TEXT = "a text"
    WHOLE = "a whole number"
    DECIMAL = "a decimal number"
    FLOAT = "a floating-point number"
    BOOLEAN = "a boolean"
    INSTANT = "an instant"
    LOCAL = "a date and time without a zone"
    DATE = "a date"
    TIME = "a time of day"
    ZONED_TIME = "a time of day with a zone"
    DURATION = "a duration"
    DOCUMENT = "a JSON document"
    LIST = "a list"
    BYTES = "bytes"
    UUID = "a UUID"
    OTHER = "a value of a type of its own"


def no_character(text: str, at: int) -> str:
    """Why the character at this position is invalid in every encoding."""
    code = ord(text[at])
    if 0xDC80 <= code <= 0xDCFF:  # Python represents an undecodable byte by these (PEP 383)
        return f"the text has the byte 0x{code - 0xDC00:02x}, which is not a character in UTF-8"
    return "the text has half of a character (a lone surrogate)"


class Unfit(ValueError):  # noqa: N818 - it is what a value is, not an error of the program
    """A value cannot be converted without changing its meaning. The text says why, without the value."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """A value for which Python has no object, in its system's notation: `infinity`, a year before 1, a zero date."""

    kind: Kind
    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def title(self) -> str:
        """What it is, in a sentence."""
        if self.kind is Kind.DOCUMENT:
            return "a JSON document that has a name twice"
        if re.match(r"\d{4}-00|0000|\d{4}-\d\d-00", self.text):
            return "a zero date"
        if "infinity" in self.text or self.kind not in _OF_YEARS:
            return f"{self.kind.value} that is {self.text}"
        return f"{self.kind.value} beyond the years 1 to 9999"


_OF_YEARS = frozenset((Kind.INSTANT, Kind.LOCAL, Kind.DATE))


class JsonString(str):
    """A JSON document that is only a text: `"5"` in a column of documents, which is not the document `5`."""

    __slots__ = ()


_MONTHS_OF = {"y": 12, "year": 12, "years": 12, "mon": 1, "mons": 1, "month": 1, "months": 1}
_DAYS_OF = {"d": 1, "day": 1, "days": 1, "week": 7, "weeks": 7}
_ISO = re.compile(
    r"P(?:(?P<y>-?\d+)Y)?(?:(?P<m>-?\d+)M)?(?:(?P<w>-?\d+)W)?(?:(?P<d>-?\d+)D)?"
    r"(?:T(?:(?P<H>-?\d+)H)?(?:(?P<M>-?\d+)M)?(?:(?P<S>-?\d+)(?:\.(?P<f>\d{1,6}))?S)?)?"
)
_UNIT = re.compile(r"([+-]?\d+) ?([a-z]+)(?: |$)", re.IGNORECASE)
_CLOCK = re.compile(r"(?P<sign>[+-]?)(?P<H>\d+):(?P<M>[0-5]\d)(?::(?P<S>[0-5]\d)(?:\.(?P<f>\d{1,6}))?)?")
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Duration:
    """An interval of PostgreSQL: months and days have no fixed length, and are kept apart from the time.

    Its text is in ISO 8601, such as P1M2DT3H.
    """

    months: int
    days: int
    microseconds: int

    @classmethod
    def parse(cls, text: str) -> "Duration":
        """Parse ISO 8601, PostgreSQL's own style (1 mon 2 days 03:04:05), or a time of day. Raises Unfit."""
        if (found := _ISO.fullmatch(text)) and len(text) > 1 and not text.endswith("T"):
            years, months, weeks, days = (int(found[name] or 0) for name in "ymwd")
            is_negative = (found["S"] or "").startswith("-")
            return cls(12 * years + months, 7 * weeks + days, _microseconds(found, is_negative=is_negative))
        months = days = 0
        rest = text
        while unit := _UNIT.match(rest):
            number, name = int(unit[1]), unit[2].lower()
            if name not in _MONTHS_OF and name not in _DAYS_OF:
                raise Unfit("is not a duration such as P1M2DT3H")
            months += number * _MONTHS_OF.get(name, 0)
            days += number * _DAYS_OF.get(name, 0)
            rest = rest[unit.end() :]
        clock = _CLOCK.fullmatch(rest)
        if not text or (rest and not clock):
            raise Unfit("is not a duration such as P1M2DT3H")
        size = _microseconds(clock, is_negative=False) if clock else 0
        return cls(months, days, -size if clock and clock["sign"] == "-" else size)

    def __str__(self) -> str:
        years, months = _divided(self.months, 12)
        hours, rest = _divided(self.microseconds, 3600 * _MICROSECONDS)
        minutes, rest = _divided(rest, 60 * _MICROSECONDS)
        seconds, fraction = _divided(rest, _MICROSECONDS)
        sign = "-" if rest < 0 else ""
        written = f"{sign}{abs(seconds)}" + (f".{abs(fraction):06}".rstrip("0") if fraction else "")
        day = "".join(f"{n}{unit}" for n, unit in ((years, "Y"), (months, "M"), (self.days, "D")) if n)
        clock = "".join(f"{n}{unit}" for n, unit in ((hours, "H"), (minutes, "M")) if n) + (
            f"{written}S" if rest else ""
        )
        return f"P{day}{'T' if clock else ''}{clock}" if day or clock else "PT0S"


def _microseconds(found: "re.Match[str]", *, is_negative: bool) -> int:
    fraction = int(f"{found['f'] or '':0<6}")
    seconds = 3600 * int(found["H"] or 0) + 60 * int(found["M"] or 0) + int(found["S"] or 0)
    return seconds * _MICROSECONDS + (-fraction if is_negative else fraction)


def _divided(number: int, by: int) -> tuple[int, int]:
    """Quotient and remainder, both with the sign of the number."""
    size, rest = divmod(abs(number), by)
    return (size, rest) if number >= 0 else (-size, -rest)


_KIND_OF: dict[type, Kind] = {
    str: Kind.TEXT,
    int: Kind.WHOLE,
    bool: Kind.BOOLEAN,
    float: Kind.FLOAT,
    Decimal: Kind.DECIMAL,
    date: Kind.DATE,
    Duration: Kind.DURATION,
    dict: Kind.DOCUMENT,
    JsonString: Kind.DOCUMENT,
    list: Kind.LIST,
    tuple: Kind.LIST,
    bytes: Kind.BYTES,
    bytearray: Kind.BYTES,
    memoryview: Kind.BYTES,
    UUID: Kind.UUID,
}


def kind_of(value: Value) -> Kind:
    """The kind of a value other than None."""
    of: Any = type(value)
    if found := _KIND_OF.get(of):
        return found
    if isinstance(value, Spelling):
        return value.kind
    if isinstance(value, datetime):
        return Kind.INSTANT if value.tzinfo else Kind.LOCAL
    if isinstance(value, time):
        return Kind.ZONED_TIME if value.tzinfo else Kind.TIME
    return next((kind for base, kind in _KIND_OF.items() if isinstance(value, base)), Kind.OTHER)


# An integer column of SQLite may hold floats.
_HOLD_FLOATS = frozenset((None, Kind.WHOLE, Kind.FLOAT, Kind.LIST, Kind.DOCUMENT, Kind.OTHER))


def may_be_floats(kinds: Iterable[Kind | None]) -> bool:
    """Whether fields of these kinds may hold floating-point numbers, even within a list or document."""
    return not _HOLD_FLOATS.isdisjoint(kinds)


def in_words(value: Value) -> str:
    """What a value is, in a sentence, without the value."""
    if isinstance(value, Spelling):
        return value.title
    if isinstance(value, (float, Decimal)) and not isfinite(value):
        return "NaN" if isnan(value) else "an infinite number"
    return kind_of(value).value
