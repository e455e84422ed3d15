"""Reads and writes the rows of one table.

All writes of a batch are one transaction in three steps: lock and read the rows, write those that are still as
expected, read back what was stored.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta, tzinfo
from functools import partial
from itertools import repeat
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Select,
    Table,
    bindparam,
    delete,
    select,
    update,
)

from tidegate.worker.connectors import (
    Blocked,
    Changed,
    Description,
    Key,
    NotDeleted,
    Page,
    Postponed,
    Record,
    Rejected,
    Token,
    Window,
    Write,
    is_as_expected,
)
from tidegate.worker.connectors.sql.batch import write_batch
from tidegate.worker.connectors.sql.changes import Changes
from tidegate.worker.connectors.sql.column_types import ColumnType, column_type
from tidegate.worker.connectors.sql.errors import NotKeptError, speaking_of
from tidegate.worker.connectors.sql.identity import Identity
from tidegate.worker.connectors.sql.insert import insert_rows
from tidegate.worker.connectors.sql.membership import Membership
from tidegate.worker.connectors.sql.pages import read_page
from tidegate.worker.connectors.sql.postgresql import prefer_indexes
from tidegate.worker.connectors.sql.postgresql_values import fetched
from tidegate.worker.connectors.sql.search import Search
from tidegate.worker.connectors.sql.settings import TableSettings
from tidegate.worker.connectors.sql.stored_values import StoredValues
from tidegate.worker.connectors.sql.unique_ids import has_key, repeated
from tidegate.worker.errors import ConfigurationError
from tidegate.worker.values.normal_form import Value

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")

_NOT_SHOWN = "the database drops the new record: see the triggers of the table, or the condition of the view"
_BEHIND = (
    "the database has given it an id that another record has, as after a restore; set the sequence of column {column} "
    "to the largest id, with setval()"
)
_SAME_ID = "another row has its id, which no key of the table keeps unique"
_STILL_THERE = "a trigger or a policy of the database may be why"
_NO_RIGHT = "the database shows the record and does not let this user change it: see its policies for rows"


class Rows:
    """The Collection of one table."""

    def __init__(
        self,
        connector: str,
        engine: Engine,
        table: Table,
        description: Description,
        zone: tzinfo | None = None,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        """`zone` is the time zone of cursors that have none."""
        settings = description.settings
        assert isinstance(settings, TableSettings)  # noqa: S101
        # MySQL's driver sends rows one by one.
        self.batch = 500 if engine.dialect.name == "mysql" else 4000
        self._connector = connector
        self._interrupted = interrupted
        self._engine = engine
        self._table = table
        self._identity = Identity(engine, [table.columns[name] for name in settings.id_columns])
        self._ids_are_unique = has_key(table, self._identity.columns)
        self._title = description.title
        self._fields: list[Column[Any]] = [table.columns[field.name] for field in description.fields]
        self._stored = StoredValues(table, description, engine.dialect, self._identity.columns)
        self._description = description
        self._search = Search(engine, self._identity, self._fields, description)
        self._changes: Changes | None = None
        if settings.cursor:
            column = table.columns[settings.cursor]
            self._changes = Changes(description.title, engine, table, self._identity, column, zone)
        cursor = [self._changes.readable.label("cursor")] if self._changes is not None else []
        fields = [column.label(f"field{i}") for i, column in enumerate(self._fields)]
        ids = [column.label(f"key{n}") for n, column in enumerate(self._identity.columns)]
        self._cursor_at = len(ids) if cursor else None
        self._first_field = len(ids) + len(cursor)
        self._columns = [*ids, *cursor, *fields]
        self._where = settings.where
        self._outside: dict[Key, Record] = {}
        self._members = Membership(engine, table, settings, select(*self._columns), self._identity)
        self._locked = self._members.inside.with_for_update(of=table).order_by(*self._identity.columns)

    def field_types(self) -> Sequence[ColumnType]:
        return self._stored.types

    def cursor_type(self) -> ColumnType | None:
        return None if self._changes is None else column_type(self._changes.cursor, self._engine.dialect)

    @property
    def where(self) -> Any:
        return [condition.model_dump(mode="json") for condition in self._where] or None

    @property
    def outside(self) -> Mapping[Key, Record]:
        return self._outside

    def watermark(self, last: Token | None = None, overlap: timedelta = timedelta(), /) -> Token | None:
        if self._changes is None:
            return None
        with speaking_of(self._connector):
            return self._changes.watermark(last, overlap)

    def scan(self, after: Token | None, limit: int, window: Window | None) -> Page:
        """The token is the last key; `changes` has its own token for a window."""
        with speaking_of(self._connector), self._engine.connect() as connection:
            if window is not None:
                assert self._changes is not None  # noqa: S101 - only what has a cursor has a window
                everything = select(*self._columns)
                page = self._changes.page(connection, everything, self._records, after, limit, window)
                return self._members.sort_out(connection, page)
            query = self._members.inside.where(
                self._identity.is_whole() if after is None else self._identity.follows(after)
            )
            records, more = read_page(connection, query.order_by(*self._identity.columns), self._records, limit)
        return Page(records, records[-1].key if more else None)

    def get(self, keys: Sequence[Key]) -> dict[Key, Record]:
        self._outside = {}
        if not keys:
            return {}
        with speaking_of(self._connector):
            return {record.key: record for record in self._found(self._identity.is_one_of(keys))}

    def find(self, wanted: Sequence[tuple[Value, ...]]) -> Sequence[Record]:
        self._outside = {}
        if not wanted:
            return []
        with speaking_of(self._connector):
            return self._found(self._search.condition(wanted), by_search=True)

    def referring(self, field: int, keys: Sequence[Key]) -> Sequence[Record]:
        by_field = replace(self._description, match=(field,))
        search = Search(self._engine, self._identity, self._fields, by_field)
        with speaking_of(self._connector):
            inside = self._found(search.condition([(key,) for key in keys]))
        return [*inside, *self._outside.values()]

    def _found(self, condition: ColumnElement[bool], *, by_search: bool = False) -> list[Record]:
        """The records that match a condition; those outside the filter are noted at the same moment."""
        query = self._members.everywhere.where(condition)
        with self._engine.connect() as connection:
            if by_search:
                prefer_indexes(connection)
            if self._members.condition is None:
                return self._records(fetched(connection, query))
            rows = fetched(connection, query.add_columns(self._members.condition.label("inside")))
        self._outside = {record.key: record for record in self._records([row[:-1] for row in rows if not row[-1]])}
        return self._records([row[:-1] for row in rows if row[-1]])

    def create(self, records: Sequence[Sequence[Value]]) -> Sequence[Record | Rejected | Postponed]:
        answers = self._write(records, self._create)
        return [*map(self._with_advice, answers)]

    def _with_advice(self, answer: Record | Rejected | Postponed) -> Record | Rejected | Postponed:
        """Adds advice where the database itself generated an id that another record has."""
        key = self._table.primary_key
        first = self._identity.columns[0]
        gives_ids = [*key.columns] == [first] and first.name not in self._stored.columns
        if isinstance(answer, Blocked) and gives_ids and key.name and f'"{key.name}"' in answer.reason:
            return replace(answer, reason=f"{answer.reason}: {_BEHIND.format(column=first.name)}")
        return answer

    def _create(self, connection: Connection, records: Sequence[Sequence[Value]]) -> list[Record | Rejected]:
        if self._members.condition is None:
            return self._insert(connection, records)
        return self._members.create_inside(connection, records, self._insert)

    def _insert(self, connection: Connection, records: Sequence[Sequence[Value]]) -> list[Record | Rejected]:
        answers: list[Record | Rejected | None] = [None] * len(records)
        rows: dict[int, dict[str, Value]] = {}
        for n, values in enumerate(records):
            try:
                rows[n] = self._stored.of_new(values)
            except ValueError as error:
                answers[n] = Rejected(str(error))
                continue
        inserted = insert_rows(connection, self._table, self._identity.columns, self._columns, [*rows.values()])
        keys = self._identity.keys_of(inserted.ids)
        if not self._ids_are_unique:
            self._refuse_repeated(connection, keys)
        found = {record.key: record for record in self._records(inserted.stored)}
        found |= self._read(connection, [key for key in keys if key not in found], self._members.everywhere)
        for n, key in zip(rows, keys, strict=True):
            if key not in found:
                raise NotKeptError(_NOT_SHOWN)
            answers[n] = found[key]
        return [answer for answer in answers if answer is not None]

    def _refuse_repeated(self, connection: Connection, new: Sequence[Key]) -> None:
        ids = select(*self._identity.columns).where(self._identity.is_one_of(new))
        if new and repeated(self._identity.keys_of(connection.execute(ids).all())):
            raise NotKeptError(_SAME_ID)

    def update(self, writes: Sequence[Write]) -> Sequence[Record | Changed | Rejected]:
        return self._write(writes, self._update)

    def _update(self, connection: Connection, writes: Sequence[Write]) -> list[Record | Changed | Rejected]:
        current = self._read(connection, [write.expected.key for write in writes], self._locked)
        answers: list[Record | Changed | Rejected] = [Changed()] * len(writes)
        alike: dict[tuple[str, ...], list[dict[str, Value]]] = defaultdict(list)
        written: dict[int, Key] = {}
        for n, (expected, values) in enumerate(writes):
            if not is_as_expected(current.get(expected.key), expected):
                continue
            try:
                row = self._stored.of_update(values)
            except ValueError as error:
                answers[n] = Rejected(str(error))
                continue
            if of_id := [column.name for column in self._identity.columns if column.name in row]:
                part = "part of " if len(self._identity.columns) > 1 else ""
                answers[n] = Rejected(f"column {of_id[0]} is {part}the record's id, which cannot be changed")
                continue
            alike[tuple(row)].append(
                {f"new_{name}": value for name, value in row.items()} | {**self._identity.parameters(expected.key)}
            )
            written[n] = expected.key
        for names, rows in alike.items():
            statement = update(self._table).where(self._identity.is_bound())
            connection.execute(statement.values({name: bindparam(f"new_{name}") for name in names}), rows)
        # The write may have moved a record out of the filter.
        stored = self._read(connection, list(written.values()), self._members.everywhere)
        for n, key in written.items():
            if key not in stored:
                raise NotKeptError("the view would not show the record any more")
            answers[n] = stored[key]
        for n in self._locked_out(connection, current, [write.expected for write in writes]).values():
            answers[n] = Rejected(_NO_RIGHT)
        return answers

    def _locked_out(
        self, connection: Connection, current: Mapping[Key, Record], expected: Sequence[Record]
    ) -> dict[Key, int]:
        """Records that could be read but not locked: a policy of the database denies access to their rows."""
        missing = {record.key: n for n, record in enumerate(expected) if record.key not in current}
        return {key: missing[key] for key in self._read(connection, list(missing), self._members.inside)}

    def delete(self, expected: Sequence[Record]) -> Sequence[Changed | Rejected | None]:
        return self._write(expected, self._delete)

    def _delete(self, connection: Connection, expected: Sequence[Record]) -> list[Changed | Rejected | None]:
        current = self._read(connection, [record.key for record in expected], self._locked)
        due = [record.key for record in expected if is_as_expected(current.get(record.key), record)]
        if due:
            connection.execute(delete(self._table).where(self._identity.is_one_of(due)))
        answers: list[Changed | Rejected | None] = [Changed()] * len(expected)
        remaining = self._read(connection, due, self._members.inside)
        missing = [record.key for record in expected if record.key not in current]
        gone = {*due, *missing} - remaining.keys() - self._read(connection, missing, self._members.everywhere).keys()
        for n, record in enumerate(expected):
            if record.key in gone:
                answers[n] = None
            elif record.key in remaining:
                answers[n] = NotDeleted(_STILL_THERE, remaining[record.key])
        for n in self._locked_out(connection, current, expected).values():
            answers[n] = Rejected(_NO_RIGHT)
        return answers

    def _write(
        self, items: Sequence[_Item], write: Callable[[Connection, Sequence[_Item]], list[_Answer]]
    ) -> list[_Answer | Rejected | Postponed]:
        if not items:
            return []
        with speaking_of(self._connector):
            return write_batch(self._engine.execution_options(writing=True), items, write, self._interrupted)

    def _read(self, connection: Connection, keys: Sequence[Key], rows: Select[Any]) -> dict[Key, Record]:
        if not keys:
            return {}
        query = rows.where(self._identity.is_one_of(keys))
        return {record.key: record for record in self._records(fetched(connection, query))}

    def _records(self, rows: Sequence[Any]) -> list[Record]:
        first, cursor = self._first_field, self._cursor_at
        keys = self._identity.keys_of(rows)
        if not self._ids_are_unique and (complaint := repeated(keys)):
            raise ConfigurationError(f"{self._title}: id: {complaint}")
        values = map(itemgetter(slice(first, None)), rows)
        cursors: Iterable[Value] = repeat(None, len(rows)) if cursor is None else map(itemgetter(cursor), rows)
        # Every record that is read is made here: without a call of `Record` it takes two thirds of the time.
        return [*map(partial(tuple.__new__, Record), zip(keys, values, cursors, strict=True))]
