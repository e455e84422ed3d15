"""What users write for a REST API, and for a resource of it.

```yaml
connectors:
  crm:
    type: http
    baseUrl: https://crm.example/api
    auth: {bearer: {env: CRM_TOKEN}}
    requestsPerSecond: 10
objects:
- crm:
    path: /contacts                    # GET it for a list, POST to it for a new one; /contacts/{id} is one of them
    id: id
    items: data                        # where the list is in an answer; without it the answer is the list
    paging: {cursor: {parameter: cursor, next: meta.nextCursor}}
    pageSize: {parameter: limit, records: 100}
    cursor: updatedAt
    since: updated_after               # the query parameter that asks for what was changed since then
    find: {email: "{email}"}           # the query parameters that ask for the records with these match fields
```

A list has to have an order that does not change while it is read, such as that of the ids: say it in `query` where the
API has another by default. What proves that no record was left out is in `reading`.
"""

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from tidegate.worker.connectors import Part
from tidegate.worker.connectors.deleted import Deleted
from tidegate.worker.connectors.settings import Duration, Secret, Text, TimeZone


def _one_of(part: Part) -> None:
    fields = type(part).model_fields
    if sum(getattr(part, name) is not None for name in fields) != 1:
        raise ValueError(f"write one of {', '.join(field.alias or name for name, field in fields.items())}")


class Basic(Part):
    """A user name and a password."""

    username: Text
    password: Secret


class Header(Part):
    """A header of the API's own, such as X-Api-Key."""

    name: str
    value: Secret


class Authentication(Part):
    """How the API knows us: one of these."""

    bearer: Secret | None = None
    basic: Basic | None = None
    header: Header | None = None

    @model_validator(mode="after")
    def _is_one(self) -> "Authentication":
        _one_of(self)
        return self


class Settings(Part):
    """An API. Proxies and certificates of one's own come by the usual variables, HTTPS_PROXY and SSL_CERT_FILE.

    `timezone` is what cursors are in that are times without a zone; the conflict policy `newest` needs it for them.
    `timeoutSeconds` is for each part of an answer; all of it must come within four times as long, and have no more than
    `maxAnswerMegabytes`. An API that asks for a wait, such as with Retry-After, is waited for within the run, for
    `longestWait` at most.
    """

    type: Literal["http"]
    base_url: Text
    auth: Authentication | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    requests_per_second: Annotated[float, Field(ge=0.01)] | None = None
    concurrency: Annotated[int, Field(ge=1, le=32)] = 4
    timeout_seconds: Annotated[int, Field(ge=1)] = 30
    max_answer_megabytes: Annotated[int, Field(ge=1)] = 16
    longest_wait: Duration = timedelta(hours=1)
    timezone: TimeZone | None = None


class CursorPaging(Part):
    """An answer says where the next page begins: at a value that is sent back as it is; none after the last page.

    `stable` says that a page begins after a record, and not after so many of them: nothing shifts it.
    """

    parameter: str = "cursor"
    next: str = "nextCursor"
    stable: bool = False


class AfterPaging(Part):
    """A page begins after the last record's id. The last page is an empty one, or says so in the field `more`."""

    parameter: str = "after"
    more: str | None = None


class PagePaging(Part):
    """Pages have numbers, or with `counts: records` that of their first record. The last page is an empty one."""

    parameter: str = "page"
    first: int = 1
    counts: Literal["pages", "records"] = "pages"


class LinkPaging(Part):
    """An answer has the next page's URL: in its Link header as rel=next, or in the field `next`.

    `stable` says that a page begins after a record, and not after so many of them: nothing shifts it.
    """

    next: str | None = None
    stable: bool = False


class NoPaging(Part):
    """It does not: all records come in one answer."""


class Paging(Part):
    """How a long list goes on: one of these."""

    cursor: CursorPaging | None = None
    after: AfterPaging | None = None
    page: PagePaging | None = None
    link: LinkPaging | None = None
    none: NoPaging | None = None

    @model_validator(mode="after")
    def _is_one(self) -> "Paging":
        _one_of(self)
        return self


class PageSize(Part):
    """How many records a page is to have."""

    parameter: str
    records: Annotated[int, Field(ge=1)] = 100


class Batch(Part):
    """How to ask for records by several ids at once: the query parameter that takes them with commas in between."""

    parameter: str
    size: Annotated[int, Field(ge=1)] = 50


def _without_query(path: str) -> str:
    if "?" in path or "#" in path:
        raise ValueError("write query parameters as query: {name: value}")
    return path


def _with_an_id(path: str) -> str:
    if "{id}" not in path:
        raise ValueError("write where the id comes, such as /contacts/{id}")
    return path


def _templates_or_scan(raw: object) -> object:
    is_mapping = isinstance(raw, dict) and all(isinstance(value, str) for value in raw.values())
    if raw is None or raw == "scan" or is_mapping:
        return raw
    raise ValueError('write query parameters such as {email: "{email}"}, or scan')


class ResourceSettings(Part):
    """An object's resource.

    `since` needs `cursor`, whose newest value has to be known: where it is a time the server's clock is enough, else
    `newest` are the query parameters by which the newest record comes first. `find: scan` is for APIs that cannot be
    asked by a match field: all records are then read once per run to know which there are. `item` is where a record is
    in the answer that has one only. `total` is where an answer says how many records the list has; names in common use
    are found without it, and `none` says that what has such a name is something else. A field that an answer leaves out
    is `unknown`: it overwrites nothing, and is not overwritten; with `missing: empty` it is empty. A record that
    `deleted` marks counts as absent. For `staleFor` after a write, a record that is answered as it was before is not
    taken for an edit.
    """

    incidental: ClassVar[frozenset[str]] = frozenset(
        {
            "cursor", "record_path", "items", "item", "paging", "page_size", "total", "since", "newest", "find",
            "batch", "update", "missing", "deleted", "stale_for",
        }
    )  # fmt: skip

    path: Annotated[str, AfterValidator(_without_query)]
    id: str
    record_path: Annotated[str, AfterValidator(_with_an_id)] | None = None
    query: dict[str, str] = Field(default_factory=dict)
    items: str | None = None
    item: str | None = None
    paging: Paging = Paging(link=LinkPaging())
    page_size: PageSize | None = None
    total: str | None = None
    cursor: str | None = None
    since: str | None = None
    newest: dict[str, str] | None = None
    find: Annotated[dict[str, str] | Literal["scan"] | None, BeforeValidator(_templates_or_scan)] = None
    batch: Batch | None = None
    update: Literal["PATCH", "PUT"] = "PATCH"
    missing: Literal["unknown", "empty"] = "unknown"
    deleted: Deleted | None = None
    stale_for: Duration = timedelta(seconds=30)

    @model_validator(mode="after")
    def _fits(self) -> "ResourceSettings":
        if self.since is not None and self.cursor is None:
            raise ValueError("since needs cursor: the field that says when a record was changed")
        return self

    @property
    def record_template(self) -> str:
        """The path of one record."""
        return self.record_path or (f"{self.path}{{id}}/" if self.path.endswith("/") else f"{self.path}/{{id}}")
