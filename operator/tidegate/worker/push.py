"""Push: carry out on both sides what the merge decides, batch by batch.

The last step of a run, after `guard`. In a batch: read both sides afresh; merge; look up what is to be created;
write down the intents; write, compare-and-set; commit exactly what was acknowledged. A record that was edited
meanwhile stays dirty and is merged again; one that its system refuses is parked.
"""

from collections.abc import Sequence

from tidegate.worker.acknowledge import acknowledge
from tidegate.worker.cache import Intent, Pending, Row
from tidegate.worker.config import SIDES, other
from tidegate.worker.connectors import Changed, Record, Rejected, Write
from tidegate.worker.lookup import look_up
from tidegate.worker.merge import Create, Delete, Patch, Policy, Presence, State, merge
from tidegate.worker.newest import newer_side
from tidegate.worker.session import Session, SourcePair
from tidegate.worker.work import Work

BATCH = 500

# What is edited again and again while it is pushed is left to the next run.
_PASSES = 5


def push(session: Session) -> None:
    """Deal with all dirty records, objects in their order."""
    for both in session.pairs:
        for n in range(_PASSES):
            if not _push_once(session, both, first_pass=n == 0):
                break


def _push_once(session: Session, both: SourcePair, *, first_pass: bool) -> bool:
    """One pass over the dirty records; whether another can do more."""
    after, again = 0, False
    while True:
        session.pace.wait()
        pending = session.cache.pending(both.numbers, after, session.pace.batch(BATCH))
        if not pending:
            return again
        again |= _push_batch(session, both, pending, first_pass=first_pass)
        session.pace.took(len(pending))
        after = pending[-1].row.rid


def _push_batch(session: Session, both: SourcePair, pending: Sequence[Pending], *, first_pass: bool) -> bool:
    works = _read(session, both, pending)
    _decide(both, works)
    look_up(session, both, works, first_pass=first_pass)
    _intend(session, both, works)
    for side in SIDES:
        _write(both, works, side)
    with session.commit():
        for work in works:
            acknowledge(session, both, work)
    return any(work.again or any(isinstance(answer, Changed) for answer in work.answers) for work in works)


def _read(session: Session, both: SourcePair, pending: Sequence[Pending]) -> list[Work]:
    """The records and their counterparts, remembered and as they are now."""
    rows = {item.row.rid: item.row for item in pending}
    rows |= session.cache.rows({item.row.link for item in pending if item.row.link is not None} - rows.keys())
    gone = session.cache.gone(rows)
    works = []
    for row in rows.values():
        across = rows.get(row.link) if row.link is not None else None
        if across is not None and across.source < row.source:
            continue  # met from its counterpart on side 0
        first, second = (row, across) if row.source == both.numbers[0] else (across, row)
        works.append(Work(rows=(first, second), gone=(_is_gone(first, gone), _is_gone(second, gone))))
    for side in SIDES:
        collection = both.sources[side].collection
        found = collection.get([work.row(side).key for work in works if work.rows[side] is not None])
        for work in works:
            if work.rows[side] is not None:
                work.records[side] = found.get(work.row(side).key)
    return works


def _is_gone(row: Row | None, gone: set[int]) -> bool:
    return row is not None and row.rid in gone


def _decide(both: SourcePair, works: Sequence[Work]) -> None:
    item = both.item
    policy = Policy(item.conflict, item.deletes, item.exists_on)
    blank = both.sources[0].blank
    for work in works:
        states = tuple(_state(both, work, side) for side in SIDES)
        first, second = states
        if first is None or second is None:
            continue  # vanished since the scan: no whole scan and no guard has seen it; the next run will
        newer = newer_side(work.records) if item.conflict == "newest" else None
        work.decision = merge((first, second), item.fields, policy, blank, newer)


def _state(both: SourcePair, work: Work, side: int) -> State | None:
    source, row, record = both.sources[side], work.rows[side], work.records[side]
    if row is None:
        return State(Presence.NEVER)
    if record is None:
        linked = row.link is not None
        if linked and not work.gone[side]:
            return None
        return State(Presence.GONE if linked else Presence.NEVER)
    work.hashes[side] = source.field_hashes(record)
    return State(Presence.PRESENT, source.layout.unpack(row.shadow), work.hashes[side])


def _intend(session: Session, both: SourcePair, works: Sequence[Work]) -> None:
    intents = [intent for work in works for intent in _intents(both, work)]
    if not intents:
        return
    with session.commit():
        session.cache.intend(intents)
        # A conflict that the policy settles is counted before the one value is overwritten with the other: should
        # the process end in between, the overwritten one was still not lost in silence.
        for work in works:
            if isinstance(work.decision, Patch):
                session.progress.conflicts += len(set(work.decision.conflicts) - set(work.decision.parked))


def _intents(both: SourcePair, work: Work) -> list[Intent]:
    decision = work.decision
    if isinstance(decision, Create):
        source = both.sources[other(decision.on)]
        target = both.sources[decision.on]
        written = range(len(both.item.fields))
        match = source.match_key(work.hashes[source.side])
        return [Intent(work.row(source.side).rid, target.number, _pushed(both, work, decision.on, written), match)]
    if isinstance(decision, Patch):
        return [
            Intent(work.row(other(s)).rid, both.numbers[s], _pushed(both, work, s, decision.to[s]), None)
            for s in SIDES
            if decision.to[s]
        ]
    return []


def _pushed(both: SourcePair, work: Work, side: int, fields: Sequence[int]) -> bytes:
    """The hashes of what a side is going to hold, where it is going to be written."""
    target, hashes = both.sources[side], work.hashes[1 - side]
    rules = both.item.fields
    chosen = set(fields)
    return target.partial_shadow([h if i in chosen and rules[i].to[side] else None for i, h in enumerate(hashes)])


def _write(both: SourcePair, works: Sequence[Work], side: int) -> None:
    """All creates, updates and deletes of a batch on one side."""
    source = both.sources[side]
    creates = [work for work in works if isinstance(work.decision, Create) and work.decision.on == side]
    updates = [work for work in works if isinstance(work.decision, Patch) and work.decision.to[side]]
    deletes = [work for work in works if isinstance(work.decision, Delete) and work.decision.on == side]
    _answer(creates, side, source.collection.create([work.record(1 - side).values for work in creates]))
    _answer(updates, side, source.collection.update([_update(work, side) for work in updates]))
    _answer(deletes, side, source.collection.delete([work.record(side) for work in deletes]))


def _update(work: Work, side: int) -> Write:
    assert isinstance(work.decision, Patch)  # noqa: S101
    values = work.record(1 - side).values
    return Write(work.record(side), {i: values[i] for i in work.decision.to[side]})


def _answer(works: Sequence[Work], side: int, answers: Sequence[Record | Changed | Rejected | None]) -> None:
    for work, answer in zip(works, answers, strict=True):
        work.answers[side] = answer
