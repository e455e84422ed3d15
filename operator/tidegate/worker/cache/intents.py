"""Pushes in flight: what is about to be written to a system, until the outcome is known.

An intent is committed before its push and settled with the acknowledgement, so that the next run knows what an
interrupted run may have written (design section 6.2).
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tidegate.worker.cache.listed import LISTED, listed
from tidegate.worker.cache.shadow import Shadow, blob
from tidegate.worker.values.normal_form import Hash

SCHEMA = """
CREATE TABLE intent (
    rid INTEGER PRIMARY KEY, target INTEGER NOT NULL, fields BLOB NOT NULL, match BLOB, conflicts TEXT NOT NULL)
"""


class Intent(NamedTuple):
    """A push that may have happened: what the target was going to hold, stored before the attempt.

    `rid` is the record that the values come from, `target` the source number that they go to, `fields` the hashes of
    the pushed values in the form of a shadow, `match` the match key of a record to create (None: an update),
    `conflicts` the fields in which it overwrites an edit of the target.
    """

    rid: int
    target: int
    fields: Shadow
    match: Hash | None
    conflicts: Sequence[int] = ()


class Intents:
    """The intents of one cache."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def write_down(self, intents: Iterable[Intent]) -> None:
        """Store what is about to be pushed."""
        rows = [
            (rid, target, blob(fields), blob(match), json.dumps([*conflicts]))
            for rid, target, fields, match, conflicts in intents
        ]
        self._db.executemany("REPLACE INTO intent VALUES (?, ?, ?, ?, ?)", rows)

    def unsettled(self) -> list[Intent]:
        """The intents of an interrupted batch, whose outcome is unknown."""
        found = self._db.execute("SELECT rid, target, fields, match, conflicts FROM intent ORDER BY rid")
        return [
            Intent(rid, target, fields, match, json.loads(conflicts)) for rid, target, fields, match, conflicts in found
        ]

    def settle(self, rids: Iterable[int]) -> None:
        """Remove the intents of these records, whose outcome is known."""
        self._db.execute(f"DELETE FROM intent WHERE rid IN ({LISTED})", (listed(rids),))  # noqa: S608
