"""Guard: stop before anything is pushed when what the scan found looks like an accident.

The fourth step of a run, after `pair`. A table that was emptied, or a URL of another database, looks like thousands
of deletes; a person confirms them by the halted run's number, or resets (design sections 4 and 6.2).
"""

from tidegate.worker.config.rules import SIDES, other
from tidegate.worker.errors import Halted
from tidegate.worker.run.report import NAMED_LINES
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import Source, SourcePair


def guard(session: Session) -> None:
    """Raise Halted unless what is about to be deleted is within limits, or was confirmed."""
    found = [each for both in session.pairs for each in _reasons(session, both)]
    if not found or _confirmed(session):
        return
    with session.commit():
        session.cache.remember("halted", session.order.run)
    for source, _ in found:
        _name(session, source)
    raise Halted("; ".join(reason for _, reason in found))


def _name(session: Session, source: Source) -> None:
    """Name what is gone, so that a person can look before confirming."""
    gone = session.cache.gone_from(source.number, limit=NAMED_LINES)
    for row in session.cache.rows(gone).values():
        session.report.gone(source.item.name, source.name, row.key)


def _confirmed(session: Session) -> bool:
    # Only for the run that was halted: a confirmation that was left in place must not wave the next accident through.
    allowed = session.order.allow_deletes
    return allowed is not None and allowed == session.cache.recall("halted")


def _reasons(session: Session, both: SourcePair) -> list[tuple[Source, str]]:
    cache, safety = session.cache, session.sync.safety
    reasons = []
    for side in SIDES:
        source, across = both.sources[side], both.sources[other(side)]
        gone = cache.count_gone(source.number)
        if not gone:
            continue
        known = cache.count(source.number)
        if safety.empty_side == "halt" and gone == known:
            reasons.append((source, f"{source.name} has no {both.item.name} any more, and had {known} before"))
            continue
        if both.item.deletes != "propagate" or not both.item.exists_on[across.side]:
            continue
        deletes, linked = cache.count_deletes(source.number)
        limit = safety.max_deletes
        if deletes > limit.min and deletes * 100 > limit.percent * linked:
            reason = (
                f"{deletes} of {linked} {both.item.name} records are gone from {source.name} and would be deleted in "
                f"{across.name}, more than the {limit.percent} % that safety.maxDeletes allows"
            )
            reasons.append((source, reason))
    return reasons
