"""Foreseen: which records the push would create, update and delete, computed before its first write.

A part of `guard`, used where a limit or an approval asks for it. The push is rehearsed on a copy of the cache, with
read-only access to the systems (see `planned`); the push itself reads everything again.
"""

import os
import sqlite3
from array import array
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from tidegate.worker.cache.store import Cache
from tidegate.worker.config.rules import SIDES, Operation, Side
from tidegate.worker.connectors import Key
from tidegate.worker.errors import RunEnded
from tidegate.worker.run.planned import Changes, planned
from tidegate.worker.run.progress import Progress
from tidegate.worker.run.report import Report
from tidegate.worker.run.session import Session, title_of
from tidegate.worker.run.source import Source, SourcePair

_BATCH = 20_000


@dataclass(frozen=True, slots=True)
class Foreseen:
    """Records of an object that would be written on one side; `rids` are those by which the cache knows them.

    A record to create has no id yet, and is identified by its counterpart; so is a record to delete, because its
    counterpart is gone, and an updated record that only the push would find.
    """

    both: SourcePair
    side: Side
    operation: Operation
    rids: Sequence[int]

    @property
    def target(self) -> Source:
        """The side that would be written."""
        return self.both.sources[self.side]

    @property
    def words(self) -> str:
        """What would be done, to follow "would" in a sentence."""
        records = "record" if len(self.rids) == 1 else "records"
        return f"{self.operation} {len(self.rids)} {self.both.item.name} {records} in {self.target.name}"


def must_be_foreseen(session: Session) -> bool:
    """Whether the writes must be computed beforehand: a limit or approval asks for it, and there may be too many."""
    safety, always = session.sync.safety, session.order.asks_approval
    limits = [limit.min for limit in (safety.max_creates, safety.max_updates) if limit is not None]
    if not session.progress.push or not (always or limits):
        return False
    pending = session.cache.pending.count() + session.cache.parked.count()
    # Where records refer to others, a handled record makes more of them pending.
    exact = not always and not any(both.item.has_references for both in session.pairs)
    return pending > (min(limits) if exact else 0)


@contextmanager
def rehearsal(session: Session) -> Iterator[tuple[Session, Changes]]:
    """A session that continues from here without any effect; what it would write is in `Changes`."""
    try:
        with TemporaryDirectory(prefix="tidegate-foreseen-") as directory, Path(os.devnull).open("w") as nowhere:
            session.cache.copy_to(Path(directory))
            with closing(Cache(Path(directory), None)) as cache, closing(Changes(Path(directory))) as changes:
                pairs = tuple(_planned(both, changes) for both in session.pairs)
                progress = Progress(**cache.recall("progress"))
                report = Report(Path(os.devnull), nowhere)
                rehearsed = replace(session, cache=cache, pairs=pairs, progress=progress, report=report, journal=None)
                yield rehearsed, changes
    except (sqlite3.Error, OSError) as error:
        raise RunEnded(
            "what the run would write cannot be counted: the directory for temporary files must have room for a copy "
            f"of the cache and of all that would be written: {error}"
        ) from error


def _planned(both: SourcePair, changes: Changes) -> SourcePair:
    first, second = (
        replace(source, collection=planned(source.collection, title_of(both.item, source.name), changes))
        for source in both.sources
    )
    return replace(both, sources=(first, second))


def foreseen(session: Session, rehearsed: Session, changes: Changes) -> Iterator[Foreseen]:
    """What the rehearsed push would write."""
    for both in session.pairs:
        for side in SIDES:
            target = both.sources[side]
            found: dict[Operation, array[int]] = {}
            for operation, keys in changes.keys(title_of(both.item, target.name), _BATCH):
                rids = _rids(session, rehearsed, target.number, operation, keys)
                found.setdefault(operation, array("q")).extend(rids)
            yield from (Foreseen(both, side, operation, rids) for operation, rids in found.items())


def _rids(session: Session, rehearsed: Session, target: int, operation: Operation, keys: Sequence[Key]) -> list[int]:
    # The rehearsal's cache no longer has deleted records.
    cache = session.cache if operation == "delete" else rehearsed.cache
    rows = cache.rows(rid for _, rid, _ in cache.known(target, keys).values())
    own = session.cache.rows(rows) if operation == "update" else {}
    known = (rid if rid in own and own[rid].key == row.key else row.link for rid, row in rows.items())
    return [rid for rid in known if rid is not None]
