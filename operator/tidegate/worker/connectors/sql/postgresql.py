"""PostgreSQL-specific statements that make look-ups and inserts fast.

Many values are one array parameter: parsing a statement with thousands of parameters takes longer than executing it,
both in the driver and in the server.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Table,
    bindparam,
    column,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import (
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Double,
    LargeBinary,
    Numeric,
    Text,
    TypeEngine,
    Uuid,
)

from tidegate.worker.connectors.sql.columns import python_type
from tidegate.worker.values.normal_form import Value

# The widest type of each kind, so that the server rejects a value that is too large for the column. A cast to
# VARCHAR(9) would truncate it instead.
_ELEMENTS: Mapping[type | None, TypeEngine[Any]] = {
    int: BigInteger(),
    float: Double(),
    Decimal: Numeric(),
    bool: Boolean(),
    date: Date(),
    UUID: Uuid(),
    bytes: LargeBinary(),
}

# A plain table without rules, and without triggers other than BEFORE triggers, which have the second bit set.
_STORES_WHAT_IT_RETURNS = text("""
    SELECT relkind = 'r' AND NOT relhasrules AND NOT EXISTS (
        SELECT 1 FROM pg_trigger WHERE tgrelid = pg_class.oid AND NOT tgisinternal AND tgtype & 2 = 0)
    FROM pg_class WHERE oid = CAST(:name AS regclass)
""")


def _element(of: Column[Any]) -> TypeEngine[Any] | None:
    """The type of array elements that the column compares unchanged; None for a type that compares in its own way."""
    kind = python_type(of)
    if kind is str:
        # Not CHAR, citext or an enumeration, which compare in their own way.
        return Text() if of.type.__visit_name__ in ("TEXT", "VARCHAR") else None
    if kind is datetime:
        assert isinstance(of.type, DateTime)  # noqa: S101
        return DateTime(timezone=of.type.timezone)
    return _ELEMENTS.get(kind)


def array_of(of: Column[Any], values: Sequence[Value]) -> ColumnElement[Any] | None:
    """The column's values as one array parameter; None where the column's type has no such array."""
    element = _element(of)
    return None if element is None else bindparam(None, values, type_=ARRAY(element))


def prefer_indexes(connection: Connection) -> None:
    """For the rest of the transaction, avoid sequential scans where an index matches.

    The server has no statistics for a newly filled table, and would scan all of it for each batch.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL enable_seqscan TO off")


def takes_arrays(connection: Connection, table: Table, id_columns: Sequence[Column[Any]], names: Sequence[str]) -> bool:
    """Whether rows with these columns can be inserted as arrays, with ids from a sequence."""
    if connection.dialect.name != "postgresql" or len(id_columns) > 1 or not names:
        return False
    (id_column,) = id_columns
    if id_column.name in names:
        return False
    default = getattr(id_column.server_default, "arg", "")
    counted = id_column.identity is not None or "nextval(" in str(default)
    return counted and all(_element(table.columns[name]) is not None for name in names)


def insert_arrays(
    connection: Connection, table: Table, returned: Sequence[ColumnElement[Any]], rows: Sequence[Mapping[str, Value]]
) -> Sequence[Any] | None:
    """Insert rows with the same columns; return the requested columns of each in the same order, the id first.

    Returns None, and inserts nothing, when it is uncertain which row got which id: rows are inserted in order, but the
    order of RETURNING is not guaranteed, and a sequence may count down, or wrap around.
    """
    columns = [table.columns[name] for name in rows[0]]
    arrays = [array_of(each, [row[each.name] for row in rows]) for each in columns]
    names = [f"c{n}" for n in range(len(columns))]
    new = func.unnest(*arrays).table_valued(*map(column, names), with_ordinality="place", name="new").render_derived()
    values = select(*(new.columns[name] for name in names)).order_by(new.columns["place"])
    statement = insert(table).from_select(columns, values, include_defaults=False).returning(*returned)
    with connection.begin_nested() as attempt:
        answers = connection.execute(statement).all()
        ids = [answer[0] for answer in answers]
        if len(ids) == len(rows) and ids == sorted(ids):
            return answers
        attempt.rollback()
    return None


def stores_what_it_returns(connection: Connection, table: Table) -> bool:
    """Whether nothing can change a row of the table between its insert and the end of this transaction.

    RETURNING includes what BEFORE triggers do, but not what AFTER triggers do. No other session can add a trigger
    before the transaction ends.
    """
    name = quoted_name(connection.dialect, table)
    return bool(connection.execute(_STORES_WHAT_IT_RETURNS, {"name": name}).scalar())


def quoted_name(dialect: Dialect, table: Table) -> str:
    """The table's quoted name as a query parameter: unlike in a statement, a percent sign is not doubled."""
    return dialect.identifier_preparer.format_table(table).replace("%%", "%")
