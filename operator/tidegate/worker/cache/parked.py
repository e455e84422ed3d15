"""What is set aside: a part of the cache. A field in conflict, or a whole record that cannot be synced now.

A field in conflict waits until an edit of either side settles it, or a policy that names a winner. A record is retried
by every run that pushes.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from typing import Literal, NamedTuple

from tidegate.worker.connectors import Key

SCHEMA = """
CREATE TABLE parked (
    rid INTEGER NOT NULL, field TEXT NOT NULL, reason TEXT NOT NULL, run INTEGER NOT NULL, kind TEXT NOT NULL,
    PRIMARY KEY (rid, field))
WITHOUT ROWID;
CREATE INDEX parked_by_run ON parked (run);
CREATE TABLE shelved (
    rid INTEGER NOT NULL, field TEXT NOT NULL, reason TEXT NOT NULL, run INTEGER NOT NULL, kind TEXT NOT NULL,
    PRIMARY KEY (rid, field))
WITHOUT ROWID
"""


# Why it waits. conflict: changed on both sides. retry: the record cannot be synced now, and every run retries it.
# unsynced: the other system does not keep the value, which is written again only after an edit.
Kind = Literal["conflict", "retry", "unsynced"]


class Waiting(NamedTuple):
    """What waits: the source and id of a record, its counterpart's id, the field ("": all of it), since which run."""

    source: int
    key: Key
    across: Key | None
    field: str
    reason: str
    run: int


class Parked:
    """All waiting fields and records."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, rid: int, field: str, reason: str, run: int, kind: Kind) -> None:
        """Set aside a field of a record, or with "" the record; one that already waits keeps its run."""
        self._db.execute(
            "INSERT INTO parked VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (rid, field) DO UPDATE SET reason = excluded.reason, kind = excluded.kind",
            (rid, field, reason, run, kind),
        )

    def remove(self, parked: Iterable[tuple[int, str]]) -> None:
        """Remove these fields of records."""
        self._db.executemany("DELETE FROM parked WHERE rid = ? AND field = ?", parked)

    def fields(self, rids: Iterable[int]) -> set[tuple[int, str]]:
        """Which of these records wait, and with which fields."""
        query = "SELECT rid, field FROM parked WHERE rid IN (SELECT value FROM json_each(?))"
        return set(self._db.execute(query, (json.dumps(list(rids)),)))

    def kinds(self, rids: Iterable[int]) -> dict[int, dict[str, Kind]]:
        """Which fields of these records wait, and why."""
        query = "SELECT rid, field, kind FROM parked WHERE field != '' AND rid IN (SELECT value FROM json_each(?))"
        found: dict[int, dict[str, Kind]] = {}
        for rid, field, kind in self._db.execute(query, (json.dumps(list(rids)),)):
            found.setdefault(rid, {})[field] = kind
        return found

    def count(self) -> int:
        """How many wait."""
        return int(self._db.execute("SELECT count(*) FROM parked").fetchone()[0])

    def count_new(self, run: int) -> int:
        """How many this run has set aside, without those that an earlier run had set aside."""
        return int(self._db.execute("SELECT count(*) FROM parked WHERE run = ?", (run,)).fetchone()[0])

    def count_by_source(self) -> dict[int, int]:
        """How many wait, by source."""
        query = "SELECT source, count(*) FROM parked JOIN record USING (rid) GROUP BY source"
        return dict(self._db.execute(query))

    def oldest(self, limit: int) -> list[Waiting]:
        """Those that have waited longest first; a negative limit is none."""
        found = self._db.execute(
            "SELECT record.source, record.id, across.id, field, reason, run FROM parked JOIN record USING (rid) "
            "LEFT JOIN record AS across ON across.rid = record.link ORDER BY run, parked.rid, field LIMIT ?",
            (limit,),
        )
        return [Waiting(*row) for row in found]

    def shelve_all_but(self, synced: Mapping[int, Collection[str]]) -> None:
        """Shelve all fields and objects that are not synced; `synced` has the titles of the synced fields by source.

        What waits in other objects cannot be settled. It returns when they are synced again.
        """
        known = json.dumps([f"{source} {title}" for source, titles in synced.items() for title in ("", *titles)])
        for here, there, moves in (("parked", "shelved", "NOT IN"), ("shelved", "parked", "IN")):
            its = f"(SELECT source FROM record WHERE record.rid = {here}.rid) || ' ' || field"  # noqa: S608
            where = f"{its} {moves} (SELECT value FROM json_each(?))"  # noqa: S608
            self._db.execute(f"INSERT OR IGNORE INTO {there} SELECT * FROM {here} WHERE {where}", (known,))  # noqa: S608
            self._db.execute(f"DELETE FROM {here} WHERE {where}", (known,))  # noqa: S608

    def retry_records(self) -> None:
        """Mark records that were set aside whole as dirty, because the reason may be gone."""
        self._db.execute("INSERT OR IGNORE INTO dirty SELECT rid, 0 FROM parked WHERE kind = 'retry'")

    def retry_conflicts(self, sources: Iterable[int]) -> None:
        """Mark records of these sources with a field in conflict as dirty, because a policy settles conflicts now."""
        self._db.execute(
            "INSERT OR IGNORE INTO dirty SELECT rid, 0 FROM parked CROSS JOIN record USING (rid) "
            "WHERE kind = 'conflict' AND source IN (SELECT value FROM json_each(?))",
            (json.dumps(list(sources)),),
        )
