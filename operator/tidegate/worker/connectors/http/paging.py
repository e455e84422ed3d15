"""Paging: how to request a page, and how an answer points to the next one. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from tidegate.worker.connectors import Key, Token
from tidegate.worker.connectors.http.answers import Answer
from tidegate.worker.connectors.http.paging_settings import (
    AfterPaging,
    CursorPaging,
    LinkPaging,
    PagePaging,
    Paging,
)
from tidegate.worker.connectors.json_documents import has, value_at
from tidegate.worker.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Place:
    """The position of a page: a URL, or query parameters in addition to the list's."""

    url: str | None = None
    values: tuple[tuple[str, Token], ...] = ()

    @property
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """The values as query parameters."""
        return tuple((name, str(value)) for name, value in self.values)


def place_of(paging: Paging, token: Token | None) -> Place:
    """The page that a token stands for; the first page for None."""
    if paging.none is not None:
        return Place()
    if paging.link is not None:
        return Place(url=token)
    if paging.page is not None:
        first = paging.page.first if paging.page.counts == "pages" else 0
        return Place(values=((paging.page.parameter, first if token is None else token),))
    if token is None:
        return Place()
    after = paging.after or AfterPaging()
    parameter = paging.cursor.parameter if paging.cursor is not None else after.parameter
    return Place(values=((parameter, token),))


def is_anchored(paging: Paging) -> bool:
    """Whether deletes cannot shift the pages: each begins after a record (keyset pagination), or there is one."""
    if paging.none is not None or paging.after is not None:
        return True
    kind = paging.cursor or paging.link
    return kind is not None and kind.stable


def next_token(
    paging: Paging, token: Token | None, answer: Answer, body: Any, keys: Sequence[Key], step: int
) -> Token | None:
    """The token of the next page; None when this was the last. `keys` are the ids on this page.

    Numbered pages have no last one, because an empty page may lie between others. `step` is the distance to skip after
    an empty page where the number counts records.
    """
    if paging.none is not None:
        return None
    goes_on = says_whether_more(paging, body)
    if goes_on is False:
        return None
    if paging.link is not None or paging.cursor is not None:
        following = _next_link(paging.link, answer, body) if paging.link else _next_cursor(paging.cursor, answer, body)
        if goes_on and following is None:
            raise ConfigurationError("paging: the answer says that there are more records, and not where they are")
        return following
    if paging.page is not None:
        return _next_page(paging.page, token, len(keys) or step or 1)
    # A short page need not be the last: the API may have a lower limit for pages than was requested.
    if not keys:
        return None
    return keys[-1]


def says_whether_more(paging: Paging, body: Any) -> bool | None:
    """The value of the field `more`; None where there is none."""
    kind = paging.cursor or paging.after or paging.page or paging.link
    more = kind.more if kind is not None else None
    if more is None or not isinstance(body, dict) or not has(body, more):
        return None
    value = value_at(body, more)
    return bool(value) and str(value).lower() not in ("false", "0")


def _next_link(paging: LinkPaging, answer: Answer, body: Any) -> str | None:
    link = answer.next_link
    if paging.next is not None:
        link = value_at(body, paging.next) if isinstance(body, dict) else None
    return urljoin(answer.url, link) if link else None


def _next_cursor(paging: CursorPaging | None, answer: Answer, body: Any) -> Token | None:
    assert paging is not None  # noqa: S101 - it is this one or a link
    if paging.header is not None:
        return answer.headers.get(paging.header.lower()) or None
    found = value_at(body, paging.next) if isinstance(body, dict) else None
    return None if found in (None, "", False) else found


def _next_page(paging: PagePaging, token: Token | None, records: int) -> int:
    if paging.counts == "records":
        return (token or 0) + records
    return (paging.first if token is None else token) + 1
