"""What the guard remembers about records that halted a run, and about deletes: a part of the cache.

An approval covers exactly the records that a halted run has listed. Those that the approved run could not handle stay
approved as long as they are found for the same reason. Deletes of the last day are counted together, so that many small
runs cannot delete what a single run may not.
"""

import hashlib
import json
import sqlite3
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Literal

from tidegate.worker.cache.listed import LISTED, listed

SCHEMA = """
CREATE TABLE shown (
    source INTEGER NOT NULL, why TEXT NOT NULL, rid INTEGER NOT NULL, PRIMARY KEY (source, why, rid)) WITHOUT ROWID;
CREATE TABLE approved (
    rid INTEGER NOT NULL, source INTEGER NOT NULL, why TEXT NOT NULL, PRIMARY KEY (rid, source, why)) WITHOUT ROWID;
CREATE TABLE deleted (source INTEGER NOT NULL, id NOT NULL, at REAL NOT NULL, PRIMARY KEY (source, id)) WITHOUT ROWID
"""

# Compared together with the number of ids: two sets of the same size have equal digests in one of 2^64 cases.
_DIGEST_CHARACTERS = 16


class Deletes:
    """Records that were listed for approval, and deletes that passed."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def forget_shown(self) -> None:
        """Forget which records were listed for approval."""
        self._db.execute("DELETE FROM shown")

    def show(self, source: int, why: str, rids: Iterable[int]) -> None:
        """Note that these records of a source are listed for approval, by number and digest."""
        self._db.execute("REPLACE INTO shown SELECT ?, ?, value FROM json_each(?)", (source, why, listed(rids)))

    def digest(self, rids: Iterable[int]) -> str:
        """A digest of the ids of a set of records, independent of their order."""
        found = self._db.execute(
            f"SELECT source, id FROM record WHERE rid IN ({LISTED}) ORDER BY source, id",  # noqa: S608
            (listed(rids),),
        )
        digest = hashlib.sha256()
        for which in found:
            digest.update(json.dumps(which).encode())
        return digest.hexdigest()[:_DIGEST_CHARACTERS]

    def not_shown(self, source: int, why: str, rids: Iterable[int]) -> list[int]:
        """The records among these that were not listed for that reason."""
        return self._missing("shown", source, why, rids)

    def keep_approved(self) -> None:
        """Note that those of the listed records are approved that still wait, by themselves or their counterpart."""
        self._db.execute(
            "REPLACE INTO approved SELECT rid, shown.source, why FROM shown JOIN record USING (rid) WHERE EXISTS "
            "(SELECT 1 FROM dirty WHERE dirty.rid IN (record.rid, link)) OR EXISTS "
            "(SELECT 1 FROM parked WHERE parked.rid IN (record.rid, link))"
        )

    def any_approved(self) -> bool:
        """Whether anything is left that an approved run could not do."""
        return bool(self._db.execute("SELECT EXISTS (SELECT 1 FROM approved)").fetchone()[0])

    def forget_approved_but(self, found: Mapping[tuple[int, str], Iterable[int]], partly_read: Container[int]) -> None:
        """Forget approved records that are no longer among those found, by source and reason.

        Of sources that were read in part, what is not in `found` at all may still be as it was.
        """
        for source, why in self._db.execute("SELECT DISTINCT source, why FROM approved").fetchall():
            if source in partly_read and (source, why) not in found:
                continue
            self._db.execute(
                f"DELETE FROM approved WHERE source = ? AND why = ? AND rid NOT IN ({LISTED})",  # noqa: S608
                (source, why, listed(found.get((source, why), ()))),
            )

    def not_approved(self, source: int, why: str, rids: Sequence[int]) -> Sequence[int]:
        """The records among these that were not approved for that reason before."""
        return self._missing("approved", source, why, rids) if self.any_approved() else rids

    def _missing(self, table: Literal["shown", "approved"], source: int, why: str, rids: Iterable[int]) -> list[int]:
        found = self._db.execute(
            "SELECT value FROM json_each(?) AS sought "  # noqa: S608
            f"WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE source = ? AND why = ? AND rid = sought.value)",
            (listed(rids), source, why),
        )
        return [rid for (rid,) in found]

    def let_through(self, rids: Iterable[int], at: float) -> None:
        """Note that these records may be deleted; `at` is in seconds."""
        self._db.execute(
            f"REPLACE INTO deleted SELECT source, id, ? FROM record WHERE rid IN ({LISTED})",  # noqa: S608
            (at, listed(rids)),
        )

    def forget_before(self, at: float) -> None:
        """Stop counting deletes from before this time."""
        self._db.execute("DELETE FROM deleted WHERE at < ?", (at,))

    def count_let_through(self, source: int, since: float) -> int:
        """How many records of a source were deleted since then, and have not come back."""
        query = (
            "SELECT count(*) FROM deleted WHERE source = ? AND at >= ? "
            "AND NOT EXISTS (SELECT 1 FROM record WHERE record.source = deleted.source AND record.id = deleted.id)"
        )
        return int(self._db.execute(query, (source, since)).fetchone()[0])
