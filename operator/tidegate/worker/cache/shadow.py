"""A shadow: what one side held when last seen, as the cache keeps it (design section 6.2, "one shadow per side").

It is one hash over the whole record and one per field, each field in a slot of its own that it keeps for the life of
the cache: fields may come, go and change places without a reset. A field that is normalized in another way gets another
slot, and its former one still tells whether the value has changed: see `Layout.former`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import orjson

from tidegate.worker.values.normal_form import HASH_BYTES, UNKNOWN, Hash, Normalization

Shadow = bytes


def digest_of(shadow: Shadow) -> Hash:
    """The hash over the whole record; UNKNOWN when the record has to be looked at field by field."""
    return shadow[:HASH_BYTES]


class Former(NamedTuple):
    """Where a field's hash was while the field was normalized in another way."""

    slot: int
    normalize: tuple[Normalization, ...]


@dataclass(frozen=True)
class Layout:
    """Which slot belongs to which field of the present configuration, and which ones belonged to it before.

    A shadow is packed under one configuration: of a field's slots at most one has a hash.
    """

    slots: tuple[int, ...]
    former: tuple[tuple[Former, ...], ...] = ()

    @cached_property
    def has_former(self) -> bool:
        """Whether a field was ever normalized in another way."""
        return any(self.former)

    @cached_property
    def _last_slot(self) -> int:
        """Also of those that belonged to a field before: they come later where a change has been taken back."""
        return max((*self.slots, *(former.slot for each in self.former for former in each)))

    @cached_property
    def _in_order(self) -> bool:
        return self.slots == tuple(range(len(self.slots)))

    def pack(self, digest: Hash, fields: Sequence[Hash | None]) -> Shadow:
        """A shadow of these hashes, in field order; None is a field that was never seen."""
        hashes = [seen or UNKNOWN for seen in fields]
        if self._in_order:
            return b"".join((digest, *hashes))
        parts = [digest, *[UNKNOWN] * (max(self.slots) + 1)]
        for slot, seen in zip(self.slots, hashes, strict=True):
            parts[slot + 1] = seen
        return b"".join(parts)

    def patched(self, shadow: Shadow | None, fields: Mapping[int, Hash]) -> Shadow:
        """The shadow with these hashes, by field; all else stays known, and the record has to be looked at again."""
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
        """Where in a shadow a field's hash begins."""
        return (self.slots[field] + 1) * HASH_BYTES

    def unpack(self, shadow: Shadow | None) -> tuple[Hash | None, ...]:
        """The fields' hashes, in field order; None for what was never seen."""
        if shadow is None:
            return (None,) * len(self.slots)
        return tuple(_at(shadow, slot) for slot in self.slots)

    def formerly(self, shadow: Shadow | None, field: int) -> tuple[Hash, Former] | None:
        """The hash of a field that was last seen while it was normalized in another way, and how it was."""
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
    """What a field's identity says but for how it is normalized: its names, and what it refers to."""
    *names, _, ref = orjson.loads(identity)
    return *names, ref


def with_reference(identity: str, former: str, name: str) -> str:
    """A field's identity after the object that it may refer to was renamed."""
    *others, ref = orjson.loads(identity)
    return orjson.dumps([*others, name if ref == former else ref]).decode()


def lay_out(remembered: Sequence[str], identities: Sequence[str]) -> tuple[list[str], Layout]:
    """Give each field its slot: the one it had, or a new one. Returns all slots' fields, to be remembered."""
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
    """As sqlite3 takes it at once; for every `bytes` it searches for a registered adapter."""
    return None if data is None else bytearray(data)
