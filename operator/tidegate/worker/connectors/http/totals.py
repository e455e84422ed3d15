"""What an answer says about the whole list: its total number of records, and whether more follow. Pure.

APIs use different names: common ones are recognized, and the setting `total` names any other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.worker.connectors.http.answers import Answer
from tidegate.worker.connectors.json_documents import value_at

_HEADERS = ("x-total-count", "x-total", "x-wp-total", "total-count")
_PLACES = ("", "meta.", "_meta.", "pagination.", "paging.", "page.", "meta.pagination.")
_TOTALS = (
    "total", "totalCount", "total_count", "totalItems", "total_items", "totalRecords", "total_records",
    "totalResults", "total_results", "totalElements", "total_entries",
)  # fmt: skip
# Some APIs put the number of records on the page, or the page size, under this name.
_PERHAPS_OF_THE_PAGE = ("count",)
_SIZES = (
    "limit", "size", "pageSize", "page_size", "perPage", "per_page", "pageLimit", "page_limit", "maxResults",
    "max_results", "itemsPerPage", "items_per_page", "take",
)  # fmt: skip

# The value of the setting `total` for an API that does not report one.
NO_TOTAL = "none"

_MORE = ("hasMore", "has_more", "hasNext", "has_next", "hasNextPage", "has_next_page", "more")
_NEXT = (
    "next", "nextPage", "next_page", "nextCursor", "next_cursor", "nextPageToken", "next_page_token", "nextLink",
    "@odata.nextLink", "links.next", "_links.next", "next_page_url",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Total:
    """A list's number of records, and the name it was found under; `sure` if it cannot be a page's count."""

    records: int
    sure: bool
    name: str = ""


def total_of(answer: Answer, body: Any, name: str | None, asked: int | None = None) -> Total | None:
    """The total that an answer reports: in the field `name`, or in a header or field with a common name.

    A count that equals the page size, as reported by the answer or requested (`asked`), is ignored: it may be the
    page's.
    """
    if name is not None:
        found = _number(value_at(body, name)) if isinstance(body, Mapping) and name != NO_TOTAL else None
        return None if found is None else Total(found, sure=True, name=name)
    for header in _HEADERS:
        if (found := _number(answer.headers.get(header))) is not None:
            return Total(found, sure=True, name=header)
    if (found := _number(answer.headers.get("content-range", "").rpartition("/")[2])) is not None:
        return Total(found, sure=True, name="content-range")
    if not isinstance(body, Mapping):
        return None
    for where in (place + name for place in _PLACES for name in _TOTALS):
        if (found := _number(value_at(body, where))) is not None:
            return Total(found, sure=True, name=where)
    sizes = {asked, *(_number(value_at(body, place + name)) for place in _PLACES for name in _SIZES)}
    for where in (place + name for place in _PLACES for name in _PERHAPS_OF_THE_PAGE):
        if (found := _number(value_at(body, where))) is not None and found not in sizes:
            return Total(found, sure=False, name=where)
    return None


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def says_more(answer: Answer, body: Any) -> str:
    """How an answer says that more records follow, as the end of a sentence; "" where it does not."""
    if answer.next_link is not None:
        return "its Link header has rel=next"
    if not isinstance(body, Mapping):
        return ""
    for where in (place + name for place in _PLACES for name in _MORE):
        if value_at(body, where) is True:
            return f"its {where} is true"
    for where in (place + name for place in _PLACES for name in _NEXT):
        if (found := value_at(body, where)) not in (None, "", False) and isinstance(found, (str, int, Mapping)):
            return f"it has {where}"
    return ""
