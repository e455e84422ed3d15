"""Read and merge: read both sides of the pending records afresh, and merge them. The first half of a batch of `push`.

What the merge decides is held back as far as it refers to records that the other side does not have, or not yet.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from tidegate.worker.cache.parked import DECIDED, Kind
from tidegate.worker.cache.row import Row
from tidegate.worker.cache.settling import Written, is_stale
from tidegate.worker.config.rules import SIDES, FieldRule, Side, other
from tidegate.worker.connectors import Key, MayNotRead, unread
from tidegate.worker.connectors.where import outside
from tidegate.worker.errors import ConfigurationError
from tidegate.worker.merge.fit import zone_is_missing
from tidegate.worker.merge.newest import ZoneUnknownError, newer_side
from tidegate.worker.merge.three_way import Create, Delete, Parked, Patch, Policy, Presence, State, merge
from tidegate.worker.run.departures import leave_filter
from tidegate.worker.run.push.circles import Circles
from tidegate.worker.run.push.decided import resolve
from tidegate.worker.run.push.listed_only import listed_only
from tidegate.worker.run.push.work import Work
from tidegate.worker.run.references import Unlinked, comparable, translate
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import Source, SourcePair
from tidegate.worker.values.kinds import Unfit
from tidegate.worker.values.normal_form import MISSING, UNKNOWN, Hash

_NEVER = State(Presence.NEVER)

# In the place of the rid of a record that does not exist.
_NOBODY = -1


def decide(
    session: Session, both: SourcePair, pending: Sequence[Row], circles: Circles, *, patient: bool
) -> list[Work]:
    """The pending records and their counterparts, read and decided; `patient` leaves what is held back to a later pass.

    One that has vanished since the scan has no decision: no whole scan and no guard has seen it; the next run will.
    """
    works = _read(session, both, pending)
    for source in both.sources:
        _hash(session, source, works)
    item = both.item
    policy = Policy(item.conflict, item.deletes, item.creates_on, item.updates_on, item.deletes_on)
    blank = both.sources[0].hasher.blank
    waiting = session.cache.parked.kinds(rid for work in works for rid in work.rids)
    settling = session.cache.settling.of(rid for work in works for rid in work.rids)
    for work in works:
        first, second = (_state(source, work, settling) for source in both.sources)
        if first is None or second is None:
            continue
        states = first, second
        if any(_is_stale(*each, work, settling) for each in zip(both.sources, states, strict=True)):
            session.progress.stale += 1
            continue
        if item.has_references and None not in work.records:
            states = _follow(both, work, states, blank)
        newer = _newer(session, both, work) if item.conflict == "newest" else None
        kinds = _kinds(item.fields, [waiting[rid] for rid in work.rids if rid in waiting])
        resolve(session, both, work, {i: DECIDED[kind] for i, kind in kinds.items() if kind in DECIDED})
        conflicts = frozenset(i for i, kind in kinds.items() if kind == "conflict" or kind in DECIDED)
        parked = Parked(kinds.keys(), conflicts, work.decided)
        work.decision = merge(states, item.fields, policy, blank, newer, parked)
        if item.has_references:
            _hold_back(session, both, work, circles, patient=patient)
        _carry(session, both, work)
    _hold_back_deletes(session, both, works, patient=patient)
    return works


def _kinds(rules: Sequence[FieldRule], waiting: Sequence[Mapping[str, Kind]]) -> dict[int, Kind]:
    """Which fields wait, and why."""
    kinds = {title: kind for each in waiting for title, kind in each.items()}
    return {i: kinds[rule.title] for i, rule in enumerate(rules) if rule.title in kinds}


def _newer(session: Session, both: SourcePair, work: Work) -> Side | None:
    try:
        return newer_side(work.records, session.sync.zones)
    except ZoneUnknownError as error:
        raise ConfigurationError(zone_is_missing(both.item.name, session.sync.names[error.side])) from None


def _read(session: Session, both: SourcePair, pending: Sequence[Row]) -> list[Work]:
    """The records and their counterparts, remembered and as they are now."""
    rows = {row.rid: row for row in pending}
    rows |= session.cache.rows({row.link for row in pending if row.link is not None} - rows.keys())
    gone = session.cache.pending.gone(rows)
    works = []
    for row in rows.values():
        across = rows.get(row.link) if row.link is not None else None
        if across is not None and across.source < row.source:
            continue  # met from its counterpart on side 0
        first, second = (row, across) if row.source == both.numbers[0] else (across, row)
        works.append(Work(rows=(first, second), gone=(_is_gone(first, gone), _is_gone(second, gone))))
    for side in SIDES:
        source = both.sources[side]
        found = source.get([work.row(side).key for work in works if work.rows[side] is not None])
        for work in works:
            if work.rows[side] is not None:
                work.records[side] = found.get(work.row(side).key)
        if failed := {**listed_only(session, source, works), **unread(source.collection)}:
            works = _without(session, source, works, failed)
        if left := outside(source.collection):
            works = _unlink(session, source, works, left)
    return works


def _unlink(session: Session, source: Source, works: Sequence[Work], left: Collection[Key]) -> list[Work]:
    """Let the records go that are outside the filter by now; their counterparts stand alone."""
    side, across = source.side, other(source.side)
    departing = [work for work in works if (row := work.rows[side]) is not None and row.key in left]
    with session.cache.transaction():
        leave_filter(session, source, [work.row(side).rid for work in departing])
    for work in departing:
        row = work.rows[across]
        alone = row and row._replace(link=None)
        work.rows = (None, alone) if side == 0 else (alone, None)
        work.gone = (False, work.gone[1]) if side == 0 else (work.gone[0], False)
    return [work for work in works if work.rids]


def _without(session: Session, source: Source, works: Sequence[Work], failed: Mapping[Key, str]) -> list[Work]:
    """Set the records aside that cannot be read: what they hold is unknown, and they are not gone."""
    with session.cache.transaction():
        for work in works:
            row = work.rows[source.side]
            if row is not None and row.key in failed:
                session.park(source, row.rid, row.key, None, f"it cannot be read: {failed[row.key]}")
                session.cache.pending.remove(work.rids)
    return [work for work in works if (row := work.rows[source.side]) is None or row.key not in failed]


def _is_gone(row: Row | None, gone: set[int]) -> bool:
    return row is not None and row.rid in gone


def _hash(session: Session, source: Source, works: Sequence[Work]) -> None:
    side = source.side
    there = [(work, record) for work in works if (record := work.records[side]) is not None]
    for (work, record), hashes in zip(there, source.field_hashes([record for _, record in there]), strict=True):
        work.hashes[side] = hashes
        work.translated[side] = translate(session, source, record)
        work.compared[side] = comparable(source, hashes, work.translated[side])


def _is_stale(source: Source, state: State, work: Work, settling: Mapping[int, Written]) -> bool:
    written = settling.get(work.row(source.side).rid) if state.presence is Presence.PRESENT else None
    if written is None or written.before is None:
        return False
    return is_stale(source.layout.unpack(written.before), state.seen, state.now)


def _state(source: Source, work: Work, settling: Mapping[int, Written]) -> State | None:
    side = source.side
    row = work.rows[side]
    if row is None:
        return _NEVER
    if work.records[side] is None:
        linked = row.link is not None
        if (linked or isinstance(source.collection, MayNotRead)) and not work.gone[side]:
            return None
        return State(Presence.GONE if linked else Presence.NEVER)
    now = tuple(None if hashed == UNKNOWN else hashed for hashed in work.hashes[side])
    seen = source.seen(row.shadow, work.record(side).values, work.hashes[side])
    if (written := settling.get(row.rid)) is not None:
        # What we have sent is no edit, also where our write was answered with what was before.
        sent = source.layout.unpack(written.sent)
        seen = tuple(
            held if held is not None and held == mine else old for old, held, mine in zip(seen, now, sent, strict=True)
        )
    return State(Presence.PRESENT, seen, now, work.compared[side])


def _hold_back(session: Session, both: SourcePair, work: Work, circles: Circles, *, patient: bool) -> None:
    """Take back what refers to records without a counterpart: of a record that is there the field, else the record.

    A record in a circle is created without the field.
    """
    decision = work.decision
    if isinstance(decision, Create):
        waits = _waiting(both, work, decision.on, range(len(both.item.fields)))
    elif isinstance(decision, Patch):
        waits = [(s, i) for s in SIDES for _, i in _waiting(both, work, s, decision.to[s])]
    else:
        return
    if not waits and not work.waiting:
        return
    work.waiting = {**work.waiting, **{i: _reason(both, work, side, i) for side, i in waits}}
    if isinstance(decision, Create) and _is_opened(work, decision.on, circles):
        return
    work.again = patient
    if isinstance(decision, Patch):
        first, second = (tuple(i for i in decision.to[s] if i not in work.waiting) for s in SIDES)
        work.decision = replace(decision, to=(first, second))
        return
    work.decision = None
    if not patient:
        source = both.sources[other(decision.on)]
        row = work.row(source.side)
        with session.cache.transaction():
            reason = "; ".join(work.waiting.values())
            if row.rid in circles.refusals:
                target = both.sources[decision.on].name
                reason += f", and {target} refuses the record without it: {circles.refusals[row.rid]}"
            session.park(source, row.rid, row.key, None, reason)
            session.cache.pending.remove([row.rid])


def _is_opened(work: Work, on: Side, circles: Circles) -> bool:
    """Whether the record is created without its references; they are taken out of what it is sent."""
    across = other(on)
    rid, values = work.row(across).rid, work.translated[across]
    if rid not in circles.opened or rid in circles.refusals:
        named = [value.rid for i in work.waiting if isinstance(value := values[i], Unlinked)]
        circles.waits[rid] = tuple(_NOBODY if each is None else each for each in named)
        return False
    work.translated[across] = tuple(None if i in work.waiting else value for i, value in enumerate(values))
    return True


def _hold_back_deletes(session: Session, both: SourcePair, works: Sequence[Work], *, patient: bool) -> None:
    """Take back the deletes of records whose counterpart may only have another id now: others there have its key.

    While we are patient one of those may be linked instead (`lookup`).
    """
    match = ", ".join(both.item.fields[i].title for i in both.item.match)
    for work in works:
        if not isinstance(work.decision, Delete):
            continue
        target, source = both.sources[work.decision.on], both.sources[other(work.decision.on)]
        lost, row = work.row(source.side), work.row(target.side)
        if lost.match is None or not session.cache.unpaired(source.number, lost.match, 1):
            continue
        reason = f"its record of {source.name} is gone, and other records there have the same {match}"
        work.decision, work.again = None, patient
        if patient:
            continue
        with session.cache.transaction():
            session.park(target, row.rid, row.key, None, f"{reason}: leave one of them with it, or delete it here too")
            session.cache.pending.remove(work.rids)


def _follow(both: SourcePair, work: Work, states: tuple[State, State], blank: Hash) -> tuple[State, State]:
    """Let references to records that a side does not have any more follow those of the other side.

    Nobody has edited either of them: the record that they name was deleted on one side. Where it is there again, under
    another id, the other side's reference counts as an edit; until then the field waits.
    """
    lost = dict(work.waiting)
    for i, rule in enumerate(both.item.fields):
        for side in SIDES if rule.ref is not None else ():
            across, value = other(side), work.translated[side][i]
            right = work.translated[across][i]
            if not isinstance(value, Unlinked) or value.rid is not None or right is None or not rule.to[side]:
                continue
            if states[side].now[i] != states[side].seen[i]:
                continue
            if not isinstance(right, Unlinked):
                seen = states[across].seen
                state = states[across]._replace(seen=(*seen[:i], blank, *seen[i + 1 :]))
                states = (state, states[1]) if across == 0 else (states[0], state)
            elif right.rid is not None:
                name = both.sources[side].name
                lost[i] = f"its {rule.title} is {value.title} of {name}, which {name} no longer has"
    work.waiting = lost
    return states


def _carry(session: Session, both: SourcePair, work: Work) -> None:
    """Give what flows the form that the target stores; what would change its meaning there does not flow.

    Of a record that is to be made the other fields are; without a match field it would not be found again.
    """
    decision = work.decision
    if isinstance(decision, Create):
        _carry_fields(both, work, decision.on, both.item.flowing[decision.on])
        if any(i in work.unfit for i in both.item.match):
            work.decision = None
            source = both.sources[other(decision.on)]
            row = work.row(source.side)
            with session.cache.transaction():
                session.park(source, row.rid, row.key, None, "; ".join(work.unfit.values()))
                session.cache.pending.remove([row.rid])
    elif isinstance(decision, Patch):
        for side in SIDES:
            _carry_fields(both, work, side, decision.to[side])
        if work.unfit:
            first, second = (tuple(i for i in decision.to[s] if i not in work.unfit) for s in SIDES)
            work.decision = replace(decision, to=(first, second))


def _carry_fields(both: SourcePair, work: Work, on: Side, fields: Sequence[int]) -> None:
    crossings, values = both.crossings[on], [*work.translated[other(on)]]
    if not crossings:
        return
    for i in fields:
        way = crossings[i]
        if way is None or values[i] is MISSING:
            continue
        try:
            values[i] = way.carry(values[i])
        except Unfit as error:
            work.unfit[i], values[i] = str(error), None
    work.translated[other(on)] = tuple(values)


def _waiting(both: SourcePair, work: Work, on: Side, fields: Sequence[int]) -> list[tuple[Side, int]]:
    translated = work.translated[other(on)]
    return [(on, i) for i in fields if both.item.fields[i].to[on] and isinstance(translated[i], Unlinked)]


def _reason(both: SourcePair, work: Work, on: Side, field: int) -> str:
    value = work.translated[other(on)][field]
    assert isinstance(value, Unlinked)  # noqa: S101
    source, target = both.sources[other(on)], both.sources[on]
    what = f"its {both.item.fields[field].title} is {value.title} of {source.name}"
    return f"{what}, which has no counterpart in {target.name}"
