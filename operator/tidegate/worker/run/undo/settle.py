"""Settle: find out what an interrupted undo has written, before any run reads the systems.

If its restored values counted as edits, they would be pushed over the other side's, and its deletes would be
propagated.
"""

from collections.abc import Sequence

from tidegate.worker.cache.compatibility import remembers
from tidegate.worker.connectors import Record
from tidegate.worker.journal.changes import Change, Entry
from tidegate.worker.merge.kept import is_a_form_of
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import Source, SourcePair
from tidegate.worker.run.undo.read import source_of
from tidegate.worker.run.undo.write import recreated, removed, restored
from tidegate.worker.values.normal_form import Value


def settle(session: Session) -> None:
    """Acknowledge what the systems hold if an undo has written it. May be repeated."""
    if session.journal is None:
        return
    journal = session.journal.journal
    for entry in journal.unsettled():
        session.pace.wait()
        found = source_of(session, entry.change.source)
        if found is None:
            if not remembers(session.cache, entry.change.source):
                journal.complete(entry.run, {}, [entry.number])  # its object was reset: all of it is read as new
            continue  # settled when the object is synced again
        with session.cache.transaction():
            happened = _settle(session, *found, entry)
        if happened is None:
            journal.complete(entry.run, {}, [entry.number])
        else:
            journal.complete(entry.run, {entry.number: happened})


def _settle(session: Session, both: SourcePair, source: Source, entry: Entry) -> Change | None:
    """The change as it was carried out; None if it was not."""
    change = entry.change
    if change.what == "create":
        record = _created(source, change)
        if record is None:
            return None
        known = session.cache.row_of(source.number, record.key)
        if known is None or known.shadow is None:
            recreated(session, both, source.side, record, change.across)
        return change._replace(key=record.key, after=_named(source, record))
    assert change.key is not None  # noqa: S101
    record = source.get([change.key]).get(change.key)
    if change.what == "delete":
        if record is not None:
            return None
        removed(session, both, source.side, change._replace(after=change.before), change.key)
        return change
    if record is None:
        return None
    held = _named(source, record)
    written = [name for name, value in change.after.items() if name in held and is_a_form_of(held[name], value)]
    if not written:
        return None
    restored(session, source, record, written, None)
    return change


def _created(source: Source, change: Change) -> Record | None:
    values = [change.after.get(rule.names[source.side]) for rule in source.item.fields]
    found = source.collection.find([tuple(values[i] for i in source.item.match)])
    fitting = [record for record in found if _is_a_form_of(record.values, values)]
    return fitting[0] if len(fitting) == 1 else None


def _is_a_form_of(stored: Sequence[Value], sent: Sequence[Value]) -> bool:
    return all(is_a_form_of(one, two) for one, two in zip(stored, sent, strict=True))


def _named(source: Source, record: Record) -> dict[str, Value]:
    return {rule.names[source.side]: value for rule, value in zip(source.item.fields, record.values, strict=True)}
