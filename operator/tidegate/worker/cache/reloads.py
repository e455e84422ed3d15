"""Records that come back under another id, as after a nightly "truncate and load": a part of the cache.

A record that disappears and one that appears on the same side, with the same match key, are the same record if no other
record of that side has the key. The remembered record takes the new id and keeps its link and shadow: an edit that came
with the reload is an edit, and nothing is deleted or created. An earlier run may have seen the disappearance, so what a
side held then is kept while the counterpart has none; such a record is also recognised by its own id, whatever match
key it has by then.

The reverse is an id that its system has reused for another record. The remembered record then gets a placeholder id,
which no system has, until it is found under another id or handled as deleted.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tidegate.worker.cache.listed import LISTED, listed
from tidegate.worker.cache.shadow import Shadow
from tidegate.worker.connectors import Key

SCHEMA = """
CREATE TABLE departed (
    rid INTEGER PRIMARY KEY, source INTEGER NOT NULL, id NOT NULL, match BLOB, shadow BLOB, returned INTEGER);
CREATE INDEX departed_by_match ON departed (source, match);
CREATE INDEX departed_by_id ON departed (source, id)
"""

_GONE = "EXISTS (SELECT 1 FROM dirty WHERE dirty.rid = {}.rid AND gone)"
# It has neither a link nor a shadow that a record which appears could take over.
_UNMERGED = "({0}.link IS NULL AND {0}.shadow IS NULL)"
# An intent names the record that it was made for, which must stay until the intent is settled.
_NEW = (
    f"new.lone AND +new.link IS NULL AND NOT {_GONE.format('new')} "  # noqa: S608
    "AND NOT EXISTS (SELECT 1 FROM intent WHERE intent.rid = new.rid)"
)

# A record that came back while its counterpart has none.
_CAME_BACK = (
    "SELECT departed.rid AS old, new.rid AS new, NULL AS id, coalesce(new.shadow, departed.shadow) AS shadow, "  # noqa: S608
    "departed.match AS match FROM departed CROSS JOIN record AS new "
    f"ON new.source = departed.source AND {{}} AND {_NEW} CROSS JOIN record AS across ON across.rid = departed.rid "
    f"WHERE departed.source = ?1 AND across.link IS NULL AND NOT {_GONE.format('across')}"
)

# No system's id ends with it.
_FORMER = "\x1f"


def is_former(key: Key) -> bool:
    """Whether an id is a placeholder, of a record whose own id another record has now."""
    return isinstance(key, str) and key.endswith(_FORMER)


class Departed(NamedTuple):
    """A record that an earlier run has forgotten, because it was gone; `rid` is its counterpart's."""

    rid: int
    key: Key
    shadow: Shadow | None


class Reloads:
    """Which records replace which."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def recognise(self, source: int, *, accepting: bool) -> list[Key]:
        """Give records of a source that are gone the ids that they came back under. Return their former ids.

        With `accepting`, a read-only run will accept what they hold now.
        """
        # What the new one was known to hold came about without the counterpart: nobody accepted that they differ, and
        # they are merged as never seen.
        found = self._candidates(
            f"SELECT old.rid AS old, new.rid AS new, new.id AS id, "  # noqa: S608
            f"iif(new.shadow IS NULL, old.shadow, NULL) AS shadow, "
            "old.match AS match, old.id AS former "
            "FROM dirty CROSS JOIN record AS old USING (rid) CROSS JOIN record AS new "
            f"ON new.source = old.source AND new.match = old.match AND {_NEW} "
            "WHERE gone AND old.source = ?1 AND old.match IS NOT NULL "
            "AND (old.link IS NOT NULL OR old.shadow IS NOT NULL AND new.shadow IS NULL)",
            source,
            others=2,
        )
        if not found:
            return []
        if accepting:
            self._db.execute(
                "REPLACE INTO accepted SELECT old, coalesce(accepted.shadow, record.shadow) FROM candidate "
                "JOIN record ON record.rid = new LEFT JOIN accepted ON accepted.rid = new"
            )
        self._db.execute("DELETE FROM blank WHERE rid IN (SELECT old FROM candidate)")
        self._db.execute("UPDATE blank SET rid = candidate.old FROM candidate WHERE rid = candidate.new")
        for table in ("record", "dirty", "parked", "shelved", "departed", "accepted", "large", "approved"):
            self._db.execute(f"DELETE FROM {table} WHERE rid IN (SELECT new FROM candidate)")  # noqa: S608
        self._db.execute(
            "UPDATE record SET id = candidate.id, shadow = candidate.shadow FROM candidate WHERE rid = candidate.old"
        )
        self._db.execute("REPLACE INTO dirty SELECT old, FALSE FROM candidate")
        return [key for (key,) in self._db.execute("SELECT former FROM candidate")]

    def lose_ids(self, rids: Iterable[int]) -> None:
        """Give these records placeholder ids, because other records have their ids now."""
        gone = listed(rids)
        self._db.execute(
            f"UPDATE record SET id = id || ' of record ' || rid || ? WHERE rid IN ({LISTED})",  # noqa: S608
            (_FORMER, gone),
        )
        self._db.execute("REPLACE INTO dirty SELECT value, TRUE FROM json_each(?)", (gone,))

    def count_lost_ids(self, source: int) -> int:
        """How many linked records of a source are gone because other records have their ids."""
        return self._one(
            "SELECT count(*) FROM dirty CROSS JOIN record USING (rid) WHERE gone AND source = ? "
            "AND link IS NOT NULL AND substr(id, -1) = ?",
            source,
            _FORMER,
        )

    def departed(self, source: int, keys: Sequence[Key]) -> list[Departed]:
        """Those that an earlier run has forgotten among the records of a source with these ids."""
        if not self._any_departed(source):
            return []
        found = self._db.execute(
            "SELECT departed.rid, departed.id, shadow FROM json_each(?) AS sought "
            "CROSS JOIN departed ON source = ? AND departed.id = sought.value",
            (json.dumps(keys), source),
        )
        return [Departed(*row) for row in found]

    def note_returned(self, returned: Iterable[tuple[int, int]]) -> None:
        """Note that forgotten records, given by their counterparts' rids, are there again; each with its new rid."""
        self._db.executemany("UPDATE departed SET returned = ?2 WHERE rid = ?1", returned)

    def rejoin(self, source: int) -> int:
        """Link records of a source that came back after an earlier run had forgotten them. Return their number."""
        if not self._any_departed(source):
            return 0
        self._fill_candidates(_CAME_BACK.format("new.rid = departed.returned AND new.id = departed.id"), source)
        found = self._relink()
        self._db.execute("UPDATE departed SET returned = NULL WHERE source = ? AND returned IS NOT NULL", (source,))
        self._candidates(_CAME_BACK.format("new.match = departed.match"), source, others=1)
        return found + self._relink()

    def _any_departed(self, source: int) -> bool:
        return bool(self._one("SELECT EXISTS (SELECT 1 FROM departed WHERE source = ?)", source))

    def _relink(self) -> int:
        self._db.execute(
            "UPDATE record SET link = candidate.old, shadow = candidate.shadow FROM candidate WHERE rid = candidate.new"
        )
        self._db.execute("UPDATE record SET link = candidate.new FROM candidate WHERE rid = candidate.old")
        self._db.execute("DELETE FROM departed WHERE rid IN (SELECT old FROM candidate)")
        return self._one("SELECT count(*) FROM candidate")

    def _fill_candidates(self, query: str, source: int) -> None:
        self._db.execute("DROP TABLE IF EXISTS temp.candidate")
        self._db.execute(f"CREATE TEMP TABLE candidate AS {query}", (source,))

    def _candidates(self, query: str, source: int, *, others: int) -> int:
        """Find which record may be which, except by match keys that more than `others` records of the source have."""
        self._fill_candidates(query, source)
        if self._one("SELECT EXISTS (SELECT 1 FROM candidate)"):
            repeated = "SELECT match FROM candidate GROUP BY match HAVING count(*) > 1"
            self._db.execute(f"DELETE FROM candidate WHERE match IN ({repeated})")  # noqa: S608
            shared = (
                "SELECT match FROM record WHERE source = ? AND match IN (SELECT match FROM candidate) "  # noqa: S608
                f"AND NOT ({_UNMERGED.format('record')} AND {_GONE.format('record')}) "
                "GROUP BY match HAVING count(*) > ?"
            )
            self._db.execute(f"DELETE FROM candidate WHERE match IN ({shared})", (source, others))  # noqa: S608
        return self._one("SELECT count(*) FROM candidate")

    def depart(self, rids: Iterable[int]) -> None:
        """Before these records are forgotten, keep what is known of those whose counterparts stay."""
        self._db.execute(
            f"REPLACE INTO departed SELECT link, source, id, match, shadow, NULL FROM record WHERE rid IN ({LISTED}) "  # noqa: S608
            "AND link IS NOT NULL",
            (listed(rids),),
        )

    def forget(self, rids: Iterable[int]) -> None:
        """Forget departed counterparts of these records, which have another counterpart now or are gone."""
        if self._one("SELECT EXISTS (SELECT 1 FROM departed)"):
            self._db.execute(f"DELETE FROM departed WHERE rid IN ({LISTED})", (listed(rids),))  # noqa: S608

    def _one(self, query: str, *values: object) -> int:
        return int(self._db.execute(query, values).fetchone()[0])
