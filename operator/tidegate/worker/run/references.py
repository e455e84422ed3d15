"""References: what a record says of another one, translated by that other one's link. Serves `push` and `recover`.

An id means nothing on the other side. A field with `ref` therefore flows as the id that the counterpart has there, and
two such fields are the same when the records that they name are linked.
"""

from dataclasses import dataclass
from uuid import UUID

from tidegate.worker.connectors import Key, Record
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import Source
from tidegate.worker.values.normal_form import Hash, Value, normal


@dataclass(frozen=True, slots=True)
class Unlinked:
    """Stands for a value that has no counterpart on the other side, or none yet.

    `rid` is that of the record that the value names, where there is one.
    """

    title: str
    rid: int | None = None


def translate(session: Session, source: Source, record: Record) -> tuple[Value | Unlinked, ...]:
    """The record's values as the other side would hold them."""
    if not source.item.has_references:
        return record.values
    rules = source.item.fields
    return tuple(
        value if rule.ref is None else _translate(session, source, rule.ref, value)
        for rule, value in zip(rules, record.values, strict=True)
    )


def comparable(source: Source, hashes: tuple[Hash, ...], translated: tuple[Value | Unlinked, ...]) -> tuple[Hash, ...]:
    """Hashes by which the two sides are compared: of side 0's references, those of what side 1 would hold."""
    if source.side == 1 or not source.item.has_references:
        return hashes
    return tuple(
        hashed if rule.ref is None else _hash_of(source, i, value)
        for i, (rule, hashed, value) in enumerate(zip(source.item.fields, hashes, translated, strict=True))
    )


def _hash_of(source: Source, field: int, value: Value | Unlinked) -> Hash:
    # What has no counterpart equals nothing that the other side can hold: no id has a zero byte.
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
        if counterpart is not None:
            return counterpart.key
    return Unlinked(f"{name} {value}", rid)


def _keys(value: Value) -> tuple[Key, ...]:
    """The forms in which the cache may know an id: some systems write numbers as texts."""
    if isinstance(value, UUID):
        return (str(value),)
    text = normal(value) or ""
    return (int(text), text) if text.isascii() and text.isdigit() else (text,)
