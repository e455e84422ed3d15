"""Write: revert what a run has written to some records, compare-and-set, and make the stored values the new shadows.

The entries of the undo's own journal are durable before anything is sent. The cache is committed before the entries are
completed: the next run settles an entry that is not done (`settle`), which is safe to do twice.
"""

from collections.abc import Callable, Sequence

from tidegate.worker.cache.settling import Written
from tidegate.worker.config.rules import Side, other
from tidegate.worker.connectors import Changed, Key, Postponed, Record, Rejected
from tidegate.worker.connectors import Write as Update
from tidegate.worker.connectors.where import outside
from tidegate.worker.journal.changes import Change, What
from tidegate.worker.run.push.cascades import children_of
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import Source, SourcePair
from tidegate.worker.run.undo.read import Undone, journal_of, leave, leave_alone
from tidegate.worker.run.undo.reverse import Leave, Recreate, Remove, Restore
from tidegate.worker.values.normal_form import Value


def write(session: Session, undone: Sequence[Undone]) -> None:
    """Revert all records of a batch that can be; each has a result then, and those left unchanged are logged."""
    for each in undone:
        _name_what_is_left(session, each)
    _keep_parents(session, [each for each in undone if isinstance(each.reversal, Remove)])
    _keep_what_is_there(session, [each for each in undone if isinstance(each.reversal, Recreate)])
    works = [each for each in undone if _change(each) is not None]
    if not works:
        return
    numbers = journal_of(session).intend([change for each in works if (change := _change(each)) is not None])
    # The run created, updated and then deleted; the undo does the reverse.
    _send(works, Recreate, lambda source, some: source.collection.create([_values(each) for each in some]))
    _send(works, Restore, lambda source, some: source.collection.update([_update(each) for each in some]))
    _send(works, Remove, lambda source, some: source.collection.delete([_there(each) for each in some]))
    with session.commit():
        for each in works:
            _acknowledge(session, each)
    answered = dict(zip(numbers, works, strict=True))
    done = {number: change for number, each in answered.items() if (change := _as_answered(each)) is not None}
    nothing = [number for number, each in answered.items() if number not in done and not _in_doubt(each)]
    journal_of(session).complete(done, nothing)
    for each in works:
        if isinstance(each.answer, Postponed):
            raise each.answer.because


def _name_what_is_left(session: Session, undone: Undone) -> None:
    if isinstance(undone.reversal, Leave):
        leave_alone(session, undone, undone.reversal.reason)
    elif isinstance(undone.reversal, Restore):
        for name, reason in undone.reversal.left.items():
            leave(session, undone.source.item.name, undone.source.name, undone.key, reason, name)


def _stay(session: Session, undone: Undone, reason: str) -> None:
    undone.reversal = Leave(reason)
    leave_alone(session, undone, reason)


def _keep_parents(session: Session, removed: Sequence[Undone]) -> None:
    """Do not delete a record that others refer to: a database may delete those too."""
    if not removed:
        return
    both, side = removed[0].both, removed[0].source.side
    going = {each.key: each for each in removed if each.key is not None}
    while children := dict(children_of(session, both, side, going)) if going else {}:
        for key, child in children.items():
            refers = "cannot be read and may refer" if child.unread else "refers"
            _stay(session, going.pop(key), f"{child.title} {child.key} of {removed[0].source.name} {refers} to it")


def _keep_what_is_there(session: Session, recreated: Sequence[Undone]) -> None:
    """Create no record beside one with the same match fields."""
    if not recreated:
        return
    source = recreated[0].source
    titles = ", ".join(source.item.fields[i].title for i in source.item.match)
    records = [Record("", tuple(_values(each))) for each in recreated]
    keys = source.match_keys_of(records)
    known = [record for record, key in zip(records, keys, strict=True) if key is not None]
    wanted = [tuple(record.values[i] for i in source.item.match) for record in known]
    found = source.collection.find(wanted) if wanted else ()
    there = {*source.match_keys_of([*found, *outside(source.collection).values()])}
    for each, key in zip(recreated, keys, strict=True):
        if key is None:
            _stay(session, each, f"it cannot be matched: it had no {titles}")
        elif key in there:
            _stay(session, each, f"{source.name} has a record with the same {titles}")


def _values(undone: Undone) -> list[Value]:
    assert isinstance(undone.reversal, Recreate)  # noqa: S101
    return [undone.reversal.values.get(rule.names[undone.source.side]) for rule in undone.source.item.fields]


def _update(undone: Undone) -> Update:
    assert isinstance(undone.reversal, Restore)  # noqa: S101
    values = undone.reversal.values
    names = [rule.names[undone.source.side] for rule in undone.source.item.fields]
    return Update(_there(undone), {i: values[name] for i, name in enumerate(names) if name in values})


def _there(undone: Undone) -> Record:
    assert undone.record is not None  # noqa: S101
    return undone.record


def _named(source: Source, record: Record) -> dict[str, Value]:
    return {rule.names[source.side]: value for rule, value in zip(source.item.fields, record.values, strict=True)}


def _change(undone: Undone) -> Change | None:
    """What is going to be written, as the journal records it; None where nothing is."""
    reversal, source = undone.reversal, undone.source
    first = undone.chain[-1].change
    what: What = "update"
    if isinstance(reversal, Restore):
        if not reversal.values:
            return None
        held = _named(source, _there(undone))
        before, after, key, former = {n: held[n] for n in reversal.values}, reversal.values, undone.key, None
    elif isinstance(reversal, Remove):
        what, before, after, key, former = "delete", _named(source, _there(undone)), {}, undone.key, None
    elif isinstance(reversal, Recreate):
        names = [rule.names[source.side] for rule in source.item.fields]
        after = dict(zip(names, _values(undone), strict=True))
        what, before, key, former = "create", {}, None, first.key
    else:
        return None
    return Change(
        source.number, source.item.name, source.name, what, key, first.across, before, after, first.match, former
    )


def _send(
    works: Sequence[Undone],
    kind: type[Restore | Remove | Recreate],
    send: Callable[[Source, Sequence[Undone]], Sequence[Record | Changed | Rejected | None]],
) -> None:
    some = [each for each in works if isinstance(each.reversal, kind)]
    if some:
        for each, answer in zip(some, send(some[0].source, some), strict=True):
            each.answer = answer


def _as_answered(undone: Undone) -> Change | None:
    """The change as the system has carried it out; None if it has not, or has not said."""
    change, answer = _change(undone), undone.answer
    if change is None:
        return None
    if isinstance(answer, Record):
        stored = _named(undone.source, answer)
        return change._replace(key=answer.key, after={name: stored[name] for name in change.after})
    return change if answer is None and change.what == "delete" else None


def _in_doubt(undone: Undone) -> bool:
    return isinstance(undone.answer, Postponed) and undone.answer.in_doubt


def _acknowledge(session: Session, undone: Undone) -> None:
    answer, reversal, source = undone.answer, undone.reversal, undone.source
    pushed = session.progress.pushed[source.name]
    if isinstance(answer, Record) and isinstance(reversal, Restore):
        restored(session, source, answer, [*reversal.values], _there(undone))
        pushed["update"] += 1
    elif isinstance(answer, Record):
        first = undone.chain[-1].change
        recreated(session, undone.both, source.side, answer, first.across)
        pushed["create"] += 1
    elif isinstance(reversal, Remove) and answer is None:
        removed(session, undone.both, source.side, undone.chain[0].change, _there(undone).key)
        pushed["delete"] += 1
    elif isinstance(answer, Rejected) and not undone.is_blocked:
        leave_alone(session, undone, f"{source.name} refuses it: {answer.reason}")


def restored(session: Session, source: Source, stored: Record, names: Sequence[str], before: Record | None) -> None:
    """Make restored values the shadows: they are no edit, and their difference from the other side is accepted.

    `before` is what the record held then, where that is known.
    """
    row = session.cache.row_of(source.number, stored.key)
    if row is None:
        return
    (now,) = source.field_hashes([stored])
    seen = source.seen(row.shadow, stored.values, now)
    shadow = [
        hashed if rule.names[source.side] in names else held
        for rule, hashed, held in zip(source.item.fields, now, seen, strict=True)
    ]
    whole = all(held == hashed for held, hashed in zip(shadow, now, strict=True))
    packed = source.shadows([stored], [shadow])[0] if whole else source.partial_shadow(shadow)
    session.cache.set_shadows([(row.rid, packed)])
    session.cache.set_matches([(row.rid, source.match_keys([now])[0])])
    if source.stale_seconds and before is not None:
        (held,) = source.field_hashes([before])
        fields = zip(source.item.fields, now, strict=True)
        sent = [hashed if rule.names[source.side] in names else None for rule, hashed in fields]
        written = Written(row.rid, source.partial_shadow(held), source.partial_shadow(sent))
        session.cache.settling.add(source.number, session.now(), [written])


def recreated(session: Session, both: SourcePair, side: Side, stored: Record, across: Key | None) -> None:
    """Add the record to the cache, linked to the counterpart of its predecessor where that has none."""
    cache, source = session.cache, both.sources[side]
    (now,) = source.field_hashes([stored])
    cache.forget(rid for _, rid, _ in cache.known(source.number, [stored.key]).values())
    shadow = source.shadows([stored], [now])[0]
    (rid,) = cache.add(source.number, [(stored.key, source.match_keys([now])[0], shadow)])
    if source.stale_seconds:
        cache.settling.add(source.number, session.now(), [Written(rid, None, None)])
    origin = None if across is None else cache.row_of(both.numbers[other(side)], across)
    if origin is not None and origin.link is None:
        cache.link([(origin.rid, rid)])


def removed(session: Session, both: SourcePair, side: Side, created: Change, key: Key) -> None:
    """Forget the record. Its counterpart then has none, and is not pushed until it is edited."""
    cache, source, across = session.cache, both.sources[side], both.sources[other(side)]
    row = cache.row_of(source.number, key)
    if row is None:
        return
    cache.forget([row.rid])
    origin = None if row.link is None else cache.rows([row.link]).get(row.link)
    if origin is None:
        return
    cache.parked.remove(cache.parked.fields([origin.rid]))
    # Fields that the new record was not given are remembered as a pending edit of an empty value.
    left_out = [i for i, rule in enumerate(source.item.fields) if rule.names[source.side] not in created.after]
    record = across.get([origin.key]).get(origin.key) if left_out else None
    if record is None:
        return
    (now,) = across.field_hashes([record])
    seen = list(across.seen(origin.shadow, record.values, now))
    blank = across.hasher.blank
    accepted = [i for i in left_out if seen[i] == blank != now[i]]
    if accepted:
        cache.set_shadows([(origin.rid, across.layout.patched(origin.shadow, {i: now[i] for i in accepted}))])


def has_changed(undone: Undone) -> bool:
    """Whether it was edited between the read and the write, so that it must be read again."""
    return isinstance(undone.answer, Changed) and not isinstance(undone.answer, Postponed)
