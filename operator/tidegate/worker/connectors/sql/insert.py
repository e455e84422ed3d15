"""Insert rows and learn the ids that they got. Serves `rows`."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Table, insert

from tidegate.worker.connectors.sql.postgresql import insert_arrays, takes_arrays
from tidegate.worker.values import Value

Row = Mapping[str, Value]


def insert_rows(connection: Connection, table: Table, id_column: Column[Any], rows: Sequence[Row]) -> list[Any]:
    """Insert rows, which may have different columns; the answers, in the same order, are their ids."""
    if not connection.dialect.insert_returning:
        return [_insert_one(connection, table, id_column, row) for row in rows]
    alike: dict[tuple[str, ...], list[int]] = defaultdict(list)  # rows of the same columns are one statement
    for n, row in enumerate(rows):
        alike[tuple(row)].append(n)
    keys: dict[int, Any] = {}
    statement = insert(table).returning(id_column, sort_by_parameter_order=True)
    for names, numbers in alike.items():
        same = [rows[n] for n in numbers]
        found: Sequence[Any] | None = None
        if takes_arrays(connection, table, id_column, names):
            found = insert_arrays(connection, table, id_column, same)
        if found is None:
            found = connection.execute(statement, same).scalars().all()
        keys.update(zip(numbers, found, strict=True))
    return [keys[n] for n in range(len(rows))]


def _insert_one(connection: Connection, table: Table, id_column: Column[Any], row: Row) -> Any:
    # MySQL has no RETURNING. Of many rows in one statement it tells the first one's id only, and the others need not
    # follow it: that is why they are inserted one by one.
    result = connection.execute(insert(table), row)
    return row.get(id_column.name, result.lastrowid)
