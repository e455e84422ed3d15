"""Journals a batch of `push`: its entries are stored before the writes, and completed with the results."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from tidegate.worker.config.rules import SIDES, Side, other
from tidegate.worker.connectors import Postponed, Record
from tidegate.worker.journal.changes import Change, What
from tidegate.worker.merge.three_way import Create, Delete, Patch
from tidegate.worker.run.push.work import Work, values_for
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import Source, SourcePair
from tidegate.worker.values.normal_form import Value


class _Written(NamedTuple):
    work: Work
    side: Side
    fields: Sequence[int]
    change: Change


@contextmanager
def journalled(session: Session, both: SourcePair, works: Sequence[Work]) -> Iterator[None]:
    """Journal the writes that are made inside; those with an unknown outcome are marked as such."""
    journal = session.journal
    if journal is None:
        yield
        return
    # In the order in which they are sent: an undo reverses it.
    written = [each for side in SIDES for what in _ORDER for each in _writes(both, works, side, what)]
    numbers = journal.intend([each.change for each in written])
    yield
    if not numbers:
        return
    answered = list(zip(numbers, written, strict=True))
    done = {number: change for number, each in answered if (change := _as_answered(both, each)) is not None}
    nothing = [number for number, each in answered if number not in done and not _in_doubt(each)]
    journal.complete(done, nothing)


_ORDER: tuple[What, ...] = ("create", "update", "delete")


def _writes(both: SourcePair, works: Sequence[Work], side: Side, what: What) -> Iterator[_Written]:
    source = both.sources[side]
    for work in works:
        fields = _written_fields(source, work, what)
        if not fields:
            continue
        row, across = work.rows[side], work.rows[other(side)]
        record = work.records[side] if what != "create" else None
        before = () if record is None else record.values
        after = () if what == "delete" else values_for(work, side)
        change = Change(
            source.number, source.item.name, source.name, what,
            None if record is None or row is None else row.key, across and across.key,
            _named(source, fields, before), _named(source, fields, after),
            _named(source, source.item.match, before or after),
        )  # fmt: skip
        yield _Written(work, side, fields, change)


def _written_fields(source: Source, work: Work, what: What) -> Sequence[int]:
    decision, side, everything = work.decision, source.side, range(len(source.item.fields))
    if what == "create":
        is_made = isinstance(decision, Create) and decision.on == side
        # A field that the new record does not get is a pending edit, and no part of the create.
        return [i for i in everything if i not in work.unfit and i not in work.waiting] if is_made else ()
    if what == "update":
        return decision.to[side] if isinstance(decision, Patch) else ()
    is_deleted = isinstance(decision, Delete) and decision.on == side
    return everything if is_deleted else ()


def _named(source: Source, fields: Sequence[int], values: Sequence[Value]) -> dict[str, Value]:
    """Values by the fields' names on that side; none for a missing record."""
    return {source.item.fields[i].names[source.side]: values[i] for i in fields} if values else {}


def _as_answered(both: SourcePair, written: _Written) -> Change | None:
    """The change as the system has carried it out; None if it has not, or has not said."""
    answer = written.work.answers[written.side]
    if isinstance(answer, Record):
        after = _named(both.sources[written.side], written.fields, answer.values)
        return written.change._replace(key=answer.key, after=after)
    return written.change if answer is None and written.change.what == "delete" else None


def _in_doubt(written: _Written) -> bool:
    answer = written.work.answers[written.side]
    return isinstance(answer, Postponed) and answer.in_doubt
