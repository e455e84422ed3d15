"""What users write about the requests that a resource takes: for changes, for a search, and for writes."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from tidegate.worker.connectors import Part
from tidegate.worker.connectors.http.templates import names_in


def _with_since(parameters: dict[str, str]) -> dict[str, str]:
    names = set(names_in(parameters))
    if names != {"since"}:
        raise ValueError("write where the time comes, such as {filter: \"updated > '{since}'\"}")
    return parameters


class Since(Part):
    """How to ask for what was changed since a moment, where one parameter that takes the time does not say it."""

    parameters: Annotated[dict[str, str], AfterValidator(_with_since)]
    """Query parameters with {since} in the time's place, such as {filter: "updated > '{since}'"}."""
    format: Literal["rfc3339", "epochSeconds", "epochMilliseconds"] = "rfc3339"
    """How the API writes a time: 2026-11-02T08:30:00Z, or a number since 1970."""


class Search(Part):
    """A search at a path of its own; its answer is a list like any other. One of query and body says how to ask."""

    path: str
    """The search's path below baseUrl."""
    query: dict[str, str] | None = None
    """The query parameters of a GET, with {email} and the like in the places of match fields."""
    body: dict[str, Any] | None = None
    """The body of a POST, likewise. A page's parameters are put into it, too."""

    @property
    def template(self) -> dict[str, Any]:
        """What has the names of match fields in it."""
        return self.body or self.query or {}

    @model_validator(mode="after")
    def _is_one(self) -> "Search":
        if (self.query is None) == (self.body is None):
            raise ValueError("write query for a search by GET, or body for one by POST")
        return self


class Body(Part):
    """How the body of a write is made of a record."""

    wrap: str | None = None
    """The name that the record is put under, with dots, such as contact for {"contact": {…}}."""
    constants: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """Fields that every write has, such as {type: contacts}; names with dots lie within objects."""
    id: bool = False
    """true: an update has the record's id, as JSON:API wants it."""
    fields: Literal["changed", "all"] | None = None
    """Which fields an update has; without it PATCH and POST have the changed ones, and PUT has all."""
    objects: Literal["whole", "merged"] = "whole"
    """What an update has of an object in which a field changes: whole is all of it, for an API that replaces objects;
    merged is only what changes, for one that merges them. A merge patch (RFC 7396) is always merged."""
    content_type: str | None = None
    """The media type, such as application/vnd.api+json; of application/x-www-form-urlencoded the body is a form."""
    update_content_type: str | None = None
    """That of updates where it is another one, such as application/merge-patch+json."""

    @property
    def merges(self) -> bool:
        """Whether what an update leaves out of an object stays as it is."""
        media_type = (self.update_content_type or self.content_type or "").partition(";")[0]
        return self.objects == "merged" or media_type.strip().lower() == "application/merge-patch+json"
