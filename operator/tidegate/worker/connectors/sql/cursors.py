"""When a row changed, by its cursor, and from which cursor value the next run must read. Pure.

A cursor holds times, numbers or texts. Its newest value alone is no safe watermark: a transaction that commits late
adds older values, clocks differ, and local times repeat. So each look at the table notes the newest value together with
the database's clock, and the next read starts at the earlier of the two.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Column, Dialect
from sqlalchemy.dialects.mysql import TIMESTAMP
from sqlalchemy.types import DateTime, TypeDecorator

from tidegate.worker.connectors import Token
from tidegate.worker.connectors.sql.columns import python_type
from tidegate.worker.values.normal_form import Value

# The Earth's time zones reach from 12 hours behind UTC to 14 hours ahead.
_WESTERNMOST = timezone(timedelta(hours=-12))
_EASTERNMOST = timezone(timedelta(hours=14))

# The longest time by which a clock is turned back.
_TURNED_BACK = timedelta(hours=3)

# Times outside this range stand for "none": MySQL's zero date, .NET's year 1, PostgreSQL's infinity.
_EARLIEST = datetime(1000, 1, 1)
_LATEST = datetime(9000, 1, 1)

# Likewise for texts: an empty text or a word is not a time.
FIRST_TEXT, LAST_TEXT = "1000", "A"

_SECOND = timedelta(seconds=1)

# A number from 2001 to 2200, in seconds or a fraction of them, counts as a time.
_EPOCH_BEGIN, _EPOCH_END = 978_307_200, 7_258_118_400
_EPOCH_UNITS = (1, 1_000, 1_000_000, 1_000_000_000)


class InUTC(TypeDecorator[datetime]):
    """MySQL's TIMESTAMP: an instant. The driver returns it without a zone, in the connection's zone, which is UTC."""

    impl = DateTime
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Add the zone."""
        return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


class Seen(NamedTuple):
    """One look at the table: its newest cursor value that is not in the future, and when it was taken.

    `clock` is the database's time in ISO 8601, or the start of its oldest open transaction.
    """

    newest: Token | None
    clock: str


class Start(NamedTuple):
    """Where a read starts: at this value, or right after it; None is the start of the table."""

    value: Value
    excluded: bool = False


class Scale(Protocol):
    """Orders the values of one cursor column in time."""

    @property
    def floor(self) -> Value:
        """The lowest value that says when a row changed; None without a limit."""

    def ceiling(self, clock: datetime) -> Value:
        """The highest value that is not in the future at this time; None where it cannot be determined."""

    def start(self, seen: Seen, overlap: timedelta) -> Start:
        """Where to start reading after an earlier look."""

    def value(self, token: Token) -> Value:
        """The cursor value that a token stands for."""


def can_be_cursor(column: Column[Any]) -> bool:
    """Whether a column of this type can be a cursor."""
    return python_type(column) in (datetime, date, int, float, Decimal, str, None)


def token_of(value: Value) -> Token:
    """A cursor value as plain JSON."""
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return value if value is None or isinstance(value, (int, float, str)) else str(value)


@dataclass(frozen=True)
class Times:
    """Times and dates. `read` converts a column's value to a time, `write` a time to a value; both use local time.

    `zones` are the westernmost and the easternmost zone that the local times may be in; both are the same where the
    zone is known.
    """

    zones: tuple[tzinfo, tzinfo]
    read: Callable[[Token], datetime]
    write: Callable[[datetime], Value]
    floor: Value
    are_texts: bool = False

    def ceiling(self, clock: datetime) -> Value:
        """Texts are compared to the second; a fraction in the text sorts after it."""
        return self.write(_shifted(clock + _SECOND, self.zones[1], -_TURNED_BACK, max))

    def start(self, seen: Seen, overlap: timedelta) -> Start:
        if seen.newest is None:
            return Start(None)
        newest = self.read(seen.newest)
        back = _shifted(datetime.fromisoformat(seen.clock), self.zones[0], _TURNED_BACK, min) - overlap
        if back <= newest:
            return Start(self.write(back))
        # A value of low precision, such as a date, is shared by changes that are still to come.
        is_precise = bool(newest.second or newest.microsecond)
        return Start(self.value(seen.newest), excluded=is_precise and newest + _SECOND <= back)

    def value(self, token: Token) -> Value:
        return token if self.are_texts else self.write(self.read(token))


def _shifted(
    clock: datetime, zone: tzinfo, until: timedelta, choose: Callable[[timedelta, timedelta], timedelta]
) -> datetime:
    """The earliest local time after a moment, or the latest before it: clocks may be turned back in between."""
    offsets = [moment.astimezone(zone).utcoffset() or timedelta() for moment in (clock, clock + until)]
    return clock.astimezone(UTC).replace(tzinfo=None) + choose(*offsets)


@dataclass(frozen=True)
class Numbers:
    """Counters, and times as a number of seconds since 1970, or of fractions of a second."""

    unit: int | None  # how many make a second; None for a counter
    read: Callable[[Token], Value]
    floor: Value = None

    def ceiling(self, clock: datetime) -> Value:
        return None if self.unit is None else int(clock.timestamp() * self.unit)

    def start(self, seen: Seen, overlap: timedelta) -> Start:
        """A counter's last value is read again, because several changes may share it."""
        if seen.newest is None:
            return Start(None)
        newest = self.read(seen.newest)
        if self.unit is None:
            return Start(newest)
        back = int((datetime.fromisoformat(seen.clock) - overlap).timestamp() * self.unit)
        if back <= newest:
            return Start(back)
        return Start(newest, excluded=bool(newest % (60 * self.unit)) and newest + self.unit <= back)

    def value(self, token: Token) -> Value:
        return self.read(token)


def typed_scale(column: Column[Any], zone: tzinfo | None) -> Times | None:
    """The scale of a column whose type holds times; None where only the values show what they are."""
    kind = python_type(column)
    if kind is date:
        return Times(_zones(zone), datetime.fromisoformat, datetime.date, _EARLIEST.date())
    if kind is not datetime:
        return None
    if isinstance(column.type, DateTime) and column.type.timezone:
        return Times((UTC, UTC), _in_utc, lambda moment: moment.replace(tzinfo=UTC), _EARLIEST.replace(tzinfo=UTC))
    zones = (UTC, UTC) if isinstance(column.type, TIMESTAMP) else _zones(zone)  # the connection's time zone is UTC
    return Times(zones, _naive, lambda moment: moment, _EARLIEST)


def _in_utc(token: Token) -> datetime:
    return datetime.fromisoformat(token).astimezone(UTC).replace(tzinfo=None)


def _zones(zone: tzinfo | None) -> tuple[tzinfo, tzinfo]:
    return (zone, zone) if zone else (_WESTERNMOST, _EASTERNMOST)


def scale_of(column: Column[Any], zone: tzinfo | None, tokens: tuple[Token, Token]) -> Scale:
    """The scale of a column with this range of values. Raises ValueError for texts that do not sort by time."""
    typed = typed_scale(column, zone)
    if typed is not None:
        return typed
    read = Decimal if python_type(column) is Decimal else _as_it_is
    lowest, highest = tokens
    if read is _as_it_is and isinstance(highest, str):
        return _text_scale(zone, lowest, highest)
    units = [unit for unit in _EPOCH_UNITS if highest is not None and _is_epoch(read(highest), unit)]
    return Numbers(units[0] if units else None, read)


def _text_scale(zone: tzinfo | None, lowest: Token, highest: str) -> Times:
    forms = _form_of(lowest), _form_of(highest)
    if forms[0] is None or forms[1] is None:
        raise ValueError(highest if forms[1] is None else lowest)
    separators = {form.separator for form in forms if form is not None and form.separator}
    if len(separators) > 1:
        raise ValueError(highest)
    separator = next(iter(separators), "")

    def write(moment: datetime) -> str:
        return moment.isoformat(sep=separator, timespec="seconds") if separator else moment.date().isoformat()

    in_utc = forms[0].in_utc and forms[1].in_utc
    return Times((UTC, UTC) if in_utc else _zones(zone), _naive, write, FIRST_TEXT, are_texts=True)


def _as_it_is(token: Token) -> Value:
    return token


def _is_epoch(value: Value, unit: int) -> bool:
    return bool(_EPOCH_BEGIN * unit <= value <= _EPOCH_END * unit)


def _naive(token: Token) -> datetime:
    return datetime.fromisoformat(token).replace(tzinfo=None)


class _Form(NamedTuple):
    separator: str  # between date and time; empty for a date alone
    in_utc: bool


def _form_of(text: Value) -> _Form | None:
    """The form of a time in a text; None when texts of this form do not sort by time."""
    if not isinstance(text, str) or text[4:5] != "-":
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.utcoffset():
        return None
    return _Form(text[10:11], moment.tzinfo is not None)


def bounds_of(column: Column[Any]) -> tuple[Value, Value]:
    """The range in which a cursor of the column's type is usable; None for no limit."""
    kind = python_type(column)
    if kind is datetime:
        zone = UTC if isinstance(column.type, DateTime) and column.type.timezone else None
        return _EARLIEST.replace(tzinfo=zone), _LATEST.replace(tzinfo=zone)
    if kind is date:
        return _EARLIEST.date(), _LATEST.date()
    if kind is str:
        return FIRST_TEXT, LAST_TEXT
    if kind is float or kind is Decimal:
        return None, kind(1 << 63)  # NaN and infinities lie above
    return None, None
