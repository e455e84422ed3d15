"""Recover: find out which pushes of a batch that was cut short have happened.

The first step of a run, and once more after the scan when a create is in doubt. An update whose target holds what was
intended is our own echo: without this it would be taken for an edit made there, and in conflict with a newer edit of
the source. A create is looked up by its match key, as before every create.

Intents are settled a batch at a time, as they were pushed: each system is read once for all of a batch, whose effect is
one transaction, and a SIGTERM is obeyed before each.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tidegate.worker.cache.intents import Intent
from tidegate.worker.cache.row import Row
from tidegate.worker.cache.settling import Written
from tidegate.worker.config.rules import SIDES, other
from tidegate.worker.connectors import Key, MayShowLate, Record
from tidegate.worker.errors import SystemFailed
from tidegate.worker.run.references import Unlinked, translate
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import Source
from tidegate.worker.values.normal_form import Hash
from tidegate.worker.values.value_map import Unmapped


def recover(session: Session, *, after_scan: bool) -> None:
    """Settle all intents; those that only a whole scan can settle restart the scan.

    That is a create whose source record has been given another match key since, or was deleted: the new record, if
    there is one, can only be found by the key that it was created under. Where that scan may have left it out, the
    source record is set aside, and the next run looks for it again.
    """
    unsettled = [intent for batch in _batches(session) for intent in _settle(session, batch)]
    if after_scan:
        for intent in unsettled:
            _give_up(session, intent)
        return
    reading_all = session.progress.in_doubt and session.progress.phase == "scan"
    if unsettled and not reading_all:
        with session.commit():
            session.progress.scan_again()


def _give_up(session: Session, intent: Intent) -> None:
    """A whole scan has not found the record of a create: there is none, unless that scan may have left it out."""
    doubted = _doubted_target(session, intent)
    if doubted is not None:
        _set_aside(session, intent, doubted)
        return
    with session.cache.transaction():
        session.cache.intents.settle([intent.rid])


def _doubted_target(session: Session, intent: Intent) -> Source | None:
    """The intent's target, if its last scan may have left out records."""
    sources = (source for both in session.pairs for source in both.sources if source.number == intent.target)
    return next((each for each in sources if each.title in session.progress.doubts), None)


def _set_aside(session: Session, intent: Intent, target: Source) -> None:
    origin = session.cache.rows([intent.rid])[intent.rid]
    source = next(s for both in session.pairs if target in both.sources for s in both.sources if s is not target)
    reason = (
        f"a push that was cut short may have created it in {target.name} under a match key that it no longer has, and "
        f"the list of {target.name} may have left out that record; it is not pushed until that list is read whole"
    )
    with session.commit():
        session.park(source, origin.rid, origin.key, None, reason)


def recover_what_is_certain(session: Session) -> set[int]:
    """After a batch that failed in this process: settle what can be told; returns the records of all other intents."""
    return {intent.rid for batch in _batches(session) for intent in _settle_apart(session, batch)}


def _settle_apart(session: Session, intents: Sequence[Intent]) -> list[Intent]:
    """Settle these; where a system fails on one of them, only that one stays in doubt."""
    try:
        return _settle(session, intents)
    except SystemFailed:
        if len(intents) == 1:
            return [*intents]
    half = len(intents) // 2
    return _settle_apart(session, intents[:half]) + _settle_apart(session, intents[half:])


def _batches(session: Session) -> Iterator[Sequence[Intent]]:
    """All intents, an object's at a time, and no more than its systems are asked for at once."""
    left = session.cache.intents.unsettled()
    for both in session.pairs:
        intents = [intent for intent in left if intent.target in both.numbers]
        left = [intent for intent in left if intent.target not in both.numbers]
        size = min(source.collection.batch for source in both.sources)
        while intents:
            session.pace.wait()
            batch = intents[: session.pace.batch(size)]
            batch = batch[: session.cache.large.fitting([(intent.rid, None) for intent in batch])]
            yield batch
            session.pace.took(len(batch))
            intents = intents[len(batch) :]
    if left:
        yield left  # of objects that are synced no more


def _settle(session: Session, intents: Sequence[Intent]) -> list[Intent]:
    """Settle these; returns those that only a whole scan can tell of."""
    sought = [(both, side) for both in session.pairs for side in SIDES]
    looks = [
        _look(session, both.sources[other(side)], both.sources[side], here)
        for both, side in sought
        if (here := [intent for intent in intents if intent.target == both.numbers[side]])
    ]
    with session.commit():
        unsettled = [intent for look in looks for intent in look.intents if not _recover(session, look, intent)]
        session.cache.intents.settle({intent.rid for intent in intents} - {intent.rid for intent in unsettled})
    return unsettled


@dataclass(frozen=True, slots=True)
class _Look:
    """What the two systems hold of the records of some intents that have the same target."""

    source: Source
    target: Source
    intents: Sequence[Intent]
    # The counterparts, by their ids.
    counterparts: Mapping[Key, Record]
    # For each intent of a create, by its `rid`: the match key that the source's record has now, and what the target
    # has under the match key of the intent.
    keys: Mapping[int, Hash | None]
    found: Mapping[int, Sequence[Record]]


def _look(session: Session, source: Source, target: Source, intents: Sequence[Intent]) -> _Look:
    cache = session.cache
    origins = cache.rows(intent.rid for intent in intents)
    linked = cache.rows(row.link for row in origins.values() if row.link is not None)
    counterparts = target.get([row.key for row in linked.values()])
    there = {rid for rid, row in linked.items() if row.key in counterparts}
    # Also in the place of a counterpart that is gone.
    creates = {
        intent.rid: (origins[intent.rid], intent.match)
        for intent in intents
        if intent.match is not None and intent.rid in origins and origins[intent.rid].link not in there
    }
    present = source.get([origin.key for origin, _ in creates.values()])
    keys = dict(zip(present, source.match_keys_of([*present.values()]), strict=True))
    candidates = {rid: [row.key for row in cache.unpaired(target.number, match)] for rid, (_, match) in creates.items()}
    read = target.get([*{key: None for each in candidates.values() for key in each}])
    found = {rid: [read[key] for key in each if key in read] for rid, each in candidates.items()}
    unknown = {
        rid: (present[origin.key], match)
        for rid, (origin, match) in creates.items()
        if not found[rid] and keys.get(origin.key) == match
    }
    alike = _find(target, [record for record, _ in unknown.values()])
    found |= {rid: alike[match] for rid, (_, match) in unknown.items()}
    now = {rid: keys.get(origin.key) for rid, (origin, _) in creates.items()}
    return _Look(source, target, intents, counterparts, now, found)


def _find(target: Source, records: Sequence[Record]) -> defaultdict[Hash | None, list[Record]]:
    """The target's records that have the match keys of these, by their match keys."""
    found: defaultdict[Hash | None, list[Record]] = defaultdict(list)
    if records:
        wanted = [tuple(record.values[i] for i in target.item.match) for record in records]
        if isinstance(target.collection, MayShowLate):
            target.collection.doubt(wanted)
        alike = target.collection.find(wanted)
        for record, key in zip(alike, target.match_keys_of(alike), strict=True):
            found[key].append(record)
    return found


def _recover(session: Session, look: _Look, intent: Intent) -> bool:
    """Take what the target holds as intended for our own push. Returns whether the intent is settled."""
    # Read from the cache again: another intent of the batch may be of its counterpart.
    origin = session.cache.rows([intent.rid]).get(intent.rid)
    if origin is None:
        _was_not_overwritten(session, intent.conflicts)
        return True
    written = session.cache.rows([origin.link]).get(origin.link) if origin.link is not None else None
    record = look.counterparts.get(written.key) if written is not None else None
    if written is not None and record is not None:
        _absorb(session, look.source, look.target, origin, written, record, intent)
    elif intent.rid in look.found:
        return _recover_create(session, look, origin, intent)
    else:
        _was_not_overwritten(session, intent.conflicts)
    return True


def _was_not_overwritten(session: Session, conflicts: Collection[int]) -> None:
    """These conflicts are counted again when they are settled; a later run has not counted them."""
    session.progress.conflicts = max(0, session.progress.conflicts - len(conflicts))


def _recover_create(session: Session, look: _Look, origin: Row, intent: Intent) -> bool:
    cache, found = session.cache, look.found[intent.rid]
    if len(found) != 1:
        # Found none under the key that it still has: it did not happen. Found several: `push` parks them.
        return look.keys[intent.rid] == intent.match
    created = cache.row_of(intent.target, found[0].key)
    if created is not None and created.link is not None:
        return True
    if created is None:
        (rid,) = cache.add(intent.target, [(found[0].key, intent.match, None)])
        created = cache.rows([rid])[rid]
    _absorb(session, look.source, look.target, origin, created, found[0], intent)
    return True


def _absorb(
    session: Session, source: Source, target: Source, origin: Row, written: Row, record: Record, intent: Intent
) -> None:
    """What the target holds as intended is what both sides held then."""
    values, now = translate(session, target, record), target.field_hashes([record])[0]
    intended = target.seen(intent.fields, record.values, now)
    echoed = [i for i in range(len(now)) if intended[i] == now[i] and not isinstance(values[i], (Unlinked, Unmapped))]
    _was_not_overwritten(session, {*intent.conflicts} - {*echoed})
    at_origin = source.layout.patched(origin.shadow, {i: source.hash_of(i, values[i]) for i in echoed})
    at_target = target.layout.patched(written.shadow, {i: now[i] for i in echoed})
    session.cache.set_shadows([(origin.rid, at_origin), (written.rid, at_target)])
    if target.stale_seconds and intent.match is None and len(echoed) < len(now):
        # The answer may be from before the write: what was sent is no edit when it shows later.
        sent = Written(written.rid, target.partial_shadow(now), intent.fields)
        session.cache.settling.add(target.number, session.now(), [sent])
    session.cache.forget(lost for lost in [origin.link] if lost not in (None, written.rid))
    session.cache.link([(origin.rid, written.rid)])
    gone = session.cache.pending.gone([origin.rid, written.rid])
    session.cache.pending.add({origin.rid, written.rid} - gone)
