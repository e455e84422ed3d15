"""What is particular about tables of SQLite.

SQLite stores what it is given, whatever a column is declared as: it is read and written as it is. Only times, which it
has no type for and keeps as texts, are read as times, so that they are the same as in other systems.
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

# Years, months and days are a date; from the hours on it is a time.
_DATE_LENGTH = 10


class _Time(TypeDecorator[Any]):
    """A column that is declared as a time: what reads as one is one, in UTC; what does not stays as it is."""

    impl = NullType
    cache_ok = True

    @property
    def python_type(self) -> type[Any]:
        """Anything may be in it."""
        raise NotImplementedError

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        if not isinstance(value, str) or len(value) <= _DATE_LENGTH:
            return value
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return value


def read_as_it_is(table: Table, cursor: str | None) -> None:
    """Give columns a type by which they are read as they are. A cursor is compared as it is: it stays a text."""
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
    """What SQLite would like a value in the column to be: https://sqlite.org/datatype3.html, section 3.1."""
    for kind, affinity in ((Integer, "INTEGER"), (String, "TEXT"), (Float, "REAL"), ((LargeBinary, NullType), "BLOB")):
        if isinstance(column.type, kind):
            return affinity
    return "NUMERIC"


# What SQLite takes for a number, and makes one of, in a column of numbers.
_LOOKS_LIKE_A_NUMBER = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")
_SMALLEST, _LARGEST = -(1 << 63), (1 << 63) - 1


def strict_kind(column: Column[Any]) -> Kind | None:
    """What is written to the column; None where it may be anything."""
    return {"INTEGER": Kind.WHOLE, "TEXT": Kind.TEXT}.get(column.info["affinity"])


def in_sqlite(column: Column[Any]) -> Callable[[Value], Value]:
    """What a value of another system becomes in the column; it raises Unfit for what SQLite would alter."""
    affinity = column.info["affinity"]
    kind = strict_kind(column)
    numbers = affinity in ("INTEGER", "REAL", "NUMERIC")
    spelled = isinstance(column.info["type"], (Integer, Float, Numeric))
    is_truth = isinstance(column.info["type"], Boolean)

    def stored(value: Value) -> Value:
        if is_truth and isinstance(value, str) and value.lower() in ("true", "false"):
            return int(value.lower() == "true")  # SQLite takes any word for false
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
    """The value as one of the five types that SQLite has."""
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
    """Of 007 SQLite would make 7; of 1.50 it makes 1.5, which is the same where the column is declared as a number."""
    if normal(convert(text, Kind.DECIMAL)) != text and not spelled:
        raise Unfit("SQLite would make a number of the text")


def _check_characters(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Unfit(no_character(text, error.start)) from None
