"""Which side was changed last, by its cursor, for the conflict policy `newest`. Pure.

Cursors are compared as instants. Two that differ by less than the coarser precision are a tie: a system may have
truncated the part that differs. The precision of a time is that of the digits that it shows.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import NamedTuple

from tidegate.worker.config.rules import SIDES, Side
from tidegate.worker.connectors import Record
from tidegate.worker.values.normal_form import Value

_DAY, _HOUR, _MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
_SECOND, _MICRO = timedelta(seconds=1), timedelta(microseconds=1)

_CLOCK = re.compile(r"[T ]\d\d(?P<minute>:?\d\d(?P<second>:?\d\d)?)?")

# A number from 2001 to 2200, in seconds or a fraction of them, is a time.
_EPOCH_BEGIN, _EPOCH_END = 978_307_200, 7_258_118_400
_EPOCH_UNITS = (1, 1_000, 1_000_000, 1_000_000_000)


class ZoneUnknownError(ValueError):
    """A side's cursor is a time without a zone, and its connector's `timezone` is not set."""

    def __init__(self, side: Side) -> None:
        super().__init__(f"side {side}")
        self.side = side


class _Instant(NamedTuple):
    at: datetime
    precision: timedelta


def newer_side(records: Sequence[Record | None], zones: Sequence[tzinfo | None]) -> Side | None:
    """The side with the later cursor; None when it is undecidable, and the conflict is parked.

    `zones` are those of cursors without a zone. Raises ZoneUnknownError where a zone is missing.
    """
    first, second = (
        _comparable(record.cursor, zones[side], side) if record is not None else None
        for side, record in zip(SIDES, records, strict=True)
    )
    if isinstance(first, _Instant) and isinstance(second, _Instant):
        difference = first.at - second.at
        if abs(difference) < max(first.precision, second.precision):
            return None
        return 0 if difference > timedelta() else 1
    if isinstance(first, Decimal) and isinstance(second, Decimal) and first != second:
        return 0 if first > second else 1
    return None


def is_without_zone(cursor: Value) -> bool:
    """Whether a cursor is a time of which only its connector's `timezone` could say when it was."""
    try:
        _comparable(cursor, None, 0)
    except ZoneUnknownError:
        return True
    return False


def _comparable(cursor: Value, zone: tzinfo | None, side: Side) -> _Instant | Decimal | None:
    """A cursor as an instant, or as a number that is not a time."""
    if isinstance(cursor, str):
        return _of_text(cursor, zone, side)
    if isinstance(cursor, (int, float, Decimal)) and not isinstance(cursor, bool):
        return _of_number(Decimal(str(cursor)))
    if isinstance(cursor, datetime):
        return _of_time(cursor, zone, side)
    if isinstance(cursor, date):
        instant = _of_time(datetime.combine(cursor, time()), zone, side)
        return instant._replace(precision=max(instant.precision, _DAY))
    return None


def _of_text(text: str, zone: tzinfo | None, side: Side) -> _Instant | Decimal | None:
    try:
        if len(text) <= len("2026-11-24"):
            return _comparable(date.fromisoformat(text), zone, side)
        instant = _of_time(datetime.fromisoformat(text), zone, side)
    except ZoneUnknownError:
        raise
    except ValueError:
        return None
    shown = _CLOCK.search(text)
    coarsest = _DAY if shown is None else _SECOND if shown["second"] else _MINUTE if shown["minute"] else _HOUR
    return instant._replace(precision=max(instant.precision, coarsest))


def _of_number(number: Decimal) -> _Instant | Decimal | None:
    if not number.is_finite():
        return None
    for unit in _EPOCH_UNITS:
        if _EPOCH_BEGIN * unit <= number <= _EPOCH_END * unit:
            moment = datetime.fromtimestamp(float(number / unit), UTC)
            places = max(0, -int(number.normalize().as_tuple().exponent))
            return _Instant(moment, max(_SECOND / unit / 10**places, _MICRO))
    return number


def _of_time(moment: datetime, zone: tzinfo | None, side: Side) -> _Instant:
    precision = _SECOND / 10 ** len(f"{moment.microsecond:06}".rstrip("0"))
    if moment.tzinfo is not None:
        return _Instant(moment, precision)
    if zone is None:
        raise ZoneUnknownError(side)
    # In an hour that occurs twice it may be either: anything between the two is a tie with both.
    first, second = (moment.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta() for fold in (0, 1))
    between = abs(first - second) / 2
    try:
        return _Instant(moment.replace(tzinfo=UTC) - (first + second) / 2, between + precision)
    except OverflowError:  # the first or the last day of the calendar
        return _Instant(moment.replace(tzinfo=UTC), _DAY)
