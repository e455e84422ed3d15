"""How a list goes on: what asks for a page, and what an answer says about the next one. Pure; serves `records`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from tidegate.worker.connectors import Key, Token
from tidegate.worker.connectors.http.answers import Answer
from tidegate.worker.connectors.http.settings import (
    AfterPaging,
    CursorPaging,
    LinkPaging,
    PagePaging,
    Paging,
)
from tidegate.worker.connectors.json_documents import value_at


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page is: a URL of its own, or query parameters beside the list's."""

    url: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()


def place_of(paging: Paging, token: Token | None) -> Place:
    """The page that a token stands for; the first one for None."""
    if paging.link is not None:
        return Place(url=token)
    if paging.page is not None:
        first = paging.page.first if paging.page.counts == "pages" else 0
        return Place(parameters=((paging.page.parameter, str(first if token is None else token)),))
    if token is None:
        return Place()
    parameter = paging.cursor.parameter if paging.cursor is not None else _after(paging).parameter
    return Place(parameters=((parameter, str(token)),))


def next_token(paging: Paging, token: Token | None, answer: Answer, body: Any, keys: Sequence[Key]) -> Token | None:
    """Where the list goes on; None when this was its last page. `keys` are the ids on this page."""
    if paging.link is not None:
        return _next_link(paging.link, answer, body)
    if paging.cursor is not None:
        return _next_cursor(paging.cursor, body)
    # A page that is shorter than was asked for need not be the last one: APIs have limits of their own.
    if not keys:
        return None
    if paging.page is not None:
        return _next_page(paging.page, token, len(keys))
    after = _after(paging)
    if after.more is not None and isinstance(body, dict) and not value_at(body, after.more):
        return None
    return keys[-1]


def _after(paging: Paging) -> AfterPaging:
    assert paging.after is not None  # noqa: S101 - it is one of the four
    return paging.after


def _next_link(paging: LinkPaging, answer: Answer, body: Any) -> str | None:
    link = answer.next_link
    if paging.next is not None:
        link = value_at(body, paging.next) if isinstance(body, dict) else None
    return urljoin(answer.url, link) if link else None


def _next_cursor(paging: CursorPaging, body: Any) -> Token | None:
    found = value_at(body, paging.next) if isinstance(body, dict) else None
    return None if found in (None, "", False) else found


def _next_page(paging: PagePaging, token: Token | None, records: int) -> int:
    if paging.counts == "records":
        return (token or 0) + records
    return (paging.first if token is None else token) + 1
