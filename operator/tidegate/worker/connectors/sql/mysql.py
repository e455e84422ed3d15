"""Column types of MySQL and MariaDB that SQLAlchemy reads less exactly than the server stores them."""

import struct
from datetime import date, datetime, timedelta
from typing import Any

from pymysql.constants import FIELD_TYPE
from pymysql.converters import conversions, convert_date, convert_datetime, escape_string
from sqlalchemy import Column, ColumnElement, Dialect, Engine, Float, String, Table, literal_column, text
from sqlalchemy.dialects.mysql import BIT, DOUBLE, FLOAT, REAL, SET, TIME, YEAR
from sqlalchemy.sql.operators import OperatorClass
from sqlalchemy.types import JSON, TypeDecorator

from tidegate.worker.values.conversions import parse_json
from tidegate.worker.values.kinds import Kind, Spelling
from tidegate.worker.values.normal_form import json_text

# SQLAlchemy does not declare that these can be compared, and is going to refuse what is not declared.
BIT.operator_classes = YEAR.operator_classes = OperatorClass.INTEGER

_DAY_SECONDS = 86400

# Digits of a 4-byte float: six are always exact, and nine distinguish any two of them.
_SINGLE_DIGITS = range(6, 10)


class _Time(TypeDecorator[str]):
    """TIME as a text: it ranges from -838 to 838 hours, and Python's time of day would lose the days."""

    impl = String
    cache_ok = True
    kind = Kind.DURATION
    declared = "TIME"

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return clock(value) if isinstance(value, timedelta) else value


class _Set(String):
    """SET as the text that the server returns; the order of a Python set differs from process to process."""

    declared = "SET"


class _Document(TypeDecorator[Any]):
    """JSON of MariaDB, which stores it as a text with a check."""

    impl = String
    cache_ok = True
    kind = Kind.DOCUMENT
    declared = "JSON"

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else json_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else read_document(value)


def read_document(written: "str | bytes") -> Any:
    """A document of a column. One that has a name twice would lose a value, so it is returned as its text."""
    try:
        return parse_json(written)
    except (ValueError, RecursionError):
        return Spelling(Kind.DOCUMENT, written if isinstance(written, str) else written.decode())


class _Single(TypeDecorator[float]):
    """FLOAT, of 4 bytes: the server returns six digits of it, fewer than it stores."""

    impl = Float
    cache_ok = True
    kind = Kind.FLOAT
    declared = "FLOAT"

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return column + literal_column("0e0")

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else _shortest(float(value))


def _shortest(number: float) -> float:
    """The shortest number that rounds to the same 4-byte float, as PostgreSQL prints a real."""
    kept = struct.pack("f", number)
    candidates = (float(f"{number:.{digits}g}") for digits in _SINGLE_DIGITS)
    return next((each for each in candidates if struct.pack("f", each) == kept), number)


def _date(written: str) -> Any:
    read = convert_date(written)
    return read if isinstance(read, date) else Spelling(Kind.DATE, written)


def _moment(written: str) -> Any:
    read = convert_datetime(written)
    return read if isinstance(read, datetime) else Spelling(Kind.LOCAL, written)


# How the driver reads and writes values; its own converters return a zero date as a text.
CONVERSIONS: dict[Any, Any] = {
    **conversions,
    FIELD_TYPE.DATE: _date,
    FIELD_TYPE.DATETIME: _moment,
    FIELD_TYPE.TIMESTAMP: _moment,
    Spelling: lambda value, _: f"'{escape_string(value.text)}'",
}


def clock(value: timedelta) -> str:
    """Hours, minutes and seconds, as a time of day where possible."""
    size = abs(value)
    seconds = size.days * _DAY_SECONDS + size.seconds
    sign = "-" if value < timedelta() else ""
    fraction = f".{size.microseconds:06}" if size.microseconds else ""
    return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}"


def unquote(inspector: Any, table: Table, column: Any) -> None:
    """Undo a flaw of SQLAlchemy: in names that the server quotes, it leaves each backtick doubled."""
    column["name"] = column["name"].replace("``", "`")


def read_exactly(engine: Engine, table: Table) -> None:
    """Replace column types with ones that read exactly what is stored."""
    documents = _documents(engine, table)
    for column in table.columns:
        column.type = _Document() if column.name in documents else _exact(column)


# MariaDB's JSON is a LONGTEXT with a check that is named like the column.
_DOCUMENTS = text("""
    SELECT constraint_name FROM information_schema.check_constraints
    WHERE constraint_schema = COALESCE(:schema, DATABASE()) AND table_name = :table AND level = 'Column'
    AND check_clause = CONCAT('json_valid(`', REPLACE(constraint_name, '`', '``'), '`)')
""")


def _documents(engine: Engine, table: Table) -> set[str]:
    with engine.connect() as connection:
        if not getattr(connection.dialect, "is_mariadb", False):
            return set()
        return {*connection.execute(_DOCUMENTS, {"schema": table.schema, "table": table.name}).scalars()}


def _exact(column: Column[Any]) -> Any:
    kind = column.type
    if isinstance(kind, JSON):
        kind.none_as_null = True
    if isinstance(kind, SET):
        return _Set()
    if isinstance(kind, TIME):
        return _Time()
    if isinstance(kind, FLOAT):
        return _Single()
    if isinstance(kind, (DOUBLE, REAL)):
        return Float(asdecimal=False)  # the default is a Decimal of ten digits
    return kind


def without_transactions(engine: Engine, table: Table) -> str | None:
    """The table's storage engine if it has no transactions, such as MyISAM."""
    name = table.kwargs.get("mysql_engine")
    if name is None:
        return None  # a view
    query = text("SELECT transactions FROM information_schema.engines WHERE engine = :name")
    with engine.connect() as connection:
        return None if connection.execute(query, {"name": name}).scalar() == "YES" else str(name)
