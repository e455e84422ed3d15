"""One HTTP answer: what its status means, its JSON body, and the error text that it contains."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from tidegate.worker.connectors.http.answer_settings import RateLimit, Statuses
from tidegate.worker.connectors.http.error_words import page_of_html, said
from tidegate.worker.connectors.json_documents import parse_all

# Fields in which APIs put an error text into an answer that is otherwise data.
_COMPLAINING = ("error", "errors", "error_description", "detail", "message")

# How much of an HTML page is searched for what it is.
_TELLING_BYTES = 20_000

# Request Timeout, Locked, Too Early, Too Many Requests.
_LATER = (408, 423, 425, 429)
_LOCKED = 423
_TOO_MANY = 429
_UNAVAILABLE = 503

# The status that stands for each meaning that a setting can give to another status.
_NOT_FOUND = 404
_UNPROCESSABLE = 422

# X-RateLimit-Reset: a value below the first is a number of seconds, one above the second a time in milliseconds.
_OLDEST_EPOCH = 100_000_000
_LATEST_EPOCH = 100_000_000_000
_REMAINING = "x-ratelimit-remaining"
_RESETS = ("x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; `next_link` is the URL of the Link header's rel=next.

    `status` is the status after the setting `statuses` has been applied, and `sent_status` the one that the API sent.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes
    url: str
    next_link: str | None
    sent_status: int | None = None

    def understood(self, statuses: Statuses, rate_limit: RateLimit) -> "Answer":
        """The same answer with the statuses and quota headers of its API translated to standard HTTP."""
        meanings = ((statuses.retry, _TOO_MANY), (statuses.refused, _UNPROCESSABLE), (statuses.gone, _NOT_FOUND))
        status = next((meaning for those, meaning in meanings if self.status in those), self.status)
        names = ((rate_limit.remaining, _REMAINING), (rate_limit.reset, _RESETS[0]))
        headers = {usual: value for own, usual in names if own and (value := self.headers.get(own.lower())) is not None}
        if status == self.status and not headers:
            return self
        return replace(self, status=status, headers={**self.headers, **headers}, sent_status=self.status)

    @property
    def is_success(self) -> bool:
        """Whether the request was carried out."""
        return 200 <= self.status < 300

    @property
    def is_too_soon(self) -> bool:
        """Whether the API did nothing and asks for a retry later. Some APIs answer 403 for this, such as GitHub."""
        return self.status in _LATER or self._is_used_up

    @property
    def _is_used_up(self) -> bool:
        limited = "retry-after" in self.headers or self.headers.get(_REMAINING) == "0"
        return self.status == 403 and limited

    @property
    def is_of_the_system(self) -> bool:
        """Whether a quota is used up or a service is down, so that any other request would fail too."""
        return self.status in (429, _UNAVAILABLE) or self._is_used_up

    @property
    def may_be_of_a_record(self) -> bool:
        """Whether only this record has to wait, and other records may still be written."""
        return self.status == _LOCKED

    @property
    def etag(self) -> str | None:
        """The ETag, which identifies this version of the record."""
        return self.headers.get("etag")

    @property
    def moment(self) -> datetime | None:
        """When the API answered, by the server's clock."""
        try:
            return parsedate_to_datetime(self.headers.get("date", "")).astimezone(UTC)
        except ValueError:
            return None

    def retry_after(self, now: datetime) -> float:
        """The number of seconds that the API asks the client to wait; 0 when it does not say."""
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
        """The number of seconds until the quota resets; 0 when the API does not say."""
        reset = next((self.headers[name] for name in _RESETS if name in self.headers), "").partition(".")[0]
        if not reset.isascii() or not reset.isdigit() or (self.status == _UNAVAILABLE):
            return 0.0
        seconds = float(reset[:15])
        if seconds < _OLDEST_EPOCH:
            return seconds
        epoch = seconds / 1000 if seconds > _LATEST_EPOCH else seconds
        return max(0.0, epoch - (self.moment or now).timestamp())

    def document(self) -> Any:
        """The parsed body; None when it is empty. Raises ValueError when it is not JSON."""
        return parse_all(self.content) if self.content.strip() else None

    def not_json(self, error: ValueError) -> str:
        """A sentence about a body that is not JSON. It names login pages, the most common case."""
        if page := self._page:
            return f"the answer is {page} and not JSON; see baseUrl, path and auth"
        return f"the answer is not JSON: {error}"

    @property
    def _page(self) -> str:
        return page_of_html(self.content[:_TELLING_BYTES].decode("utf-8", "replace"))

    def complaint(self, body: Any) -> str:
        """The error text in a body that lacks the expected data; "" when there is none."""
        if not isinstance(body, dict):
            return ""
        return next((words for name in _COMPLAINING if (words := said(body.get(name)))), "")

    def words(self) -> str:
        """The status, and the error text of the API."""
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
