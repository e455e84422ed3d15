"""Blanked: fields that held a value when they were last seen, and are blank now. A part of `scan`, and of `guard`.

A column that was emptied by accident, or that a system leaves out all at once, would empty the other side's as well.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tidegate.worker.config.rules import Side, other
from tidegate.worker.connectors import Record
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import HashedOnce, Source, SourcePair

_BATCH = 20_000


def note_blank_fields(
    session: Session,
    source: Source,
    read: Iterable[int],
    pending: Sequence[tuple[int, Record]],
    hashed: HashedOnce,
) -> None:
    """Note the blank fields of the records that were read and are pending, each with its rid."""
    cache = session.cache
    if cache.recall(f"source {source.number}") is None:
        return  # it is read for the first time, and nothing is known of what it held before
    fields, blank = source.item.flowing[other(source.side)], source.hasher.blank
    titles = [rule.title for rule in source.item.fields]
    hashes = hashed.of([record for _, record in pending])
    found = {rid: [titles[i] for i in fields if now[i] == blank] for (rid, _), now in zip(pending, hashes, strict=True)}
    cache.blanks.note(read, {rid: titles for rid, titles in found.items() if titles})


def blanked(session: Session, both: SourcePair, side: Side) -> Mapping[int, Sequence[int]]:
    """The linked records of a side of which a field has become blank while the other side has a value, by field."""
    source, across = both.sources[side], both.sources[other(side)]
    if not both.item.updates_on[across.side]:
        return {}
    places = {both.item.fields[i].title: i for i in both.item.flowing[across.side]}
    found: defaultdict[int, list[int]] = defaultdict(list)
    after = 0
    while rows := session.cache.blanks.linked(source.number, after, _BATCH):
        if after:
            session.pace.wait()
        after = rows[-1].rid
        for row in rows:
            for i in (places[title] for title in row.fields - row.across_fields if title in places):
                if source.had_value(row.shadow, i) and not across.was_blank(row.across, i):
                    found[i].append(row.rid)
    return found


def count_emptied(session: Session, source: Source, field: int, since: float) -> int:
    """In how many linked records of a side runs have emptied a field since then, that is blank still."""
    title, places = source.item.fields[field].title, source.layout.places_of(field)
    return session.cache.blanks.count_let_through(source.number, title, since, places, source.hasher.blank)


def count_filled(session: Session, source: Source, field: int) -> int:
    """How many linked records of a side had a value in a field when they were last seen."""
    cache = session.cache
    if source.layout.former and source.layout.former[field]:
        return cache.count(source.number) - cache.count_alone(source.number)  # it may be in one of several places
    return cache.blanks.count_filled(source.number, source.layout.place_of(field), source.hasher.blank)
