"""Accepts people's decisions about conflicts, once, before the push. A part of a run's steps.

From then on the cache holds a decision beside what waits, so that an interrupted run carries it out, and none is
carried out twice. A decision that cannot be accepted is reported and fails nothing.
"""

from collections.abc import Sequence
from typing import NamedTuple

from tidegate.api.decisions import ALL, NEWEST, RecordId, Single, parse, singles
from tidegate.worker.cache.parked import Taken
from tidegate.worker.config.rules import SIDES, Side
from tidegate.worker.connectors import Key
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import SourcePair

# The identities of those decisions in the last file that were accepted.
_TAKEN_UP = "decisions"
# SQLite has no integer with more digits.
_LONGEST_NUMBER = 18


class _RefusedError(Exception):
    """A decision that cannot be accepted; the text says why."""


class _Meant(NamedTuple):
    """What a decision covers; without a title, all fields."""

    both: SourcePair
    title: str | None
    taken: Taken


def take_up_decisions(session: Session) -> None:
    """Store new decisions beside what waits; called within the commit that begins the push."""
    if session.order.decisions is None:
        return
    try:
        decisions = list(singles(parse(session.order.decisions.read_bytes())))
    except (OSError, ValueError) as error:
        session.report.warning(f"the decisions cannot be read, and none is carried out: {error}")
        return
    before = set(session.cache.recall(_TAKEN_UP) or ())
    for decision in decisions:
        if decision.identity not in before:
            try:
                _take_up(session, decision)
            except _RefusedError as refused:
                connector = decision.connector or ALL
                session.tell_undecided(decision.object, connector, decision.id, decision.field, str(refused))
    session.cache.remember(_TAKEN_UP, [decision.identity for decision in decisions])
    session.cache.parked.retry_decided()


def _take_up(session: Session, decision: Single) -> None:
    meant = _meant(session, decision)
    if decision.id == ALL:
        if not session.cache.parked.decide_all(meant.both.numbers, meant.title, meant.taken):
            raise _RefusedError("no conflict of these waits for a decision")
        return
    side = _side(session, decision.connector)
    waiting = session.cache.parked.of(meant.both.numbers[side], _keys(decision.id))
    if waiting is None:
        raise _RefusedError(f"no record of {decision.connector} with this id is known")
    waiting = [each for each in waiting if meant.title in (None, each.field) or not each.field]
    decided = [(each.rid, each.field) for each in waiting if each.by_decision]
    if not decided:
        others = "; ".join(each.reason for each in waiting)
        why = f"it waits for a reason that only an edit settles: {others}" if others else "it waits for no decision"
        raise _RefusedError(why)
    session.cache.parked.decide(decided, meant.taken)


def _meant(session: Session, decision: Single) -> _Meant:
    both = next((both for both in session.pairs if both.item.name == decision.object), None)
    if both is None:
        raise _RefusedError("spec.sync has no object of this name")
    return _Meant(both, _title(both, decision.field), _taken(session, both, decision.take))


def _title(both: SourcePair, field: str) -> str | None:
    """The field's title, under which it waits; a person may also use the name on either side."""
    if field == ALL:
        return None
    rules = both.item.fields
    titles = {rule.title for rule in rules if rule.title == field} or {
        rule.title for rule in rules if field in rule.names
    }
    if not titles:
        raise _RefusedError("the object has no field of this name")
    if len(titles) > 1:
        raise _RefusedError(f"several fields have this name: give one of {', '.join(sorted(titles))}")
    return titles.pop()


def _taken(session: Session, both: SourcePair, take: str) -> Taken:
    if take in session.sync.names:
        return _side(session, take)
    if take != NEWEST:
        raise _RefusedError(f"take must be {', '.join(session.sync.names)} or {NEWEST}")
    without = [source.name for source in both.sources if source.cursor is None]
    if without:
        raise _RefusedError(f"{' and '.join(without)} have no cursor that tells which side is newer: take a connector")
    return "newest"


def _side(session: Session, connector: str | None) -> Side:
    for side in SIDES:
        if session.sync.names[side] == connector:
            return side
    raise _RefusedError(f"there is no connector of this name, only {' and '.join(session.sync.names)}")


def _keys(id_: RecordId) -> Sequence[Key]:
    """The possible keys for an id: a number may have been written as a text, and a text as a number."""
    if isinstance(id_, int):
        return [id_, str(id_)] if abs(id_) < 10**_LONGEST_NUMBER else [str(id_)]
    digits = id_.removeprefix("-")
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_NUMBER and str(int(id_)) == id_
    return [id_, int(id_)] if is_number else [id_]
