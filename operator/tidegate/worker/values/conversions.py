"""Which kinds of values convert to which, and how: one table. A conversion that is not in it is refused.

A conversion keeps the meaning or raises Unfit. A text is parsed in the usual notation of the target's kind: "1.50" is
the number 1.5, but "007" is an identifier, and not the number 7.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from tidegate.worker.values.kinds import Duration, JsonString, Kind, Spelling, Unfit, in_words, kind_of
from tidegate.worker.values.normal_form import MOST_DIGITS, Value, json_text, normal

Convert = Callable[[Any], Value]

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?")
_NOT_FINITE = frozenset(("NaN", "Infinity", "-Infinity"))
_TRUTHS = {"1": True, "0": False, "true": True, "false": False, "t": True, "f": False}
_DATE_LENGTH = len("2024-02-29")


def convert(value: Value, kind: Kind) -> Value:
    """Convert a value to a kind with the same meaning; None stays None. Raises Unfit."""
    if value is None:
        return None
    of = kind_of(value)
    if isinstance(value, Spelling):
        return _spelled(value, kind)
    if isinstance(value, JsonString) and kind not in (Kind.TEXT, Kind.DOCUMENT):
        of = Kind.TEXT
    if of is kind:
        return value
    if normal(value) is None and of is Kind.TEXT:
        return None
    how = _CONVERSIONS.get((of, kind))
    if how is None:
        raise Unfit(f"{in_words(value)} cannot become {kind.value}")
    try:
        return how(value)
    except Unfit:
        raise
    except (ValueError, TypeError, ArithmeticError, RecursionError):
        raise Unfit(f"this value cannot become {kind.value}") from None


def _spelled(value: Spelling, kind: Kind) -> Value:
    if kind is Kind.TEXT:
        return value.text
    if kind is value.kind and kind is not Kind.DOCUMENT:
        return value
    raise Unfit(f"{value.title} cannot become {kind.value}")


def _decimal(text: str) -> Decimal:
    if text in _NOT_FINITE or _NUMBER.fullmatch(text):
        return Decimal(text)
    raise Unfit("the text is not a number as one is written")


def _whole(value: "str | float | Decimal") -> int:
    number = _decimal(value) if isinstance(value, str) else Decimal(value)
    if number.adjusted() > MOST_DIGITS:
        raise Unfit(f"the number has more than {MOST_DIGITS} digits")
    if number != number.to_integral_value():
        raise Unfit("the number is not whole")
    return int(number)


def _float(value: "str | int | Decimal") -> float:
    number = float(_decimal(value) if isinstance(value, str) else value)
    finite = not isinstance(value, Decimal) or value.is_finite()
    if (number in (float("inf"), float("-inf")) and finite and value not in _NOT_FINITE) or (
        isinstance(value, int) and int(number) != value
    ):
        raise Unfit("a floating-point number has not enough digits for it")
    return number


def _truth(value: Value) -> bool:
    text = str(normal(value)).lower()
    if text not in _TRUTHS:
        raise Unfit("it is neither true nor false")
    return _TRUTHS[text]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _instant(value: "str | date") -> datetime:
    moment = _moment(value) if isinstance(value, str) else _midnight(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _local(value: "str | date") -> datetime:
    moment = _moment(value) if isinstance(value, str) else _midnight(value)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _midnight(value: date) -> datetime:
    return value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)


def _date(value: "str | datetime") -> date:
    if isinstance(value, str) and len(value) == _DATE_LENGTH:
        return date.fromisoformat(value)
    moment = _local(value)
    if moment.time() != time():
        raise Unfit("a date has no time of day")
    return moment.date()


def _time(value: "str | time") -> time:
    clock = time.fromisoformat(value) if isinstance(value, str) else value
    if clock.utcoffset():
        raise Unfit("a time of day without a zone is UTC")
    return clock.replace(tzinfo=None)


def _zoned(value: "str | time") -> time:
    clock = time.fromisoformat(value) if isinstance(value, str) else value
    return clock if clock.tzinfo else clock.replace(tzinfo=UTC)


def _clock_of(value: Duration) -> time:
    if value.months or value.days or not 0 <= value.microseconds < _DAY:
        raise Unfit("the duration is not a time of day")
    seconds, fraction = divmod(value.microseconds, 1_000_000)
    return time(seconds // 3600, seconds // 60 % 60, seconds % 60, fraction)


_DAY = 86_400 * 1_000_000


def _duration_of(value: time) -> Duration:
    return Duration(0, 0, ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond)


def _document(text: str) -> Value:
    try:
        return parse_json(text)
    except ValueError:
        raise Unfit("the text is not JSON, or has a name twice in an object") from None


def parse_json(text: "str | bytes") -> Value:
    """Parse JSON without losing digits or names. Raises ValueError, also where an object has a name twice."""
    found = json.loads(text, parse_float=Decimal, parse_constant=_refuse, object_pairs_hook=_object)
    return JsonString(found) if type(found) is str else found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has a name twice")
    return found


def _list(text: str) -> list[Any]:
    found = _document(text)
    if not isinstance(found, list):
        raise Unfit("the text is not a JSON list")
    return found


def _in_json(value: Value) -> Value:
    """The JSON document for a value that JSON has no type for: the text of its normal form."""
    if isinstance(value, (list, tuple)):
        return [None if each is None else _element(_in_json(each)) for each in value]
    if isinstance(value, (bool, int, dict, JsonString)):
        return value
    if isinstance(value, (float, Decimal)):
        if normal(value) in _NOT_FINITE:
            raise Unfit(f"JSON has no {normal(value)}")
        return value
    return JsonString(normal(value) or "")


def _element(value: Value) -> Value:
    return str(value) if isinstance(value, JsonString) else value  # within a document a text is only a text


def _text(value: Value) -> str:
    return normal(value) or ""


_TABLE: tuple[tuple[tuple[Kind, ...], Kind, Convert], ...] = (
    (
        (Kind.WHOLE, Kind.DECIMAL, Kind.FLOAT, Kind.BOOLEAN, Kind.INSTANT, Kind.LOCAL, Kind.DATE, Kind.TIME,
         Kind.ZONED_TIME, Kind.DURATION, Kind.BYTES, Kind.UUID, Kind.OTHER), Kind.TEXT, _text,
    ),
    ((Kind.DOCUMENT, Kind.LIST), Kind.TEXT, json_text),
    ((Kind.TEXT, Kind.DECIMAL, Kind.FLOAT), Kind.WHOLE, _whole),
    ((Kind.BOOLEAN,), Kind.WHOLE, int),
    ((Kind.TEXT,), Kind.DECIMAL, _decimal),
    ((Kind.WHOLE,), Kind.DECIMAL, Decimal),
    ((Kind.BOOLEAN,), Kind.DECIMAL, lambda value: Decimal(int(value))),
    ((Kind.FLOAT,), Kind.DECIMAL, lambda value: Decimal(repr(value))),
    ((Kind.TEXT, Kind.WHOLE, Kind.DECIMAL), Kind.FLOAT, _float),
    ((Kind.BOOLEAN,), Kind.FLOAT, float),
    ((Kind.TEXT, Kind.WHOLE, Kind.DECIMAL, Kind.FLOAT), Kind.BOOLEAN, _truth),
    ((Kind.TEXT, Kind.LOCAL, Kind.DATE), Kind.INSTANT, _instant),
    ((Kind.TEXT, Kind.INSTANT, Kind.DATE), Kind.LOCAL, _local),
    ((Kind.TEXT, Kind.INSTANT, Kind.LOCAL), Kind.DATE, _date),
    ((Kind.TEXT, Kind.ZONED_TIME), Kind.TIME, _time),
    ((Kind.DURATION,), Kind.TIME, _clock_of),
    ((Kind.TEXT, Kind.TIME), Kind.ZONED_TIME, _zoned),
    ((Kind.TEXT,), Kind.DURATION, Duration.parse),
    ((Kind.TIME,), Kind.DURATION, _duration_of),
    ((Kind.TEXT,), Kind.DOCUMENT, _document),
    (
        (Kind.WHOLE, Kind.DECIMAL, Kind.FLOAT, Kind.BOOLEAN, Kind.INSTANT, Kind.LOCAL, Kind.DATE, Kind.TIME,
         Kind.ZONED_TIME, Kind.DURATION, Kind.BYTES, Kind.UUID, Kind.LIST, Kind.OTHER), Kind.DOCUMENT, _in_json,
    ),
    ((Kind.TEXT,), Kind.LIST, _list),
    ((Kind.TEXT,), Kind.BYTES, bytes.fromhex),
    ((Kind.UUID,), Kind.BYTES, lambda value: value.bytes),
    ((Kind.TEXT,), Kind.UUID, UUID),
    ((Kind.BYTES,), Kind.UUID, lambda value: UUID(bytes=bytes(value))),
    ((Kind.TEXT,), Kind.OTHER, str),
)  # fmt: skip
_CONVERSIONS: Mapping[tuple[Kind, Kind], Convert] = {(of, to): how for froms, to, how in _TABLE for of in froms}
