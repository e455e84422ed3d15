"""A shadow: what one side held when last seen, as the cache stores it (design section 6.2, "one shadow per side").

It has one hash over the whole record and one per field. Each field keeps its slot for the life of the cache, so that
fields may be added, removed and reordered without a reset. A field that is normalized differently gets another slot;
its former one still shows whether the value has changed: see `Layout.former`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import orjson

from tidegate.worker.values.normal_form import HASH_BYTES, UNKNOWN, Hash, Normalization

Shadow = bytes


def digest_of(shadow: Shadow) -> Hash:
    """The hash over the whole record; UNKNOWN when each field must be compared."""
    return shadow[:HASH_BYTES]


class Former(NamedTuple):
    """The slot of a field's hash from when the field was normalized differently."""

    slot: int
    normalize: tuple[Normalization, ...]


@dataclass(frozen=True)
class Layout:
    """Which slots belong to which fields of the present configuration, now and formerly.

    A shadow is packed under one configuration: at most one of a field's slots has a hash.
    """

    slots: tuple[int, ...]
    former: tuple[tuple[Former, ...], ...] = ()

    @cached_property
    def has_former(self) -> bool:
        """Whether any field was ever normalized differently."""
        return any(self.former)

    @cached_property
    def _last_slot(self) -> int:
        """Former slots count too: they come later where a change of the configuration was reverted."""
        return max((*self.slots, *(former.slot for each in self.former for former in each)))

    @cached_property
    def _in_order(self) -> bool:
        return self.slots == tuple(range(len(self.slots)))

    def pack(self, digest: Hash, fields: Sequence[Hash | None]) -> Shadow:
        """A shadow with these hashes, in field order; None is a field that was never seen."""
        hashes = [seen or UNKNOWN for seen in fields]
        if self._in_order:
            return b"".join((digest, *hashes))
        parts = [digest, *[UNKNOWN] * (max(self.slots) + 1)]
        for slot, seen in zip(self.slots, hashes, strict=True):
            parts[slot + 1] = seen
        return b"".join(parts)

    def patched(self, shadow: Shadow | None, fields: Mapping[int, Hash]) -> Shadow:
        """The shadow with these fields' hashes replaced, and an UNKNOWN whole hash, so that fields are compared."""
        known = shadow or b""
        parts = [known[start : start + HASH_BYTES] for start in range(0, len(known), HASH_BYTES)]
        parts += [UNKNOWN] * (self._last_slot + 2 - len(parts))
        parts[0] = UNKNOWN
        for field, seen in fields.items():
            for former in self.former[field] if self.former else ():
                parts[former.slot + 1] = UNKNOWN
            parts[self.slots[field] + 1] = seen
        return b"".join(parts)

    def place_of(self, field: int) -> int:
        """The offset of a field's hash in a shadow."""
        return (self.slots[field] + 1) * HASH_BYTES

    def places_of(self, field: int) -> list[int]:
        """All offsets at which a shadow may have a field's hash."""
        former = self.former[field] if self.former else ()
        return [self.place_of(field), *((each.slot + 1) * HASH_BYTES for each in former)]

    def unpack(self, shadow: Shadow | None) -> tuple[Hash | None, ...]:
        """The fields' hashes, in field order; None for a field that was never seen."""
        if shadow is None:
            return (None,) * len(self.slots)
        return tuple(_at(shadow, slot) for slot in self.slots)

    def formerly(self, shadow: Shadow | None, field: int) -> tuple[Hash, Former] | None:
        """The hash of a field that was last seen when it was normalized differently, and how it was normalized then."""
        if shadow is None:
            return None
        for former in self.former[field]:
            if (seen := _at(shadow, former.slot)) is not None:
                return seen, former
        return None


def _at(shadow: Shadow, slot: int) -> Hash | None:
    start = (slot + 1) * HASH_BYTES
    seen = shadow[start : start + HASH_BYTES]
    return None if seen in (UNKNOWN, b"") else seen


def meaning_of(identity: str) -> tuple[object, ...]:
    """A field's identity without its normalization: its names, and the object that it refers to."""
    *names, _, ref = orjson.loads(identity)
    return *names, ref


def with_reference(identity: str, former: str, name: str) -> str:
    """A field's identity after the object that it refers to was renamed from `former` to `name`."""
    *others, ref = orjson.loads(identity)
    return orjson.dumps([*others, name if ref == former else ref]).decode()


def lay_out(remembered: Sequence[str], identities: Sequence[str]) -> tuple[list[str], Layout]:
    """Give each field its former slot, or a new one. Return the fields of all slots, to remember, and the layout."""
    slots = [*remembered, *(identity for identity in dict.fromkeys(identities) if identity not in remembered)]
    former = tuple(
        tuple(
            Former(slot, tuple(orjson.loads(other)[2]))
            for slot, other in enumerate(remembered)
            if other != identity and meaning_of(other) == meaning_of(identity)
        )
        for identity in identities
    )
    return slots, Layout(tuple(slots.index(identity) for identity in identities), former)


def blob(data: bytes | None) -> bytearray | None:
    """A type that sqlite3 binds directly; for every `bytes` it searches for a registered adapter."""
    return None if data is None else bytearray(data)
