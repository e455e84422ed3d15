"""Requests to an API: authenticated, each in its turn, and repeated where that can do no harm.

What an answer's status means for the whole run is decided here; what it means for one record is left to the caller.
"""

import base64
import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote, unquote_plus, urljoin

import httpx

from tidegate.worker.connectors.http.answers import Answer
from tidegate.worker.connectors.http.bodies import CutShortError, TooLargeError, read_body
from tidegate.worker.connectors.http.error_words import is_login_place
from tidegate.worker.connectors.http.settings import Settings
from tidegate.worker.connectors.http.turns import Turns
from tidegate.worker.connectors.settings import FromEnvironment, fingerprint, hidden, text_of
from tidegate.worker.errors import ConfigurationError, RunEnded, SystemFailed

_ATTEMPTS = 5
_FIRST_PAUSE_SECONDS = 0.5

# Many quotas count requests a minute: an API that does not say when it can be asked again is asked for over a minute.
_ATTEMPTS_TOO_SOON = 9
_LONGEST_BACKOFF_SECONDS = 30.0

_CONNECT_SECONDS = 10.0
_MOVED = range(300, 400)

# `timeoutSeconds` is for a part of an answer; so many times as long is for all of it.
_ANSWER_TIMEOUTS = 4
_MEGABYTE = 1_000_000

# The request has not been sent when these are raised.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class Failing(SystemFailed):
    """The API fails; `answer` is what it says, if it says anything."""

    def __init__(self, problem: str, answer: Answer | None) -> None:
        super().__init__(problem)
        self.answer = answer


class Unanswered(Failing):
    """It is unknown whether the API did what it was asked for."""


class Client:
    """One API's client; it may be used by several threads."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        environ: Mapping[str, str],
        sleep: Callable[[float], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises ConfigurationError; nothing is sent yet."""
        self._name = name
        self._settings = settings
        self.turns = Turns(name, settings.requests_per_second, settings.longest_wait, sleep, clock)
        self._secrets: list[str] = []
        self._secrets_of: dict[str, str] = {}  # by header, the variable that its value comes from
        self._base = self._base_url(settings, environ)
        usual = {"accept": "application/json", "user-agent": "tidegate"}
        given = {**settings.headers, **self._authentication(settings, environ)}
        for header, value in given.items():
            self._check_header(header, value)
        names = {header.lower() for header in given}
        headers = {header: value for header, value in usual.items() if header not in names} | given
        self._content_type = next((v for h, v in given.items() if h.lower() == "content-type"), "application/json")
        limits = httpx.Limits(max_connections=settings.concurrency, max_keepalive_connections=settings.concurrency)
        timeout = httpx.Timeout(settings.timeout_seconds, connect=_CONNECT_SECONDS, pool=None)
        try:
            self._http = httpx.Client(headers=headers, timeout=timeout, limits=limits, follow_redirects=False)
        except Exception as error:  # such as a proxy variable or a header that is none
            raise ConfigurationError(f"connector {name}: {self._hidden(error)}") from None

    def _base_url(self, settings: Settings, environ: Mapping[str, str]) -> httpx.URL:
        text = text_of(settings.base_url, environ, self._name)
        self._base_is_secret = isinstance(settings.base_url, FromEnvironment)
        if self._base_is_secret:
            self._secrets.append(text)
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
        """The API's host and path, which are the same by http and https; a URL from a Secret is not shown."""
        host = self._base.host if self._base.port in (None, 80, 443) else f"{self._base.host}:{self._base.port}"
        place = f"{host}{self._base.path.rstrip('/')}"
        return fingerprint(place) if self._base_is_secret else place

    def _authentication(self, settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
        auth = settings.auth

        def secret(setting: FromEnvironment) -> str:
            self._secrets.append(text_of(setting, environ, self._name))
            return self._secrets[-1]

        if auth is None:
            return {}
        if auth.bearer is not None:
            self._secrets_of["authorization"] = auth.bearer.env
            return {"authorization": f"Bearer {secret(auth.bearer)}"}
        if auth.header is not None:
            self._secrets_of[auth.header.name.lower()] = auth.header.value.env
            return {auth.header.name: secret(auth.header.value)}
        assert auth.basic is not None  # noqa: S101 - it is one of the three
        pair = f"{text_of(auth.basic.username, environ, self._name)}:{secret(auth.basic.password)}"
        self._secrets.append(base64.b64encode(pair.encode()).decode())
        return {"authorization": f"Basic {self._secrets[-1]}"}

    def _check_header(self, header: str, value: str) -> None:
        """Raise ConfigurationError for a value that no header can have, without showing it: it may be a secret."""
        if not any(ord(character) < 32 or ord(character) == 127 for character in value):
            return
        env = self._secrets_of.get(header.lower())
        where = f"headers: {header}" if env is None else f"the environment variable {env}"
        raise ConfigurationError(
            f"connector {self._name}: {where} has a line break or another control character inside, such as from "
            "base64 that was wrapped; it is not shown here"
        )

    def close(self) -> None:
        """End all connections."""
        self._http.close()

    def sealed(self, url: str) -> str:
        """A URL without our secrets, to be kept; `unsealed` gives it back."""
        place, mark, query = url.partition("?")
        parts = []
        for part in query.split("&"):
            name, equals, value = part.partition("=")
            plain = unquote_plus(value)
            number = next((number for number, secret in enumerate(self._secrets) if plain == secret), None)
            parts.append(part if number is None else f"{name}{equals}{{secret {number}}}")
        return f"{place}{mark}{'&'.join(parts)}"

    def unsealed(self, url: str) -> str:
        """The URL that was sealed."""
        for number, secret in enumerate(self._secrets):
            url = url.replace(f"{{secret {number}}}", quote(secret, safe=""))
        return url

    def url(self, path: str) -> str:
        """The URL of a path, or of a page whose URL the API has given. Raises ConfigurationError for another host."""
        if not path.startswith(("http:", "https:")):
            return f"{str(self._base).rstrip('/')}/{path.lstrip('/')}"
        url = httpx.URL(path)
        if (url.scheme, url.host, url.port) != (self._base.scheme, self._base.host, self._base.port):
            # Our credentials are not for others.
            raise ConfigurationError(
                f"connector {self._name}: the API refers us to {url.scheme}://{url.netloc.decode()}, and baseUrl is "
                f"{self._base.scheme}://{self._base.netloc.decode()}"
            )
        return path

    def beside(self, answer: Answer, location: str) -> str:
        """The URL that an answer's Location stands for."""
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
    ) -> Answer:
        """Send a request, again if need be where that can do no harm, and return what is answered.

        That something is forbidden is left to the caller where it may be so for one record only (`of_record`). A
        request that completes a write (`finishing`) is sent after a SIGTERM too, once.

        Raises Unanswered when another request than GET may have been carried out, and may not. Where nothing was
        carried out it raises Paused after a SIGTERM, ClosedError when the API asks for too long a wait, SystemFailed
        when it breaks off, and ConfigurationError when it does not know us, or wants to be asked elsewhere.
        """
        headers = {**(headers or {}), **({} if content is None else {"content-type": self._content_type})}
        attempt, waited = 0, 0.0
        while True:
            self.turns.wait(finishing=finishing)
            once = finishing and self.turns.is_stopping
            try:
                answer = self._exchange(method, path, parameters, content, headers, finishing=finishing)
            except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError) as error:
                raise ConfigurationError(self._about(method, path, self._hidden(error))) from None
            except httpx.HTTPError as error:
                sent = not isinstance(error, _NOT_SENT)
                if once or attempt == _ATTEMPTS - 1 or (sent and method != "GET"):
                    raise self._failed(method, path, self._hidden(error), None, sent=sent) from None
                self.pause(attempt)
                attempt += 1
                continue
            passing = answer.is_too_soon or (answer.status >= 500 and method == "GET")
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
    ) -> Answer:
        """One request and its answer. A write's answer that is too large has no body: the record is read instead."""
        request = self._http.build_request(
            method, self.url(path), params=[*parameters] or None, content=content, headers=headers
        )
        response = self._http.send(request, stream=True)
        reads = method == "GET"
        stoppable = reads and not finishing
        seconds = self._settings.timeout_seconds * (_ANSWER_TIMEOUTS if stoppable else 1)
        most = self._settings.max_answer_megabytes * _MEGABYTE
        try:
            body = read_body(response, most, seconds, lambda: stoppable and self.turns.is_stopping)
        except CutShortError:
            self.turns.wait(finishing=False)  # raises Paused
            raise
        finally:
            response.close()
        if body is None and reads and response.is_success:
            raise TooLargeError(
                self._about(
                    method,
                    path,
                    f"the answer has more than {self._settings.max_answer_megabytes} MB; ask for fewer records at once "
                    "with paging and pageSize, or write a larger maxAnswerMegabytes for the connector",
                )
            )
        return _answer(response, body or b"")

    def _wait_as_asked(self, method: str, path: str, answer: Answer) -> None:
        """Of a write that may have been carried out: whatever asks next waits until then."""
        seconds = answer.retry_after(datetime.now(UTC)) if answer.is_of_the_system else 0.0
        if seconds > 0:
            self.turns.close(seconds, self._about(method, path, answer.words()), in_all=seconds)

    def _known(self, method: str, path: str, answer: Answer) -> Answer:
        if answer.status in (401, 403):
            raise ConfigurationError(self._about(method, path, answer.words()))
        if answer.status in _MOVED:
            where = answer.headers.get("location", "another place").partition("?")[0]
            what = ", where a person logs in; see auth" if is_login_place(where) else ""
            raise ConfigurationError(self._about(method, path, f"{answer.words()}: it is at {where}{what}"))
        return answer

    def pause(self, attempt: int) -> None:
        """Leave the API alone, longer at each attempt."""
        backoff = min(_FIRST_PAUSE_SECONDS * 2**attempt, _LONGEST_BACKOFF_SECONDS)
        self.turns.rest(backoff * random.uniform(0.5, 1))  # noqa: S311 - it only spreads requests

    def complaint(self, method: str, path: str, answer: Answer, advice: str = "") -> RunEnded:
        """What an answer means that no record can be blamed for: the configuration's fault, unless it passes."""
        said = self._about(method, path, answer.words() + (f"; {advice}" if advice else ""))
        return SystemFailed(said) if answer.is_too_soon else ConfigurationError(said)

    def words(self, answer: Answer) -> str:
        """The API's own words, for a message."""
        return self.inert(answer.words())

    def not_json(self, answer: Answer, error: ValueError) -> str:
        """What was answered where JSON was expected, for a message."""
        return self.inert(answer.not_json(error))

    def inert(self, said: str) -> str:
        """What an API has said, without secrets, and no longer than a sentence."""
        return hidden(said, self._secrets)

    def _failed(self, method: str, path: str, problem: str, answer: Answer | None, *, sent: bool) -> Failing:
        return (Unanswered if sent and method != "GET" else Failing)(self._about(method, path, problem), answer)

    def _about(self, method: str, path: str, problem: str) -> str:
        # Without the query: it may have values of records.
        return hidden(f"connector {self._name}: {method} {path.partition('?')[0]}: {problem}", self._secrets)

    def _hidden(self, error: Exception) -> str:
        return hidden(str(error) or type(error).__name__, self._secrets)


def _answer(response: httpx.Response, content: bytes) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    link = response.links.get("next", {}).get("url")
    return Answer(response.status_code, headers, content, str(response.url), link)
