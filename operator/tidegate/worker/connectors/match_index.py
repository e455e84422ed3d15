"""An on-disk index of ids by match fields, for systems that can only be asked for records by id.

Values are compared by their normal forms, as in the merge.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b

from tidegate.worker.connectors import Description, Key, Record
from tidegate.worker.values.normal_form import Value, normal, normalized

_HASH_BYTES = 16


class MatchIndex:
    """A table in the given database, which lasts as long as the run."""

    def __init__(self, db: sqlite3.Connection, description: Description) -> None:
        self._db = db
        self._match = [(i, description.fields[i].normalize) for i in description.match]
        db.execute("DROP TABLE IF EXISTS sought")
        db.execute("CREATE TABLE sought (key PRIMARY KEY, match BLOB NOT NULL) WITHOUT ROWID")
        db.execute("CREATE INDEX by_match ON sought (match)")

    def put(self, records: Iterable[Record]) -> None:
        """Add or update these records."""
        rows = [(record.key, self._hash([record.values[i] for i, _ in self._match])) for record in records]
        self._db.execute("BEGIN")
        self._db.executemany("REPLACE INTO sought VALUES (?, ?)", rows)
        self._db.execute("COMMIT")

    def remove(self, keys: Iterable[Key]) -> None:
        """Remove these records."""
        self._db.executemany("DELETE FROM sought WHERE key = ?", ((key,) for key in keys))

    def keys(self, wanted: Sequence[tuple[Value, ...]]) -> list[Key]:
        """The ids of records whose match fields equal one of these."""
        return list(dict.fromkeys(self._found(wanted)))

    def _found(self, wanted: Sequence[tuple[Value, ...]]) -> Iterator[Key]:
        for values in wanted:
            for (key,) in self._db.execute("SELECT key FROM sought WHERE match = ?", (self._hash(values),)):
                yield key

    def _hash(self, values: Sequence[Value]) -> bytes:
        state = blake2b(digest_size=_HASH_BYTES)
        for value, (_, how) in zip(values, self._match, strict=True):
            data = (normalized(normal(value), how) or "").encode("utf-8", "surrogatepass")
            state.update(len(data).to_bytes(8))
            state.update(data)
        return state.digest()
