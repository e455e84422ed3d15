"""Written: the single writes of a run, from the journal, as the log of the plan of its undo lists them."""

from collections.abc import Iterator

from tidegate.worker.journal.changes import Change, Entry, Told
from tidegate.worker.run.details import Detail
from tidegate.worker.run.session import Session


def written(session: Session, *, values: bool) -> Iterator[Detail]:
    """What the run to be undone has written, in order, by id and field name; `values` adds those before and after."""
    run = session.order.undo
    if run is None or session.journal is None:
        return
    journal = session.journal.journal
    yield from map(_with_values, journal.entries(run)) if values else map(_without_values, journal.told(run))


def _without_values(told: Told) -> Detail:
    return {**_record(told, done=told.done), "fields": list(told.fields)}


def _with_values(entry: Entry) -> Detail:
    change = entry.change
    fields = {name: [change.before.get(name), change.after.get(name)] for name in change.after or change.before}
    return {**_record(change, done=entry.done), "match": dict(change.match), "fields": fields}


def _record(change: Told | Change, *, done: bool) -> Detail:
    record = {"type": "written", "object": change.object, "connector": change.connector, "what": change.what}
    return {**record, "id": change.key, **({} if done else {"done": "unknown"})}
