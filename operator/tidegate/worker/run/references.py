"""References: what a record says of another one, translated by that other one's link; and values with a `map`.

An id means nothing on the other side. A field with `ref` therefore flows as the id that the counterpart has there, and
two such fields are the same when the records that they name are linked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tidegate.worker.config.rules import FieldRule, Side
from tidegate.worker.connectors import Key, Record
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import Source
from tidegate.worker.values.normal_form import MISSING, Hash, Value, normal
from tidegate.worker.values.value_map import Unmapped


@dataclass(frozen=True, slots=True)
class Unlinked:
    """Stands for a value that has no counterpart on the other side, or none yet.

    `rid` is that of the record that the value names, where there is one.
    """

    title: str
    rid: int | None = None


def translate(session: Session, source: Source, record: Record) -> tuple[Value | Unlinked | Unmapped, ...]:
    """The record's values as the other side would hold them."""
    if not source.item.has_translations:
        return record.values
    rules = source.item.fields
    return tuple(_across(session, source, rule, value) for rule, value in zip(rules, record.values, strict=True))


def _across(session: Session, source: Source, rule: FieldRule, value: Value) -> Value | Unlinked | Unmapped:
    if rule.map is not None and value is not MISSING:
        return rule.map.translated(value, source.side)
    return value if rule.ref is None else _translate(session, source, rule.ref, value)


def comparable(
    source: Source, hashes: tuple[Hash, ...], translated: tuple[Value | Unlinked | Unmapped, ...]
) -> tuple[Hash, ...]:
    """Hashes by which the two sides are compared: of side 0's references, those of what side 1 would hold."""
    if not source.item.has_translations:
        return hashes
    return tuple(
        _hash_of(source, i, value) if rule.is_compared_as_translated(source.side) else hashed
        for i, (rule, hashed, value) in enumerate(zip(source.item.fields, hashes, translated, strict=True))
    )


# The hashes of so many ids are looked for at once: each search reads all shadows of an object.
_SEARCHED = 50_000


def soil_referring(session: Session, name: str, side: Side, keys: Sequence[Key]) -> bool:
    """Note that records which refer to these of the object `name` are to be merged again: these ids are not used now.

    Returns whether there are any, or may be.
    """
    found = False
    for both in session.pairs:
        source = both.sources[side]
        for i, rule in enumerate(both.item.fields):
            if rule.ref != name:
                continue
            for start in range(0, len(keys), _SEARCHED):
                hashes = [source.hash_of(i, key) for key in keys[start : start + _SEARCHED]]
                holders = session.cache.may_hold(source.number, source.layout.place_of(i), hashes)
                rids = {rid for _, rid, _ in session.cache.known(source.number, holders).values()}
                rids -= session.cache.pending.gone(rids)
                session.cache.pending.add(rids)
                found |= bool(rids)
    return found


def _hash_of(source: Source, field: int, value: Value | Unlinked | Unmapped) -> Hash:
    # What has no counterpart equals nothing that the other side can hold: no id has a zero byte.
    if isinstance(value, Unmapped):
        return source.hasher.something_else
    return source.hash_of(field, f"\0{value.title}" if isinstance(value, Unlinked) else value)


def _translate(session: Session, source: Source, name: str, value: Value) -> Value | Unlinked:
    if normal(value) is None:
        return None
    referred = next(both.sources[source.side] for both in session.pairs if both.item.name == name)
    rid = None
    for key in _keys(value):
        row = session.cache.row_of(referred.number, key)
        rid = rid if row is None else row.rid
        counterpart = session.cache.rows([row.link]).get(row.link) if row is not None and row.link is not None else None
        if counterpart is not None and not session.cache.pending.gone([counterpart.rid]):
            return counterpart.key
    return Unlinked(f"{name} {value}", rid)


def _keys(value: Value) -> tuple[Key, ...]:
    """The forms in which the cache may know an id: some systems write numbers as texts."""
    if isinstance(value, UUID):
        return (str(value),)
    text = normal(value) or ""
    return (int(text), text) if text.isascii() and text.isdigit() else (text,)
