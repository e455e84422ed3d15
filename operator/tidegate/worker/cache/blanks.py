"""Blank fields of pending records: a part of the cache. The guard counts those that had a value before.

Fields that it has let pass count for a day, so that many small runs cannot empty what a single run may not.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import NamedTuple

from tidegate.worker.cache.listed import LISTED, listed
from tidegate.worker.cache.shadow import Shadow
from tidegate.worker.values.normal_form import HASH_BYTES, UNKNOWN, Hash

SCHEMA = """
CREATE TABLE blank (rid INTEGER PRIMARY KEY, fields TEXT NOT NULL);
CREATE TABLE emptied (rid INTEGER NOT NULL, field TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (rid, field))
WITHOUT ROWID
"""


class Blank(NamedTuple):
    """A linked record with blank fields, by their titles, and the last shadows of it and its counterpart.

    `across_fields` are the counterpart's blank fields, where the counterpart is pending too.
    """

    rid: int
    fields: Set[str]
    shadow: Shadow
    across: Shadow | None
    across_fields: Set[str]


class Blanks:
    """All pending records with blank fields."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def note(self, read: Iterable[int], blank: Mapping[int, Sequence[str]]) -> None:
        """Store the blank fields of the records that were just read; `blank` has only those that are pending."""
        if self._db.execute("SELECT EXISTS (SELECT 1 FROM blank)").fetchone()[0]:
            self._db.execute(f"DELETE FROM blank WHERE rid IN ({LISTED})", (listed(read),))  # noqa: S608
        rows = [(rid, json.dumps(fields)) for rid, fields in blank.items()]
        self._db.executemany("REPLACE INTO blank VALUES (?, ?)", rows)

    def linked(self, source: int, after: int, limit: int) -> list[Blank]:
        """The next linked records of a source, in the order of their rids."""
        found = self._db.execute(
            "SELECT ours.rid, blank.fields, ours.shadow, across.shadow, theirs.fields FROM blank "
            "CROSS JOIN record AS ours USING (rid) CROSS JOIN record AS across ON across.rid = ours.link "
            "LEFT JOIN blank AS theirs ON theirs.rid = across.rid "
            "WHERE blank.rid > ? AND ours.source = ? AND ours.shadow IS NOT NULL "
            "AND EXISTS (SELECT 1 FROM dirty WHERE dirty.rid = ours.rid AND NOT gone) ORDER BY blank.rid LIMIT ?",
            (after, source, limit),
        )
        return [
            Blank(rid, _titles(fields), shadow, across, _titles(across_fields))
            for rid, fields, shadow, across, across_fields in found
        ]

    def count_filled(self, source: int, place: int, blank: Hash) -> int:
        """How many linked records of a source had a value at that place of their shadow."""
        query = (
            "SELECT count(*) FROM record WHERE source = ? AND link IS NOT NULL AND shadow IS NOT NULL "  # noqa: S608
            f"AND substr(shadow, ?, {HASH_BYTES}) NOT IN (?, ?, X'')"
        )
        return int(self._db.execute(query, (source, place + 1, blank, UNKNOWN)).fetchone()[0])

    def let_through(self, field: str, rids: Iterable[int], at: float) -> None:
        """Note that this field of these records may be emptied on the other side; `at` is in seconds."""
        self._db.execute("REPLACE INTO emptied SELECT value, ?, ? FROM json_each(?)", (field, at, listed(rids)))

    def forget_before(self, at: float) -> None:
        """Stop counting fields that were emptied before this time."""
        self._db.execute("DELETE FROM emptied WHERE at < ?", (at,))

    def count_let_through(self, source: int, field: str, since: float, places: Sequence[int], blank: Hash) -> int:
        """How many linked records of a source had this field emptied since then, and were last seen with it blank.

        The field's hash is at one of these places of a shadow.
        """
        query = (
            "SELECT count(*) FROM emptied CROSS JOIN record USING (rid) "  # noqa: S608
            "WHERE field = ? AND at >= ? AND source = ? AND link IS NOT NULL AND EXISTS "
            f"(SELECT 1 FROM json_each(?) AS place WHERE substr(shadow, place.value + 1, {HASH_BYTES}) = ?)"
        )
        return int(self._db.execute(query, (field, since, source, json.dumps([*places]), blank)).fetchone()[0])


def _titles(fields: str | None) -> Set[str]:
    return frozenset(json.loads(fields)) if fields is not None else frozenset()
