"""Guard: stop before anything is pushed or accepted when what the scan found looks like an accident.

The step of a run before `push`, or before a read-only run accepts what it has read. A table that was emptied looks like
thousands of deletes, and a column that was emptied like thousands of edits; a person confirms them by the halted run's
number, or resets (design sections 4 and 6.2). What is confirmed is what that run has shown: more of the same has to
pass the limits by itself, and anything else halts again.
"""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Literal

from tidegate.worker.cache.deletes import digest_of
from tidegate.worker.config.rules import SIDES, Limit, Side, other
from tidegate.worker.errors import Halted
from tidegate.worker.run.blanked import blanked, count_filled
from tidegate.worker.run.report import NAMED_LINES, bounded
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import Source, SourcePair

# Deletes of so long count together.
_WINDOW_SECONDS = 24 * 60 * 60

_NAMED_IDS = 3

# For what the records of a side that are gone are shown, be it all of them or some.
_DELETES = "deletes"

What = Literal["empty", "deletes", "blanked"]
_Kind = tuple[int, What, str]


@dataclass(frozen=True, slots=True)
class _Finding:
    """Records of one side that are gone, or in which `field` is blank, which is too many; `reason` is a clause.

    `linked` counts the records that might be; `limit` says how many of them may be.
    """

    source: Source
    what: What
    rids: Sequence[int]
    linked: int
    limit: Limit
    reason: str
    field: str = ""

    @property
    def kind(self) -> _Kind:
        """What a confirmation is of."""
        return self.source.number, self.what, self.field

    @property
    def why(self) -> str:
        """For what the records are shown: all that are gone for the same."""
        return f"blanked {self.field}" if self.what == "blanked" else _DELETES


def guard(session: Session) -> None:
    """Raise Halted unless what is about to be deleted or unlinked is within limits, or was confirmed."""
    cache, since = session.cache, session.now() - _WINDOW_SECONDS
    sides = [(both, side) for both in session.pairs for side in SIDES]
    found = [each for both, side in sides for each in _gone(session, both, side, since)]
    found += [each for both, side in sides for each in _blanked(session, both, side)]
    confirmed = _confirmed_kinds(session)
    if all(_is_confirmed(session, each, confirmed) for each in found):
        with session.commit():
            cache.deletes.forget_before(since)
            for both in session.pairs:
                for number in both.numbers:
                    deletes = cache.deletes_of(number)
                    if confirmed:  # what was confirmed is not held against later runs
                        deletes = cache.deletes.not_shown(number, _DELETES, deletes)
                    cache.deletes.let_through(deletes, session.now())
        return
    _show(session, found)
    raise Halted("; ".join(f"{each.reason}: {_ids(session, each)}" for each in found))


def _gone(session: Session, both: SourcePair, side: Side, since: float) -> Iterator[_Finding]:
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
        reason = f"{source.name} no longer has any {name}, and had {known} before"
        if cache.count(source.number) > len(gone):
            reason = f"none of the {known} {name} records that {source.name} had before is left"
        yield _Finding(source, "empty", gone, linked, safety.max_deletes, reason)
        return
    deletes = cache.deletes_of(source.number)
    before = cache.deletes.count_let_through(source.number, since)
    if not deletes or not safety.max_deletes.is_exceeded_by(len(deletes) + before, linked + before):
        return
    deleted = both.item.deletes == "propagate" and both.item.deletes_on[across.side]
    would = f"be deleted in {across.name}" if deleted else f"no longer be linked to those of {across.name}"
    allowed = f"more than the {safety.max_deletes.percent} % that safety.maxDeletes allows"
    together = f"which with {before} more in the last 24 hours is " if before else ""
    reason = f"{len(deletes)} of {linked} {name} records are gone from {source.name} and would {would}, "
    yield _Finding(source, "deletes", deletes, linked, safety.max_deletes, f"{reason}{together}{allowed}")


def _blanked(session: Session, both: SourcePair, side: Side) -> Iterator[_Finding]:
    limit, source, across = session.sync.safety.max_blanked, both.sources[side], both.sources[other(side)]
    for field, rids in blanked(session, both, side).items():
        if len(rids) <= limit.min:
            continue
        filled = count_filled(session, source, field)
        if limit.is_exceeded_by(len(rids), filled):
            title = both.item.fields[field].title
            then = f"would be emptied in {across.name}" if session.progress.push else "would be accepted as it is"
            reason = (
                f"{title} is blank now in {len(rids)} of the {filled} {both.item.name} records of {source.name} that "
                f"had one, and {then}, more than the {limit.percent} % that safety.maxBlanked allows"
            )
            yield _Finding(source, "blanked", rids, filled, limit, reason, title)


def _confirmed_kinds(session: Session) -> set[_Kind]:
    """What a person has seen and confirmed; nothing unless it is what this cache's halted run has shown.

    A confirmation that was left in place does not wave the next accident through.
    """
    halted = session.cache.recall("halted")
    allowed = session.order.allow_deletes
    if not halted or allowed is None or allowed != halted["run"]:
        return set()
    if any(each not in halted["found"] for each in session.order.confirmed):
        return set()
    return {(source, what, field) for source, what, field in halted["kinds"]}


def _is_confirmed(session: Session, found: _Finding, confirmed: Set[_Kind]) -> bool:
    number = found.source.number
    # Who has seen that all are gone has seen that some are, and not the other way round.
    if found.kind not in confirmed and (found.what != "deletes" or (number, "empty", "") not in confirmed):
        return False
    more = len(session.cache.deletes.not_shown(number, found.why, found.rids))
    return not more or not found.limit.is_exceeded_by(more, found.linked)


def _show(session: Session, found: Sequence[_Finding]) -> None:
    """Tell what is gone or blank, so that a person can look before confirming, and remember what was told."""
    cache = session.cache
    told = bounded([_told(session, each) for each in found])
    shown = found[: len(told)]
    with session.commit():
        cache.deletes.forget_shown()
        for each in shown:
            cache.deletes.show(each.source.number, each.why, each.rids)
        kinds = [each.kind for each in shown]
        cache.remember("halted", {"run": session.order.run, "found": told, "kinds": kinds})
    session.report.found(told)
    for each in found:
        for row in cache.rows(each.rids[:NAMED_LINES]).values():
            session.report.suspicious(each.source.item.name, each.source.name, row.key, each.field)


def _told(session: Session, found: _Finding) -> dict[str, object]:
    keys = [row.key for row in session.cache.rows(found.rids).values()]
    return {
        "object": found.source.item.name, "connector": found.source.name, "what": found.what,
        "count": len(keys), "digest": digest_of(keys), **({"field": found.field} if found.field else {}),
    }  # fmt: skip


def _ids(session: Session, found: _Finding) -> str:
    rows = session.cache.rows(found.rids[:_NAMED_IDS])
    named = [str(rows[rid].key) for rid in found.rids[:_NAMED_IDS]]
    more = len(found.rids) - len(named)
    which = ", ".join(named) + (f" and {more} more" if more else "")
    done = "emptied" if found.what == "blanked" else "deleted"
    return f"{which}; restore what was not {done} on purpose"
