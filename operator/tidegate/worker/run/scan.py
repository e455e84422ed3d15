"""Scan: read both sides, page by page, and note what differs from the shadows.

The second step of a run, after `recover`. Each page's effect, its visits and the place where the scan goes on are one
transaction: a scan that is cut short repeats at most one page. In a run that pushes, shadows stay as they are and the
records become dirty. A read-only run does the same and notes what it is about to accept (design section 6.2).

A scan that its connector cannot prove whole is not believed: no record counts as gone, and the watermark stays, so that
the next run reads the same changes again.
"""

from collections.abc import Sequence
from itertools import repeat
from typing import Any

from tidegate.worker.connectors import Key, Record, Token, Unreadable, Window, unread
from tidegate.worker.connectors.sizes import size_of
from tidegate.worker.connectors.where import filter_of, outside
from tidegate.worker.errors import ConfigurationError
from tidegate.worker.merge.same_record import has_returned, is_another
from tidegate.worker.run.blanked import note_blank_fields
from tidegate.worker.run.departures import leave_filter
from tidegate.worker.run.reloaded import recognise_reloaded
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import HashedOnce, Source
from tidegate.worker.run.zones import complaint_of_zone

PAGE = 5000


def scan(session: Session) -> None:
    """Read what the run's scope asks for, from the checkpoint on."""
    progress = session.progress
    sources = [source for pair in session.pairs for source in pair.sources]
    while progress.sources_done < len(sources):
        _scan_source(session, sources[progress.sources_done])


def _scan_source(session: Session, source: Source) -> None:
    progress, cache = session.progress, session.cache
    if not progress.scanning:
        session.pace.wait()
        # Taken before the first page: what changes while the pages are read is read by the next run.
        until = source.collection.watermark(_last_watermark(session, source), session.sync.overlap)
        with session.commit():
            progress.scanning = True
            progress.whole = _must_read_whole(session, source) or until is None
            progress.until, progress.after = until, None
            if progress.whole:
                cache.visits.begin()
                cache.pending.doubt_absence(source.number)
    window = None
    if not progress.whole:
        window = Window(_last_watermark(session, source), progress.until, session.sync.overlap)
    while True:
        session.pace.wait()
        page = source.collection.scan(progress.after, session.pace.batch(PAGE), window)
        if complaint := complaint_of_zone(session.sync, source, page.records[:1]):
            raise ConfigurationError(complaint)
        with session.commit():
            _take_deletes(session, source, page.gone)
            _take_departures(session, source, page.outside)
            _take(session, source, page.records)
            progress.after = page.after
            if page.after is None:
                _set_aside(session, source, page.unreadable)
                _finish(session, source, page.doubt)
        session.pace.took(len(page.records))
        if page.after is None:
            return


def _last_watermark(session: Session, source: Source) -> Token | None:
    """As the last scan by the same cursor took it."""
    remembered = session.cache.recall(f"source {source.number}") or {}
    return remembered.get("watermark") if remembered.get("cursor") == source.cursor else None


def _must_read_whole(session: Session, source: Source) -> bool:
    """True unless the changes since the last whole scan are enough."""
    if session.order.scope == "full" or session.progress.in_doubt or source.widened or source.cursor is None:
        return True
    if session.accepts(source) and session.cache.pending.any_from(source.number):
        return True  # what an earlier run has left undone is to be accepted too
    remembered = session.cache.recall(f"source {source.number}") or {}
    if remembered.get("cursor") != source.cursor or remembered.get("watermark") is None:
        return True
    if any(remembered.get(name) != now for name, now in _read_by(source).items()):
        return True
    read_whole_at = remembered.get("readWholeAt")
    due = session.sync.full_scan_every.total_seconds()
    return read_whole_at is None or not 0 <= session.now() - read_whole_at < due


def _read_by(source: Source) -> dict[str, Any]:
    """The settings with which a record may be synced, or may have to be, that nobody has edited."""
    maps = [[list(pair) for pair in rule.map.pairs] for rule in source.item.fields if rule.map is not None]
    return {"where": filter_of(source.collection), "map": maps or None}


def _take(session: Session, source: Source, records: Sequence[Record]) -> None:
    cache, progress = session.cache, session.progress
    keys = [record.key for record in records]
    known = cache.known(source.number, keys)
    new = [record for record in records if record.key not in known] if len(known) < len(records) else []
    met = [record for record in records if record.key in known] if new else records
    remembered = [known[key] for key in keys if key in known] if new else [known[key] for key in keys]
    digests = source.digests(met)
    changed = []
    if source.widened or digests != [seen for _, _, seen in remembered]:
        changed = [
            (rid, record)
            for record, digest, (_, rid, seen) in zip(met, digests, remembered, strict=True)
            if seen != digest or source.widened
        ]
    visited = {rid for _, rid, _ in remembered}
    hashed = HashedOnce(source)
    replaced = _replaced(session, source, changed, hashed)
    new, changed = [*new, *replaced.values()], [each for each in changed if each[0] not in replaced]
    visited -= replaced.keys()
    cache.reloads.lose_ids(replaced)
    cache.settling.shown(visited)
    rids = cache.add(source.number, [*zip([record.key for record in new], source.match_keys_of(new), repeat(None))])
    _note_returned(session, source, [*zip(rids, new, strict=True)], hashed)
    differing = [*zip(rids, new, strict=True), *changed]
    cache.large.note({rid: size_of(record.values) for rid, record in differing})
    if session.accepts(source):
        cache.accepted.add_unchanged(visited - {rid for rid, _ in changed})
        _note_accepted(session, source, differing, hashed)
    cache.pending.add([rid for rid, _ in differing])
    note_blank_fields(session, source, [*visited, *rids], differing, hashed)
    _note_changed(session, source, changed, hashed)
    if progress.whole:
        cache.visits.add([*visited, *rids])
    progress.read[source.name] += len(records)
    progress.changed[source.name] += len(new) + len(changed)


def _replaced(
    session: Session, source: Source, changed: Sequence[tuple[int, Record]], hashed: HashedOnce
) -> dict[int, Record]:
    """By rid, the records that took the place of those that were linked under the same ids."""
    if not changed:
        return {}
    in_doubt = {intent.rid for intent in session.cache.intents.unsettled()}
    rows = {rid: row for rid, row in session.cache.rows(rid for rid, _ in changed).items() if row.link is not None}
    there = [(rows[rid], record) for rid, record in changed if rid in rows and not in_doubt & {rid, rows[rid].link}]
    hashes = hashed.of([record for _, record in there])
    return {
        row.rid: record
        for (row, record), now in zip(there, hashes, strict=True)
        if is_another(source.item, source.seen(row.shadow, record.values, now), now, source.hasher.blank)
    }


def _note_returned(session: Session, source: Source, new: Sequence[tuple[int, Record]], hashed: HashedOnce) -> None:
    """Of the records that are new, some may have been seen gone by an earlier run; `pair` links those again."""
    reloads, known = session.cache.reloads, {record.key: (rid, record) for rid, record in new}
    departed = [each for each in reloads.departed(source.number, [*known]) if each.key in known]
    there = [known[each.key] for each in departed]
    hashes = hashed.of([record for _, record in there])
    returned: dict[int, list[int]] = {}
    for each, (rid, record), now in zip(departed, there, hashes, strict=True):
        if has_returned(source.item, source.seen(each.shadow, record.values, now), now, source.hasher.blank):
            returned.setdefault(rid, []).append(each.rid)
    reloads.note_returned((former[0], rid) for rid, former in returned.items() if len(former) == 1)


def _note_accepted(session: Session, source: Source, read: Sequence[tuple[int, Record]], hashed: HashedOnce) -> None:
    rids, records = [rid for rid, _ in read], [record for _, record in read]
    session.cache.accepted.add(zip(rids, source.shadows(records, hashed.of(records)), strict=True))


def _note_changed(session: Session, source: Source, changed: Sequence[tuple[int, Record]], hashed: HashedOnce) -> None:
    keys = source.match_keys(hashed.of([record for _, record in changed]))
    session.cache.set_matches(zip([rid for rid, _ in changed], keys, strict=True))


def _take_deletes(session: Session, source: Source, keys: Sequence[Key]) -> None:
    """Records that their system marks as deleted: no whole scan has to miss them first."""
    if not keys:
        return
    known = session.cache.known(source.number, keys)
    _note_gone(session, source, [rid for _, rid, _ in known.values()])


def _take_departures(session: Session, source: Source, keys: Sequence[Key]) -> None:
    """Records that are outside the filter now."""
    if keys:
        leave_filter(session, source, [rid for _, rid, _ in session.cache.known(source.number, keys).values()])


def _note_gone(session: Session, source: Source, rids: Sequence[int]) -> None:
    session.progress.changed[source.name] += len(set(rids) - session.cache.pending.gone(rids))
    session.cache.pending.add(rids, gone=True)  # `push` reads each by its id before anything is done about it


def _set_aside(session: Session, source: Source, unreadable: Sequence[Unreadable]) -> None:
    """What cannot be read is named in the log, and is not gone."""
    cache, progress = session.cache, session.progress
    for each in unreadable:
        place = each.place if each.key is None else each.key
        session.report.parked(source.item.name, source.name, place, "", f"{each.place} {each.reason}")
    known = cache.known(source.number, [each.key for each in unreadable if each.key is not None])
    if progress.whole:
        cache.visits.add([rid for _, rid, _ in known.values()])
    name = f"source {source.number}"
    remembered = cache.recall(name) or {}
    if unreadable or "unreadable" in remembered:
        progress.newly_unreadable += max(0, len(unreadable) - remembered.get("unreadable", 0))
        progress.unreadable += len(unreadable)
        cache.remember(name, remembered | {"unreadable": len(unreadable)})


def _finish(session: Session, source: Source, doubt: str) -> None:
    """The source has been read: what a whole scan has not met is gone, unless the scan may have left it out."""
    cache, progress = session.cache, session.progress
    remembered = cache.recall(f"source {source.number}") or {}
    found = {"cursor": source.cursor, "watermark": progress.until, "scannedWhole": progress.whole}
    found |= {name: now for name, now in _read_by(source).items() if now is not None or name in remembered}
    if doubt:
        progress.doubts[source.title] = doubt
        same = remembered.get("cursor") == source.cursor
        found |= {"watermark": remembered.get("watermark") if same else None, "scannedWhole": False}
        found |= {name: remembered.get(name) for name in _read_by(source) if name in found}
    elif progress.whole:
        for missed in list(cache.visits.missed(source.number)):
            _missed(session, source, missed)
    recognise_reloaded(session, source)
    # A whole scan counts as done only when what it found has passed the guard: see `run`.
    cache.remember(f"source {source.number}", remembered | found)
    progress.sources_done += 1
    progress.scanning, progress.after = False, None


def _missed(session: Session, source: Source, rids: Sequence[int]) -> None:
    """Records that a whole scan has not met; one that we have just created may not be in the list yet.

    Of a side with a filter each is asked for by its id, which tells a delete from a record that has left the filter.
    """
    cache = session.cache
    created = {rid for rid, written in cache.settling.of(rids).items() if written.before is None}
    rids = [rid for rid in rids if rid not in created]
    if not session.accepts(source) and filter_of(source.collection) is None:
        _note_gone(session, source, rids)
        return
    rows = list(cache.rows(rids).values())
    while rows:
        session.pace.wait()
        batch = rows[: source.collection.batch]
        batch = batch[: cache.large.fitting([(row.rid, None) for row in batch])]
        rows = rows[len(batch) :]
        found = source.get([row.key for row in batch])
        left = outside(source.collection)
        _take(session, source, list(found.values()))
        leave_filter(session, source, [row.rid for row in batch if row.key in left])
        there = {*found, *left, *unread(source.collection)}
        _note_gone(session, source, [row.rid for row in batch if row.key not in there])
