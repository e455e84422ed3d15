"""What users may write as `spec.sync`, but for each connector's own settings, which its ConnectorType names.

`config` checks what was written with these, and makes the rules of a run of it; `schema` describes them to editors.
"""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from tidegate.worker.config.rules import Ids, Pace, Safety
from tidegate.worker.connectors import Part
from tidegate.worker.connectors.settings import Duration
from tidegate.worker.values.normal_form import Normalization

# A connector's name.
NAME = r"[A-Za-z][A-Za-z0-9_-]{0,62}"

# Words with a meaning of their own beside an object's or a field's two connectors.
RESERVED = {"name", "match", "fields", "conflict", "deletes", "direction", "normalize", "ref", "newest", "park", "ids"}


def _one_or_more(raw: object) -> object:
    return [raw] if isinstance(raw, str) else raw


Normalizations = Annotated[
    list[Normalization], BeforeValidator(_one_or_more, json_schema_input_type=Normalization | list[Normalization])
]


class Top(Part):
    """All of it."""

    connectors: dict[str, dict[str, Any]]
    objects: list[dict[str, Any]]
    safety: Safety = Safety()
    pace: Pace | None = None
    full_scan_every: Duration = timedelta(hours=24)
    overlap: Duration = timedelta(seconds=30)


class AnyConnector(Part):
    """One of `connectors`; beside it the settings of its type.

    `identity` is a name of your choice for the system. Without it a run stops when the address leads to another server,
    database or API than the one that the cache was made for; a system that has moved is named, and syncs on.
    """

    identity: Annotated[str, Field(min_length=1)] | None = None


class Object(Part):
    """One of `objects`; beside it, under each connector's name, where that one has these records.

    `ids` says whether the systems may give the id of a deleted record to another one. Without it a record of which
    nothing is as it was counts as another.
    """

    name: Annotated[str, Field(min_length=1)]
    match: list[str]
    fields: list[dict[str, Any]]
    conflict: str = "park"
    deletes: Literal["unlink", "propagate"] = "unlink"
    ids: Ids | None = None


class FieldPair(Part):
    """One of an object's `fields`; beside it, under each connector's name, the field's name there."""

    direction: str | None = None
    match: Literal["casefold"] | None = None  # the same as to normalize by it
    normalize: Normalizations = Field(default=[])
    ref: str | None = None
