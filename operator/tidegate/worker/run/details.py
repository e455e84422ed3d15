"""Details: the single records of a plan, one JSON object each, as its log and `tidegate-worker plan` list them.

Ids, and names of fields; the values of records only where they are asked for.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from tidegate.worker.cache.parked import Waiting
from tidegate.worker.config.rules import other
from tidegate.worker.connectors import Key, Record
from tidegate.worker.run.planned import Change, Changes
from tidegate.worker.run.session import Session, title_of
from tidegate.worker.run.source import Source, SourcePair

Detail = Mapping[str, Any]

# Records whose values are read at once.
_PAGE = 500


def details(session: Session, changes: Changes, *, values: bool) -> Iterator[Detail]:
    """Of each object and side: what would be written, then what would wait for a decision.

    An undo sets nothing aside: what it leaves alone is in the log.
    """
    waiting = session.cache.parked.oldest(-1) if session.order.undo is None else []
    for both in session.pairs:
        for source in both.sources:
            for change in changes.of(title_of(source.item, source.name)):
                yield _planned(source, change, values=values)
            aside = (each for each in waiting if each.source == source.number)
            yield from _set_aside(both, source, aside, values=values)


def _planned(source: Source, change: Change, *, values: bool) -> Detail:
    key, before, after = change
    what = "create" if before is None else "delete" if after is None else "update"
    held = [record.values if record else (None,) * len(source.item.fields) for record in (before, after)]
    names = [rule.names[source.side] for rule in source.item.fields]
    changed = {name: pair for name, *pair in zip(names, *held, strict=True) if pair[0] != pair[1]}
    record = {"type": "planned", "object": source.item.name, "connector": source.name, "what": what, "id": key}
    if not values:
        return {**record, "fields": list(changed)}
    return {**record, **_match(source, before), "fields": changed}


def _set_aside(both: SourcePair, source: Source, waiting: Iterator[Waiting], *, values: bool) -> Iterator[Detail]:
    across = both.sources[other(source.side)]
    while page := list(islice(waiting, _PAGE)):
        here = _read(source, [each.key for each in page]) if values else {}
        there = _read(across, [each.across for each in page if each.across is not None]) if values else {}
        for each in page:
            detail = {"type": "waiting", "object": source.item.name, "connector": source.name, "id": each.key}
            if each.field:
                detail["field"] = each.field
            detail["reason"] = each.reason
            if values:
                detail |= _match(source, here.get(each.key))
                counterpart = None if each.across is None else there.get(each.across)
                detail |= _held(each.field, ((source, here.get(each.key)), (across, counterpart)))
            yield detail


def _read(source: Source, keys: Sequence[Key]) -> dict[Key, Record]:
    return source.get(list(dict.fromkeys(keys)))


def _match(source: Source, record: Record | None) -> Detail:
    if record is None:
        return {}
    return {"match": {source.item.fields[i].names[source.side]: record.values[i] for i in source.item.match}}


def _held(field: str, sides: Sequence[tuple[Source, Record | None]]) -> Detail:
    """What each side holds in a field that waits; nothing of a record that waits whole."""
    titles = [rule.title for rule in sides[0][0].item.fields]
    if field not in titles:
        return {}
    i = titles.index(field)
    return {"held": {source.name: record.values[i] for source, record in sides if record is not None}}
