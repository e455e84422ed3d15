"""Inserts rows and returns their ids."""

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
    """New rows: their ids in insertion order, and, in any order, those whose stored values are known already."""

    ids: Sequence[Sequence[Any]]
    stored: Sequence[Any] = ()


def insert_rows(
    connection: Connection,
    table: Table,
    id_columns: Sequence[Column[Any]],
    returned: Sequence[ColumnElement[Any]],
    rows: Sequence[Row],
) -> Inserted:
    """Insert rows, which may have different columns. Each returned row begins with the columns of its id."""
    if not connection.dialect.insert_returning:
        return Inserted([_insert_one(connection, table, id_columns, row) for row in rows])
    alike: dict[tuple[str, ...], list[int]] = defaultdict(list)  # one statement for rows with the same columns
    for n, row in enumerate(rows):
        alike[tuple(row)].append(n)
    ids: list[Any] = [None] * len(rows)
    told: list[Any] = []
    for names, numbers in alike.items():
        same = [rows[n] for n in numbers]
        answers: Sequence[Any] | None = None
        if takes_arrays(connection, table, id_columns, names) and not _has_spelling(same):
            answers = insert_arrays(connection, table, returned, same)
        if answers is None:
            statement = insert(table).returning(*id_columns, sort_by_parameter_order=True)
            answers = connection.execute(statement, same).all()
        else:
            told += answers
        if len(answers) < len(same):
            raise NotKeptError("a trigger of the database drops the new record")
        for n, answer in zip(numbers, answers, strict=True):
            ids[n] = answer[: len(id_columns)]
    return Inserted(ids, told if told and stores_what_it_returns(connection, table) else ())


def _has_spelling(rows: Sequence[Row]) -> bool:
    # A value that Python cannot represent cannot be an element of an array beside Python values.
    return Spelling in {type(value) for row in rows for value in row.values()}


def _insert_one(connection: Connection, table: Table, id_columns: Sequence[Column[Any]], row: Row) -> Sequence[Any]:
    # MySQL has no RETURNING. For a multi-row statement it returns only the first id, and the other ids need not be
    # consecutive, so rows are inserted one by one.
    result = connection.execute(insert(table), row)
    return [row.get(column.name, result.lastrowid) for column in id_columns]
