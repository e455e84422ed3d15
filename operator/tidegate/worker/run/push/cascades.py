"""Cascades: deletes that would also delete, or orphan, records that are to stay. A step of `push`.

A database may delete what refers to a deleted record, and an edit there would be lost with it. A record is therefore
deleted only after all that refer to it by a `ref` are gone: children first, and a parent with living children waits.
Where the system can tell who refers to it, that includes records outside the filter, and those created since the scan.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from tidegate.worker.config.rules import SIDES, Side, other
from tidegate.worker.connectors import FindsReferring, Key, unread
from tidegate.worker.connectors.where import outside
from tidegate.worker.merge.three_way import Delete
from tidegate.worker.run.push.work import Work
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import Source, SourcePair
from tidegate.worker.values.normal_form import MISSING, UNKNOWN, Value, normal


@dataclass(frozen=True, slots=True)
class Child:
    """A record that refers to one that is about to be deleted, or cannot be read and may refer to it."""

    title: str
    key: Key
    unread: bool = False
    outside: bool = False


def wait_for_children(session: Session, both: SourcePair, works: Sequence[Work], *, patient: bool) -> None:
    """Take back the deletes of records that others refer to; `patient` ones wait for those to be deleted first."""
    for on in SIDES:
        deletes = {
            work.row(on).key: work for work in works if isinstance(work.decision, Delete) and work.decision.on == on
        }
        while deletes:
            children = dict(children_of(session, both, on, deletes))
            for key, child in children.items():
                _hold_back(session, both, deletes.pop(key), on, child, patient=patient)
            if not children:
                break  # of those that are held back some may be children themselves


def children_of(session: Session, both: SourcePair, on: Side, deletes: Collection[Key]) -> Iterator[tuple[Key, Child]]:
    """Records that stay and refer to these, which are to be deleted: each with the id that it refers to."""
    parents = {normal(key): key for key in deletes}
    for referring in session.pairs:
        source = referring.sources[on]
        going = {*deletes} if referring is both else set()
        for i, rule in enumerate(referring.item.fields):
            if rule.ref != both.item.name:
                continue
            for child, value in _values(session, source, i, list(deletes)):
                if child.key in going:
                    continue
                parent = parents.get(normal(value))
                named = [] if parent is None else [parent]
                yield from ((each, child) for each in (deletes if child.unread else named))


def _values(session: Session, source: Source, field: int, parents: Sequence[Key]) -> Iterator[tuple[Child, Value]]:
    """What those records refer to now that may refer to one of these; MISSING for one that cannot be read."""
    title = source.item.name
    if isinstance(source.collection, FindsReferring):
        referring = source.collection.referring(field, parents)
        left = outside(source.collection)
        for record in referring:
            yield Child(title, record.key, outside=record.key in left), record.values[field]
    hashes = [*(source.hash_of(field, key) for key in parents), UNKNOWN]
    keys = session.cache.may_hold(source.number, source.layout.place_of(field), hashes)
    for start in range(0, len(keys), source.collection.batch):
        session.pace.wait()
        found = source.get(keys[start : start + source.collection.batch])
        unreadable = unread(source.collection)
        values = ((key, record.values[field]) for key, record in found.items())
        yield from ((Child(title, key), value) for key, value in values if normal(value))
        yield from ((Child(title, key, unread=True), MISSING) for key in unreadable)


def _hold_back(session: Session, both: SourcePair, work: Work, on: Side, child: Child, *, patient: bool) -> None:
    work.decision, work.again = None, patient
    if patient:
        return
    target, row = both.sources[on], work.row(on)
    refers = "cannot be read and may refer" if child.unread else "still refers"
    which = ", which is outside the filter (where)," if child.outside else ""
    reason = (
        f"it was deleted in {both.sources[other(on)].name}, and {child.title} {child.key} of {target.name}{which} "
        f"{refers} to it: delete that one, or let it refer to another {both.item.name}"
    )
    with session.cache.transaction():
        session.park(target, row.rid, row.key, None, reason)
        session.cache.pending.remove(work.rids)
