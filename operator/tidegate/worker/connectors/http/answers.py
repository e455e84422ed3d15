"""What an API has answered: its status, its body, and its own words for messages."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from tidegate.worker.connectors.http.answer_settings import RateLimit, Statuses
from tidegate.worker.connectors.http.error_words import page_of_html, said
from tidegate.worker.connectors.json_documents import parse_all

# Fields of an answer that has something else as well, in which APIs say what is wrong.
_COMPLAINING = ("error", "errors", "error_description", "detail", "message")

# A page of HTML says what it is at its beginning.
_TELLING_BYTES = 20_000

# Request Timeout, Locked, Too Early, Too Many Requests.
_LATER = (408, 423, 425, 429)
_LOCKED = 423
_TOO_MANY = 429
_UNAVAILABLE = 503

# What other statuses may be said to mean.
_NOT_FOUND = 404
_UNPROCESSABLE = 422

# An X-RateLimit-Reset below this is a number of seconds, and one beyond the other is a moment in milliseconds.
_OLDEST_EPOCH = 100_000_000
_LATEST_EPOCH = 100_000_000_000
_REMAINING = "x-ratelimit-remaining"
_RESETS = ("x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; `next_link` is the Link header's rel=next.

    `status` is what it means, and `sent_status` what the API has sent where a person has given it another meaning.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes
    url: str
    next_link: str | None
    sent_status: int | None = None

    def understood(self, statuses: Statuses, rate_limit: RateLimit) -> "Answer":
        """The answer in the terms of HTTP, where its API has terms of its own."""
        meanings = ((statuses.retry, _TOO_MANY), (statuses.refused, _UNPROCESSABLE), (statuses.gone, _NOT_FOUND))
        status = next((meaning for those, meaning in meanings if self.status in those), self.status)
        names = ((rate_limit.remaining, _REMAINING), (rate_limit.reset, _RESETS[0]))
        headers = {usual: value for own, usual in names if own and (value := self.headers.get(own.lower())) is not None}
        if status == self.status and not headers:
            return self
        return replace(self, status=status, headers={**self.headers, **headers}, sent_status=self.status)

    @property
    def is_success(self) -> bool:
        """Whether what was asked for has been done."""
        return 200 <= self.status < 300

    @property
    def is_too_soon(self) -> bool:
        """Whether the API has done nothing, and wants to be asked later; some say 403 for it, as GitHub does."""
        return self.status in _LATER or self._is_used_up

    @property
    def _is_used_up(self) -> bool:
        limited = "retry-after" in self.headers or self.headers.get(_REMAINING) == "0"
        return self.status == 403 and limited

    @property
    def is_of_the_system(self) -> bool:
        """Whether it is a quota that is used up, or a service that is down: any other request would fail too."""
        return self.status in (429, _UNAVAILABLE) or self._is_used_up

    @property
    def may_be_of_a_record(self) -> bool:
        """Whether other records may still be written where this one has to wait."""
        return self.status == _LOCKED

    @property
    def etag(self) -> str | None:
        """What tells this state of a record from another."""
        return self.headers.get("etag")

    @property
    def moment(self) -> datetime | None:
        """When it was answered, by the server's clock."""
        try:
            return parsedate_to_datetime(self.headers.get("date", "")).astimezone(UTC)
        except ValueError:
            return None

    def retry_after(self, now: datetime) -> float:
        """For how many seconds the API wants to be left alone; 0 when it does not say."""
        text = self.headers.get("retry-after", "")
        if text.isascii() and text.isdigit():
            return float(text[:9])
        if not text:
            return self._reset(now)
        try:
            return max(0.0, (parsedate_to_datetime(text) - (self.moment or now)).total_seconds())
        except (ValueError, TypeError):
            return 0.0

    def _reset(self, now: datetime) -> float:
        """For how many seconds a quota is still used up, where the API says when it begins again."""
        reset = next((self.headers[name] for name in _RESETS if name in self.headers), "").partition(".")[0]
        if not reset.isascii() or not reset.isdigit() or (self.status == _UNAVAILABLE):
            return 0.0
        seconds = float(reset[:15])
        if seconds < _OLDEST_EPOCH:
            return seconds
        epoch = seconds / 1000 if seconds > _LATEST_EPOCH else seconds
        return max(0.0, epoch - (self.moment or now).timestamp())

    def document(self) -> Any:
        """The body. Raises ValueError when it is not JSON; None when there is none."""
        return parse_all(self.content) if self.content.strip() else None

    def not_json(self, error: ValueError) -> str:
        """A sentence about a body that is not JSON. A login page is called by its name: it is the commonest one."""
        if page := self._page:
            return f"the answer is {page} and not JSON; see baseUrl, path and auth"
        return f"the answer is not JSON: {error}"

    @property
    def _page(self) -> str:
        return page_of_html(self.content[:_TELLING_BYTES].decode("utf-8", "replace"))

    def complaint(self, body: Any) -> str:
        """What the API says in a body that should have had something else; "" where it says nothing."""
        if not isinstance(body, dict):
            return ""
        return next((words for name in _COMPLAINING if (words := said(body.get(name)))), "")

    def words(self) -> str:
        """The status, and what the API says about it."""
        status = self.sent_status or self.status
        try:
            title = f"{status} {HTTPStatus(status).phrase}"
        except ValueError:
            title = str(status)
        try:
            words = said(self.document())
        except ValueError:
            plain = self.headers.get("content-type", "").startswith("text/plain")
            words = said(self.content[:_TELLING_BYTES].decode("utf-8", "replace")) if plain else self._page
        return title if not words or title.endswith(words) else f"{title}: {words}"
