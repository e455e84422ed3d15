"""Approval: what a halted run lists for a person, and what the approved run may do.

A part of `guard`. An approval covers what the halted run has listed: more of the same kind has to be within the limits,
and anything else halts again. It applies to one run, the next one (design section 6.1).
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Literal

from tidegate.worker.config.rules import Limit
from tidegate.worker.run.foreseen import Foreseen
from tidegate.worker.run.report import NAMED_LINES, bounded
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import Source

What = Literal["empty", "deletes", "blanked", "creates", "updates", "undo"]
Kind = tuple[int, What, str]

# The kind under which missing records of a side are listed, whether all or some are missing.
DELETES = "deletes"

# With more findings than this, they are combined by side and kind: the contract has room for ten.
_TOLD_EACH = 8

_NAMED_IDS = 3


def blanked_kind(field: str) -> str:
    """The kind under which records with this field blank are listed."""
    return f"blanked {field}"


@dataclass(frozen=True, slots=True)
class Finding:
    """Records of one side that are gone, that have a blank `field`, or that would be written.

    `reason` is a clause; where `asked`, an approval is required regardless of limits, and `reason` follows "would".
    `linked` is the number of records that could be of the kind; `limit` says how many of them may be.
    """

    source: Source
    what: What
    rids: Sequence[int]
    linked: int
    limit: Limit
    reason: str
    field: str = ""
    foreseen: Foreseen | None = None
    asked: bool = False

    @property
    def kind(self) -> Kind:
        """The kind of records that an approval covers."""
        return self.source.number, self.what, self.field

    @property
    def why(self) -> str:
        """The kind under which the records are listed: the same for all deletes."""
        if self.what == "blanked":
            return blanked_kind(self.field)
        return DELETES if self.what == "empty" else self.what


def approved_kinds(session: Session) -> set[Kind] | None:
    """The kinds that a person has approved; None unless this cache's halted run has listed them.

    An old approval does not let the next accident pass.
    """
    halted = session.cache.recall("halted")
    approved = session.order.approved
    if not halted or approved is None or approved != halted["run"]:
        return None
    if any(each not in halted["found"] for each in session.order.confirmed):
        return None
    return {(source, what, field) for source, what, field in halted["kinds"]}


def is_approved(session: Session, found: Finding, approved: Set[Kind] | None) -> bool:
    """Whether these records may pass: they were listed, except for some that the limit allows."""
    if approved is None:
        return False
    number = found.source.number
    # An approval of an empty side covers single deletes, and not the other way round.
    seen = found.kind in approved or (found.what == "deletes" and (number, "empty", "") in approved)
    if not (seen or found.asked):
        return False
    more = len(session.cache.deletes.not_shown(number, found.why, found.rids))
    return not more or not found.limit.is_exceeded_by(more, found.linked)


def show(session: Session, found: Sequence[Finding]) -> None:
    """Report what was found, so that a person can look before approving it, and remember what was listed."""
    cache = session.cache
    told = bounded(_told(session, found))
    with session.commit():
        cache.deletes.forget_shown()
        for each in found:
            cache.deletes.show(each.source.number, each.why, each.rids)
        cache.remember("halted", {"run": session.order.run, "found": told, "kinds": [each.kind for each in found]})
    session.report.found(told)
    for each in found:
        _name(session, each)


def _told(session: Session, found: Sequence[Finding]) -> list[dict[str, object]]:
    if len(found) <= _TOLD_EACH:
        return [_entry(session, [each]) for each in found]
    together: dict[tuple[str, What], list[Finding]] = {}
    for each in found:
        together.setdefault((each.source.name, each.what), []).append(each)
    return [_entry(session, each) for each in together.values()]


def _entry(session: Session, found: Sequence[Finding]) -> dict[str, object]:
    first, *others = found
    objects = {each.source.item.name for each in found}
    rids = [rid for each in found for rid in each.rids]
    return {
        "object": first.source.item.name if len(objects) == 1 else f"{len(objects)} objects",
        "connector": first.source.name, "what": first.what, "count": len(rids),
        "digest": session.cache.deletes.digest(rids),
        **({"field": first.field} if first.field and not others else {}),
    }  # fmt: skip


def _name(session: Session, found: Finding) -> None:
    """List the records in the log."""
    source, planned = found.source, found.foreseen
    for row in session.cache.rows(found.rids[:NAMED_LINES]).values():
        if planned is None:
            session.report.suspicious(source.item.name, source.name, row.key, found.field)
            continue
        held_by = next(each.name for each in planned.both.sources if each.number == row.source)
        session.report.foreseen(source.item.name, planned.target.name, planned.operation, row.key, held_by)


def words(session: Session, found: Sequence[Finding]) -> str:
    """Why the run halts."""
    reasons = [f"{each.reason}: {_ids(session, each)}" for each in found if not each.asked]
    asked = [each.reason for each in found if each.asked]
    if asked:
        reasons.append(f"spec.approval is Always, and the run would {', '.join(asked)}")
    return "; ".join(reasons)


def _ids(session: Session, found: Finding) -> str:
    rows = session.cache.rows(found.rids[:_NAMED_IDS])
    named = [str(rows[rid].key) for rid in found.rids[:_NAMED_IDS]]
    more = len(found.rids) - len(named)
    which = ", ".join(named) + (f" and {more} more" if more else "")
    if found.foreseen is not None:
        return which
    done = "emptied" if found.what == "blanked" else "deleted"
    return f"{which}; restore what was not {done} on purpose"
