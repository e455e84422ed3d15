"""Acknowledge: make exactly what a batch has achieved the new shadows. The last step of a batch of `push`.

A field that was written has as its shadow what the target stored, so that a system that upper-cases or rounds is not
taken for one that was edited; one that was not written has what was merged, so that a side effect of our write on
another field is seen as the change it is.
"""

from collections.abc import Sequence

from tidegate.worker.cache.settling import Written
from tidegate.worker.config.rules import SIDES, Operation, Side, other
from tidegate.worker.connectors import NotDeleted, Record, Rejected
from tidegate.worker.merge.kept import unkept
from tidegate.worker.merge.three_way import Delete, Forget, Keep, Patch
from tidegate.worker.run.push.decided import conclude
from tidegate.worker.run.push.swaps import explain_swaps
from tidegate.worker.run.push.work import Work, creates_on, pushed, values_for
from tidegate.worker.run.references import soil_referring
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import Source, SourcePair
from tidegate.worker.values.normal_form import UNKNOWN, Hash, are_identical


def acknowledge(session: Session, both: SourcePair, works: Sequence[Work], *, patient: bool) -> None:
    """Note what became of a batch; what has no decision stays dirty, and so does what is blocked while `patient`."""
    decided = [work for work in works if work.decision is not None]
    if patient:
        for work in decided:
            work.again |= work.blocked
    else:
        for side in SIDES:
            explain_swaps(both, decided, side)
    session.cache.intents.settle(rid for work in decided if not work.in_doubt for rid in work.rids)
    for side in SIDES:
        _created(session, both, creates_on(decided, side), side)
    for work in decided:
        decision = work.decision
        if not isinstance(decision, Patch) and not work.again:
            conclude(session, both, work)
        if isinstance(decision, Forget):
            session.cache.forget(work.rids)
        elif isinstance(decision, Keep):
            _keep(session, both, work, decision)
        elif isinstance(decision, Delete):
            _deleted(session, both, work, decision)
        elif isinstance(decision, Patch):
            _patched(session, both, work, decision)


def _keep(session: Session, both: SourcePair, work: Work, decision: Keep) -> None:
    if decision.withheld is not None:
        operation, side = decision.withheld
        _note_withheld(session, both.sources[side], operation)
    for source in both.sources:
        row, record = work.rows[source.side], work.records[source.side]
        if row is None:
            continue
        if record is None:
            session.cache.let_go([row.rid])
            work.more |= soil_referring(session, source.item.name, source.side, [row.key])
            continue
        _take_as_they_are(session, source, [work])
        if row.link is None:
            # Its edits since its counterpart went were not pushed: should that come back, it is a first pairing.
            session.cache.reloads.forget([row.rid])


def _note_withheld(session: Session, target: Source, operation: Operation) -> None:
    counts = session.progress.withheld.setdefault(target.title, {})
    counts[operation] = counts.get(operation, 0) + 1


def _created(session: Session, both: SourcePair, works: Sequence[Work], on: Side) -> None:
    target, source = both.sources[on], both.sources[other(on)]
    made: list[tuple[Work, Record]] = []
    for work in works:
        answer = work.answers[on]
        if isinstance(answer, Record):
            made.append((work, answer))
        elif isinstance(answer, Rejected) and not work.again:
            _refused(session, target, source, work, answer)
    cache = session.cache
    cache.forget(lost.rid for work, _ in made if (lost := work.rows[on]) is not None)
    # What is known by an id that the system has given out again.
    cache.forget(rid for _, rid, _ in cache.known(target.number, [record.key for _, record in made]).values())
    _add_counterparts(session, source, target, made)
    session.progress.pushed[target.name]["create"] += len(made)


def _add_counterparts(session: Session, source: Source, target: Source, made: Sequence[tuple[Work, Record]]) -> None:
    side = source.side
    rids, read = [work.row(side).rid for work, _ in made], [work.record(side) for work, _ in made]
    shadows = source.shadows(read, [work.hashes[side] for work, _ in made])
    # Mostly a system stores what it is sent, and then both sides' shadows are the same.
    new = [
        (rid, record.key, work.match, shadow) for rid, (work, record), shadow in zip(rids, made, shadows, strict=True)
    ]
    altered = [n for n, (_, record) in enumerate(made) if not are_identical(record.values, read[n].values)]
    records = [made[n][1] for n in altered]
    fields = target.field_hashes(records)
    kept = zip(altered, records, target.match_keys(fields), target.shadows(records, fields), strict=True)
    for n, record, match, shadow in kept:
        new[n] = rids[n], record.key, match, shadow
    session.cache.add_counterparts(target.number, new, shadows)
    if target.stale_seconds:
        made_there = session.cache.known(target.number, [key for _, key, *_ in new])
        added = [Written(rid, None, None) for _, rid, _ in made_there.values()]
        session.cache.settling.add(target.number, session.now(), added)
    _nothing_is_left(session, rids)
    for n in altered:
        work, record = made[n]
        nothing = [None] * len(record.values)
        sent = values_for(work, target.side)
        lost = unkept(source.item.flowing[target.side], sent, nothing, record.values)
        _park_unkept(session, target, source, work, lost)
    for rid, (work, _) in zip(rids, made, strict=True):
        if work.unfit or work.waiting:
            _leave_out(session, source, work, rid)


def _leave_out(session: Session, source: Source, work: Work, rid: int) -> None:
    """What the new counterpart could not be given is an edit still to be pushed, of what was empty before."""
    left_out, hashes = {*work.unfit, *work.waiting}, work.hashes[source.side]
    fields = [source.hasher.blank if i in left_out else hashed for i, hashed in enumerate(hashes)]
    session.cache.set_shadows([(rid, source.partial_shadow(fields))])
    _park_unfit(session, source, work)
    if work.waiting:
        session.cache.pending.add([rid])
        work.more = True


def _park_unfit(session: Session, source: Source, work: Work) -> None:
    row = work.row(source.side)
    for i, reason in work.unfit.items():
        session.park(source, row.rid, row.key, source.item.fields[i], reason, "held")


def _deleted(session: Session, both: SourcePair, work: Work, decision: Delete) -> None:
    target, source = both.sources[decision.on], both.sources[other(decision.on)]
    answer = work.answers[decision.on]
    if isinstance(answer, NotDeleted):
        _not_deleted(session, target, source, work, answer)
    elif isinstance(answer, Rejected):
        if not work.again:
            _refused(session, target, source, work, answer)
    elif answer is None:
        session.cache.forget(work.rids)
        session.progress.pushed[target.name]["delete"] += 1


def _not_deleted(session: Session, target: Source, source: Source, work: Work, answer: NotDeleted) -> None:
    """The record stands alone as it is now, so that the delete is not repeated until it was edited or is gone."""
    work.records[target.side] = answer.stored
    work.hashes[target.side] = target.field_hashes([answer.stored])[0]
    session.cache.let_go([work.row(source.side).rid])
    _take_as_they_are(session, target, [work])
    row = work.row(target.side)
    reason = f"it was deleted in {source.name}, and {target.name} accepted the delete and still has it: {answer.reason}"
    session.park(target, row.rid, row.key, None, reason, "unsynced")


def _park_unkept(session: Session, target: Source, source: Source, work: Work, fields: Sequence[int]) -> None:
    row = work.row(source.side)
    for i in fields:
        rule = target.item.fields[i]
        reason = (
            f"{target.name} accepted the new {rule.names[target.side]} and did not keep it: a trigger, a view or a "
            "field that cannot be written may be why; it is written again when it was edited"
        )
        session.park(source, row.rid, row.key, rule, reason)


def _patched(session: Session, both: SourcePair, work: Work, patch: Patch) -> None:
    for source in both.sources:
        _settle_fields(session, source, work, patch, again=work.changed or work.again)
    lost: list[tuple[Source, list[int]]] = []
    for target in both.sources:
        answer, sent = work.answers[target.side], patch.to[target.side]
        if isinstance(answer, Record):
            values = values_for(work, target.side)
            lost.append((target, unkept(sent, values, work.record(target.side).values, answer.values)))
            _note_written(session, both, work, target)
            session.progress.pushed[target.name]["update"] += len(lost[-1][1]) < len(sent)
    for side in SIDES:
        if not isinstance(work.answers[side], Record) and not work.in_doubt:
            session.progress.conflicts -= len(patch.overwritten(side))  # counted by the pass that writes it
    if not (work.changed or work.again):
        _settled(session, both, work, patch)
    for target, fields in lost:
        _park_unkept(session, target, both.sources[other(target.side)], work, fields)


def _note_written(session: Session, both: SourcePair, work: Work, target: Source) -> None:
    side = target.side
    if target.stale_seconds and isinstance(work.decision, Patch):
        before = target.partial_shadow(work.hashes[side])
        sent = pushed(both, work, side, work.decision.to[side])
        session.cache.settling.add(target.number, session.now(), [Written(work.row(side).rid, before, sent)])


def _settled(session: Session, both: SourcePair, work: Work, patch: Patch) -> None:
    """Nothing is left to be done about the record except by a person."""
    conclude(session, both, work)
    session.progress.conflicts += len(patch.parked)
    for side in patch.withheld:
        _note_withheld(session, both.sources[side], "update")
    _unpark_fields(session, both, work, patch)
    source, row = both.sources[0], work.row(0)
    for i in patch.parked:
        reason = "it was changed on both sides, to different values"
        session.park(source, row.rid, row.key, both.item.fields[i], reason, "conflict")
    _park_unfit(session, source, work)
    for i in patch.hidden:
        shown, hiding = sorted(SIDES, key=lambda side: work.hashes[side][i] == UNKNOWN)
        reason = _left_out(both.sources[shown].name, both.sources[hiding].name)
        session.park(source, row.rid, row.key, both.item.fields[i], reason, "held")
    session.cache.pending.remove(work.rids)
    refusals = [
        (side, answer) for side, answer in zip(SIDES, work.answers, strict=True) if isinstance(answer, Rejected)
    ]
    for side, refusal in refusals:
        _refused(session, both.sources[side], both.sources[other(side)], work, refusal)
    if work.waiting:
        row = work.row(0)
        session.park(both.sources[0], row.rid, row.key, None, "; ".join(work.waiting.values()))
    elif not refusals:
        waiting = session.cache.parked.fields(work.rids)
        session.cache.parked.remove((rid, field) for rid, field in waiting if not field)


def _settle_fields(session: Session, source: Source, work: Work, patch: Patch, *, again: bool) -> None:
    """The side's shadow: stored where it was written, merged where it was not, as before where that has yet to come."""
    side, across = source.side, other(source.side)
    answer = work.answers[side]
    final = answer if isinstance(answer, Record) else work.record(side)
    done = [not patch.to[s] or isinstance(work.answers[s], Record) for s in SIDES]
    seen = source.seen(work.row(side).shadow, work.record(side).values, work.hashes[side])
    stored = source.field_hashes([final])[0] if isinstance(answer, Record) else work.hashes[side]
    shadow: list[Hash | None] = []
    for i, now in enumerate(work.hashes[side]):
        if UNKNOWN in (now, stored[i]):
            shadow.append(seen[i])  # what is not shown is what it was
        elif i in patch.to[side]:
            shadow.append(stored[i] if done[side] else seen[i])
        elif i in patch.to[across]:
            shadow.append(now if done[across] else seen[i])
        elif i in patch.hidden:
            shadow.append(seen[i])  # the edit flows when the other side shows the field again
        elif i in work.waiting or i in work.unfit or (again and i in patch.parked):
            shadow.append(seen[i])
        else:
            shadow.append(now)
    row = work.row(side)
    whole = all(hashed in (kept, UNKNOWN) for kept, hashed in zip(shadow, stored, strict=True))
    packed = source.shadows([final], [shadow])[0] if whole else source.partial_shadow(shadow)
    session.cache.set_shadows([(row.rid, packed)])
    (key,) = source.match_keys([stored])
    if key != row.match:
        session.cache.set_matches([(row.rid, key)])


def _unpark_fields(session: Session, both: SourcePair, work: Work, patch: Patch) -> None:
    """What was written, is the same on both sides now, or is no edit any more does not wait."""
    rules = both.item.fields
    settled = {rules[i].title for side in SIDES for i in patch.to[side] if isinstance(work.answers[side], Record)}
    settled |= {rule.title for rule, one, two in zip(rules, *work.compared, strict=True) if one == two}
    held = {rules[i].title for i in {*patch.hidden, *work.unfit, *work.waiting}}
    waiting = session.cache.parked.kinds(work.rids)
    session.cache.parked.remove(
        (rid, field)
        for rid, fields in waiting.items()
        for field, kind in fields.items()
        if field in settled or (kind == "held" and field not in held)
    )


def _left_out(shown: str, hiding: str) -> str:
    return (
        f"{shown} has changed it, and {hiding} leaves it out of its answer, so it is unknown what would be "
        f"overwritten; where {hiding} leaves out what is empty, write missing: empty"
    )


def _take_as_they_are(session: Session, source: Source, works: Sequence[Work]) -> None:
    """What was read of these records is what they were seen to hold, and nothing about them is left to be done."""
    cache, side = session.cache, source.side
    rows, hashes = [work.row(side) for work in works], [work.hashes[side] for work in works]
    rids = [row.rid for row in rows]
    cache.set_shadows(zip(rids, source.shadows([work.record(side) for work in works], hashes), strict=True))
    keys = zip(rows, source.match_keys(hashes), strict=True)
    cache.set_matches((row.rid, key) for row, key in keys if key != row.match)
    _nothing_is_left(session, rids)


def _nothing_is_left(session: Session, rids: Sequence[int]) -> None:
    session.cache.pending.remove(rids)
    session.cache.parked.remove(session.cache.parked.fields(rids))


def _refused(session: Session, target: Source, source: Source, work: Work, answer: Rejected) -> None:
    row = work.rows[source.side] or work.row(target.side)
    session.park(source, row.rid, row.key, None, f"{target.name} refuses it: {answer.reason}")
    session.cache.pending.remove(work.rids)
