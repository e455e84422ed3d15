"""What an answer says about the whole list that its page is a part of: how many records there are, and whether it ends.

Pure; serves `listing`. APIs say it under names of their own: those in common use are looked for, and `total` names
another one.
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
# Some APIs count the records of the page under this name.
_PERHAPS_OF_THE_PAGE = ("count",)

_MORE = ("hasMore", "has_more", "hasNext", "has_next", "hasNextPage", "has_next_page", "more")
_NEXT = (
    "next", "nextPage", "next_page", "nextCursor", "next_cursor", "nextPageToken", "next_page_token", "nextLink",
    "@odata.nextLink", "links.next", "_links.next", "next_page_url",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Total:
    """How many records the list has; `sure` where the name cannot mean those of the page."""

    records: int
    sure: bool


def total_of(answer: Answer, body: Any, name: str | None) -> Total | None:
    """The total that an answer names: in the field `name`, or in a header or field in common use."""
    if name is not None:
        found = _number(value_at(body, name)) if isinstance(body, Mapping) else None
        return None if found is None else Total(found, sure=True)
    for header in _HEADERS:
        if (found := _number(answer.headers.get(header))) is not None:
            return Total(found, sure=True)
    if (found := _number(answer.headers.get("content-range", "").rpartition("/")[2])) is not None:
        return Total(found, sure=True)
    if not isinstance(body, Mapping):
        return None
    for names in (_TOTALS, _PERHAPS_OF_THE_PAGE):
        for where in (place + name for place in _PLACES for name in names):
            if (found := _number(value_at(body, where))) is not None:
                return Total(found, sure=names is _TOTALS)
    return None


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def says_more(answer: Answer, body: Any) -> str:
    """Where an answer says that the list goes on, as it says it; "" where it does not."""
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
