"""Guard: stop before anything is pushed or accepted when what the scan found looks like an accident.

The step of a run before `push`, or before a read-only run accepts what it has read. A table that was emptied looks like
thousands of deletes, and a column that was emptied like thousands of edits. A limit, or an approval that the operator
asks for, concerns what the run would write as well. A person approves the halted run by its number, or resets (design
sections 4 and 6.2).
"""

from collections.abc import Iterator, Mapping, Sequence

from tidegate.worker.config.rules import SIDES, Limit, Side, other
from tidegate.worker.errors import Halted
from tidegate.worker.run.approval import (
    DELETES,
    Finding,
    What,
    approved_kinds,
    blanked_kind,
    is_approved,
    show,
    words,
)
from tidegate.worker.run.blanked import blanked, count_emptied, count_filled
from tidegate.worker.run.foreseen import Foreseen
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import Source, SourcePair

# Deletes, and fields that were emptied, of so long count together.
_WINDOW_SECONDS = 24 * 60 * 60


def guard(session: Session, foreseen: Sequence[Foreseen]) -> None:
    """Raise Halted unless what was found and what is foreseen is within limits, or was approved."""
    cache, since = session.cache, session.now() - _WINDOW_SECONDS
    sides = [(both, side) for both in session.pairs for side in SIDES]
    blank = {both.numbers[side]: blanked(session, both, side) for both, side in sides}
    _forget_what_no_longer_waits(session, blank, foreseen)
    found = [each for both, side in sides for each in _gone(session, both, side, since)]
    halted = {each.source.number for each in found}
    found += [each for both, side in sides for each in _blanked(session, both, side, blank[both.numbers[side]], since)]
    found += [
        each for each in _foreseen(session, foreseen) if each.what != "deletes" or each.source.number not in halted
    ]
    approved = approved_kinds(session)
    if not all(is_approved(session, each, approved) for each in found):
        show(session, found)
        raise Halted(words(session, found))
    with session.commit():
        session.progress.approved = approved is not None
        cache.deletes.forget_before(since)
        cache.blanks.forget_before(since)
        for both, side in sides:
            _count_from_now_on(session, both.sources[side], blank[both.numbers[side]], approved=bool(approved))


def _forget_what_no_longer_waits(
    session: Session, blank: Mapping[int, Mapping[int, Sequence[int]]], foreseen: Sequence[Foreseen]
) -> None:
    """What an approved run could not do stays approved as long as each later run finds it."""
    cache, partly_read = session.cache, set[int]()
    if not cache.deletes.any_approved():
        return
    found: dict[tuple[int, str], Sequence[int]] = {}
    for source in (source for both in session.pairs for source in both.sources):
        found |= {(source.number, "creates"): (), (source.number, "updates"): ()}
        if not cache.recall(f"source {source.number}")["scannedWhole"]:
            partly_read.add(source.number)
            continue
        found[source.number, DELETES] = cache.pending.gone_from(source.number)
        for field, rids in blank[source.number].items():
            found[source.number, blanked_kind(source.item.fields[field].title)] = rids
    found |= {(each.target.number, f"{each.operation}s"): each.rids for each in foreseen if each.operation != "delete"}
    with session.commit():
        cache.deletes.forget_approved_but(found, partly_read)


def _count_from_now_on(session: Session, source: Source, blank: Mapping[int, Sequence[int]], *, approved: bool) -> None:
    """Hold against later runs what this one may do; not what a person has approved."""
    deletes, number, now = session.cache.deletes, source.number, session.now()

    def unapproved(why: str, rids: Sequence[int]) -> Sequence[int]:
        rids = deletes.not_approved(number, why, rids)
        return deletes.not_shown(number, why, rids) if approved else rids

    deletes.let_through(unapproved(DELETES, session.cache.pending.deletes_of(number)), now)
    for field, rids in blank.items():
        title = source.item.fields[field].title
        session.cache.blanks.let_through(title, unapproved(blanked_kind(title), rids), now)


def _gone(session: Session, both: SourcePair, side: Side, since: float) -> Iterator[Finding]:
    cache, safety = session.cache, session.sync.safety
    source, across = both.sources[side], both.sources[other(side)]
    gone, known = cache.pending.gone_from(source.number), cache.count_known(source.number)
    if not cache.deletes.not_approved(source.number, DELETES, gone):
        return
    linked = _linked(session, source)
    name = both.item.name
    # What has left the filter is still there: the side is not empty, and the same.
    is_empty = len(gone) >= known > 0 and not session.progress.left.get(source.title)
    if safety.empty_side == "halt" and is_empty:
        reason = f"{source.name} no longer has any {name}, and had {known} before"
        if cache.count(source.number) > len(gone):
            reason = f"none of the {known} {name} records that {source.name} had before is left"
        yield Finding(source, "empty", gone, linked, safety.max_deletes, reason)
        return
    deletes = cache.deletes.not_approved(source.number, DELETES, cache.pending.deletes_of(source.number))
    before = cache.deletes.count_let_through(source.number, since)
    if not deletes or not safety.max_deletes.is_exceeded_by(len(deletes) + before, linked + before):
        return
    deleted = both.item.deletes == "propagate" and both.item.deletes_on[across.side]
    would = f"be deleted in {across.name}" if deleted else f"no longer be linked to those of {across.name}"
    allowed = f"more than the {safety.max_deletes.percent} % that safety.maxDeletes allows"
    together = f"which with {before} more in the last 24 hours is " if before else ""
    reason = f"{len(deletes)} of {linked} {name} records are gone from {source.name} and would {would}, "
    yield Finding(source, "deletes", deletes, linked, safety.max_deletes, f"{reason}{together}{allowed}")


def _linked(session: Session, source: Source) -> int:
    return session.cache.count(source.number) - session.cache.count_alone(source.number)


def _blanked(
    session: Session, both: SourcePair, side: Side, blank: Mapping[int, Sequence[int]], since: float
) -> Iterator[Finding]:
    limit, source, across = session.sync.safety.max_blanked, both.sources[side], both.sources[other(side)]
    for field, found in blank.items():
        title = both.item.fields[field].title
        rids = session.cache.deletes.not_approved(source.number, blanked_kind(title), found)
        before = count_emptied(session, source, field, since)
        if len(rids) + before <= limit.min:
            continue
        filled = count_filled(session, source, field)
        if limit.is_exceeded_by(len(rids) + before, filled + before):
            then = f"would be emptied in {across.name}" if session.progress.push else "would be accepted as it is"
            together = f"which with {before} more in the last 24 hours is " if before else ""
            reason = (
                f"{title} is blank now in {len(rids)} of the {filled} {both.item.name} records of {source.name} that "
                f"had one, and {then}, {together}more than the {limit.percent} % that safety.maxBlanked allows"
            )
            yield Finding(source, "blanked", rids, filled, limit, reason, title)


def _foreseen(session: Session, foreseen: Sequence[Foreseen]) -> Iterator[Finding]:
    """What would be written: too many records, or all of it where an approval is asked for."""
    safety, asked = session.sync.safety, session.order.asks_approval
    for each in foreseen:
        if each.operation == "delete":
            gone = each.both.sources[other(each.side)]
            if asked:
                yield Finding(
                    gone, "deletes", each.rids, _linked(session, gone), safety.max_deletes, each.words, foreseen=each,
                    asked=True,
                )  # fmt: skip
            continue
        create = each.operation == "create"
        what: What = "creates" if create else "updates"
        limit = safety.max_creates if create else safety.max_updates
        linked = _linked(session, each.target)
        rids = session.cache.deletes.not_approved(each.target.number, what, each.rids)
        if limit is not None and limit.is_exceeded_by(len(rids), linked):
            reason = (
                f"{len(rids)} {each.both.item.name} records would be {each.operation}d in {each.target.name}, "
                f"more than the {limit.percent} % of {linked} linked ones that safety.max{what.capitalize()} allows"
            )
            yield Finding(each.target, what, rids, linked, limit, reason, foreseen=each)
        elif asked:
            yield Finding(each.target, what, each.rids, linked, limit or Limit(), each.words, foreseen=each, asked=True)
