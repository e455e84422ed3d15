"""Settings for the requests that a resource accepts: for changes, searches and writes."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from tidegate.worker.connectors import Part
from tidegate.worker.connectors.http.templates import names_in


def _with_since(asked: dict[str, Any] | None) -> dict[str, Any] | None:
    if asked is not None and set(names_in(asked)) != {"since"}:
        raise ValueError("write where the time comes, such as {filter: \"updated > '{since}'\"}")
    return asked


def without_query(path: str) -> str:
    """A path. Raises ValueError for one with query parameters."""
    if "?" in path or "#" in path:
        raise ValueError("write query parameters as query: {name: value}")
    return path


def without_parent(path: str) -> str:
    """A path. Raises ValueError for one with query parameters, or with a place for another record's id."""
    if "{" in path:
        raise ValueError("write a path that lists the changes below all parents")
    return without_query(path)


class Since(Part):
    """How to request the changes since a time, where a query parameter with the time alone is not enough. Exactly one
    of parameters and body describes the request."""

    parameters: Annotated[dict[str, str] | None, AfterValidator(_with_since)] = None
    """Query parameters with {since} in place of the time, such as {filter: "updated > '{since}'"}."""
    body: Annotated[dict[str, Any] | None, AfterValidator(_with_since)] = None
    """The body of a POST to path, likewise, for an API that lists changes by a search. The parameters of a page are
    added to it."""
    format: Literal["rfc3339", "epochSeconds", "epochMilliseconds"] = "rfc3339"
    """How the API writes a time: 2026-11-02T08:30:00Z, or a number since 1970."""
    path: Annotated[str, AfterValidator(without_parent)] | None = None
    """The path below baseUrl that lists changes, such as /contacts/changes, where it is not that of the records. Its
    answers are like those of a list; only these parameters are sent, without those of query."""

    @property
    def template(self) -> dict[str, Any]:
        """The part that contains {since}."""
        return self.body or self.parameters or {}

    @model_validator(mode="after")
    def _is_one(self) -> "Since":
        if (self.parameters is None) == (self.body is None):
            raise ValueError("write parameters for a list by GET, or body for one by POST")
        if self.body is not None and self.path is None:
            raise ValueError("body needs path: where the POST goes")
        return self


class Search(Part):
    """A search at its own path; it answers like a list. Exactly one of query and body describes the request."""

    path: str
    """The search's path below baseUrl."""
    query: dict[str, str] | None = None
    """The query parameters of a GET, with {email} and the like in place of match fields."""
    body: dict[str, Any] | None = None
    """The body of a POST, likewise. The parameters of a page are added to it."""

    @property
    def template(self) -> dict[str, Any]:
        """The part that contains the names of match fields."""
        return self.body or self.query or {}

    @model_validator(mode="after")
    def _is_one(self) -> "Search":
        if (self.query is None) == (self.body is None):
            raise ValueError("write query for a search by GET, or body for one by POST")
        return self


class Body(Part):
    """How the body of a write is built from a record."""

    wrap: str | None = None
    """The name that the record is put under, with dots, such as contact for {"contact": {…}}."""
    constants: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """Fields that every write has, such as {type: contacts}; names with dots lie within objects."""
    id: bool = False
    """true: an update includes the record's id, as JSON:API requires."""
    fields: Literal["changed", "all"] | None = None
    """Which fields an update includes. Without it PATCH and POST send the changed ones, and PUT sends all."""
    objects: Literal["whole", "merged"] = "whole"
    """What an update sends of an object in which a field changes: whole is all of it, for an API that replaces objects;
    merged is only what changes, for one that merges them. A merge patch (RFC 7396) is always merged."""
    content_type: str | None = None
    """The media type, such as application/vnd.api+json; with application/x-www-form-urlencoded the body is a form."""
    update_content_type: str | None = None
    """The media type of updates, if it differs, such as application/merge-patch+json."""

    @property
    def merges(self) -> bool:
        """Whether the API keeps the members of an object that an update omits."""
        media_type = (self.update_content_type or self.content_type or "").partition(";")[0]
        return self.objects == "merged" or media_type.strip().lower() == "application/merge-patch+json"
