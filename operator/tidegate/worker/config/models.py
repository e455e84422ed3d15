"""What users may write as `spec.sync`, but for each connector's own settings, which its ConnectorType names.

`config` checks what was written with these, and makes the rules of a run of it; `schema` describes them to editors.
"""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from tidegate.worker.config.rules import Ids, Journal, Operation, Pace, Safety
from tidegate.worker.connectors import Part
from tidegate.worker.connectors.settings import Duration
from tidegate.worker.values.normal_form import Normalization

# A connector's name.
NAME = r"[A-Za-z][A-Za-z0-9_-]{0,62}"

# Words with a meaning of their own beside an object's or a field's two connectors.
RESERVED = {
    "name", "sides", "match", "fields", "conflict", "deletes", "ids", "writes",
    "names", "direction", "normalize", "ref", "map", "constant",
    "newest", "park",
}  # fmt: skip


def _one_or_more(raw: object) -> object:
    return [raw] if isinstance(raw, str) else raw


Normalizations = Annotated[
    list[Normalization], BeforeValidator(_one_or_more, json_schema_input_type=list[Normalization])
]


Scalar = str | int | float | bool


def _pairs(raw: object) -> object:
    if raw is None or (isinstance(raw, list) and all(isinstance(entry, dict) for entry in raw)):
        return raw
    raise ValueError("write a list of entries with the value of each connector, such as - {crm: open, erp: Offen}")


class Top(Part):
    """All of it."""

    connectors: dict[str, dict[str, Any]]
    """The two systems, under names of your choice."""
    objects: list[dict[str, Any]]
    """The kinds of records that are synced, in this order."""
    safety: Safety = Safety()
    """When to stop and ask, before anything is pushed."""
    pace: Pace | None = None
    """A limit that protects the connected systems; without it there is none."""
    journal: Journal | None = None
    """Records what runs write, so that a run can be undone; {} uses the defaults."""
    full_scan_every: Duration = timedelta(hours=24)
    """How often an object with a cursor is read whole, which finds deletes."""
    overlap: Duration = timedelta(seconds=30)
    """How much earlier than the last run's start a run begins to read, for changes that became visible late."""


class AnyConnector(Part):
    """One of `connectors`; beside it the settings of its type."""

    identity: Annotated[str, Field(min_length=1)] | None = None
    """A name of your choice for the system. Without it a run stops when the address leads to another server, database
    or API than the one that the cache was made for; a system that has moved is named, and syncs on."""


class Object(Part):
    """One of `objects`; beside it, under each connector's name, where that one has these records."""

    name: Annotated[str, Field(min_length=1)]
    """What messages call these records, and what a `ref` names."""
    match: list[str]
    """The fields that pair records that are not yet linked."""
    fields: list[dict[str, Any]]
    """The fields that are synced."""
    conflict: str = "park"
    """Who wins where both sides have changed a field: a connector's name, or newest, by the cursor. With park the field
    stays as it is on both sides, and waits for a decision."""
    deletes: Literal["unlink", "propagate"] = "unlink"
    """What a delete does to the record on the other side: unlink keeps it, propagate deletes it."""
    ids: Ids | None = None
    """Whether the systems give the id of a deleted record to a new one: stable means never, reused means they may.
    Without it, a record in which everything has changed counts as a new one."""
    writes: dict[str, list[Operation]] = Field(default={})
    """What may be done in a system, by connector: a list of create, update and delete. Without it all of them."""


class FieldPair(Part):
    """One of an object's `fields`; beside it, under each connector's name, the field's name there."""

    direction: str | None = None
    """to- and a connector's name: the field is written to that one only. Without it values flow both ways."""
    match: Literal["casefold"] | None = None
    """casefold: texts that differ in letter case only are the same, as with normalize."""
    normalize: Normalizations = Field(default=[])
    """What is no difference between two values: letter case, accents, white space at the ends and in a row, what is no
    digit, how a number is written, how a time is written."""
    ref: str | None = None
    """The object to whose records the field's values refer: its ids are translated into those of the other side."""
    map: Annotated[list[dict[str, Scalar | None]] | None, BeforeValidator(_pairs)] = None
    """What values are called on the other side: a list of entries with the value of each connector, such as {crm: open,
    erp: Offen}. A value without an entry is set aside."""
    constant: Scalar | None = None
    """What a new record gets, for a field that only one of the two connectors is named for. Later it is left as it
    is."""


class DeclaredObject(Object):
    """One of `objects`, as the CustomResourceDefinition has it: there the users' names have a place of their own."""

    sides: dict[str, dict[str, Any]]
    """Where the two systems have these records, under the connectors' names."""


class DeclaredField(FieldPair):
    """One of an object's `fields`, as the CustomResourceDefinition has it."""

    names: dict[str, str]
    """The field's name in the two systems, under the connectors' names; in one of them where it has a constant."""
