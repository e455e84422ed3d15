"""Column types of SQLite.

SQLite stores any value in any column, whatever its declared type, so values are read and written unchanged. Only times,
which SQLite has no type for and stores as texts, are read as times, so that they equal those of other systems.
"""

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from math import isnan
from typing import Any

from sqlalchemy import Column, Dialect, Table
from sqlalchemy.types import Boolean, DateTime, Float, Integer, LargeBinary, NullType, Numeric, String, TypeDecorator

from tidegate.worker.values.conversions import convert
from tidegate.worker.values.kinds import Kind, Unfit, no_character
from tidegate.worker.values.normal_form import Value, normal

# Years, months and days are a date; with hours it is a time.
_DATE_LENGTH = 10


class _Time(TypeDecorator[Any]):
    """A column that is declared as a time: a value that parses as one is a time in UTC; any other is kept unchanged."""

    impl = NullType
    cache_ok = True

    @property
    def python_type(self) -> type[Any]:
        """It may hold any value."""
        raise NotImplementedError

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        if not isinstance(value, str) or len(value) <= _DATE_LENGTH:
            return value
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return value


def read_as_it_is(table: Table, cursor: str | None) -> None:
    """Replace column types with ones that read values unchanged. A cursor stays a text: it is compared as one."""
    for column in table.columns:
        column.info |= {"declared": _declared(column), "affinity": _affinity(column), "type": column.type}
        if isinstance(column.type, DateTime) and column.name != cursor:
            column.type = _Time()
        elif not isinstance(column.type, (Integer, String)):
            column.type = NullType()
        if column.primary_key:
            column.nullable = False  # it need not say so there


def _declared(column: Column[Any]) -> str:
    return "any type" if isinstance(column.type, NullType) else str(column.type)


def _affinity(column: Column[Any]) -> str:
    """The type affinity of a column: https://sqlite.org/datatype3.html, section 3.1."""
    for kind, affinity in ((Integer, "INTEGER"), (String, "TEXT"), (Float, "REAL"), ((LargeBinary, NullType), "BLOB")):
        if isinstance(column.type, kind):
            return affinity
    return "NUMERIC"


# What SQLite converts to a number in a column with numeric affinity.
_LOOKS_LIKE_A_NUMBER = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")
_SMALLEST, _LARGEST = -(1 << 63), (1 << 63) - 1


def strict_kind(column: Column[Any]) -> Kind | None:
    """The kind of values to write to the column; None where it may be any."""
    return {"INTEGER": Kind.WHOLE, "TEXT": Kind.TEXT}.get(column.info["affinity"])


def in_sqlite(column: Column[Any]) -> Callable[[Value], Value]:
    """Converts a value of another system for the column; it raises Unfit for a value that SQLite would alter."""
    affinity = column.info["affinity"]
    kind = strict_kind(column)
    numbers = affinity in ("INTEGER", "REAL", "NUMERIC")
    spelled = isinstance(column.info["type"], (Integer, Float, Numeric))
    is_truth = isinstance(column.info["type"], Boolean)

    def stored(value: Value) -> Value:
        if is_truth and isinstance(value, str) and value.lower() in ("true", "false"):
            return int(value.lower() == "true")  # SQLite treats any word as false
        if type(value) is str and value.isascii() and not numbers:
            return value
        plain = _plain(value if kind is None else convert(value, kind), exact=affinity != "REAL", numbers=numbers)
        if isinstance(plain, str):
            _check_characters(plain)
            if numbers and _LOOKS_LIKE_A_NUMBER.fullmatch(plain):
                _check_number(plain, spelled=spelled)
        return plain

    return stored


def _plain(value: Value, *, exact: bool, numbers: bool) -> Value:
    """The value as one of SQLite's five storage classes."""
    if value is None or type(value) in (str, bytes):
        return value
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, float):
        if isnan(value):
            raise Unfit("SQLite has no NaN")
        return value
    if isinstance(value, int):
        number = int(value)
        if _SMALLEST <= number <= _LARGEST:
            return number
        return _exactly(Decimal(number)) if numbers else str(number)
    if isinstance(value, datetime):
        moment = convert(value, Kind.LOCAL)
        return str(moment.isoformat(sep=" "))
    if isinstance(value, Decimal) and numbers and value.is_finite():
        return _exactly(value) if exact else float(value)
    return convert(value, Kind.TEXT)


def _exactly(value: Decimal) -> Value:
    number = float(value)
    if Decimal(repr(number)) != value:
        raise Unfit("SQLite would round it to a floating-point number")
    return int(value) if value == value.to_integral_value() and _SMALLEST <= value <= _LARGEST else number


def _check_number(text: str, *, spelled: bool) -> None:
    """SQLite would turn 007 into 7. It turns 1.50 into 1.5, which is the same if the column is declared as a number."""
    if normal(convert(text, Kind.DECIMAL)) != text and not spelled:
        raise Unfit("SQLite would make a number of the text")


def _check_characters(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Unfit(no_character(text, error.start)) from None
