"""One run, step by step: recover → scan → pair → guard → push. Called by `main`.

A read-only run does not push: it accepts both sides as they are once the guard has passed, and pairs them after that.
A planned run takes the same steps on systems that are never written; see `planned`.

Where a run that was cut short stands is in its progress: the same run number continues there, another starts over
and keeps the cache.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from tidegate.worker.cache.compatibility import fields_were_read, objects_were_read
from tidegate.worker.cache.store import Cache
from tidegate.worker.config.rules import Sync
from tidegate.worker.errors import Halted
from tidegate.worker.run.decisions import take_up_decisions
from tidegate.worker.run.environment import Order
from tidegate.worker.run.foreseen import Foreseen, foreseen, must_be_foreseen, rehearsal
from tidegate.worker.run.guard import guard
from tidegate.worker.run.pair import pair
from tidegate.worker.run.progress import Progress
from tidegate.worker.run.push.batches import push
from tidegate.worker.run.recover import recover
from tidegate.worker.run.rekeyed import guard_against_other_records
from tidegate.worker.run.report import WAITING_LINES, Report
from tidegate.worker.run.run_journal import open_journal
from tidegate.worker.run.scan import scan
from tidegate.worker.run.session import Connects, Session, close_with, connect, open_pairs
from tidegate.worker.run.source import Source
from tidegate.worker.run.throttle import Pace
from tidegate.worker.run.undo.order import undo
from tidegate.worker.run.undo.settle import settle

Opens = Callable[[Order], Cache]


def _open_cache(order: Order) -> Cache:
    return Cache(order.cache_dir, order.cache_epoch, order.oldest_cache_epoch)


@contextmanager
def opened(
    order: Order,
    sync: Sync,
    environ: Mapping[str, str],
    report: Report,
    interrupted: Callable[[], bool],
    *,
    connects: Connects = connect,
    opens: Opens = _open_cache,
    now: Callable[[], float] = time.time,
    would_halt: list[str] | None = None,
) -> Iterator[Session]:
    """Connect both systems and open the cache for as long as the run takes; with `would_halt` the run is planned."""
    with ExitStack() as open_until_then:
        connectors = connects(sync, environ)
        close_with(open_until_then, connectors, interrupted)
        cache = opens(order)
        open_until_then.callback(cache.close)
        writes = order.push and would_halt is None
        journal = open_journal(order, sync, environ, report, now) if writes or order.undo is not None else None
        if journal is not None:
            open_until_then.callback(journal.close)
        pairs = open_pairs(
            sync, connectors, cache, pushes=writes, deleting=journal.undo_deletes if journal else set(),
            resets=order.resets,
        )  # fmt: skip
        progress = Progress.resume(cache.recall("progress"), order) or _start(order, sync, cache)
        pace = Pace(sync.pace.records_per_second if sync.pace else None, interrupted)
        seconds = progress.seconds
        yield Session(
            order, sync, cache, pairs, progress, pace, report, journal, now, would_halt, seconds_before=seconds
        )


def complete(session: Session) -> str:
    """Take the steps that are left. Returns what a person should know of a complete run; raises RunEnded otherwise."""
    if session.order.undo is None:
        _run(session)
    else:
        undo(session, session.order.undo)
    if session.would_halt is None:  # a plan lists it whole
        _tell_what_waits(session)
    return _remark(session)


def _start(order: Order, sync: Sync, cache: Cache) -> Progress:
    with cache.transaction():
        cache.accepted.clear()
    return Progress.start(order, sync.names)


def _run(session: Session) -> None:
    progress = session.progress
    if progress.phase == "complete":
        with session.commit():
            return
    _believe_what_has_settled(session)
    settle(session)
    recover(session, after_scan=False)
    if progress.phase == "scan":
        scan(session)
        if progress.push:
            recover(session, after_scan=True)
            pair(session)
        with session.commit():
            progress.phase = "guard"
    if progress.phase == "guard":
        _guard(session)
        if progress.push:
            _enter_push(session)
        else:
            _accept(session)
    if progress.phase == "accepted":
        recover(session, after_scan=True)
        pair(session)
        _complete(session)
    if progress.phase == "push":
        push(session)
        _complete(session)


def _guard(session: Session) -> None:
    for check in (guard_against_other_records, _guard_writes):
        try:
            check(session)
        except Halted as halted:
            if session.would_halt is None:
                raise
            session.would_halt.append(str(halted))


def _guard_writes(session: Session) -> None:
    writes: list[Foreseen] = []
    if must_be_foreseen(session):
        with rehearsal(session) as (rehearsed, changes):
            _enter_push(rehearsed)
            push(rehearsed)
            writes += foreseen(session, rehearsed, changes)
    guard(session, writes)


def _accept(session: Session) -> None:
    """Take both sides as they are: all of it at once, so that no run ever meets one side accepted and the other not."""
    cache = session.cache
    with session.commit():
        cache.remember("halted", None)
        _take_as_known(session)
        _whole_scans_count(session)
        session.progress.phase = "accepted"


def _take_as_known(session: Session) -> None:
    """What the scan has noted as accepted becomes the shadows, and what it has missed there is forgotten."""
    accepting = [source for both in session.pairs for source in both.sources if session.accepts(source)]
    for source in accepting:
        session.cache.let_go(session.cache.pending.gone_from(source.number))
    if accepting:
        session.cache.accepted.apply()


def _believe_what_has_settled(session: Session) -> None:
    now = session.now()
    with session.commit():
        for both in session.pairs:
            for source in both.sources:
                session.cache.settling.expire(source.number, now - source.stale_seconds, now)


def _enter_push(session: Session) -> None:
    with session.commit():
        session.cache.remember("halted", None)
        _take_as_known(session)
        session.cache.parked.retry_records()
        settled = [both for both in session.pairs if both.item.conflict != "park"]
        session.cache.parked.retry_conflicts(number for both in settled for number in both.numbers)
        take_up_decisions(session)
        _whole_scans_count(session)
        session.progress.phase = "push"


def _complete(session: Session) -> None:
    with session.commit():
        session.cache.index_alone()
        if session.progress.approved:
            session.cache.deletes.keep_approved()
        session.progress.phase = "complete"


def _whole_scans_count(session: Session) -> None:
    """From now on it is enough to read changes, until the next whole scan is due."""
    cache = session.cache
    for both in session.pairs:
        for source in both.sources:
            name = f"source {source.number}"
            remembered = cache.recall(name)
            if remembered["scannedWhole"]:
                cache.remember(name, remembered | {"readWholeAt": session.now()})
    objects_were_read(cache, session.sync)
    if all(cache.recall(f"source {s.number}")["scannedWhole"] for both in session.pairs for s in both.sources):
        fields_were_read(cache, session.sync)


def _tell_what_waits(session: Session) -> None:
    """Also what has waited since earlier runs: the log of the last run names all, up to a limit."""
    sources = {source.number: source for both in session.pairs for source in both.sources}
    for waiting in session.cache.parked.oldest(WAITING_LINES):
        if (source := sources.get(waiting.source)) is not None:
            session.report.waits(source.item.name, source.name, waiting.key, waiting.field, waiting.reason)
    if (more := session.cache.parked.count() - WAITING_LINES) > 0:
        session.report.warning(
            f"{more} more wait for a decision than the {WAITING_LINES} that this log names; "
            "`tidegate-worker conflicts` lists all of them, in a Pod that mounts the cache"
        )


def _withheld(session: Session, source: Source) -> Iterator[str]:
    """What this run would have done on a side, if it were allowed there: it does not wait, and is said once."""
    item = source.item
    unwritten = [item.fields[i].title for i in item.match if not item.fields[i].to[source.side]]
    for operation, count in session.progress.withheld.get(source.title, {}).items():
        why = f"writes does not list {operation} for it"
        if operation in item.writes[source.side]:
            why = f"its match field {', '.join(unwritten)} is not written there"
        yield f"{item.name} in {source.name}: {count} not {operation}d: {why}"


def _remark(session: Session) -> str:
    parked = session.cache.parked.count()
    remarks = [] if session.order.undo is None else _undone(session, session.order.undo)
    remarks += [f"{parked} waiting for a decision: see the run's log"] if parked else []
    if decided := session.progress.decided:
        remarks.append(f"fields settled as decided: {decided}")
    if undecided := session.progress.undecided:
        remarks.append(f"{undecided} decisions not carried out: see the run's log")
    remarks += _reset(session)
    if unreadable := session.progress.unreadable:
        were = _records(unreadable, "cannot be read and was", "cannot be read and were")
        remarks.append(f"{were} set aside: see the run's log")
    if stale := session.progress.stale:
        answered = _records(
            stale,
            "is still answered as it was before it was written, and is read",
            "are still answered as they were before they were written, and are read",
        )
        remarks.append(f"{answered} again by the next run; see staleFor")
    remarks += [words for both in session.pairs for source in both.sources for words in _withheld(session, source)]
    for source, left in session.progress.left.items():
        remarks.append(
            _records(
                left,
                f"has left the filter of {source} and is no longer linked",
                f"have left the filter of {source} and are no longer linked",
            )
        )
    for source, doubt in session.progress.doubts.items():
        remarks.append(
            f"the list of {source} may have left out records: {doubt}; no record that is missing from it counts as "
            "deleted, and the next run reads the same changes again"
        )
    return "; ".join(remarks)


def _reset(session: Session) -> list[str]:
    synced = {item.name for item in session.sync.objects}
    asked = [reset.object for reset in session.order.resets]
    done = ", ".join(name for name in asked if name in synced)
    left = ", ".join(name for name in asked if name not in synced)
    did = "reset as requested: " if session.would_halt is None else "planned with the requested reset of "
    return [
        *([f"{did}{done}"] if done else []),
        *([f"not reset, because spec.sync no longer syncs it: {left}"] if left else []),
    ]


def _undone(session: Session, run: int) -> list[str]:
    """What came of an undo; records that a former process of the run has taken back are among those."""
    written = sum(count for counts in session.progress.pushed.values() for count in counts.values())
    left = session.progress.left_alone
    back = _records(
        written, f"was set back to what it was before run {run}", f"were set back to what they were before run {run}"
    )
    said = [back] if session.would_halt is None else []
    return said + ([f"left unchanged: {left}; see the run's log"] if left else [])


def _records(count: int, one: str, several: str) -> str:
    return f"1 record {one}" if count == 1 else f"{count} records {several}"
