"""What is set aside: a part of the cache. A field in conflict, or a whole record that cannot be synced now.

A field in conflict waits until an edit of either side settles it, a policy that names a winner, or a person's decision.
A record is retried by every run that pushes.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from tidegate.worker.config.rules import Side
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
# unsynced: the other system does not keep the value, which is written again only after an edit. held: the edit cannot
# be written, until the value is edited or set back. take: a conflict that a person has decided, which waits for the
# push that carries the decision out.
Kind = Literal["conflict", "retry", "unsynced", "held", "take 0", "take 1", "take newest"]

Taken = Side | Literal["newest"]

# The kinds of conflicts that are decided, each with the side that is taken.
DECIDED: Mapping[Kind, Taken] = {"take 0": 0, "take 1": 1, "take newest": "newest"}
_KIND_OF: Mapping[Taken, Kind] = {taken: kind for kind, taken in DECIDED.items()}
_IS_DECIDED = f"kind IN ({', '.join(map(repr, DECIDED))})"
_MAY_BE_DECIDED = f"(kind = 'conflict' OR {_IS_DECIDED})"


class Waiting(NamedTuple):
    """What waits: the source and id of a record, its counterpart's id, the field ("": all of it), since which run."""

    source: int
    key: Key
    across: Key | None
    field: str
    reason: str
    run: int


class Decidable(NamedTuple):
    """One that waits of a record: its field or "" for the record, why, and whether a decision settles it."""

    rid: int
    field: str
    reason: str
    by_decision: bool


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

    def of(self, source: int, keys: Sequence[Key]) -> list[Decidable] | None:
        """What waits of the record with the first of these ids that a source has; None where it has none of them."""
        for key in keys:
            row = self._db.execute("SELECT rid, link FROM record WHERE source = ? AND id = ?", (source, key)).fetchone()
            if row is not None:
                query = f"SELECT rid, field, reason, {_MAY_BE_DECIDED} FROM parked WHERE rid IN (?, ?)"  # noqa: S608
                found = self._db.execute(query, row)
                return [Decidable(rid, field, reason, bool(may)) for rid, field, reason, may in found]
        return None

    def decide(self, decided: Iterable[tuple[int, str]], taken: Taken) -> None:
        """A person has decided these conflicts, given as a record's rid and a field."""
        self._db.executemany(
            f"UPDATE parked SET kind = ? WHERE rid = ? AND field = ? AND {_MAY_BE_DECIDED}",  # noqa: S608
            [(_KIND_OF[taken], rid, field) for rid, field in decided],
        )

    def decide_all(self, sources: Sequence[int], field: str | None, taken: Taken) -> int:
        """A person has decided all conflicts of these sources, or those in one field; returns how many there are."""
        return self._db.execute(
            f"UPDATE parked SET kind = ?1 WHERE {_MAY_BE_DECIDED} AND (?2 IS NULL OR field = ?2) "  # noqa: S608
            "AND rid IN (SELECT rid FROM record WHERE source IN (SELECT value FROM json_each(?3)))",
            (_KIND_OF[taken], field, json.dumps([*sources])),
        ).rowcount

    def undecide(self, rids: Iterable[int], fields: Iterable[str]) -> None:
        """The decisions about these fields of these records cannot be carried out: they are conflicts as before."""
        self._db.execute(
            f"UPDATE parked SET kind = 'conflict' WHERE {_MAY_BE_DECIDED} "  # noqa: S608
            "AND rid IN (SELECT value FROM json_each(?)) AND field IN (SELECT value FROM json_each(?))",
            (json.dumps([*rids]), json.dumps([*fields])),
        )

    def retry_decided(self) -> None:
        """Records with a field that is decided are dirty again."""
        self._db.execute(
            f"INSERT OR IGNORE INTO dirty SELECT DISTINCT rid, 0 FROM parked WHERE {_IS_DECIDED}"  # noqa: S608
        )
