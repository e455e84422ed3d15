"""Insert rows and learn the ids that they got. Serves `rows`."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, insert

from tidegate.worker.connectors.sql.postgresql import insert_arrays, stores_what_it_returns, takes_arrays
from tidegate.worker.values import Value

Row = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Inserted:
    """New rows: their ids in order, and in any order those that need not be read to know what they hold."""

    ids: list[Any]
    stored: list[Any] = field(default_factory=list)


def insert_rows(
    connection: Connection,
    table: Table,
    id_column: Column[Any],
    returned: Sequence[ColumnElement[Any]],
    rows: Sequence[Row],
) -> Inserted:
    """Insert rows, which may have different columns. What is returned of a row begins with its id."""
    if not connection.dialect.insert_returning:
        return Inserted([_insert_one(connection, table, id_column, row) for row in rows])
    alike: dict[tuple[str, ...], list[int]] = defaultdict(list)  # rows of the same columns are one statement
    for n, row in enumerate(rows):
        alike[tuple(row)].append(n)
    inserted = Inserted([None] * len(rows))
    for names, numbers in alike.items():
        same = [rows[n] for n in numbers]
        answers: Sequence[Any] | None = None
        if takes_arrays(connection, table, id_column, names):
            answers = insert_arrays(connection, table, returned, same)
        if answers is None:
            statement = insert(table).returning(id_column, sort_by_parameter_order=True)
            answers = connection.execute(statement, same).all()
        elif stores_what_it_returns(connection, table):
            inserted.stored.extend(answers)
        for n, answer in zip(numbers, answers, strict=True):
            inserted.ids[n] = answer[0]
    return inserted


def _insert_one(connection: Connection, table: Table, id_column: Column[Any], row: Row) -> Any:
    # MySQL has no RETURNING. Of many rows in one statement it tells the first one's id only, and the others need not
    # follow it: that is why they are inserted one by one.
    result = connection.execute(insert(table), row)
    return row.get(id_column.name, result.lastrowid)
