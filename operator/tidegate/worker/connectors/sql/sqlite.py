"""What is particular about tables of SQLite. Serves `reflect`.

SQLite stores what it is given, whatever a column is declared as: it is read and written as it is. Only times, which it
has no type for and keeps as texts, are read as times, so that they are the same as in other systems.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Dialect, Table
from sqlalchemy.types import DateTime, Integer, NullType, String, TypeDecorator

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
        if isinstance(column.type, DateTime) and column.name != cursor:
            column.type = _Time()
        elif not isinstance(column.type, (Integer, String)):
            column.type = NullType()
        if column.primary_key:
            column.nullable = False  # it need not say so there
