"""Guard: stop before anything is pushed or accepted when what the scan found looks like an accident.

The step of a run before `push`, or before a read-only run accepts what it has read. A table that was emptied looks like
thousands of deletes; a human confirms them by the halted run's number, or resets (design sections 4 and 6.2). What is
confirmed is what that run has shown: more of the same has to pass the limits by itself, and anything else halts again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tidegate.worker.cache.deletes import digest_of
from tidegate.worker.config.rules import SIDES, MaxDeletes, Side, other
from tidegate.worker.errors import Halted
from tidegate.worker.run.report import NAMED_LINES, bounded
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import Source, SourcePair

# Deletes of so long count together.
_WINDOW_SECONDS = 24 * 60 * 60

_NAMED_IDS = 3

What = Literal["empty", "deletes"]


@dataclass(frozen=True, slots=True)
class _Finding:
    """Records of one side that are gone, which is too many; `reason` is a clause for a human."""

    source: Source
    what: What
    rids: Sequence[int]
    linked: int
    reason: str


def guard(session: Session) -> None:
    """Raise Halted unless what is about to be deleted or unlinked is within limits, or was confirmed."""
    cache, since = session.cache, session.now() - _WINDOW_SECONDS
    found = [each for both in session.pairs for side in SIDES for each in _findings(session, both, side, since)]
    confirmed = _confirmed_kinds(session)
    if all(_is_confirmed(session, each, confirmed) for each in found):
        with session.commit():
            cache.deletes.forget_before(since)
            for both in session.pairs:
                for number in both.numbers:
                    deletes = cache.deletes_of(number)
                    if confirmed:  # what was confirmed is not held against later runs
                        deletes = cache.deletes.not_shown(number, deletes)
                    cache.deletes.let_through(deletes, session.now())
        return
    _show(session, found)
    raise Halted("; ".join(f"{each.reason}: {_ids(session, each)}" for each in found))


def exceeds(limit: MaxDeletes, deletes: int, linked: int) -> bool:
    """Whether so many deletes, of so many linked records, are more than may pass."""
    return deletes > limit.min and deletes * 100 > limit.percent * linked


def _findings(session: Session, both: SourcePair, side: Side, since: float) -> Iterator[_Finding]:
    cache, safety = session.cache, session.sync.safety
    source, across = both.sources[side], both.sources[other(side)]
    gone, known = cache.gone_from(source.number), cache.count_known(source.number)
    if not gone:
        return
    linked = cache.count(source.number) - cache.count_alone(source.number)
    name = both.item.name
    # What has left the filter is still there: the side is not empty, and the same.
    is_empty = len(gone) >= known > 0 and not session.progress.left.get(source.title)
    if safety.empty_side == "halt" and is_empty:
        reason = f"{source.name} has no {name} any more, and had {known} before"
        if cache.count(source.number) > len(gone):
            reason = f"none of the {known} {name} records that {source.name} had before is there any more"
        yield _Finding(source, "empty", gone, linked, reason)
        return
    deletes = cache.deletes_of(source.number)
    before = cache.deletes.count_let_through(source.number, since)
    if not deletes or not exceeds(safety.max_deletes, len(deletes) + before, linked + before):
        return
    deleted = both.item.deletes == "propagate" and both.item.deletes_on[across.side]
    would = f"be deleted in {across.name}" if deleted else f"no longer be linked to those of {across.name}"
    allowed = f"more than the {safety.max_deletes.percent} % that safety.maxDeletes allows"
    together = f"with {before} more of the last 24 hours that is " if before else ""
    reason = f"{len(deletes)} of {linked} {name} records are gone from {source.name} and would {would}, "
    yield _Finding(source, "deletes", deletes, linked, f"{reason}{together}{allowed}")


def _confirmed_kinds(session: Session) -> dict[int, str]:
    """What a human has seen and confirmed, by source; nothing unless it is what this cache's halted run has shown.

    A confirmation that was left in place does not wave the next accident through.
    """
    halted = session.cache.recall("halted")
    allowed = session.order.allow_deletes
    if not halted or allowed is None or allowed != halted["run"]:
        return {}
    if any(each not in halted["found"] for each in session.order.confirmed):
        return {}
    return {int(source): what for source, what in halted["kinds"].items()}


def _is_confirmed(session: Session, found: _Finding, confirmed: dict[int, str]) -> bool:
    number = found.source.number
    # Who has seen that some are gone has not seen that all are.
    if number not in confirmed or (found.what == "empty" and confirmed[number] != "empty"):
        return False
    more = len(session.cache.deletes.not_shown(number, found.rids))
    return not more or not exceeds(session.sync.safety.max_deletes, more, found.linked)


def _show(session: Session, found: Sequence[_Finding]) -> None:
    """Tell what is gone, so that a human can look before confirming, and remember what was told."""
    cache = session.cache
    told = bounded([_told(session, each) for each in found])
    with session.commit():
        cache.deletes.forget_shown()
        for each in found:
            cache.deletes.show(each.source.number, each.rids)
        kinds = {each.source.number: each.what for each in found}
        cache.remember("halted", {"run": session.order.run, "found": told, "kinds": kinds})
    session.report.found(told)
    for each in found:
        for row in cache.rows(each.rids[:NAMED_LINES]).values():
            session.report.gone(each.source.item.name, each.source.name, row.key)


def _told(session: Session, found: _Finding) -> dict[str, object]:
    keys = [row.key for row in session.cache.rows(found.rids).values()]
    return {
        "object": found.source.item.name, "connector": found.source.name, "what": found.what,
        "count": len(keys), "digest": digest_of(keys),
    }  # fmt: skip


def _ids(session: Session, found: _Finding) -> str:
    rows = session.cache.rows(found.rids[:_NAMED_IDS])
    named = [str(rows[rid].key) for rid in found.rids[:_NAMED_IDS]]
    more = len(found.rids) - len(named)
    which = ", ".join(named) + (f" and {more} more" if more else "")
    return f"{which}; restore what was not deleted on purpose"
