"""What a read-only run has read and is about to accept: a part of the cache.

A read-only run scans like one that pushes, and also stores what each record held. After both sides were read and the
guard has passed, `apply` makes all of it the shadows in one transaction. A run that ends earlier has accepted nothing:
what it read stays pending, for the next run and in that run's own mode.
"""

import json
import sqlite3
from collections.abc import Iterable

from tidegate.worker.cache.shadow import Shadow

SCHEMA = "CREATE TABLE accepted (rid INTEGER PRIMARY KEY, shadow BLOB)"


class Accepted:
    """The records of one read-only run, each with its new shadow, or with none where its shadow is already right."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, shadows: Iterable[tuple[int, Shadow]]) -> None:
        """Add records with what they hold."""
        self._db.executemany("REPLACE INTO accepted VALUES (?, ?)", shadows)

    def add_unchanged(self, rids: Iterable[int]) -> None:
        """Add records that hold what their shadows say. A pending edit or conflict of theirs is accepted too."""
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
        """Discard what an earlier run has read: it stays pending."""
        self._db.execute("DELETE FROM accepted")

    def apply(self) -> None:
        """Make what these records hold their shadows; nothing about them stays pending or parked."""
        self._db.execute(
            "UPDATE record SET shadow = (SELECT shadow FROM accepted WHERE accepted.rid = record.rid) "
            "WHERE rid IN (SELECT rid FROM accepted WHERE shadow IS NOT NULL)"
        )
        for table in ("dirty", "blank", "parked"):
            self._db.execute(f"DELETE FROM {table} WHERE rid IN (SELECT rid FROM accepted)")  # noqa: S608
        self.clear()
