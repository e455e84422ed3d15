"""Recently written records, which the system may still return in their former state: a part of the cache.

Replicas, HTTP caches and search indexes lag behind writes. If such a stale read counted as an edit, it would revert the
push. For the duration of the object's setting `staleFor`, the cache keeps what a record held before the write and what
was sent; for a record that the sync created, that it did not exist.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tidegate.worker.cache.listed import LISTED, listed
from tidegate.worker.cache.shadow import Shadow
from tidegate.worker.values.normal_form import Hash

SCHEMA = """
CREATE TABLE settling (rid INTEGER PRIMARY KEY, source INTEGER NOT NULL, written REAL NOT NULL, before BLOB, sent BLOB)
"""


class Written(NamedTuple):
    """A record that was written: its former content as a shadow (None: it did not exist), and what was sent."""

    rid: int
    before: Shadow | None
    sent: Shadow | None


class Settling:
    """All recently written records."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, source: int, moment: float, records: Iterable[Written]) -> None:
        """Add records of a source that were written at this time, in seconds since 1970."""
        rows = [(rid, source, moment, before, sent) for rid, before, sent in records]
        self._db.executemany("REPLACE INTO settling VALUES (?, ?, ?, ?, ?)", rows)

    def expire(self, source: int, since: float, until: float) -> None:
        """Remove records that were written outside this interval: from now on, reads of them count."""
        self._db.execute(
            "DELETE FROM settling WHERE source = ? AND (written <= ? OR written > ?)", (source, since, until)
        )

    def shown(self, rids: Iterable[int]) -> None:
        """Remove the created records that a list shows.

        An updated one stays: another server of the system may still return what it held before.
        """
        if not self._db.execute("SELECT EXISTS (SELECT 1 FROM settling)").fetchone()[0]:
            return  # as in most scans, each page of which asks
        self._db.execute(f"DELETE FROM settling WHERE rid IN ({LISTED}) AND before IS NULL", (listed(rids),))  # noqa: S608

    def of(self, rids: Iterable[int]) -> dict[int, Written]:
        """The recently written records among these."""
        query = f"SELECT rid, before, sent FROM settling WHERE rid IN ({LISTED})"  # noqa: S608
        return {row[0]: Written(*row) for row in self._db.execute(query, (listed(rids),))}


def is_stale(before: Sequence[Hash | None], seen: Sequence[Hash | None], now: Sequence[Hash | None]) -> bool:
    """Whether a record that was since seen with other content again shows exactly its content from before the write."""
    shown = [(old, new, held) for old, new, held in zip(before, seen, now, strict=True) if held is not None]
    return all(held == old for old, _, held in shown) and any(new not in (None, held) for _, new, held in shown)
