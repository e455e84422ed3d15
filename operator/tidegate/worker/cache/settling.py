"""Records that were written a moment ago, and may still be answered as they were before: a part of the cache.

A replica, a cache in front of an API or a search index is behind for a while. Taken for an edit, such an answer would
take back what was just pushed. It is kept, for as long as the object's `staleFor` says, what a record held before our
write and what it was sent; of one that we have created, that it was not there.
"""

import sqlite3
from collections.abc import Iterable, Sequence, Set
from typing import NamedTuple

from tidegate.worker.cache.listed import LISTED, listed
from tidegate.worker.cache.shadow import Shadow
from tidegate.worker.values.normal_form import HASH_BYTES, Hash

SCHEMA = """
CREATE TABLE settling (rid INTEGER PRIMARY KEY, source INTEGER NOT NULL, written REAL NOT NULL, before BLOB, sent BLOB)
"""


class Written(NamedTuple):
    """A record that was written: what it held before as a shadow (None: it was not there), and what it was sent."""

    rid: int
    before: Shadow | None
    sent: Shadow | None


class Settling:
    """All that were written a moment ago."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, source: int, moment: float, records: Iterable[Written]) -> None:
        """These records of a source have been written at a moment, in seconds since 1970."""
        rows = [(rid, source, moment, before, sent) for rid, before, sent in records]
        self._db.executemany("REPLACE INTO settling VALUES (?, ?, ?, ?, ?)", rows)

    def expire(self, source: int, since: float, until: float) -> None:
        """From now on, what a source answers about records that were written outside these moments is believed."""
        self._db.execute(
            "DELETE FROM settling WHERE source = ? AND (written <= ? OR written > ?)", (source, since, until)
        )

    def shown(self, rids: Iterable[int], changed: Set[int]) -> None:
        """A list has these records, and only the changed ones differ from their shadows: the system has caught up.

        One whose shadow is what it held before, because our write was answered with that, has yet to show the write.
        """
        if not self._db.execute("SELECT EXISTS (SELECT 1 FROM settling)").fetchone()[0]:
            return
        met, unchanged = listed(rids), listed({*rids} - changed)
        self._db.execute(f"DELETE FROM settling WHERE rid IN ({LISTED}) AND before IS NULL", (met,))  # noqa: S608
        shadow = f"SELECT substr(shadow, {HASH_BYTES + 1}) FROM record WHERE record.rid = settling.rid"  # noqa: S608
        self._db.execute(
            f"DELETE FROM settling WHERE rid IN ({LISTED}) "  # noqa: S608
            f"AND substr(before, {HASH_BYTES + 1}) IS NOT ({shadow})",
            (unchanged,),
        )

    def of(self, rids: Iterable[int]) -> dict[int, Written]:
        """Those of these records that were written a moment ago."""
        query = f"SELECT rid, before, sent FROM settling WHERE rid IN ({LISTED})"  # noqa: S608
        return {row[0]: Written(*row) for row in self._db.execute(query, (listed(rids),))}


def is_stale(before: Sequence[Hash | None], seen: Sequence[Hash | None], now: Sequence[Hash | None]) -> bool:
    """Whether a record that was seen to hold something else since shows again exactly what it held before our write."""
    shown = [(old, new, held) for old, new, held in zip(before, seen, now, strict=True) if held is not None]
    return all(held == old for old, _, held in shown) and any(new not in (None, held) for _, new, held in shown)
