"""The merge: two shadows and two current records → a decision. Pure: it compares hashes, and does no I/O.

The centre of a run: `push` calls it for every record that `scan` found to differ from its shadow, and carries out the
decision. Its rules (design section 6.2), none of which may ever lose an edit silently:

- a change is a difference from the side's own shadow; a difference between the sides only was accepted, and stays;
- equal on both sides is agreement, however it came about;
- changed on one side: it flows to the other; changed on both: the conflict policy decides, or the field is parked;
- at the first pairing, without shadows, a blank never overwrites a value; else the conflict policy decides;
- a parked field was edited on both sides: a policy that names a winner settles it, even one that was set later;
- a decision about a parked field is a claim of the side that it takes, as an edit is: it conflicts with an edit that
  was made since on the other side;
- a field that a side omits overwrites nothing, and nothing overwrites it;
- an edit beats a delete, parked or not, and a record that was never seen whole is never deleted.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Literal, NamedTuple

from tidegate.worker.config.rules import SIDES, FieldRule, Operation, Side, other
from tidegate.worker.values.normal_form import Hash


class Presence(Enum):
    """Whether a side has the record."""

    PRESENT = "present"
    GONE = "gone"  # it had the record, linked to the other side's
    NEVER = "never"  # it never had a counterpart


class State(NamedTuple):
    """One side's record: per field, what it held when last seen (None: never seen) and what it holds now.

    `now` is None for a field that the system omits. `compared` is the present value in a form that both sides share; a
    reference has different ids on the two sides.
    """

    presence: Presence
    seen: tuple[Hash | None, ...] = ()
    now: tuple[Hash | None, ...] = ()
    compared: tuple[Hash, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """The configuration's rules for one object."""

    conflict: Side | Literal["newest", "park"]
    deletes: Literal["unlink", "propagate"]
    creates_on: tuple[bool, bool] = (True, True)
    updates_on: tuple[bool, bool] = (True, True)
    deletes_on: tuple[bool, bool] = (True, True)


class Parked(NamedTuple):
    """The fields that need a decision: all with an edit that is not on both sides, and those in conflict.

    `decided` are the fields that a person has decided, each with the side that is taken.
    """

    fields: Set[int] = frozenset()
    conflicts: Set[int] = frozenset()
    decided: Mapping[int, Side] = MappingProxyType({})


_NONE_PARKED = Parked()


@dataclass(frozen=True, slots=True)
class Patch:
    """Both sides have the record: the fields to write to side 0 and to side 1, the parked ones, and all in conflict.

    `hidden` are those that one side has edited and the other omits: what a write would overwrite is unknown. `withheld`
    are the sides to which an edit does not flow, because they may not be updated.
    """

    to: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
    parked: tuple[int, ...] = ()
    conflicts: tuple[int, ...] = ()
    hidden: tuple[int, ...] = ()
    withheld: tuple[Side, ...] = ()

    def overwritten(self, side: Side) -> list[int]:
        """The fields of a side in which an edit is overwritten, because the policy settles the conflict so."""
        return [i for i in self.to[side] if i in self.conflicts]


@dataclass(frozen=True, slots=True)
class Create:
    """Create the record on a side that does not have it."""

    on: Side


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the record on a side, because its counterpart was deleted."""

    on: Side


@dataclass(frozen=True, slots=True)
class Keep:
    """Accept the records as they are; a counterpart that is gone is unlinked.

    `withheld` is what would be done, and on which side, if it were allowed there.
    """

    withheld: tuple[Operation, Side] | None = None


@dataclass(frozen=True, slots=True)
class Forget:
    """Neither side has the record."""


Decision = Patch | Create | Delete | Keep | Forget


def merge(
    states: tuple[State, State],
    rules: Sequence[FieldRule],
    policy: Policy,
    blank: Hash,
    newer: Side | None = None,
    parked: Parked = _NONE_PARKED,
) -> Decision:
    """The decision about one record.

    `blank` is the hash of no value; `newer` is the side that was changed last, where that is known.
    """
    present = [side for side in SIDES if states[side].presence is Presence.PRESENT]
    if not present:
        return Forget()
    if len(present) == 1:
        return _one_sided(states, present[0], rules, policy, parked.fields)
    return _two_sided(states, rules, policy, blank, newer, parked)


def _one_sided(
    states: tuple[State, State], here: Side, rules: Sequence[FieldRule], policy: Policy, parked: Set[int]
) -> Decision:
    there = other(here)
    state = states[here]
    made = Create(there) if policy.creates_on[there] else Keep(withheld=("create", there))
    if not any(state.seen):
        return made  # it is new
    flowing = [(seen, now) for rule, seen, now in zip(rules, state.seen, state.now, strict=True) if rule.to[there]]
    edited = any(now is not None and seen not in (None, now) for seen, now in flowing) or any(
        rules[i].to[there] for i in parked
    )
    due = states[there].presence is Presence.GONE and policy.deletes == "propagate"
    deleted = due and policy.deletes_on[here]
    # A field that was never seen may hold an edit, which beats the delete.
    doubtful = deleted and any(seen is None and now is not None for seen, now in flowing)
    if edited or doubtful:
        return made
    if deleted:
        return Delete(here)
    return Keep(withheld=("delete", here)) if due else Keep()


def _two_sided(
    states: tuple[State, State],
    rules: Sequence[FieldRule],
    policy: Policy,
    blank: Hash,
    newer: Side | None,
    parked_before: Parked,
) -> Patch:
    winner = newer if policy.conflict == "newest" else policy.conflict if policy.conflict != "park" else None
    to: tuple[list[int], list[int]] = ([], [])
    parked: list[int] = []
    conflicts: list[int] = []
    hidden: list[int] = []
    withheld: set[Side] = set()
    for i, rule in enumerate(rules):
        now = states[0].now[i], states[1].now[i]
        if None not in now and states[0].compared[i] == states[1].compared[i]:
            continue
        to_side = rule.to[0] and policy.updates_on[0], rule.to[1] and policy.updates_on[1]
        seen = states[0].seen[i], states[1].seen[i]
        contending = _sources(rule.to, seen, now, blank)
        sources = tuple(side for side in contending if to_side[other(side)])
        if None in now:
            hidden += [i] * len(sources)
            continue
        taken = parked_before.decided.get(i)
        if taken is not None and None not in seen:
            sources = tuple(side for side in SIDES if side in sources or (side == taken and to_side[other(side)]))
        elif not sources and i in parked_before.conflicts and winner is not None:
            contending = tuple(side for side in SIDES if rule.to[other(side)])
            sources = tuple(side for side in contending if to_side[other(side)])
        if taken is None and len(contending) == len(SIDES) and winner is not None and not to_side[other(winner)]:
            sources, contending = (), (winner,)  # what wins may not be written, and what loses overwrites nothing
        if not sources:
            withheld |= {other(side) for side in contending}
        if len(sources) == len(SIDES):
            conflicts.append(i)
            if winner is None:
                parked.append(i)
                continue
            sources = (winner,)
        for source in sources:
            to[other(source)].append(i)
    return Patch((tuple(to[0]), tuple(to[1])), tuple(parked), tuple(conflicts), tuple(hidden), tuple(sorted(withheld)))


def _sources(
    to_side: tuple[bool, bool], seen: tuple[Hash | None, Hash | None], now: tuple[Hash | None, Hash | None], blank: Hash
) -> tuple[Side, ...]:
    """The sides whose value may flow to the other, given that the values differ; two of them are a conflict."""
    shown = [side for side in SIDES if to_side[other(side)] and now[side] is not None]
    if seen[0] is None or seen[1] is None:
        return tuple(side for side in shown if now[side] != blank)
    return tuple(side for side in shown if now[side] != seen[side])
