"""Reverse: what one run has written to one record, and what the record holds now → how to revert it. Pure.

A value that differs from what the run wrote was changed since, and stays. Values are compared as in the merge: a
difference that the sync ignores is none here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tidegate.worker.journal.changes import Change, Entry
from tidegate.worker.merge.kept import is_a_form_of
from tidegate.worker.values.normal_form import MISSING, Value, normal

Same = Callable[[str, Value, Value], bool]

# Values by the fields' names; None for a missing record.
Held = Mapping[str, Value] | None

CHANGED = "it has been changed since"


@dataclass(frozen=True, slots=True)
class Restore:
    """Write these values; `left` names the fields that stay as they are, and why."""

    values: Mapping[str, Value]
    left: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete the record, which the run has created."""


@dataclass(frozen=True, slots=True)
class Recreate:
    """Create the record, which the run has deleted."""

    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave the record as it is."""

    reason: str


Reversal = Restore | Remove | Recreate | Leave


def reverse(chain: Sequence[Entry], now: Held, same: Same) -> Reversal:
    """How to revert what a run has written to one record, in the run's order.

    A write whose entry is not done may not have happened: it has not if the record is as it was before. A Restore
    without values means that the record is already in its former state.
    """
    held, left = now, dict[str, str]()
    for entry in reversed(chain):
        change = entry.change
        if change.what == "update":
            if held is None:
                return Leave("it no longer exists")
            held = _without_update(entry, held, left, same)
        elif change.what == "create":
            if held is None:
                continue
            if reason := _is_not_as_created(entry, held, left, same):
                return Leave(reason)
            held = None
        elif held is None:
            held = change.before
        elif not _is_as(held, change.before, same):
            return Leave("a record with its id is there again, and holds other values")
    return _way(now, held, left)


def _way(now: Held, then: Held, left: Mapping[str, str]) -> Reversal:
    """How to get from the present state to the former one."""
    if then is None:
        return Restore({}) if now is None else Remove()
    if now is None:
        return Recreate(then)
    return Restore({name: value for name, value in then.items() if normal(value) != normal(now[name])}, left)


def _without_update(entry: Entry, held: Mapping[str, Value], left: dict[str, str], same: Same) -> Mapping[str, Value]:
    change, found = entry.change, dict(held)
    for name, after in change.after.items():
        before = change.before[name]
        if name not in held:
            left[name] = "spec.sync no longer syncs it"
        elif MISSING in (held[name], before):
            left[name] = "the system omits it from its answer"
        elif name in left or same(name, held[name], before):
            continue
        elif _stands(entry, name, held[name], after, same):
            found[name] = before
        else:
            left[name] = CHANGED
    return found


def _is_not_as_created(entry: Entry, held: Mapping[str, Value], left: Mapping[str, str], same: Same) -> str:
    """Why a record must not be deleted; "" if it is as it was created."""
    created = entry.change.after
    if gone := sorted(created.keys() - held.keys()):
        return f"{', '.join(gone)} is not synced any more, so it is unknown whether it is as it was created"
    new = (name for name in held.keys() - created.keys() if normal(held[name]) is not None)
    as_created = all(_stands(entry, name, held[name], value, same) for name, value in created.items())
    return "" if as_created and not left and not any(new) else CHANGED


def _stands(entry: Entry, name: str, held: Value, after: Value, same: Same) -> bool:
    """Whether a field still holds what was written. Without an answer to the write, the stored form is unknown."""
    return held is not MISSING and (same(name, held, after) or (not entry.done and is_a_form_of(held, after)))


def _is_as(held: Mapping[str, Value], values: Mapping[str, Value], same: Same) -> bool:
    return all(name in held and same(name, held[name], value) for name, value in values.items())


def with_ids(change: Change, renewed: Callable[[str, Value], Value]) -> Change:
    """The change with the present ids of referenced records."""
    before, after = (
        {name: renewed(name, value) for name, value in values.items()} for values in (change.before, change.after)
    )
    return change._replace(before=before, after=after)
