"""Recover: find out which pushes of a batch that was cut short have happened.

The first step of a run, and once more after the scan when a create is in doubt. An update whose target holds what was
intended is our own echo: without this it would be taken for an edit made there, and in conflict with a newer edit of
the source. A create is looked up by its match key, as before every create.
"""

from tidegate.worker.cache.store import Intent, Row
from tidegate.worker.config.rules import other
from tidegate.worker.connectors import Record
from tidegate.worker.errors import SystemFailed
from tidegate.worker.run.references import Unlinked, translate
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import Source, SourcePair


def recover(session: Session, *, after_scan: bool) -> None:
    """Settle all intents; those that only a whole scan can tell of make the scan begin anew.

    That is a create whose source record has been given another match key since, or was deleted: the new record, if
    there is one, can only be found by the key that it was created under. Where that scan may have left it out, the
    source record is set aside, and the next run looks for it again.
    """
    unsettled = []
    for intent in session.cache.intents():
        settled = _recover(session, intent)
        doubted = _doubted_target(session, intent) if after_scan and not settled else None
        if doubted is not None:
            _set_aside(session, intent, doubted)
        elif settled or after_scan:
            with session.cache.transaction():
                session.cache.settle([intent.rid])
        else:
            unsettled.append(intent)
    reading_all = session.progress.in_doubt and session.progress.phase == "scan"
    if unsettled and not reading_all:
        with session.commit():
            session.progress.scan_again()


def _doubted_target(session: Session, intent: Intent) -> Source | None:
    """The intent's target, if its last scan may have left out records."""
    sources = (source for both in session.pairs for source in both.sources if source.number == intent.target)
    return next((each for each in sources if f"{each.name} {each.item.name}" in session.progress.doubts), None)


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
    doubtful: set[int] = set()
    for intent in session.cache.intents():
        try:
            settled = _recover(session, intent)
        except SystemFailed:
            settled = False
        if settled:
            with session.cache.transaction():
                session.cache.settle([intent.rid])
        else:
            doubtful.add(intent.rid)
    return doubtful


def _recover(session: Session, intent: Intent) -> bool:
    both = next((both for both in session.pairs if intent.target in both.numbers), None)
    origin = session.cache.rows([intent.rid]).get(intent.rid)
    if both is None or origin is None:
        return True
    target = both.sources[0] if both.numbers[0] == intent.target else both.sources[1]
    source = both.sources[other(target.side)]
    written = session.cache.rows([origin.link] if origin.link else []).get(origin.link or 0)
    record = target.collection.get([written.key]).get(written.key) if written else None
    if written is not None and record is not None:
        _absorb(session, source, target, origin, written, record, intent)
    elif intent.match is not None:  # also in the place of a counterpart that is gone
        return _recover_create(session, both, source, target, origin, intent)
    return True


def _recover_create(
    session: Session, both: SourcePair, source: Source, target: Source, origin: Row, intent: Intent
) -> bool:
    now = source.collection.get([origin.key]).get(origin.key)
    key = source.match_keys_of([now])[0] if now is not None else None
    candidates = {row.key: row for row in session.cache.unpaired(intent.target, intent.match or b"")}
    found = list(target.collection.get(list(candidates)).values())
    if not found and now is not None and key == intent.match:
        sought = tuple(now.values[i] for i in both.item.match)
        records = target.collection.find([sought])
        found = [record for record, its in zip(records, target.match_keys_of(records), strict=True) if its == key]
    if len(found) != 1:
        # Found none under the key that it still has: it did not happen. Found several: `push` parks them.
        return key == intent.match
    created = session.cache.row_of(intent.target, found[0].key)
    if created is not None and created.link is not None:
        return True
    if created is None:
        with session.cache.transaction():
            (rid,) = session.cache.add(intent.target, [(found[0].key, intent.match, None)])
        created = session.cache.rows([rid])[rid]
    _absorb(session, source, target, origin, created, found[0], intent)
    return True


def _absorb(
    session: Session, source: Source, target: Source, origin: Row, written: Row, record: Record, intent: Intent
) -> None:
    """What the target holds as intended is what both sides held then."""
    seen_origin = list(source.layout.unpack(origin.shadow))
    seen_written = list(target.layout.unpack(written.shadow))
    values = translate(session, target, record)
    for i, (intended, now) in enumerate(
        zip(target.layout.unpack(intent.fields), target.field_hashes([record])[0], strict=True)
    ):
        if intended == now and not isinstance(values[i], Unlinked):
            seen_written[i], seen_origin[i] = now, source.hash_of(i, values[i])
    with session.cache.transaction():
        shadows = (origin.rid, source.partial_shadow(seen_origin)), (written.rid, target.partial_shadow(seen_written))
        session.cache.set_shadows(shadows)
        session.cache.forget(lost for lost in [origin.link] if lost not in (None, written.rid))
        session.cache.link([(origin.rid, written.rid)])
        gone = session.cache.gone([origin.rid, written.rid])
        session.cache.soil({origin.rid, written.rid} - gone)
