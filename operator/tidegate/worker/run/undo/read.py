"""Read: what a run has written to some records, what they hold now, and how to revert each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from tidegate.worker.cache.row import Row
from tidegate.worker.cache.settling import is_stale
from tidegate.worker.config.rules import other
from tidegate.worker.connectors import Blocked, Changed, Key, Record, Rejected, unread
from tidegate.worker.connectors.where import outside
from tidegate.worker.journal.changes import Entry
from tidegate.worker.run.run_journal import RunJournal
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import Source, SourcePair
from tidegate.worker.run.undo.reverse import Leave, Recreate, Remove, Restore, Reversal, Same, reverse, with_ids
from tidegate.worker.values.normal_form import Value

# How many records are looked up in the journal at once.
_PAGE = 500


@dataclass(slots=True)
class Undone:
    """One record in an undo: what was written to it, what it holds, how to revert it, and the result."""

    chain: Sequence[Entry]
    both: SourcePair
    source: Source
    key: Key | None
    row: Row | None
    record: Record | None
    reversal: Reversal
    answer: Record | Changed | Rejected | None = None

    @property
    def last(self) -> int:
        """The number of its last entry."""
        return self.chain[-1].number

    @property
    def is_blocked(self) -> bool:
        """Whether it may succeed after another record is written."""
        return isinstance(self.answer, Blocked)


def batches(session: Session, run: int) -> Iterator[Sequence[Sequence[Entry]]]:
    """All that a run has written, by record, the last first; each batch has records of one source only."""
    journal, before = journal_of(session).journal, None
    while chains := journal.chains(run, before, _PAGE):
        before = chains[-1][-1].number
        for number, of_source in groupby(chains, key=lambda chain: chain[-1].change.source):
            some = [*of_source]
            found = source_of(session, number)
            size = len(some) if found is None else found[1].collection.batch
            yield from (some[start : start + size] for start in range(0, len(some), size))


def read(session: Session, chains: Sequence[Sequence[Entry]]) -> list[Undone]:
    """These records as they are now, each with how to revert it; none of an object that is no longer synced."""
    found = source_of(session, chains[0][-1].change.source)
    if found is None:
        return []
    both, source = found
    keys = [_key_of(session, both, source, chain) for chain in chains]
    records = source.get([key for key in keys if key is not None])
    unreadable, left_out = unread(source.collection), outside(source.collection)
    undone = []
    for chain, key in zip(chains, keys, strict=True):
        row = None if key is None else session.cache.row_of(source.number, key)
        record = None if key is None else records.get(key)
        each = Undone(chain, both, source, key, row, record, Leave(""))
        if key is None:
            each.reversal = Leave("it is unknown whether it was created: its counterpart is not linked")
        elif key in unreadable:
            each.reversal = Leave(f"it cannot be read: {unreadable[key]}")
        elif key in left_out:
            each.reversal = Leave("it is outside the filter (where)")
        elif _is_stale(session, each):
            each.reversal = Leave("it was written a moment ago, and may be answered as it was before; see staleFor")
        else:
            each.reversal = _allowed(source, reverse(_with_ids(session, source, chain), _held(each), _same(source)))
        undone.append(each)
    return undone


def source_of(session: Session, number: int) -> tuple[SourcePair, Source] | None:
    """The source with this number; None if it is not synced."""
    return next(((both, s) for both in session.pairs for s in both.sources if s.number == number), None)


def leave(session: Session, title: str, connector: str, key: Key | None, reason: str, field: str = "") -> None:
    """Count and log a record or field that is left unchanged."""
    session.progress.left_alone += 1
    session.report.left_alone(title, connector, key, field, reason)


def leave_alone(session: Session, undone: Undone, reason: str) -> None:
    """Count and log a record that is left unchanged."""
    leave(session, undone.source.item.name, undone.source.name, undone.key, reason)


def journal_of(session: Session) -> RunJournal:
    """The journal, which every undo has."""
    assert session.journal is not None  # noqa: S101
    return session.journal


def _key_of(session: Session, both: SourcePair, source: Source, chain: Sequence[Entry]) -> Key | None:
    """The present id of the record; None for one whose create is in doubt and whose id is unknown."""
    change = chain[-1].change
    if change.key is not None:
        renewed = journal_of(session).journal.renewed(source.number, change.key)
        return change.key if renewed is None else renewed
    if change.former is not None:
        return journal_of(session).journal.renewed(source.number, change.former)
    across = both.sources[other(source.side)]
    origin = None if change.across is None else session.cache.row_of(across.number, change.across)
    if origin is None or origin.link is None:
        return None
    return session.cache.rows([origin.link])[origin.link].key


def _with_ids(session: Session, source: Source, chain: Sequence[Entry]) -> Sequence[Entry]:
    refs = {rule.names[source.side]: rule.ref for rule in source.item.fields if rule.ref is not None}
    if not refs:
        return chain
    numbers = {both.item.name: both.sources[source.side].number for both in session.pairs}

    def renewed(name: str, value: Value) -> Value:
        found = journal_of(session).journal.renewed(numbers[refs[name]], value) if name in refs else None
        return value if found is None else found

    return [each._replace(change=with_ids(each.change, renewed)) for each in chain]


def _held(undone: Undone) -> Mapping[str, Value] | None:
    record, side = undone.record, undone.source.side
    if record is None:
        return None
    return {rule.names[side]: value for rule, value in zip(undone.source.item.fields, record.values, strict=True)}


def _same(source: Source) -> Same:
    index = {rule.names[source.side]: i for i, rule in enumerate(source.item.fields)}

    def same(name: str, one: Value, two: Value) -> bool:
        return source.hash_of(index[name], one) == source.hash_of(index[name], two)

    return same


def _is_stale(session: Session, undone: Undone) -> bool:
    row, record, source = undone.row, undone.record, undone.source
    written = session.cache.settling.of([row.rid]).get(row.rid) if row is not None else None
    if written is None or record is None or row is None or written.before is None:
        return False
    (now,) = source.field_hashes([record])
    return is_stale(source.layout.unpack(written.before), source.seen(row.shadow, record.values, now), now)


def _allowed(source: Source, reversal: Reversal) -> Reversal:
    """The reversal, reduced to what spec.sync allows to be written on that side."""
    item, side = source.item, source.side
    refused = "spec.sync does not allow it to be {} in " + source.name
    if isinstance(reversal, Remove) and "delete" not in item.writes[side]:
        return Leave(refused.format("deleted"))
    if isinstance(reversal, Recreate) and not item.creates_on[side]:
        return Leave(refused.format("created"))
    if isinstance(reversal, Restore):
        written = {rule.names[side] for rule in item.fields if rule.to[side] and item.updates_on[side]}
        values = {name: value for name, value in reversal.values.items() if name in written}
        others = {name: refused.format("updated") for name in reversal.values.keys() - written}
        return Restore(values, {**reversal.left, **others})
    return reversal
