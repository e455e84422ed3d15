"""Undo: the steps of a run that undoes another: recover → scan → guard → undo. Called by `steps`.

What the scan finds is left to the next run. The records that the run has written are taken back the last first, batch
by batch: read, decide, write, acknowledge. What another record blocks is tried again as long as any is written. It may
be repeated from the start: what is already as it was before is left.
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

# One that is edited each time before it can be written is left alone.
_PASSES = 5


def undo(session: Session, run: int) -> None:
    """Take back what a run has written. Raises Halted before anything is written."""
    progress = session.progress
    if progress.phase == "complete":
        with session.commit():
            return
    settle(session)
    recover(session, after_scan=False)
    if progress.phase == "scan":
        # What refers to a record that is to be deleted has to be known.
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
    """Take back what was written to these records, of one source. Returns those that others block."""
    if source_of(session, chains[0][-1].change.source) is None:
        for *_, last in chains:
            told = last.change
            leave(session, told.object, told.connector, told.key, "spec.sync does not sync it any more")
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
