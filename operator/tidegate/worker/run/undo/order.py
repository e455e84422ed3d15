"""Undo: the steps of a run that undoes another: recover → scan → guard → undo. Called by `steps`.

What the scan finds is left to the next run. The records that the run has written are reverted in reverse order, batch
by batch: read, decide, write, acknowledge. A record that another one blocks is retried as long as any is written. An
undo can be repeated from the start: a record in its former state is left unchanged.
"""

from collections.abc import Sequence

from tidegate.worker.connectors import Rejected
from tidegate.worker.journal.changes import Entry
from tidegate.worker.run.recover import recover
from tidegate.worker.run.scan import scan
from tidegate.worker.run.session import Session
from tidegate.worker.run.undo.guard import guard
from tidegate.worker.run.undo.read import Undone, batches, leave, leave_alone, read, source_of
from tidegate.worker.run.undo.reverse import CHANGED
from tidegate.worker.run.undo.settle import settle
from tidegate.worker.run.undo.write import has_changed, write

# A record that is edited before each attempt to write it is left alone.
_PASSES = 5


def undo(session: Session, run: int) -> None:
    """Revert what a run has written. Raises Halted before anything is written."""
    progress = session.progress
    if progress.phase == "complete":
        with session.commit():
            return
    settle(session)
    recover(session, after_scan=False)
    if progress.phase == "scan":
        # References to a record that is to be deleted have to be known.
        scan(session)
        recover(session, after_scan=True)
        with session.commit():
            progress.phase = "guard"
    if progress.phase == "guard":
        guard(session, run)
        with session.commit():
            session.cache.remember("halted", None)
            progress.phase = "undo"
    progress.left_alone = 0
    blocked = [each for chains in batches(session, run) for each in _take_back(session, chains)]
    while blocked:
        again = [each for before in blocked for each in _take_back(session, [before.chain])]
        if len(again) == len(blocked):
            break
        blocked = again
    for each in blocked:
        assert isinstance(each.answer, Rejected)  # noqa: S101
        leave_alone(session, each, f"{each.source.name} refuses it: {each.answer.reason}")
    with session.commit():
        progress.phase = "complete"


def _take_back(session: Session, chains: Sequence[Sequence[Entry]]) -> list[Undone]:
    """Revert the writes to these records of one source. Return the records that others block."""
    if source_of(session, chains[0][-1].change.source) is None:
        for *_, last in chains:
            told = last.change
            why = "spec.sync no longer syncs it, or its object was reset since"
            leave(session, told.object, told.connector, told.key, why)
        return []
    blocked, left = list[Undone](), chains
    for passes in range(1, _PASSES + 1):
        session.pace.wait()
        works = read(session, left)
        write(session, works)
        session.pace.took(len(left))
        blocked += [each for each in works if each.is_blocked]
        changed = [each for each in works if has_changed(each)]
        if not changed:
            break
        left = [each.chain for each in changed]
        if passes == _PASSES:
            for each in changed:
                leave_alone(session, each, CHANGED)
    return blocked
