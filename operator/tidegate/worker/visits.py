"""Which records a whole scan has met: a part of the cache. What it has not met when it is over is gone.

A bitmap over the records' numbers, kept with the checkpoint: an unchanged record costs a bit, and no write of its own.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

SCHEMA = "CREATE TABLE visited (chunk INTEGER PRIMARY KEY, bits BLOB NOT NULL)"

# One row has a bit for each of so many records: a page, being in key order, touches few of them.
_CHUNK = 8192


class Visits:
    """Of one whole scan at a time."""

    def __init__(self, db: sqlite3.Connection, end: Callable[[], int]) -> None:
        """`end` is above the number of every record."""
        self._db = db
        self._end = end

    def begin(self) -> None:
        """A whole scan begins: it has met nothing yet."""
        self._db.execute("DELETE FROM visited")

    def add(self, rids: Iterable[int]) -> None:
        """The scan has met these records."""
        for chunk, group in groupby(sorted(rids), lambda rid: rid // _CHUNK):
            bits = self._bits(chunk)
            for rid in group:
                bits[rid % _CHUNK >> 3] |= 1 << (rid & 7)
            self._db.execute("REPLACE INTO visited VALUES (?, ?)", (chunk, bits))

    def missed(self, source: int) -> Iterator[list[int]]:
        """The records of a source that the scan has not met, a chunk at a time."""
        for chunk in range(self._end() // _CHUNK + 1):
            bits = self._bits(chunk)
            # By the rids: by the source there would be all of its records to go through for each chunk.
            within = "FROM record WHERE rid BETWEEN ? AND ? AND +source = ?"
            which = chunk * _CHUNK, (chunk + 1) * _CHUNK - 1, source
            (there,) = self._db.execute(f"SELECT count(*) {within}", which).fetchone()
            if there == int.from_bytes(bits).bit_count():
                continue  # it has met them all
            rids = self._db.execute(f"SELECT rid {within}", which)
            missed = [rid for (rid,) in rids if not bits[rid % _CHUNK >> 3] & 1 << (rid & 7)]
            if missed:
                yield missed

    def _bits(self, chunk: int) -> bytearray:
        row = self._db.execute("SELECT bits FROM visited WHERE chunk = ?", (chunk,)).fetchone()
        return bytearray(row[0]) if row else bytearray(_CHUNK // 8)
