"""Insert rows and learn the ids that they got."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Table, insert

from tidegate.worker.connectors.sql.errors import NotKeptError
from tidegate.worker.connectors.sql.postgresql import insert_arrays, stores_what_it_returns, takes_arrays
from tidegate.worker.values.kinds import Spelling
from tidegate.worker.values.normal_form import Value

Row = Mapping[str, Value]


class Inserted(NamedTuple):
    """New rows: their ids in order, and in any order those that need not be read to know what they hold."""

    ids: Sequence[Any]
    stored: Sequence[Any] = ()


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
    ids: list[Any] = [None] * len(rows)
    told: list[Any] = []
    for names, numbers in alike.items():
        same = [rows[n] for n in numbers]
        answers: Sequence[Any] | None = None
        if takes_arrays(connection, table, id_column, names) and not _has_spelling(same):
            answers = insert_arrays(connection, table, returned, same)
        if answers is None:
            statement = insert(table).returning(id_column, sort_by_parameter_order=True)
            answers = connection.execute(statement, same).all()
        else:
            told += answers
        if len(answers) < len(same):
            raise NotKeptError("a trigger of the database drops the new record")
        for n, answer in zip(numbers, answers, strict=True):
            ids[n] = answer[0]
    return Inserted(ids, told if told and stores_what_it_returns(connection, table) else ())


def _has_spelling(rows: Sequence[Row]) -> bool:
    # Among Python's own values a text of the server's cannot be an element of an array.
    return Spelling in {type(value) for row in rows for value in row.values()}


def _insert_one(connection: Connection, table: Table, id_column: Column[Any], row: Row) -> Any:
    # MySQL has no RETURNING. Of many rows in one statement it tells the first one's id only, and the others need not
    # follow it: that is why they are inserted one by one.
    result = connection.execute(insert(table), row)
    return row.get(id_column.name, result.lastrowid)
