"""The cache: what the worker remembers of both sides between runs, in SQLite on the cache volume (design section 6.2).

Every step of a run reads it, and commits its effect together with the checkpoint. It holds ids, links and hashes, and
no values. Its invariants:

- links are symmetric, and link records of one object's two sides;
- a shadow changes only to what a side was seen to hold, never to what it is meant to hold;
- `lone` is true for every record that has, or had, no counterpart: only these are searched by match key, and records
  created as counterparts stay out of an index that would be written in random order;
- `dirty` (`pending.py`) holds every record that differs from its shadow and is not yet handled: it outlives the run.
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

from tidegate.worker.cache import accepted, blanks, deletes, intents, large, parked, pending, reloads, settling, visits
from tidegate.worker.cache.file import FILE, note_that_it_was_made, refuse_lost
from tidegate.worker.cache.known import Known, known
from tidegate.worker.cache.listed import LISTED, listed
from tidegate.worker.cache.row import Row
from tidegate.worker.cache.shadow import Shadow, blob
from tidegate.worker.connectors import Key
from tidegate.worker.epoch import belongs
from tidegate.worker.errors import CacheUnusable
from tidegate.worker.sqlite_errors import meaning_of
from tidegate.worker.transaction import transaction
from tidegate.worker.values.normal_form import HASH_BYTES, Hash

FORMAT = 12

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE record (
    rid INTEGER PRIMARY KEY, source INTEGER NOT NULL, id NOT NULL, link INTEGER, match BLOB, shadow BLOB,
    lone INTEGER NOT NULL DEFAULT TRUE, UNIQUE (source, id))
"""

# It has no counterpart. The + stops SQLite from using the index `alone`, which holds all such records, where `by_match`
# finds the few that match.
_UNLINKED = "{0}.lone AND +{0}.link IS NULL"


# The tables that have what is remembered of a record beside `record` itself.
_BY_RECORD = (
    *("dirty", "blank", "parked", "shelved", "intent"),
    *("departed", "accepted", "large", "settling", "emptied", "approved"),
)


class Cache:
    """One open cache. No other process can open it meanwhile."""

    def __init__(self, directory: Path, epoch: str | None, oldest_epoch: str | None = None) -> None:
        """Open the cache, or create it; without an epoch, open an existing one.

        With `oldest_epoch`, a cache of that epoch or a later one becomes one of `epoch`. Raises CacheUnusable,
        CacheLost, or CacheLocked.
        """
        if epoch is not None:
            refuse_lost(directory)
        try:
            self._db = sqlite3.connect(directory / FILE, isolation_level=None, timeout=1)
            try:
                self._prepare(epoch, oldest_epoch)
            except BaseException:
                self.close()
                raise
        except sqlite3.Error as error:
            raise meaning_of(error) from error
        note_that_it_was_made(directory)
        self._next_rid: int = 1 + self._one("SELECT coalesce(max(rid), 0) FROM record")
        self.intents = intents.Intents(self._db)
        self.visits = visits.Visits(self._db, lambda: self._next_rid)
        self.parked = parked.Parked(self._db)
        self.reloads = reloads.Reloads(self._db)
        self.accepted = accepted.Accepted(self._db)
        self.large = large.Large(self._db)
        self.pending = pending.Pending(self._db, self.large)
        self.settling = settling.Settling(self._db)
        self.deletes = deletes.Deletes(self._db)
        self.blanks = blanks.Blanks(self._db)

    def _prepare(self, epoch: str | None, oldest_epoch: str | None) -> None:
        # EXCLUSIVE keeps the lock from the first write until the end, and lets WAL work without shared memory.
        for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute("PRAGMA cache_size = -32768")
        self._db.execute("BEGIN IMMEDIATE")
        if self._one("SELECT count(*) FROM sqlite_master") == 0:
            modules = (pending, intents, visits, parked, reloads, accepted, blanks, deletes, large, settling)
            parts = (_SCHEMA, *(module.SCHEMA for module in modules))
            for statement in ";".join(parts).split(";"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {FORMAT}")
            self.remember("salt", os.urandom(16).hex())
            self.remember("epoch", epoch)
        self._db.execute("COMMIT")
        if (found := self._one("PRAGMA user_version")) != FORMAT:
            raise CacheUnusable(f"the cache has format {found}, and this worker knows format {FORMAT}")
        made_for = self.recall("epoch")
        if epoch is not None and made_for != epoch:
            if not belongs(made_for, epoch, oldest_epoch):
                raise CacheUnusable(f"the cache is of epoch {made_for}, and the run expects epoch {epoch}")
            self.remember("epoch", epoch)

    def close(self) -> None:
        """Close the cache; what is not committed is rolled back."""
        self._db.close()

    def copy_to(self, directory: Path) -> None:
        """Copy what is committed, as it is now, to a cache in another directory."""
        with closing(sqlite3.connect(directory / FILE)) as copy:
            self._db.backup(copy)

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing."""
        return transaction(self._db)

    # Named entries

    def recall(self, name: str) -> Any:
        """The data stored under the name, or None."""
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def remember(self, name: str, value: Any) -> None:
        """Store plain data under a name."""
        self._db.execute("REPLACE INTO meta VALUES (?, ?)", (name, json.dumps(value)))

    # Records

    def known(self, source: int, keys: Sequence[Key]) -> dict[Key, Known]:
        """The id, rid and shadow digest of known records; scans call it for each page, so it selects nothing else."""
        return known(self._db, source, keys)

    def rows(self, rids: Iterable[int]) -> dict[int, Row]:
        """The remembered records with these rids."""
        found = self._select(f"rid IN ({LISTED})", listed(rids))
        return {row.rid: row for row in found}

    def row_of(self, source: int, key: Key) -> Row | None:
        """One record by its id."""
        return next(iter(self._select("source = ? AND id = ?", source, key)), None)

    def unpaired(self, source: int, match: Hash, limit: int = 2) -> list[Row]:
        """Records without a counterpart that have this match key."""
        where = f"source = ? AND match = ? AND {_UNLINKED.format('record')} LIMIT ?"
        return self._select(where, source, match, limit)

    def with_twins(self, rids: Iterable[int]) -> set[int]:
        """Those whose match key another record of their source has that is neither gone nor linked."""
        found = self._db.execute(
            "SELECT ours.rid FROM json_each(?) AS sought CROSS JOIN record AS ours ON ours.rid = sought.value "  # noqa: S608
            "WHERE EXISTS (SELECT 1 FROM record AS twin WHERE twin.source = ours.source AND twin.match = ours.match "
            f"AND {_UNLINKED.format('twin')} AND twin.rid != ours.rid "
            "AND NOT EXISTS (SELECT 1 FROM dirty WHERE dirty.rid = twin.rid AND gone))",
            (listed(rids),),
        )
        return {rid for (rid,) in found}

    def may_hold(self, source: int, place: int, hashes: Sequence[Hash]) -> list[Key]:
        """The ids of a source's records that may have one of these hashes at that place of their shadow.

        A record without a shadow, or different from it, may: it has to be read.
        """
        wanted = json.dumps([hashed.hex().upper() for hashed in hashes])
        found = self._db.execute(
            f"SELECT id FROM record WHERE source = ?1 AND (hex(substr(shadow, ?2, {HASH_BYTES})) "  # noqa: S608
            "IN (SELECT value FROM json_each(?3)) OR shadow IS NULL OR rid IN (SELECT rid FROM dirty WHERE NOT gone) "
            "OR rid IN (SELECT rid FROM parked))",
            (source, place + 1, wanted),
        )
        return [key for (key,) in found]

    def _select(self, where: str, *values: Any) -> list[Row]:
        query = f"SELECT rid, source, id, link, match, shadow FROM record WHERE {where}"  # noqa: S608
        return [Row(*row) for row in self._db.execute(query, values)]

    def count(self, source: int) -> int:
        """How many records of a source are remembered."""
        return self._one("SELECT count(*) FROM record WHERE source = ?", source)

    def count_known(self, source: int) -> int:
        """How many records of a source earlier runs have handled: new ones have neither link nor shadow."""
        return self._one(
            "SELECT count(*) FROM record WHERE source = ? AND (link IS NOT NULL OR shadow IS NOT NULL)", source
        )

    def add(self, source: int, records: Sequence[tuple[Key, Hash | None, Shadow | None]]) -> range:
        """Add new records: id, match key, and shadow if they are accepted as they are. Return their rids."""
        rids = self._new_rids(len(records))
        rows = [
            (rid, source, key, blob(match), blob(shadow))
            for rid, (key, match, shadow) in zip(rids, records, strict=True)
        ]
        self._db.executemany("INSERT INTO record (rid, source, id, match, shadow) VALUES (?, ?, ?, ?, ?)", rows)
        return rids

    def _new_rids(self, count: int) -> range:
        first = self._next_rid
        self._next_rid += count
        return range(first, self._next_rid)

    def add_counterparts(
        self, source: int, records: Sequence[tuple[int, Key, Hash | None, Shadow]], shadows: Sequence[Shadow]
    ) -> None:
        """Add new records, each as the counterpart of the record with that rid, which was seen to hold `shadows`."""
        rids = self._new_rids(len(records))
        rows = [
            (rid, source, link, key, blob(match), blob(shadow))
            for rid, (link, key, match, shadow) in zip(rids, records, strict=True)
        ]
        self._db.executemany(
            "INSERT INTO record (rid, source, link, id, match, shadow, lone) VALUES (?, ?, ?, ?, ?, ?, FALSE)", rows
        )
        own = [(rid, blob(shadow), link) for rid, (link, *_), shadow in zip(rids, records, shadows, strict=True)]
        self._db.executemany("UPDATE record SET link = ?, shadow = ? WHERE rid = ?", own)
        self.reloads.forget(link for link, *_ in records)

    def set_shadows(self, shadows: Iterable[tuple[int, Shadow]]) -> None:
        """Set what these records were seen to hold."""
        self._db.executemany(
            "UPDATE record SET shadow = ? WHERE rid = ?", [(blob(shadow), rid) for rid, shadow in shadows]
        )

    def set_matches(self, matches: Iterable[tuple[int, Hash | None]]) -> None:
        """Set the present match keys of these records."""
        self._db.executemany("UPDATE record SET match = ? WHERE rid = ?", [(match, rid) for rid, match in matches])

    def link(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Make these records counterparts of each other."""
        both = [half for a, b in pairs for half in ((b, a), (a, b))]
        self._db.executemany("UPDATE record SET link = ? WHERE rid = ?", both)
        self.reloads.forget(rid for rid, _ in both)

    def pair(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Link records that had no counterparts; where one is pending, they are merged as never seen.

        Their shadows date from before the link: that the two differ was never accepted.
        """
        self.link(pairs)
        if not self._one("SELECT EXISTS (SELECT 1 FROM dirty)"):
            return
        self._db.executemany(
            "UPDATE record SET shadow = NULL WHERE rid = ?1 AND shadow IS NOT NULL "
            "AND (SELECT shadow FROM record WHERE rid = ?2) IS NOT NULL "
            "AND EXISTS (SELECT 1 FROM dirty WHERE dirty.rid IN (?1, ?2))",
            pairs,
        )

    def forget(self, rids: Iterable[int]) -> None:
        """Forget these records; their counterparts then have none."""
        forgotten = listed(rids)
        links = f"SELECT link FROM record WHERE rid IN ({LISTED})"  # noqa: S608
        self._db.execute(f"UPDATE record SET link = NULL, lone = TRUE WHERE rid IN ({links})", (forgotten,))  # noqa: S608
        for table in ("record", *_BY_RECORD):
            self._remove(table, forgotten)

    def forget_all(self, sources: Sequence[int]) -> None:
        """Forget all that is remembered of these sources, both sides of an object: no other record is linked to it."""
        which = listed(sources)
        records = f"SELECT rid FROM record WHERE source IN ({LISTED})"  # noqa: S608
        for table in _BY_RECORD:
            self._db.execute(f"DELETE FROM {table} WHERE rid IN ({records})", (which,))  # noqa: S608
        for table in ("record", "departed", "settling", "shown", "approved", "deleted"):
            self._db.execute(f"DELETE FROM {table} WHERE source IN ({LISTED})", (which,))  # noqa: S608
        self._db.executemany("DELETE FROM meta WHERE name = ?", [(f"source {source}",) for source in sources])

    def let_go(self, rids: Sequence[int]) -> None:
        """Forget these records, but recognize them when they come back while their counterparts have none."""
        self.reloads.depart(rids)
        self.forget(rids)

    def index_matches(self) -> None:
        """Create the index of match keys; after the first scan, because random-order inserts into it are slow."""
        self._db.execute(
            "CREATE INDEX IF NOT EXISTS by_match ON record (match, source) WHERE lone AND match IS NOT NULL"
        )

    def index_alone(self) -> None:
        """Create the index of records without a counterpart; at a run's end, because a first run would add all."""
        self._db.execute("CREATE INDEX IF NOT EXISTS alone ON record (source, link) WHERE link IS NULL")

    @property
    def _in_order(self) -> str:
        """Makes a query read records in order while the index `alone` is missing: SQLite would sort them otherwise."""
        return "" if self._one("SELECT count(*) FROM sqlite_master WHERE name = 'alone'") else "NOT INDEXED"

    def count_alone(self, source: int) -> int:
        """How many records of a source have no counterpart."""
        return self._one("SELECT count(*) FROM record WHERE source = ? AND link IS NULL", source)

    def alone(self, source: int, after: int, limit: int) -> tuple[int, int] | None:
        """The first and the last of the next records without a counterpart, in the order of their rids."""
        where = "source = ? AND link IS NULL AND rid > ?"
        rids = f"SELECT rid FROM record {self._in_order} WHERE {where} ORDER BY rid LIMIT ?"  # noqa: S608
        query = f"SELECT min(rid), max(rid) FROM ({rids})"  # noqa: S608
        first, last = self._db.execute(query, (source, after, limit)).fetchone()
        return None if first is None else (first, last)

    def counterparts(self, source: int, across: int, first: int, last: int) -> list[tuple[int, int]]:
        """Pairs by match key, for the records without a counterpart from one rid to another.

        A key that more than one record without a counterpart has on either side is skipped.
        """
        return self._db.execute(
            f"SELECT ours.rid, min(theirs.rid) FROM record AS ours {self._in_order} CROSS JOIN record AS theirs "  # noqa: S608
            f"ON theirs.source = ?2 AND theirs.match = ours.match AND {_UNLINKED.format('theirs')} "
            "WHERE ours.source = ?1 AND ours.link IS NULL AND ours.rid BETWEEN ?3 AND ?4 "
            "AND NOT EXISTS (SELECT 1 FROM record AS twin WHERE twin.source = ?1 AND twin.match = ours.match "
            f"AND {_UNLINKED.format('twin')} AND twin.rid != ours.rid) "
            "GROUP BY ours.rid HAVING count(*) = 1",
            (source, across, first, last),
        ).fetchall()

    def _remove(self, table: str, rids: str) -> None:
        self._db.execute(f"DELETE FROM {table} WHERE rid IN ({LISTED})", (rids,))  # noqa: S608

    def _one(self, query: str, *values: Any) -> int:
        return int(self._db.execute(query, values).fetchone()[0])
