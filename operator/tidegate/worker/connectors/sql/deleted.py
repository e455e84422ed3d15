"""The SQL condition for rows that their table marks as deleted.

A row is not marked where the column is NULL, false, zero or an empty text, or holds a time that stands for none: a zero
date, or infinity.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, ColumnElement, Engine, Enum, Numeric, String, and_, cast, false, func, type_coerce
from sqlalchemy.dialects.mysql import BIT

from tidegate.worker.connectors.deleted import NOT_A_MARK, Deleted
from tidegate.worker.connectors.sql.column_types import adapter
from tidegate.worker.connectors.sql.columns import python_type
from tidegate.worker.connectors.sql.cursors import bounds_of


def complaints(engine: Engine, column: Column[Any], deleted: Deleted) -> list[str]:
    """Values of the mark that the column cannot hold."""
    unfit = []
    for value in deleted.values or ():
        try:
            adapter(column, engine.dialect)(value)
        except ValueError as error:
            unfit.append(f"deleted: column {column.name} cannot hold {value!r}: {error}")
    return unfit


def is_deleted(engine: Engine, column: Column[Any], deleted: Deleted) -> ColumnElement[bool]:
    """A condition that is true for marked rows, and false, never NULL, for all others."""
    return func.coalesce(_is_mark(engine, column, deleted), false())


def _is_mark(engine: Engine, column: Column[Any], deleted: Deleted) -> ColumnElement[bool]:
    kind, text = python_type(column), cast(column, String)
    if deleted.values is not None:
        adapt = adapter(column, engine.dialect)
        # Compared as a text, because PostgreSQL rejects a value that an enumeration lacks.
        return (text if isinstance(column.type, Enum) else column).in_([adapt(value) for value in deleted.values])
    if kind is bool:
        return column.is_(True)
    if kind in (int, float, Decimal) or isinstance(column.type, BIT):
        return type_coerce(column, Numeric) != 0
    if kind in (date, datetime):
        earliest, latest = bounds_of(column)
        return and_(column >= earliest, column <= latest)
    # A SQLite column holds values of any type, whatever its declared type.
    if kind is str or engine.dialect.name == "sqlite":
        return func.lower(text).not_in(["", *filter(None, NOT_A_MARK)])
    return column.is_not(None)
