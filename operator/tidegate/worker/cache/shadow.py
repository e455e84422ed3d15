"""A shadow: what one side held when last seen, as the cache keeps it (design section 6.2, "one shadow per side").

It is one hash over the whole record and one per field, each field in a slot of its own that it keeps for the life of
the cache: fields may come, go and change places without a reset.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from tidegate.worker.values.normal_form import HASH_BYTES, UNKNOWN, Hash

Shadow = bytes


def digest_of(shadow: Shadow) -> Hash:
    """The hash over the whole record; UNKNOWN when the record has to be looked at field by field."""
    return shadow[:HASH_BYTES]


@dataclass(frozen=True)
class Layout:
    """Which slot belongs to which field of the present configuration."""

    slots: tuple[int, ...]

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

    def place_of(self, field: int) -> int:
        """Where in a shadow a field's hash begins."""
        return (self.slots[field] + 1) * HASH_BYTES

    def unpack(self, shadow: Shadow | None) -> tuple[Hash | None, ...]:
        """The fields' hashes, in field order; None for what was never seen."""
        if shadow is None:
            return (None,) * len(self.slots)
        starts = ((slot + 1) * HASH_BYTES for slot in self.slots)
        hashes = (shadow[start : start + HASH_BYTES] for start in starts)
        return tuple(None if seen in (UNKNOWN, b"") else seen for seen in hashes)


def lay_out(remembered: Sequence[str], identities: Sequence[str]) -> tuple[list[str], Layout]:
    """Give each field its slot: the one it had, or a new one. Returns all slots' fields, to be remembered."""
    slots = [*remembered, *(identity for identity in dict.fromkeys(identities) if identity not in remembered)]
    return slots, Layout(tuple(slots.index(identity) for identity in identities))
