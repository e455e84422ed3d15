"""Listed only: records that two runs have seen in a whole list, and that their system does not have by their ids.

A record that was deleted after it was listed is in no later list. An API may also list what it does not show by itself,
such as archived records: those would never be synced, and nothing would say so.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.worker.cache.reloads import is_former
from tidegate.worker.connectors import Key, MayNotRead
from tidegate.worker.connectors.where import outside
from tidegate.worker.run.push.work import Work
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import Source

# So many ids are remembered from one run to the next.
_REMEMBERED = 1000


def listed_only(session: Session, source: Source, works: Sequence[Work]) -> Mapping[Key, str]:
    """Those of the records just read that are not there by their ids again, each with a reason to set it aside."""
    if not isinstance(source.collection, MayNotRead):
        return {}
    scanned = session.cache.recall(f"source {source.number}") or {}
    if not scanned.get("scannedWhole"):
        return {}
    missing = _missing(session, source, works)
    formerly = _noted(session, source, missing) if missing else ()
    reason = f"{source.name} lists it, and has no record with its id"
    return {key: reason for key in missing if key in formerly}


def _missing(session: Session, source: Source, works: Sequence[Work]) -> list[Key]:
    side, elsewhere = source.side, outside(source.collection)
    rows = [row for work in works if (row := work.rows[side]) and work.records[side] is None and not work.gone[side]]
    created = session.cache.settling.of(row.rid for row in rows)
    return [row.key for row in rows if not (row.rid in created or row.key in elsewhere or is_former(row.key))]


def _noted(session: Session, source: Source, missing: Sequence[Key]) -> Sequence[Key]:
    """The ids that an earlier run has noted; those of this run are noted for the next."""
    name, run = f"listed only {source.number}", session.order.run
    noted: dict[str, Any] = session.cache.recall(name) or {"run": run, "ids": [], "before": []}
    if noted["run"] != run:
        noted = {"run": run, "ids": [], "before": noted["ids"]}
    noted["ids"] = [*dict.fromkeys([*noted["ids"], *missing])][:_REMEMBERED]
    with session.cache.transaction():
        session.cache.remember(name, noted)
    return list(noted["before"])
