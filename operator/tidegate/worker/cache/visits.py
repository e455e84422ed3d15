"""Which records a whole scan has found: a part of the cache. A record that it has not found by its end is gone.

A bitmap over the records' numbers, kept with the checkpoint: an unchanged record costs one bit, and no write of its
own.
"""

import sqlite3
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence

SCHEMA = "CREATE TABLE visited (chunk INTEGER PRIMARY KEY, bits BLOB NOT NULL)"

# The number of records per row: a page, in key order, touches few rows.
_CHUNK = 8192


class Visits:
    """The bitmap of the current whole scan."""

    def __init__(self, db: sqlite3.Connection, end: Callable[[], int]) -> None:
        """`end` returns a number above every record's."""
        self._db = db
        self._end = end

    def begin(self) -> None:
        """Start a whole scan, which has found nothing yet."""
        self._db.execute("DELETE FROM visited")

    def add(self, rids: Iterable[int]) -> None:
        """Note that the scan has found these records."""
        met = sorted({*rids})
        start = 0
        while start < len(met):
            chunk = met[start] // _CHUNK
            end = bisect_left(met, (chunk + 1) * _CHUNK, start)
            bits = self._bits(chunk)
            _set(bits, met[start:end])
            self._db.execute("REPLACE INTO visited VALUES (?, ?)", (chunk, bits))
            start = end

    def missed(self, source: int) -> Iterator[list[int]]:
        """The records of a source that the scan has not found, in chunks."""
        for chunk in range(self._end() // _CHUNK + 1):
            bits = self._bits(chunk)
            # By rid: an index on the source would read all of its records for each chunk.
            within = "FROM record WHERE rid BETWEEN ? AND ? AND +source = ?"
            which = chunk * _CHUNK, (chunk + 1) * _CHUNK - 1, source
            (there,) = self._db.execute(f"SELECT count(*) {within}", which).fetchone()
            if there == int.from_bytes(bits).bit_count():
                continue  # all found
            rids = self._db.execute(f"SELECT rid {within}", which)
            missed = [rid for (rid,) in rids if not bits[rid % _CHUNK >> 3] & 1 << (rid & 7)]
            if missed:
                yield missed

    def _bits(self, chunk: int) -> bytearray:
        row = self._db.execute("SELECT bits FROM visited WHERE chunk = ?", (chunk,)).fetchone()
        return bytearray(row[0]) if row else bytearray(_CHUNK // 8)


def _set(bits: bytearray, rids: Sequence[int]) -> None:
    """Set these records' bits. The rids are sorted, and mostly without a gap: then all are set at once."""
    first, count = rids[0] % _CHUNK, len(rids)
    if rids[-1] - rids[0] < count:
        every = (1 << count) - 1 << first
        bits[:] = (int.from_bytes(bits, "little") | every).to_bytes(len(bits), "little")
        return
    for rid in rids:
        bits[rid % _CHUNK >> 3] |= 1 << (rid & 7)
