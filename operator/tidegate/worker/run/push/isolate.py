"""Isolate: find the records that a batch of `push` fails by, set them aside, and get the others through.

Law 3: one record that cannot be handled stops nothing. A connector answers Rejected for a record where it can tell;
where a whole batch fails instead, it is halved until the record stands alone. The same failure of many records is the
system's: the run fails and is retried.
"""

import sqlite3
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tidegate.worker.cache.row import Row
from tidegate.worker.errors import ConfigurationError, RunEnded, SystemFailed
from tidegate.worker.run.push.work import Work
from tidegate.worker.run.recover import recover_what_is_certain
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import SourcePair

# A record that fails while no other gets through is tried in so many attempts at a run before it is set aside.
_ATTEMPTS = 3
# So many that fail, and more than get through, are not each record's own fault.
_MANY = 10

Push = Callable[[Sequence[Row]], Sequence[Work]]


@dataclass(slots=True)
class Tally:
    """What has got through in this process, and what was set aside because it failed."""

    through: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class _Search:
    session: Session
    both: SourcePair
    tally: Tally
    push: Push
    alone: list[tuple[Row, Exception]] = field(default_factory=list)

    def go(self, pending: Sequence[Row]) -> list[Work]:
        """Push these, and note which of them fail alone."""
        try:
            works = list(self.push(pending))
        except (SystemFailed, ConfigurationError) as error:
            failure: Exception = error
        except (RunEnded, sqlite3.Error):
            raise
        except Exception as error:
            failure = error
        else:
            self.tally.through += len(works)
            return works
        _raise_if_it_breaks_off(self.both, failure)
        doubtful = recover_what_is_certain(self.session)
        # Two that are linked are pushed, and fail, as one.
        first = {row.rid: row for row in pending if row.link is None or row.link > row.rid}
        rids = [row.rid for row in pending if row.rid not in doubtful and (row.rid in first or row.link not in first)]
        if not rids:
            raise failure
        if len(pending) == 1:
            self.alone.append((pending[0], failure))
            if len(self.alone) >= _MANY and not self.tally.through:
                raise failure
            return []
        works = []
        half = (len(rids) + 1) // 2
        for some in (rids[:half], rids[half:]):
            self.session.pace.wait()
            # Read again: a record may have been dealt with beside its counterpart.
            if rows := self.session.cache.pending.among(some):
                works += self.go(rows)
        return works


def push_isolated(session: Session, both: SourcePair, pending: Sequence[Row], tally: Tally, push: Push) -> list[Work]:
    """Push what can be; what fails alone is set aside. Raises what the system fails with when it is the system."""
    search = _Search(session, both, tally, push)
    works = search.go(pending)
    _forget_failures(session, works)
    if search.alone:
        _set_aside(session, both, search.alone, tally)
    return works


def _raise_if_it_breaks_off(both: SourcePair, failure: Exception) -> None:
    """A system that cannot even be read fails for all."""
    for source in both.sources:
        try:
            source.collection.scan(None, 1, None)
        except RunEnded as error:
            raise failure from error


def _set_aside(session: Session, both: SourcePair, alone: Sequence[tuple[Row, Exception]], tally: Tally) -> None:
    cache = session.cache
    failures: dict[str, int] = cache.recall("failures") or {}
    failures |= {str(row.rid): failures.get(str(row.rid), 0) + 1 for row, _ in alone}
    with cache.transaction():
        cache.remember("failures", failures)
    tally.failed += len(alone)
    for row, failure in alone:
        undecided = isinstance(failure, ConfigurationError) or failures[str(row.rid)] < _ATTEMPTS
        if (tally.through == 0 and undecided) or tally.failed > max(_MANY, tally.through):
            raise failure
    told: set[int | None] = set()
    with session.commit():
        for row, failure in alone:
            if row.rid in told:
                continue
            told.add(row.link)
            source = next(source for source in both.sources if source.number == row.source)
            reason = f"it fails while others succeed: {_words(failure)}"
            session.park(source, row.rid, row.key, None, reason)
            cache.pending.remove(rid for rid in (row.rid, row.link) if rid is not None)


def _forget_failures(session: Session, works: Sequence[Work]) -> None:
    """Records that got through, or are gone, have all attempts again."""
    cache = session.cache
    failures: dict[str, int] = cache.recall("failures") or {}
    if not failures:
        return
    through = {rid for work in works if work.decision is not None and not work.again for rid in work.rids}
    left = {str(rid) for rid in cache.rows(map(int, failures)) if rid not in through}
    if left != failures.keys():
        with cache.transaction():
            cache.remember("failures", {rid: times for rid, times in failures.items() if rid in left})


def _words(failure: Exception) -> str:
    if isinstance(failure, RunEnded):
        return str(failure)
    # Its text may quote a value.
    traceback.print_exception(failure)
    return f"defect of the worker: {type(failure).__name__}"
