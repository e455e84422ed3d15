"""What is synced and by which rules: `spec.sync` as the steps of a run see it. Made by `config`, checked and in order.

The two connectors' names in their order number the sides: 0 and 1.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from functools import cached_property
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import orjson
from pydantic import AfterValidator, Field, WithJsonSchema

from tidegate.worker.connectors import FieldUse, Part
from tidegate.worker.connectors.settings import Duration, Secret
from tidegate.worker.values.normal_form import Normalization, Value
from tidegate.worker.values.value_map import ValueMap

Side = Literal[0, 1]

# Whether the systems never give an id to another record, or do.
Ids = Literal["stable", "reused"]
SIDES: tuple[Side, Side] = (0, 1)

# What a sync does in a system.
Operation = Literal["create", "update", "delete"]
EVERY_OPERATION: frozenset[Operation] = frozenset({"create", "update", "delete"})


def other(side: Side) -> Side:
    """The side across."""
    return 1 if side == 0 else 0


class Limit(Part):
    """How many records: `min` always, beyond that no more than the percentage."""

    percent: Annotated[int, Field(ge=0, le=100)] = 20
    """Beyond `min`, at most this share of the linked records."""
    min: Annotated[int, Field(ge=0)] = 10
    """Up to this many are allowed in any case."""

    def is_exceeded_by(self, some: int, linked: int) -> bool:
        """Whether so many records, of so many that are linked, are more than may pass."""
        return some > self.min and some * 100 > self.percent * linked


class MaxDeletes(Limit):
    """How many records runs may delete or unlink on one side in 24 hours: `min` always, beyond that no more than the
    percentage."""


class MaxCreates(Limit):
    """How many records one run may create on one side, counted before its first write: the greater of `min` and the
    percentage of the linked records. Before the first run has ended none is linked. Without it there is no limit."""


class MaxUpdates(Limit):
    """How many records one run may update on one side, counted before its first write: the greater of `min` and the
    percentage of the linked records. Without it there is no limit."""


class MaxRekeyed(Limit):
    """How many records of one side may have other match fields under the same ids: `min` always, beyond that no more
    than the percentage. Many at once are a sign of another system, or of another tenant's records."""


class MaxBlanked(Limit):
    """In how many records of one side runs may find a field blank in 24 hours that had a value before, each field by
    itself: `min` always, beyond that no more than the percentage of the linked records in which it had a value."""


class Safety(Part):
    """When to stop and ask, before anything is pushed."""

    max_creates: MaxCreates | None = None
    max_updates: MaxUpdates | None = None
    max_deletes: MaxDeletes = MaxDeletes()
    max_rekeyed: MaxRekeyed = MaxRekeyed()
    max_blanked: MaxBlanked = MaxBlanked()
    empty_side: Literal["halt", "allow"] = "halt"
    """What a run does when a side that had records has none: halt, or allow it and carry on."""


_UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
_SIZE = r"^[1-9][0-9]{0,5}(Ki|Mi|Gi)$"


def _size(text: str) -> str:
    if not re.match(_SIZE, text):
        raise ValueError(f"{text!r} is not a size: write a whole number with Ki, Mi or Gi, such as 256Mi")
    return text


class Journal(Part):
    """A journal of what runs write, with the values before and after, in the cache volume, so that a run can be undone.
    Without it nothing is recorded."""

    keep: Duration = timedelta(days=7)
    """How long after its start a run can be undone."""
    max_size: Annotated[str, AfterValidator(_size), WithJsonSchema({"type": "string", "pattern": _SIZE})] = "256Mi"
    """The maximum size of the journal; beyond it whole runs are dropped, the oldest first."""
    key: Secret | None = None
    """{env: NAME}: the variable that holds the key by which values are encrypted. Without it they are stored in plain
    text."""

    @property
    def most_bytes(self) -> int:
        """`max_size`, in bytes."""
        return int(self.max_size[:-2]) * _UNITS[self.max_size[-2:]]


class Pace(Part):
    """A limit that protects the connected systems: records read and records pushed, together, per second."""

    records_per_second: Annotated[int, Field(ge=1)]
    """Records read and records pushed, together."""


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One field as both sides have it.

    Values flow to the sides for which `to` is true; they are the same when their normalized forms are. With `ref` they
    are ids of that object's records, and the same when those records are linked. With `map` they are the same when an
    entry has both.
    """

    names: tuple[str, str]
    to: tuple[bool, bool] = (True, True)
    normalize: tuple[Normalization, ...] = ()
    ref: str | None = None
    map: ValueMap | None = None

    def is_compared_as_translated(self, side: Side) -> bool:
        """Whether a side's values are compared as the other side would hold them; the other side's are as they are."""
        if self.map is not None:
            return not self.to[side] if self.to != (True, True) else side == 0
        return self.ref is not None and side == 0

    @property
    def title(self) -> str:
        """The field, as a message names it."""
        return self.names[0] if self.names[0] == self.names[1] else "/".join(self.names)

    @property
    def identity(self) -> str:
        """What a remembered hash of the field stands for: another identity is another field."""
        return orjson.dumps([*self.names, self.normalize, self.ref]).decode()


@dataclass(frozen=True)
class SyncedObject:
    """One kind of record. `match` holds field indexes; `conflict` is a side, or the policy's name."""

    name: str
    settings: tuple[Part, Part]
    fields: tuple[FieldRule, ...]
    match: tuple[int, ...]
    conflict: Side | Literal["newest", "park"]
    deletes: Literal["unlink", "propagate"]
    # None: what is left of a record tells whether another one has its id.
    ids: Ids | None = None
    # What may be done on either side.
    writes: tuple[frozenset[Operation], frozenset[Operation]] = (EVERY_OPERATION, EVERY_OPERATION)
    # What new records of either side get beside their fields.
    constants: tuple[tuple[tuple[str, Value], ...], tuple[tuple[str, Value], ...]] = ((), ())

    @property
    def creates_on(self) -> tuple[bool, bool]:
        """Whether new records flow to a side.

        They do where all match fields flow: a record made without them would not be found again after a reset, and
        would be made a second time.
        """
        return self._may("create")

    @property
    def updates_on(self) -> tuple[bool, bool]:
        """Whether the fields of records that are there flow to a side."""
        return "update" in self.writes[0], "update" in self.writes[1]

    @property
    def deletes_on(self) -> tuple[bool, bool]:
        """Whether deletes flow to a side, as new records do."""
        return self._may("delete")

    def _may(self, operation: Operation) -> tuple[bool, bool]:
        first, second = (
            operation in self.writes[side] and all(self.fields[i].to[side] for i in self.match) for side in SIDES
        )
        return first, second

    @cached_property
    def flowing(self) -> tuple[Sequence[int], Sequence[int]]:
        """The fields whose values flow to side 0, and to side 1."""
        first, second = ([i for i, rule in enumerate(self.fields) if rule.to[side]] for side in SIDES)
        return first, second

    @cached_property
    def has_translations(self) -> bool:
        """Whether a field's values mean something else on the other side."""
        return self.has_references or any(rule.map is not None for rule in self.fields)

    @cached_property
    def has_references(self) -> bool:
        """Whether a field refers to other records."""
        return any(rule.ref is not None for rule in self.fields)

    def uses(self, side: Side) -> tuple[FieldUse, ...]:
        """The fields as the side's connector sees them."""
        writes = bool(self.writes[side] & {"create", "update"})
        return tuple(FieldUse(rule.names[side], rule.to[side] and writes, rule.normalize) for rule in self.fields)


@dataclass(frozen=True, slots=True)
class Sync:
    """All of `spec.sync`."""

    names: tuple[str, str]
    types: tuple[str, str]
    connectors: tuple[Part, Part]
    # The names that the two systems were given; None for one without a name.
    identities: tuple[str | None, str | None]
    objects: tuple[SyncedObject, ...]
    safety: Safety
    pace: Pace | None
    journal: Journal | None
    full_scan_every: timedelta
    overlap: timedelta

    @property
    def zones(self) -> tuple[tzinfo | None, tzinfo | None]:
        """What zone times without one are in, for cursors of either side; None where the connector does not say."""
        first, second = (getattr(connector, "timezone", None) for connector in self.connectors)
        return first and ZoneInfo(first), second and ZoneInfo(second)
