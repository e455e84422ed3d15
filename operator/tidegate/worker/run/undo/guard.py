"""Guard: an undo that would delete more than `safety.maxDeletes` allows stops before it writes anything.

A person approves the halted run by its number. The approval covers the listed records, and what the limit allows
anyway.
"""

from collections.abc import Mapping, Sequence

from tidegate.worker.errors import Halted
from tidegate.worker.run.approval import Finding, approved_kinds, is_approved, show, words
from tidegate.worker.run.foreseen import Foreseen
from tidegate.worker.run.session import Session
from tidegate.worker.run.undo.read import batches, read, source_of
from tidegate.worker.run.undo.reverse import Remove


def guard(session: Session, run: int) -> None:
    """Raise Halted unless the deletes of the undo are within limits, or were approved."""
    deletes = _deletes(session, run)
    found = [each for number, rids in deletes.items() if (each := _finding(session, number, rids, run)) is not None]
    approved = approved_kinds(session)
    if all(is_approved(session, each, approved) for each in found):
        return
    show(session, found)
    halted = Halted(words(session, found))
    if session.would_halt is None:
        raise halted
    session.would_halt.append(str(halted))


def _deletes(session: Session, run: int) -> Mapping[int, Sequence[int]]:
    """The records that would be deleted, by source."""
    found: dict[int, list[int]] = {}
    for chains in batches(session, run):
        session.pace.wait()
        for each in read(session, chains):
            if isinstance(each.reversal, Remove) and each.row is not None:
                found.setdefault(each.source.number, []).append(each.row.rid)
        session.pace.took(len(chains))
    return found


def _finding(session: Session, number: int, rids: Sequence[int], run: int) -> Finding | None:
    known = source_of(session, number)
    assert known is not None  # noqa: S101
    both, source = known
    limit, linked = session.sync.safety.max_deletes, session.cache.count(number) - session.cache.count_alone(number)
    if not limit.is_exceeded_by(len(rids), linked):
        return None
    records = f"{source.item.name} record" if len(rids) == 1 else f"{source.item.name} records"
    reason = (
        f"the undo of run {run} would delete {len(rids)} {records} in {source.name} that the run has "
        f"created, more than the {limit.percent} % of {linked} linked ones that safety.maxDeletes allows"
    )
    foreseen = Foreseen(both, source.side, "delete", rids)
    return Finding(source, "undo", rids, linked, limit, reason, foreseen=foreseen)
