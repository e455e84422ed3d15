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
from tidegate.worker.connectors.http.answer_settings import RateLimit, Statuses
from tidegate.worker.connectors.http.authentication_settings import Authentication
from tidegate.worker.connectors.http.paging_settings import LinkPaging, Paging
from tidegate.worker.connectors.http.request_settings import Body, Search, Since, without_parent, without_query
from tidegate.worker.connectors.http.templates import names_in
from tidegate.worker.connectors.settings import Duration, Text, TimeZone
from tidegate.worker.connectors.where import Condition


class Settings(Part):
    """An API. Custom proxies and certificates are set with the usual variables, HTTPS_PROXY and SSL_CERT_FILE."""

    type: Literal["http"]
    """http: a REST API that speaks JSON."""
    base_url: Text
    """The prefix of all paths, such as https://crm.example/api, or {env: NAME} to read it from an environment
    variable."""
    auth: Authentication | None = None
    """How requests are authenticated: one of bearer, basic, header, query and oauth2."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Headers of every request, such as {Accept-Language: en}. Secrets belong under auth."""
    requests_per_second: Annotated[float, Field(ge=0.01)] | None = None
    """The maximum average request rate; without it there is no limit."""
    concurrency: Annotated[int, Field(ge=1, le=32)] = 4
    """How many requests may be under way at once."""
    timeout_seconds: Annotated[int, Field(ge=1)] = 30
    """Timeout of each part of an answer; the whole answer must arrive within four times as long."""
    max_answer_megabytes: Annotated[int, Field(ge=1)] = 16
    """A larger answer is refused."""
    longest_wait: Duration = timedelta(hours=1)
    """How long a run waits at most when the API asks it to wait, such as with Retry-After. If the API asks for longer,
    the run ends and is retried."""
    statuses: Statuses = Statuses()
    """Statuses with another meaning than theirs in HTTP."""
    rate_limit: RateLimit = RateLimit()
    """The headers that report the API's quota, if their names are not common ones."""
    timezone: TimeZone | None = None
    """The time zone of cursors that are times without a zone; the conflict policy newest needs it for them."""


class PageSize(Part):
    """How many records to request per page."""

    parameter: str
    """The query parameter that takes the number."""
    records: Annotated[int, Field(ge=1)] = 100
    """The number."""


class Batch(Part):
    """How to request several records by id at once: a query parameter that takes comma-separated ids."""

    parameter: str
    """The query parameter that takes the ids."""
    size: Annotated[int, Field(ge=1)] = 50
    """The maximum number of ids per request."""


def _with_an_id(path: str) -> str:
    if "{id}" not in path:
        raise ValueError("write where the id comes, such as /contacts/{id}")
    return path


def _parameters_search_or_scan(raw: object) -> object:
    if raw is None or raw == "scan" or isinstance(raw, Search):
        return raw
    if isinstance(raw, dict):
        are_parameters = all(isinstance(value, str) for value in raw.values())
        is_search = bool(raw) and raw.keys() <= {"path", "body", "query"} and ("path" in raw or not are_parameters)
        if is_search:
            return Search.model_validate(raw)
        if are_parameters:
            return raw
    raise ValueError(
        'write query parameters such as {email: "{email}"}, a search such as {path: /search, query: {…}}, or scan'
    )


def _parameter_or_since(raw: object) -> object:
    if raw is None or isinstance(raw, (str, Since)):
        return raw
    if isinstance(raw, dict):
        return Since.model_validate(raw)
    raise ValueError("write the query parameter that takes the time, or {parameters: {…}, format: …}")


class Parents(Part):
    """The records below which the API lists this object's: their list, as that of any resource."""

    path: Annotated[str, AfterValidator(without_parent)]
    """The path below baseUrl that lists them, such as /accounts."""
    id: str = "id"
    """The field that identifies one of them."""
    query: dict[str, str] = Field(default_factory=dict)
    """Query parameters of their list."""
    items: str | None = None
    """Where the list is in the answer, with dots; without it the answer is the list."""
    paging: Paging = Paging(link=LinkPaging())
    """How a long list is paged: one of cursor, after, page, link and none. Without it, by the Link header."""
    page_size: PageSize | None = None
    """How many records to ask for per page; without it the API decides."""
    total: str | None = None
    """Where an answer says how many records the list has, with dots."""


class ResourceSettings(Part):
    """The settings of an object's resource."""

    incidental: ClassVar[frozenset[str]] = frozenset(
        {
            "cursor", "record_path", "items", "item", "paging", "page_size", "total", "since", "newest", "find",
            "batch", "update", "body", "missing", "deleted", "where", "stale_for", "parents",
        }
    )  # fmt: skip

    path: Annotated[str, AfterValidator(without_query)]
    """The resource's path below baseUrl: GET lists its records, POST creates one. With parents, the field that holds a
    parent's id stands in it, such as /accounts/{accountId}/contacts."""
    parents: Parents | None = None
    """Where the API lists the records below which it lists this object's."""
    id: str
    """The field that identifies a record."""
    record_path: Annotated[str, AfterValidator(_with_an_id)] | None = None
    """The path of one record, such as /contact/{id}; without it, path and the id."""
    query: dict[str, str] = Field(default_factory=dict)
    """Query parameters of every list, such as {sort: id}: an order that does not change while the list is read."""
    items: str | None = None
    """Where the list is in the answer, with dots; without it the answer is the list."""
    item: str | None = None
    """Where the record is in an answer with a single record, with dots; without it the answer is the record."""
    paging: Paging = Paging(link=LinkPaging())
    """How a long list is paged: one of cursor, after, page, link and none. Without it, by the Link header."""
    page_size: PageSize | None = None
    """How many records to ask for per page; without it the API decides."""
    total: str | None = None
    """Where an answer says how many records the list has, with dots. Common names are found without it; none means that
    a field with such a name is something else."""
    cursor: str | None = None
    """The field that increases with every change, such as updatedAt."""
    since: Annotated[str | Since | None, BeforeValidator(_parameter_or_since)] = None
    """The query parameter that asks for what was changed since then; it needs cursor. Where the API has another format
    than 2026-11-02T08:30:00Z, a filter of its own, or another path for changes: {parameters: {filter: "updated >
    {since}"}, format: …, path: …}; with body instead of parameters it is a POST to path."""
    newest: dict[str, str] | None = None
    """Query parameters by which the newest record comes first: for a cursor that is not a time."""
    find: Annotated[dict[str, str] | Search | Literal["scan"] | None, BeforeValidator(_parameters_search_or_scan)] = (
        None
    )
    """Query parameters that find a record by its match fields, such as {email: "{email}"}; or a search at a path of its
    own, such as {path: /contacts/search, query: {q: "{email}"}}, by POST with body instead of query. scan: the API
    has no such query, so all records are read once in each run that creates something."""
    batch: Batch | None = None
    """How to request several records by id at once; without it each record is requested by itself."""
    update: Literal["PATCH", "PUT", "POST"] = "PATCH"
    """How a record is updated: PATCH or POST with the fields that change, PUT with the whole record."""
    body: Body | None = None
    """How the body of a write is built from a record; without it, the body is the record."""
    missing: Literal["unknown", "empty"] = "unknown"
    """What a missing field means: unknown, which overwrites nothing and is not overwritten, or empty."""
    deleted: Deleted | None = None
    """The field that marks a deleted record: a marked record counts as absent."""
    where: list[Condition] = Field(default=[])
    """The conditions that all records must meet to be synced; a record that leaves them is unlinked, not deleted. They
    are evaluated on the API's answers; use query to have the API return fewer records."""
    stale_for: Duration = timedelta(seconds=30)
    """How long after a write an answer with the former values does not count as an edit."""

    @model_validator(mode="after")
    def _fits(self) -> "ResourceSettings":
        if self.since is not None and self.cursor is None:
            raise ValueError("since needs cursor: the field that says when a record was changed")
        if "{" in self.path or self.parents is not None:
            self._fits_parents()
        return self

    def _fits_parents(self) -> None:
        if self.parents is None:
            raise ValueError(
                f"path: {self.path} needs parents, such as {{path: /accounts}}: where the records are listed below "
                "which it lists this object's; or write a path that lists those of all parents"
            )
        if len(names_in(self.path)) != 1:
            raise ValueError(
                "path: write where the parent's id comes, by the name of the field that holds it, such as "
                "/accounts/{accountId}/contacts"
            )
        if self.record_path is None:
            raise ValueError(
                "parents needs recordPath: the path of one record, without its parent, such as /contacts/{id}"
            )
        if names_in(self.record_path) != ["id"]:
            raise ValueError("recordPath: only {id} can stand in it: a record is asked for without its parent")
        if isinstance(self.find, dict):
            raise ValueError(
                "find: beside parents, write a search at a path of its own, such as {path: /contacts, query: {email: "
                '"{email}"}}, or scan'
            )
        for name, given in (("newest", self.newest), ("batch", self.batch)):
            if given is not None:
                raise ValueError(f"{name} cannot be used beside parents")

    @property
    def parent_field(self) -> str | None:
        """The field that holds the id of a record's parent; None where there are no parents."""
        return None if self.parents is None else names_in(self.path)[0]

    @property
    def updates_all(self) -> bool:
        """Whether an update sends all fields."""
        fields = self.body.fields if self.body is not None else None
        return self.update == "PUT" if fields is None else fields == "all"

    @property
    def merges(self) -> bool:
        """Whether the API keeps the members of an object that an update omits."""
        return self.body is not None and self.body.merges

    @property
    def record_template(self) -> str:
        """The path template of one record."""
        return self.record_path or (f"{self.path}{{id}}/" if self.path.endswith("/") else f"{self.path}/{{id}}")
