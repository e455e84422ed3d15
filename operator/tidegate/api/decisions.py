"""People's decisions about fields in conflict, in the form of the annotation tidegate.dev/decisions.

A JSON list. The command line creates it, the operator checks it and passes it to a run, and the worker carries it out.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Annotated, NamedTuple, Self

from pydantic import ConfigDict, Field, StrictInt, StrictStr, TypeAdapter, ValidationError, model_validator

from tidegate.api.base import ApiModel

ALL = "*"
NEWEST = "newest"

RecordId = StrictInt | StrictStr
_Name = Annotated[StrictStr, Field(min_length=1)]


class Decision(ApiModel):
    """One entry. An omitted member never means all, and unknown members are refused: a misspelt one decides nothing."""

    model_config = ConfigDict(extra="forbid")

    object: _Name
    id: RecordId | Annotated[tuple[RecordId, ...], Field(min_length=1)]  # or ALL
    connector: _Name | None = None  # whose id it is; only with ALL it may be left out
    field: _Name  # or ALL
    take: _Name  # a connector, or NEWEST
    at: StrictStr | None = None  # distinguishes it from the same decision at another time

    @model_validator(mode="after")
    def _ids_have_a_connector(self) -> Self:
        if self.connector is None and self.id != ALL:
            raise ValueError("an id without its connector")
        return self


class Single(NamedTuple):
    """A decision about one record, or with ALL about every waiting record."""

    object: str
    id: int | str
    connector: str | None
    field: str
    take: str
    at: str | None

    @property
    def identity(self) -> str:
        """The key by which decisions that were carried out are recognized."""
        return hashlib.sha256(json.dumps(self).encode()).hexdigest()[:16]


def digest_of(text: str) -> str:
    """What tells an annotation's text from another: the status says by it which one has been handled."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


_DECISIONS = TypeAdapter(tuple[Decision, ...])


def parse(text: str | bytes) -> tuple[Decision, ...]:
    """Parse the decisions of an annotation. Raises ValueError with a sentence about the problem, without any value."""
    try:
        return _DECISIONS.validate_json(text)
    except ValidationError as error:
        raise ValueError(_words(error)) from None


def _words(error: ValidationError) -> str:
    detail = error.errors(include_url=False, include_input=False)[0]
    if detail["type"] == "json_invalid":
        return "it is not JSON"
    if not detail["loc"]:
        return "it is not a list of decisions"
    entry, *member = detail["loc"]
    which = f"entry {int(entry) + 1}"
    if detail["type"] == "value_error":
        return f"{which} has an id, and no connector whose id it is"
    if not member:
        return f"{which} is not an object with object, id, connector, field and take"
    name = member[0] if member[0] in Decision.model_fields else "a member"
    said = {
        "missing": f"has no {name}",
        "extra_forbidden": "has a member other than object, id, connector, field, take and at",
    }
    return f"{which} {said.get(detail['type'], f'has a value of {name} that does not fit')}"


def singles(decisions: Sequence[Decision]) -> Iterator[Single]:
    """Each decision, separately for each record, in order."""
    for each in decisions:
        ids = each.id if isinstance(each.id, tuple) else (each.id,)
        for id_ in ids:
            yield Single(each.object, id_, each.connector, each.field, each.take, each.at)


def format_decisions(decisions: Sequence[Decision]) -> str:
    """The text of the annotation."""
    plain = [each.to_wire() for each in decisions]
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
