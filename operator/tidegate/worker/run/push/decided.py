"""Applies people's decisions to the fields of a batch of `push`, and reports the results.

A decision is carried out once, and only on the values that it was made for. If that is impossible, the reason is
reported and the field waits as before.
"""

from collections.abc import Mapping

from tidegate.worker.cache.parked import Taken
from tidegate.worker.config.rules import SIDES, Side, other
from tidegate.worker.connectors import Record
from tidegate.worker.merge.newest import ZoneUnknownError, newer_side
from tidegate.worker.merge.three_way import Patch
from tidegate.worker.run.push.work import Work
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import SourcePair
from tidegate.worker.values.normal_form import UNKNOWN

_EDITED = "the field was edited since it was set aside"


def resolve(session: Session, both: SourcePair, work: Work, decided: Mapping[int, Taken]) -> None:
    """Determine for each decided field which side wins, or why the decision cannot be carried out."""
    for i, taken in decided.items():
        side = _newer(session, work) if taken == "newest" else taken
        reason = _obstacle(both, work, i, side)
        if side is None or reason:
            work.undecided[i] = reason
        else:
            work.decided[i] = side


def _newer(session: Session, work: Work) -> Side | None:
    try:
        return newer_side(work.records, session.sync.zones)
    except ZoneUnknownError:
        return None


def _obstacle(both: SourcePair, work: Work, field: int, taken: Side | None) -> str:
    """Why a decision cannot be carried out; "" if it can."""
    if None in work.records:
        return "the record is gone from one side"
    if taken is None:
        return "the records' times do not tell which side is newer; take a connector's side"
    for source in both.sources:
        if work.hashes[source.side][field] == UNKNOWN:
            return f"{source.name} leaves the field out of its answer"
    target = other(taken)
    if not (both.item.fields[field].to[target] and both.item.updates_on[target]):
        return f"the field is not written to {both.sources[target].name}: see its direction and writes"
    return ""


def conclude(session: Session, both: SourcePair, work: Work) -> None:
    """Report the results of the decisions about a record that has been handled.

    A decision about a write that a system refuses, or that waits for another record, stays: it is carried out with the
    record.
    """
    done = {i: _outcome(work, i, taken) for i, taken in work.decided.items()}
    session.progress.decided += sum(reason == "" for reason in done.values())
    undone = work.undecided | {i: reason for i, reason in done.items() if reason}
    if not undone:
        return
    source = next(source for source in both.sources if work.rows[source.side] is not None)
    for i, reason in undone.items():
        field = both.item.fields[i].title
        session.tell_undecided(both.item.name, source.name, work.row(source.side).key, field, reason)
    session.cache.parked.undecide(work.rids, [both.item.fields[i].title for i in work.undecided])


def _outcome(work: Work, field: int, taken: Side) -> str | None:
    """Why a decision was not carried out; "" if it was, and None if it still will be."""
    patch = work.decision
    if not isinstance(patch, Patch):
        return None
    if field in patch.parked:
        return f"{_EDITED}, and waits again"
    written = {i for side in SIDES if isinstance(work.answers[side], Record) for i in patch.to[side]}
    if field in patch.to[taken] and field in written:
        return f"{_EDITED}, and the conflict policy took the other side"
    if field in work.unfit:
        return work.unfit[field]
    if field in written or work.compared[0][field] == work.compared[1][field]:
        return ""
    return None
