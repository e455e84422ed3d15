"""Planned: systems that are read and never written, for a run that finds out what a run would do.

A planned run takes the steps of any other, on a copy of the cache, and these for its systems. What it writes is kept
in a file beside them, from which they answer from then on: a record that refers to one that would be created, or
takes a value that another would give up, is planned as it would be pushed. What a system would refuse is not known.
"""

import json
import pickle
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from tidegate.worker.config.rules import Operation
from tidegate.worker.connectors import (
    Collection,
    Connector,
    Description,
    FieldType,
    Identified,
    Interruptible,
    Key,
    MayShowLate,
    Page,
    Record,
    Token,
    Typed,
    Window,
    Write,
    unread,
)
from tidegate.worker.connectors.where import filter_of, outside
from tidegate.worker.values.normal_form import Value


class Counts(NamedTuple):
    """How many records would be written."""

    create: int
    update: int
    delete: int


class Change(NamedTuple):
    """One record that would be written: None before it would be created, and after it would be deleted."""

    key: Key
    before: Record | None
    after: Record | None


class Changes:
    """All that would be written, by the collections' titles; on disk, since it may be everything that there is."""

    def __init__(self, directory: Path) -> None:
        self._db = sqlite3.connect(directory / "planned.sqlite", isolation_level=None)
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute(
            "CREATE TABLE change (collection TEXT, key, before BLOB, after BLOB, PRIMARY KEY (collection, key))"
        )
        self._created: Counter[str] = Counter()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def count(self, collection: str) -> Counts:
        """How many records of a collection would be written; one that would be written twice counts once."""
        query = (
            "SELECT count(*) FILTER (WHERE before IS NULL AND after IS NOT NULL),"
            " count(*) FILTER (WHERE before IS NOT NULL AND after IS NOT NULL),"
            " count(*) FILTER (WHERE before IS NOT NULL AND after IS NULL) FROM change WHERE collection = ?"
        )
        return Counts(*self._db.execute(query, (collection,)).fetchone())

    def keys(self, collection: str, limit: int) -> Iterator[tuple[Operation, list[Key]]]:
        """The records of a collection that would be written, so many at once; `new_key` names those to be created."""
        written = "SELECT key FROM change WHERE collection = ? AND before IS {0} NULL AND after IS {1} NULL"
        operations: tuple[tuple[Operation, str, str], ...] = (
            ("create", "", "NOT"), ("update", "NOT", "NOT"), ("delete", "NOT", ""),
        )  # fmt: skip
        for operation, before, after in operations:
            found = self._db.execute(written.format(before, after), (collection,))
            while keys := [key for (key,) in found.fetchmany(limit)]:
                yield operation, keys

    def of(self, collection: str) -> Iterator[Change]:
        """The records of a collection that would be written, in the order in which they would be."""
        query = "SELECT key, before, after FROM change WHERE collection = ? ORDER BY rowid"
        for key, before, after in self._db.execute(query, (collection,)):
            yield Change(key, _loaded(before), _loaded(after))

    def new_key(self, collection: str) -> Key:
        """The key of a record that would be created: its system has not given it one."""
        self._created[collection] += 1
        return f"(new {self._created[collection]})"

    def add(self, collection: str, changes: Iterable[Change]) -> None:
        """These would be written next; what a record was before the first of its changes is what it was before."""
        self._db.execute("BEGIN")
        self._db.executemany(
            "INSERT INTO change VALUES (?, ?, ?, ?) ON CONFLICT (collection, key) DO UPDATE SET after = excluded.after",
            [(collection, key, _dumped(before), _dumped(after)) for key, before, after in changes],
        )
        self._db.execute("COMMIT")

    def after(self, collection: str, keys: Iterable[Key]) -> dict[Key, Record | None]:
        """What those of these records would be that would be written."""
        query = "SELECT key, after FROM change WHERE collection = ? AND key IN (SELECT value FROM json_each(?))"
        found = self._db.execute(query, (collection, json.dumps(list(keys))))
        return {key: _loaded(after) for key, after in found}


def _dumped(record: Record | None) -> bytes | None:
    return None if record is None else pickle.dumps(tuple(record))


def _loaded(dumped: bytes | None) -> Record | None:
    return None if dumped is None else Record(*pickle.loads(dumped))  # noqa: S301 - this process has written it


class PlannedConnector:
    """A connected system that is only read."""

    def __init__(self, inner: Connector, changes: Changes) -> None:
        self._inner = inner
        self._changes = changes

    def open(self, description: Description) -> Collection:
        """The same records, which are never written."""
        return planned(self._inner.open(description), description.title, self._changes)

    def close(self) -> None:
        """End all connections."""
        self._inner.close()

    def system(self, description: Description, /) -> Mapping[str, str]:
        """What the system tells about itself."""
        return self._inner.system(description) if isinstance(self._inner, Identified) else {}

    def stop_when(self, interrupted: Callable[[], bool], /) -> None:
        """Read no further once this is true."""
        if isinstance(self._inner, Interruptible):
            self._inner.stop_when(interrupted)


def planned(collection: Collection, title: str, changes: Changes) -> Collection:
    """An open collection, which is never written: what would be written is kept under its title."""
    kind = _TypedPlannedCollection if isinstance(collection, Typed) else _PlannedCollection
    return kind(collection, title, changes)


class _PlannedCollection:
    def __init__(self, inner: Collection, title: str, changes: Changes) -> None:
        self._inner = inner
        self._title = title
        self._changes = changes

    @property
    def batch(self) -> int:
        return self._inner.batch

    @property
    def unread(self) -> Mapping[Key, str]:
        return unread(self._inner)

    @property
    def where(self) -> Any:
        return filter_of(self._inner)

    @property
    def outside(self) -> Mapping[Key, Record]:
        return outside(self._inner)

    def watermark(self, last: Token | None = None, overlap: timedelta = timedelta(), /) -> Token | None:
        return self._inner.watermark(last, overlap)

    def scan(self, after: Token | None, limit: int, window: Window | None) -> Page:
        return self._inner.scan(after, limit, window)

    def get(self, keys: Sequence[Key]) -> dict[Key, Record]:
        planned = self._changes.after(self._title, keys)
        found = self._inner.get([key for key in keys if key not in planned])
        return found | {key: record for key, record in planned.items() if record is not None}

    def doubt(self, wanted: Sequence[tuple[Value, ...]], /) -> None:
        if isinstance(self._inner, MayShowLate):
            self._inner.doubt(wanted)

    def find(self, wanted: Sequence[tuple[Value, ...]]) -> Sequence[Record]:
        # Among what would be created or changed nothing is sought: it is known to be linked.
        found = self._inner.find(wanted)
        planned = self._changes.after(self._title, (record.key for record in found))
        now = (planned.get(record.key, record) for record in found)
        return [record for record in now if record is not None]

    def create(self, records: Sequence[Sequence[Value]]) -> Sequence[Record]:
        created = [Record(self._changes.new_key(self._title), tuple(values)) for values in records]
        self._changes.add(self._title, [Change(record.key, None, record) for record in created])
        return created

    def update(self, writes: Sequence[Write]) -> Sequence[Record]:
        updated = [_written(write) for write in writes]
        changes = zip(writes, updated, strict=True)
        self._changes.add(self._title, [Change(record.key, write.expected, record) for write, record in changes])
        return updated

    def delete(self, expected: Sequence[Record]) -> Sequence[None]:
        self._changes.add(self._title, [Change(record.key, record, None) for record in expected])
        return [None for _ in expected]


class _TypedPlannedCollection(_PlannedCollection):
    def field_types(self) -> Sequence[FieldType]:
        return self._typed.field_types()

    def cursor_type(self) -> FieldType | None:
        return self._typed.cursor_type()

    @property
    def _typed(self) -> Typed:
        assert isinstance(self._inner, Typed)  # noqa: S101
        return self._inner


def _written(write: Write) -> Record:
    values = (write.values.get(i, value) for i, value in enumerate(write.expected.values))
    return write.expected._replace(values=tuple(values))
