"""Which records are large, as a scan has read them: a part of the cache. Batches are limited by bytes with it.

Most records are small, and have no entry: a batch of them fits into memory.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence

SCHEMA = "CREATE TABLE large (rid INTEGER PRIMARY KEY, bytes INTEGER NOT NULL)"

# The maximum size of a batch's values, on both sides.
BATCH_BYTES = 16 << 20

_SMALL = 2048


class Large:
    """The sizes of large records in bytes."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def note(self, sizes: Mapping[int, int]) -> None:
        """Store the present sizes of records, by rid."""
        if self._is_empty() and all(size <= _SMALL for size in sizes.values()):
            return
        self._db.execute("DELETE FROM large WHERE rid IN (SELECT value FROM json_each(?))", (json.dumps([*sizes]),))
        large = [(rid, size) for rid, size in sizes.items() if size > _SMALL]
        self._db.executemany("INSERT INTO large VALUES (?, ?)", large)

    def fitting(self, records: Sequence[tuple[int, int | None]]) -> int:
        """How many of these records, given with their counterparts, make a batch: at least one, if there is any.

        Both records of a pair are read; a counterpart without an entry is assumed to be as large as its record.
        """
        if self._is_empty():
            return len(records)
        sizes = self._sizes(rid for both in records for rid in both if rid is not None)
        total = 0
        for n, (rid, link) in enumerate(records):
            total += 2 * max(sizes.get(rid, 0), sizes.get(link, 0) if link is not None else 0)
            if total > BATCH_BYTES:
                return max(n, 1)
        return len(records)

    def _sizes(self, rids: Iterable[int]) -> dict[int, int]:
        query = "SELECT rid, bytes FROM large WHERE rid IN (SELECT value FROM json_each(?))"
        return dict(self._db.execute(query, (json.dumps([*rids]),)))

    def _is_empty(self) -> bool:
        (some,) = self._db.execute("SELECT EXISTS (SELECT 1 FROM large)").fetchone()
        return not some
