"""Which records are pending: they differ from their shadows, and no run has handled them yet. A part of the cache.

One that a whole scan has missed is `gone`, until the push has read it by its id.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from tidegate.worker.cache.large import Large
from tidegate.worker.cache.listed import LISTED, listed
from tidegate.worker.cache.row import Row

SCHEMA = "CREATE TABLE dirty (rid INTEGER PRIMARY KEY, gone INTEGER NOT NULL)"

# No intent names the record or its counterpart.
_CERTAIN = "NOT EXISTS (SELECT 1 FROM intent WHERE intent.rid IN ({0}.rid, {0}.link))"


class Pending:
    """The pending records."""

    def __init__(self, db: sqlite3.Connection, large: Large) -> None:
        """`large` limits a batch by bytes."""
        self._db = db
        self._large = large

    def add(self, rids: Iterable[int], *, gone: bool = False) -> None:
        """Note that these records differ from their shadows."""
        self._db.execute("REPLACE INTO dirty SELECT value, ? FROM json_each(?)", (gone, listed(rids)))

    def remove(self, rids: Iterable[int]) -> None:
        """Note that these records have been handled."""
        handled = listed(rids)
        for table in ("dirty", "blank"):
            self._db.execute(f"DELETE FROM {table} WHERE rid IN ({LISTED})", (handled,))  # noqa: S608

    def doubt_absence(self, source: int) -> None:
        """Before a whole scan: records that an earlier scan has missed may have come back."""
        of_source = "(SELECT source FROM record WHERE record.rid = dirty.rid) = ?"
        self._db.execute(f"DELETE FROM dirty WHERE gone AND {of_source}", (source,))  # noqa: S608

    def batch(self, sources: Sequence[int], after: int, limit: int) -> list[Row]:
        """The next batch of pending records, in the order of their rids; without those whose last push is in doubt."""
        found = self._db.execute(
            "SELECT r.rid, source, id, link, match, shadow FROM dirty CROSS JOIN record AS r USING (rid) "  # noqa: S608
            f"WHERE dirty.rid > ? AND source IN ({LISTED}) AND {_CERTAIN.format('r')} ORDER BY dirty.rid LIMIT ?",
            (after, listed(sources), limit),
        )
        rows = [Row(*row) for row in found]
        return rows[: self._large.fitting([(row.rid, row.link) for row in rows])]

    def among(self, rids: Iterable[int]) -> list[Row]:
        """Those of these records that are still pending, as they are remembered now."""
        found = self._db.execute(
            "SELECT rid, source, id, link, match, shadow FROM record "  # noqa: S608
            f"WHERE rid IN ({LISTED}) AND rid IN (SELECT rid FROM dirty) AND {_CERTAIN.format('record')} ORDER BY rid",
            (listed(rids),),
        )
        return [Row(*row) for row in found]

    def changed_and_linked(self, source: int, after: int, limit: int) -> list[Row]:
        """The next records of a source that have a counterpart, exist, and differ from their shadows."""
        found = self._db.execute(
            "SELECT r.rid, source, id, link, match, shadow FROM dirty CROSS JOIN record AS r USING (rid) "
            "WHERE dirty.rid > ? AND NOT gone AND source = ? AND link IS NOT NULL AND shadow IS NOT NULL "
            "ORDER BY dirty.rid LIMIT ?",
            (after, source, limit),
        )
        return [Row(*row) for row in found]

    def gone(self, rids: Iterable[int | None]) -> set[int]:
        """Those of these records that a whole scan has missed."""
        query = f"SELECT rid FROM dirty WHERE gone AND rid IN ({LISTED})"  # noqa: S608
        return {rid for (rid,) in self._db.execute(query, (listed(rids),))}

    def any_of(self, rids: Iterable[int | None]) -> bool:
        """Whether any of these records is pending."""
        query = f"SELECT EXISTS (SELECT 1 FROM dirty WHERE rid IN ({LISTED}))"  # noqa: S608
        return bool(self._one(query, listed(rids)))

    def any_from(self, source: int) -> bool:
        """Whether any record of a source is pending."""
        query = "SELECT EXISTS (SELECT 1 FROM dirty CROSS JOIN record USING (rid) WHERE source = ?)"
        return bool(self._one(query, source))

    def count(self) -> int:
        """How many records are to be dealt with."""
        return self._one("SELECT count(*) FROM dirty")

    def gone_from(self, source: int, limit: int = -1) -> list[int]:
        """The records of a source that a whole scan has missed; with a negative limit all of them."""
        query = "SELECT rid FROM dirty CROSS JOIN record USING (rid) WHERE gone AND source = ? LIMIT ?"
        return [rid for (rid,) in self._db.execute(query, (source, limit))]

    def count_gone(self, source: int) -> int:
        """How many records of a source are gone."""
        return self._one("SELECT count(*) FROM dirty CROSS JOIN record USING (rid) WHERE gone AND source = ?", source)

    def deletes_of(self, source: int) -> list[int]:
        """The linked records of a source that are gone although their counterparts are not."""
        found = self._db.execute(
            "SELECT rid FROM dirty CROSS JOIN record AS r USING (rid) WHERE gone AND source = ? "
            "AND link IS NOT NULL AND NOT EXISTS (SELECT 1 FROM dirty AS across WHERE across.rid = r.link AND gone)",
            (source,),
        )
        return [rid for (rid,) in found]

    def _one(self, query: str, *values: Any) -> int:
        return int(self._db.execute(query, values).fetchone()[0])
