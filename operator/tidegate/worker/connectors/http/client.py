"""Requests to an API: authenticated, throttled, and retried where a retry is harmless.

This module decides what an answer's status means for the whole run; the caller decides what it means for one record.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import urljoin

import httpx

from tidegate.worker.connectors.http.answers import Answer
from tidegate.worker.connectors.http.authentication import credentials, refuse_control_characters
from tidegate.worker.connectors.http.error_words import is_login_place
from tidegate.worker.connectors.http.exchange import Connections, CutShortError, TooLargeError
from tidegate.worker.connectors.http.known_secrets import KnownSecrets
from tidegate.worker.connectors.http.settings import Settings
from tidegate.worker.connectors.http.turns import Turns
from tidegate.worker.connectors.settings import FromEnvironment, fingerprint, text_of
from tidegate.worker.errors import ConfigurationError, RunEnded, SystemFailed

_ATTEMPTS = 5

# Many quotas count requests per minute: without a Retry-After, requests are retried for longer than a minute.
_ATTEMPTS_TOO_SOON = 9

_MOVED = range(300, 400)

# `timeoutSeconds` limits the wait for one part of an answer; the whole answer may take this many times as long.
_ANSWER_TIMEOUTS = 4
_MEGABYTE = 1_000_000

# httpx raises these before it has sent the request.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

# What the operating system's words begin with, which tells a user nothing.
_ERRNO = re.compile(r"^\[Errno -?\d+\] ")


class Failing(SystemFailed):
    """The API keeps failing; `answer` is its last answer, if there is one."""

    def __init__(self, problem: str, answer: Answer | None) -> None:
        super().__init__(problem)
        self.answer = answer


class Unanswered(Failing):
    """It is unknown whether the API carried out the request."""


class Client:
    """The client of one API; thread-safe."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        environ: Mapping[str, str],
        sleep: Callable[[float], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises ConfigurationError; sends no request."""
        self._name = name
        self._settings = settings
        self.turns = Turns(name, settings.requests_per_second, settings.longest_wait, sleep, clock)
        self.secrets = KnownSecrets()
        self._base = self._base_url(settings, environ)
        self._credentials = credentials(settings, environ, name, self.secrets, self.turns)
        usual = {"accept": "application/json", "user-agent": "tidegate"}
        for header, value in settings.headers.items():
            refuse_control_characters(name, f"headers: {header}", value)
        given = {**settings.headers, **self._credentials.headers}
        names = {header.lower() for header in given}
        headers = {header: value for header, value in usual.items() if header not in names} | given
        self._content_type = next((v for h, v in given.items() if h.lower() == "content-type"), "application/json")
        try:
            self._connections = Connections(headers, settings.timeout_seconds, settings.concurrency)
        except Exception as error:  # such as a malformed proxy variable or header
            raise ConfigurationError(f"connector {name}: {self._hidden(error)}") from None

    def _base_url(self, settings: Settings, environ: Mapping[str, str]) -> httpx.URL:
        text = text_of(settings.base_url, environ, self._name)
        self._base_is_secret = isinstance(settings.base_url, FromEnvironment)
        if self._base_is_secret:
            self.secrets.add(text)
        try:
            url = httpx.URL(text)
        except httpx.InvalidURL:
            url = httpx.URL()
        if url.scheme not in ("http", "https") or not url.host:
            raise ConfigurationError(f"connector {self._name}: baseUrl must be a URL such as https://crm.example/api")
        if url.userinfo or url.query or url.fragment:
            raise ConfigurationError(
                f"connector {self._name}: baseUrl must be without user, password and query; write auth and query"
            )
        return url

    @property
    def place(self) -> str:
        """The API's host and path, without the scheme. A URL from a Secret is not shown."""
        place = f"{self._host}{self._base.path.rstrip('/')}"
        return fingerprint(place) if self._base_is_secret else place

    @property
    def _host(self) -> str:
        return self._base.host if self._base.port in (None, 80, 443) else f"{self._base.host}:{self._base.port}"

    def close(self) -> None:
        """End all connections."""
        self._connections.close()
        if self._credentials.oauth2 is not None:
            self._credentials.oauth2.close()

    def url(self, path: str) -> str:
        """The URL of a path, or of a page whose URL the API returned. Raises ConfigurationError for another host."""
        if not path.startswith(("http:", "https:")):
            return f"{str(self._base).rstrip('/')}/{path.lstrip('/')}"
        url = httpx.URL(path)
        if (url.scheme, url.host, url.port) != (self._base.scheme, self._base.host, self._base.port):
            # Credentials must not be sent to another host.
            raise ConfigurationError(
                f"connector {self._name}: the API refers us to {url.scheme}://{url.netloc.decode()}, and baseUrl is "
                f"{self._base.scheme}://{self._base.netloc.decode()}"
            )
        return path

    def beside(self, answer: Answer, location: str) -> str:
        """The absolute URL of an answer's Location header."""
        return self.url(urljoin(answer.url, location))

    def send(
        self,
        method: str,
        path: str,
        parameters: Sequence[tuple[str, str]] = (),
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        of_record: bool = False,
        finishing: bool = False,
        reads: bool = False,
    ) -> Answer:
        """Send a request, retry it where that is harmless, and return the answer.

        With `of_record` a 403 is returned to the caller, because it may concern one record only. A request that
        completes a write (`finishing`) is sent once even after a SIGTERM. A POST with `reads` is a search, and is
        retried like a GET.

        Raises Unanswered when a request other than GET may have been carried out. Where nothing was carried out, raises
        Paused after a SIGTERM, ClosedError when the API asks for too long a wait, SystemFailed when it keeps failing,
        and ConfigurationError when it rejects the credentials or redirects the request.
        """
        headers = {**({} if content is None else {"content-type": self._content_type}), **(headers or {})}
        reads = reads or method == "GET"
        attempt, waited, renewed = 0, 0.0, False
        while True:
            headers, token = self._authorized(headers, finishing=finishing)
            self.turns.wait(finishing=finishing)
            once = finishing and self.turns.is_stopping
            try:
                answer = self._exchange(method, path, parameters, content, headers, finishing=finishing, reads=reads)
            except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError) as error:
                raise ConfigurationError(self._about(method, path, self._hidden(error))) from None
            except httpx.HTTPError as error:
                sent = not isinstance(error, _NOT_SENT)
                if once or attempt == _ATTEMPTS - 1 or (sent and not reads):
                    raise self._failed(method, path, self._hidden(error), None, sent=sent and not reads) from None
                self.pause(attempt)
                attempt += 1
                continue
            if answer.status == 401 and token is not None and not renewed:
                renewed = True
                self._authorized(headers, token, finishing=finishing)
                continue
            passing = answer.is_too_soon or (answer.status >= 500 and reads)
            seconds = answer.retry_after(datetime.now(UTC)) if passing and answer.is_of_the_system else 0.0
            if seconds > 0 and answer.is_too_soon:
                waited += seconds
                self.turns.close(seconds, self._about(method, path, answer.words()), in_all=waited)
            elif passing:
                attempts = _ATTEMPTS_TOO_SOON if answer.is_too_soon and answer.is_of_the_system else _ATTEMPTS
                if once or attempt >= attempts - 1:
                    if of_record and answer.may_be_of_a_record:
                        return answer
                    raise self._failed(method, path, answer.words(), answer, sent=False)
                if seconds > 0:
                    self.turns.close(seconds, self._about(method, path, answer.words()), in_all=seconds)
                else:
                    self.pause(attempt)
                attempt += 1
            elif answer.status >= 500:
                self._wait_as_asked(method, path, answer)
                raise self._failed(method, path, answer.words(), answer, sent=True)
            elif of_record and answer.status == 403:
                return answer
            else:
                return self._known(method, path, answer)

    def _exchange(
        self,
        method: str,
        path: str,
        parameters: Sequence[tuple[str, str]],
        content: bytes | None,
        headers: Mapping[str, str],
        *,
        finishing: bool,
        reads: bool,
    ) -> Answer:
        """Send one request. A write's answer that is too large loses its body; the caller reads the record instead."""
        stoppable = reads and not finishing
        url = httpx.URL(self.url(path))
        if parameters:
            url = url.copy_with(params=[*parameters])
        try:
            answer, is_whole = self._connections.exchange(
                method,
                url.copy_merge_params(self._credentials.query) if self._credentials.query else url,
                content,
                headers,
                seconds=self._settings.timeout_seconds * (_ANSWER_TIMEOUTS if stoppable else 1),
                most=self._settings.max_answer_megabytes * _MEGABYTE,
                is_stopping=lambda: stoppable and self.turns.is_stopping,
            )
        except CutShortError:
            self.turns.wait(finishing=False)  # raises Paused
            raise
        answer = answer.understood(self._settings.statuses, self._settings.rate_limit)
        if not is_whole and reads and answer.is_success:
            raise TooLargeError(
                self._about(
                    method,
                    path,
                    f"the answer has more than {self._settings.max_answer_megabytes} MB; ask for fewer records at once "
                    "with paging and pageSize, or write a larger maxAnswerMegabytes for the connector",
                )
            )
        return answer

    def _authorized(
        self, headers: Mapping[str, str], refused: str | None = None, *, finishing: bool
    ) -> tuple[Mapping[str, str], str | None]:
        """The headers with an access token other than `refused`, and the token; None where the API needs none."""
        if self._credentials.oauth2 is None:
            return headers, None
        token = self._credentials.oauth2.token(refused, finishing=finishing)
        return {**headers, "authorization": f"Bearer {token}"}, token

    def _wait_as_asked(self, method: str, path: str, answer: Answer) -> None:
        """For a write that may have been carried out: the wait that the API asks for applies to the next request."""
        seconds = answer.retry_after(datetime.now(UTC)) if answer.is_of_the_system else 0.0
        if seconds > 0:
            self.turns.close(seconds, self._about(method, path, answer.words()), in_all=seconds)

    def _known(self, method: str, path: str, answer: Answer) -> Answer:
        if answer.status in (401, 403):
            raise ConfigurationError(self._about(method, path, answer.words()))
        if answer.status in _MOVED:
            where = answer.headers.get("location", "another place").partition("?")[0]
            what = ", a login page; see auth" if is_login_place(where) else ""
            raise ConfigurationError(self._about(method, path, f"{answer.words()}: it is at {where}{what}"))
        return answer

    def pause(self, attempt: int) -> None:
        """Wait before a retry; the wait grows with each attempt."""
        self.turns.back_off(attempt)

    def complaint(self, method: str, path: str, answer: Answer, advice: str = "") -> RunEnded:
        """A message for an answer that no single record causes: a configuration error, unless it is transient."""
        said = self._about(method, path, answer.words() + (f"; {advice}" if advice else ""))
        return SystemFailed(said) if answer.is_too_soon else ConfigurationError(said)

    def words(self, answer: Answer) -> str:
        """The API's error text, for a message."""
        return self.inert(answer.words())

    def not_json(self, answer: Answer, error: ValueError) -> str:
        """A sentence about an answer that should be JSON and is not, for a message."""
        return self.inert(answer.not_json(error))

    def inert(self, said: str) -> str:
        """Text from the API on one short line, with secrets removed."""
        return self.secrets.hidden(said)

    def _failed(self, method: str, path: str, problem: str, answer: Answer | None, *, sent: bool) -> Failing:
        return (Unanswered if sent else Failing)(self._about(method, path, problem), answer)

    def _about(self, method: str, path: str, problem: str) -> str:
        # The query is omitted: it may contain values of records.
        return self.secrets.hidden(f"connector {self._name}: {method} {path.partition('?')[0]}: {problem}")

    def _hidden(self, error: Exception) -> str:
        said = self.secrets.hidden(str(error) or type(error).__name__)
        if not isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
            return said
        host = "the API" if self._base_is_secret else self._host
        return f"{host} cannot be reached: {re.sub(_ERRNO, '', said)}"
