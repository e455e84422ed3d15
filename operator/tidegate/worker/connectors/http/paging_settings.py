"""Settings for how a long list is paged."""

from typing import Literal

from pydantic import model_validator

from tidegate.worker.connectors import Part
from tidegate.worker.connectors.settings import ONE, one_of


class CursorPaging(Part):
    """An answer has a value that points to the next page, and is sent back unchanged; the last page has none."""

    parameter: str = "cursor"
    """The query parameter that takes the value."""
    next: str = "nextCursor"
    """Where an answer has the value, with dots, such as meta.nextCursor."""
    header: str | None = None
    """The header that has the value instead, such as X-Next-Cursor."""
    more: str | None = None
    """The answer's field that says whether there are more records, where the value is there on the last page, too."""
    stable: bool = False
    """true: a page begins after a given record rather than after a number of records, so that pages do not shift."""


class AfterPaging(Part):
    """Each page begins after the last record's id. The list ends with an empty page, or when `more` is false."""

    parameter: str = "after"
    """The query parameter that takes the id."""
    more: str | None = None
    """The answer's field that says whether there are more records."""


class PagePaging(Part):
    """Pages are numbered; with `counts: records` it is the offset of the first record. The last page is empty."""

    parameter: str = "page"
    """The query parameter that takes the number."""
    first: int = 1
    """The first page's number."""
    counts: Literal["pages", "records"] = "pages"
    """What the number counts: pages, or records before the page."""
    more: str | None = None
    """The answer's field that says whether there are more records; without it the last page is an empty one."""


class LinkPaging(Part):
    """An answer has the next page's URL: in its Link header as rel=next, or in the field `next`."""

    next: str | None = None
    """The answer's field that has the URL; without it the Link header does."""
    more: str | None = None
    """The answer's field that says whether there are more records, where the URL is there on the last page, too."""
    stable: bool = False
    """true: a page begins after a given record rather than after a number of records, so that pages do not shift."""


class NoPaging(Part):
    """No paging: all records come in one answer."""


class Paging(Part):
    """How a long list is paged: exactly one of these."""

    model_config = ONE

    cursor: CursorPaging | None = None
    """An answer has a value that points to the next page."""
    after: AfterPaging | None = None
    """Each page begins after the last record's id."""
    page: PagePaging | None = None
    """Pages are numbered."""
    link: LinkPaging | None = None
    """An answer has the next page's URL."""
    none: NoPaging | None = None
    """All records come in one answer."""

    @model_validator(mode="after")
    def _is_one(self) -> "Paging":
        one_of(self)
        return self
