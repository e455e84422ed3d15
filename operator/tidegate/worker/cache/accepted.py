"""What a read-only run has read and is about to accept: a part of the cache.

A read-only run scans as one that pushes does, and keeps beside it what each record held. When both sides have been read
and the guard has passed, `apply` makes all of it the shadows in one transaction. A run that ends before that has
accepted nothing: what it has read is still pending, for the next run and in that run's own mode.
"""

import json
import sqlite3
from collections.abc import Iterable

from tidegate.worker.cache.shadow import Shadow

SCHEMA = "CREATE TABLE accepted (rid INTEGER PRIMARY KEY, shadow BLOB)"


class Accepted:
    """The records of one read-only run, each with its new shadow, or without one where its shadow is right already."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, shadows: Iterable[tuple[int, Shadow]]) -> None:
        """These records hold this."""
        self._db.executemany("REPLACE INTO accepted VALUES (?, ?)", shadows)

    def add_unchanged(self, rids: Iterable[int]) -> None:
        """These records hold what their shadows say; an edit or a conflict that was pending is accepted too."""
        pending = "SELECT EXISTS (SELECT 1 FROM dirty) OR EXISTS (SELECT 1 FROM parked)"
        if self._db.execute(pending).fetchone()[0]:
            self._db.execute(
                "REPLACE INTO accepted SELECT value, NULL FROM json_each(?) WHERE "
                "EXISTS (SELECT 1 FROM dirty WHERE rid = value) OR EXISTS (SELECT 1 FROM parked WHERE rid = value)",
                (there := json.dumps([*rids]),),
            )
            self._db.execute(
                "UPDATE dirty SET gone = FALSE WHERE gone AND rid IN (SELECT value FROM json_each(?))", (there,)
            )

    def clear(self) -> None:
        """Another run begins: what was read and not accepted stays pending."""
        self._db.execute("DELETE FROM accepted")

    def apply(self) -> None:
        """Take these records as they are: nothing about them is pending or parked any more."""
        self._db.execute(
            "UPDATE record SET shadow = (SELECT shadow FROM accepted WHERE accepted.rid = record.rid) "
            "WHERE rid IN (SELECT rid FROM accepted WHERE shadow IS NOT NULL)"
        )
        for table in ("dirty", "blank", "parked"):
            self._db.execute(f"DELETE FROM {table} WHERE rid IN (SELECT rid FROM accepted)")  # noqa: S608
        self.clear()
