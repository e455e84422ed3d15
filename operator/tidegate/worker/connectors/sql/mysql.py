"""What is particular about tables of MySQL and MariaDB. Serves `reflect`.

SQLAlchemy reads some of their types less exactly than they are kept; such a column is given another type.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy import Column, Dialect, Engine, Float, String, Table, text
from sqlalchemy.dialects.mysql import DOUBLE, REAL, SET, TIME
from sqlalchemy.types import TypeDecorator

_DAY_SECONDS = 86400


class _Time(TypeDecorator[str]):
    """TIME as a text: it goes from -838 to 838 hours, and a time of day would lose the days."""

    impl = String
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return _clock(value) if isinstance(value, timedelta) else value


def _clock(value: timedelta) -> str:
    """Hours, minutes and seconds, in the form of a time of day where it is one."""
    size = abs(value)
    seconds = size.days * _DAY_SECONDS + size.seconds
    sign = "-" if value < timedelta() else ""
    fraction = f".{size.microseconds:06}" if size.microseconds else ""
    return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}"


def read_exactly(table: Table) -> None:
    """Give columns a type by which they are read as they are kept."""
    for column in table.columns:
        column.type = _exact(column)


def _exact(column: Column[Any]) -> Any:
    kind = column.type
    if isinstance(kind, SET):
        return String()  # as a Python set its order would be another in each process
    if isinstance(kind, TIME):
        return _Time()
    if isinstance(kind, (DOUBLE, REAL)):
        return Float(asdecimal=False)  # the default is a Decimal of ten digits
    return kind


def without_transactions(engine: Engine, table: Table) -> str | None:
    """The table's storage engine, such as MyISAM, when it has no transactions."""
    name = table.kwargs.get("mysql_engine")
    if name is None:
        return None  # a view
    query = text("SELECT transactions FROM information_schema.engines WHERE engine = :name")
    with engine.connect() as connection:
        return None if connection.execute(query, {"name": name}).scalar() == "YES" else str(name)
