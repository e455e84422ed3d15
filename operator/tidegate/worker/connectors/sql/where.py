"""A filter as an SQL condition, and its problems. Values are compared as the database compares them."""

from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Engine, Enum, String, Table, and_, cast, false, func, literal, not_
from sqlalchemy.dialects.mysql import BIT, YEAR

from tidegate.worker.connectors.sql.column_types import adapter
from tidegate.worker.connectors.sql.columns import python_type
from tidegate.worker.connectors.where import ORDER, Condition

# None is a SQLite column that may hold any value.
_NUMBERS = (int, float, Decimal)
_ORDERED = (*_NUMBERS, str, date, datetime, time, None)
_COMPARED = (*_ORDERED, bool, UUID)


def complaints(engine: Engine, table: Table, where: Sequence[Condition]) -> list[str]:
    """Problems of a filter whose columns exist."""
    return [
        f"where: {condition}: {problem}"
        for condition in where
        for problem in _problems(engine, table.columns[condition.field], condition)
    ]


def _problems(engine: Engine, column: Column[Any], condition: Condition) -> list[str]:
    is_enum = isinstance(column.type, Enum)
    if condition.values and (
        _type(column) not in (_ORDERED if condition.operator in ORDER else _COMPARED)
        or (is_enum and condition.operator in ORDER)
    ):
        return [f"a column of {column.type} cannot be compared by {condition.operator}"]
    if is_enum:
        known = ", ".join(column.type.enums)  # type: ignore[attr-defined]
        unknown = [value for value in condition.values if value not in column.type.enums]  # type: ignore[attr-defined]
        return [f"the column has no value {value!r}; it has {known}" for value in unknown]
    try:
        (_bounds if condition.operator in ORDER else _adapted)(engine, column, condition)
    except ValueError as error:
        return [f"the column, which is {column.type}, cannot be compared with it: {error}"]
    return []


def _type(column: Column[Any]) -> type | None:
    # SQLAlchemy does not say that these of MySQL are whole numbers.
    return int if isinstance(column.type, (BIT, YEAR)) else python_type(column)


def is_inside(engine: Engine, table: Table, where: Sequence[Condition]) -> ColumnElement[bool]:
    """A condition that is true for rows that meet all conditions, and false, never NULL, for all others."""
    return and_(*(_is_met(engine, table.columns[condition.field], condition) for condition in where))


def _is_met(engine: Engine, column: Column[Any], condition: Condition) -> ColumnElement[bool]:
    match condition.operator:
        case "Exists":
            return _has_value(engine, column)
        case "DoesNotExist":
            return not_(_has_value(engine, column))
        case "In":
            return func.coalesce(_is_one_of(engine, column, condition), false())
        case "NotIn":
            return not_(func.coalesce(_is_one_of(engine, column, condition), false()))
        case ordered:
            (bound,) = _bounds(engine, column, condition)
            return and_(_has_value(engine, column), func.coalesce(ORDER[ordered](column, bound), false()))


def _is_one_of(engine: Engine, column: Column[Any], condition: Condition) -> ColumnElement[bool]:
    text = isinstance(column.type, Enum)
    return (cast(column, String) if text else column).in_(_adapted(engine, column, condition))


def _bounds(engine: Engine, column: Column[Any], condition: Condition) -> list[Any]:
    """The limits to compare with; an integer column can also be compared with 9.5, which it cannot hold."""
    if _type(column) in _NUMBERS and all(type(value) in (int, float) for value in condition.values):
        return [literal(value) for value in condition.values]
    return _adapted(engine, column, condition)


def _adapted(engine: Engine, column: Column[Any], condition: Condition) -> list[Any]:
    adapt = adapter(column, engine.dialect)
    return [adapt(value) for value in condition.values]


def _has_value(engine: Engine, column: Column[Any]) -> ColumnElement[bool]:
    if python_type(column) is str or engine.dialect.name == "sqlite":
        return and_(column.is_not(None), func.coalesce(cast(column, String), "") != "")
    return column.is_not(None)
