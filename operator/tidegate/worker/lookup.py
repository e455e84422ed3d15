"""Look up: before a record is created, whether it is there already. A step of `push`.

This is what makes a create safe to repeat, and keeps the sync from making duplicates of what was entered on both
sides. What is found is linked and merged by the next pass; where nobody can tell what belongs together, it is parked.
"""

from collections import defaultdict
from collections.abc import Sequence

from tidegate.worker.config import SIDES, Side, other
from tidegate.worker.connectors import Record
from tidegate.worker.merge import Create
from tidegate.worker.session import Session, Source, SourcePair
from tidegate.worker.values import Hash
from tidegate.worker.work import Work


def look_up(session: Session, both: SourcePair, works: Sequence[Work]) -> None:
    """Take back the creates whose record exists, or may exist."""
    for on in SIDES:
        creates = [work for work in works if isinstance(work.decision, Create) and work.decision.on == on]
        if creates:
            with session.cache.transaction():
                _look_up(session, both, on, creates)


def _look_up(session: Session, both: SourcePair, on: Side, creates: Sequence[Work]) -> None:
    source, target = both.sources[other(on)], both.sources[on]
    sought: list[tuple[Work, Hash]] = []
    for work in creates:
        key = source.match_key(work.hashes[source.side])
        row = work.row(source.side)
        if key is None:
            _set_aside(session, source, work, f"it has no {_match_titles(both)}, by which it could be matched")
            continue
        if row.match != key:
            session.cache.set_matches([(row.rid, key)])
        sought.append((work, key))
    found = _find(both, source, target, sought)
    for work, key in sought:
        _judge(session, both, source, target, work, key, found[key])


def _match_titles(both: SourcePair) -> str:
    return ", ".join(both.item.fields[i].title for i in both.item.match)


def _find(
    both: SourcePair, source: Source, target: Source, sought: Sequence[tuple[Work, Hash]]
) -> dict[Hash, list[Record]]:
    wanted = [tuple(work.record(source.side).values[i] for i in both.item.match) for work, _ in sought]
    found: dict[Hash, list[Record]] = defaultdict(list)
    for record in target.collection.find(wanted):
        key = target.match_key(target.field_hashes(record))
        if key is not None:
            found[key].append(record)
    return found


def _judge(
    session: Session,
    both: SourcePair,
    source: Source,
    target: Source,
    work: Work,
    key: Hash,
    found: Sequence[Record],
) -> None:
    cache = session.cache
    rid = work.row(source.side).rid
    fields = _match_titles(both)
    alike = {row.rid for row in cache.unpaired(source.number, key, limit=10)} - {rid}
    if alike - cache.gone(alike):
        _set_aside(session, source, work, f"other records of {source.name} have the same {fields}")
        return
    if len(found) > 1:
        _set_aside(session, source, work, f"{len(found)} records of {target.name} have the same {fields}")
        return
    if not found:
        return  # create it
    row = cache.row_of(target.number, found[0].key)
    if row is not None and row.link is not None and row.link != rid:
        if cache.gone([row.link]):
            work.decision = None  # its counterpart is being taken from it: in the next pass it is free
            return
        reason = f"the record of {target.name} with the same {fields} is linked to another of {source.name}"
        _set_aside(session, source, work, reason)
        return
    across = row.rid if row is not None else cache.add(target.number, [(found[0].key, key, None)])[0]
    work.decision = None
    cache.forget(lost.rid for lost in [work.rows[target.side]] if lost is not None and lost.rid != across)
    cache.link([(rid, across)])


def _set_aside(session: Session, source: Source, work: Work, reason: str) -> None:
    work.decision = None
    row = work.row(source.side)
    session.park(source, row.rid, row.key, None, reason)
    session.cache.clean([row.rid])
