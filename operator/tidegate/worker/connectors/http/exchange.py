"""One request and its answer, within bounds of size and time: no server can fill the memory or hold up a run.

A read timeout alone lets an answer drip for ever, be it by its headers or by its body. Here each read of a connection
waits no longer than until the deadline of the request that it serves.
"""

import codecs
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpcore
import httpx

from tidegate.worker.connectors.http.answers import Answer
from tidegate.worker.errors import ConfigurationError

_CONNECT_SECONDS = 10.0

# They log URLs and headers of each request, which have values of records, and may have a key.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class TooLargeError(ConfigurationError):
    """An answer has more bytes than `maxAnswerMegabytes` allows."""


class CutShortError(Exception):
    """The run was asked to stop while an answer was read."""


class Connections:
    """Connections to one server; it may be used by several threads."""

    def __init__(self, headers: Mapping[str, str], part_seconds: float, concurrency: int) -> None:
        """`part_seconds` is how long one part of an answer may take."""
        limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
        timeout = httpx.Timeout(part_seconds, connect=_CONNECT_SECONDS, pool=None)
        self._http = httpx.Client(headers=headers, timeout=timeout, limits=limits, follow_redirects=False)
        self._deadline = _Deadline()

    def close(self) -> None:
        """End all connections."""
        self._http.close()

    def exchange(
        self,
        method: str,
        url: httpx.URL,
        content: bytes | None,
        headers: Mapping[str, str],
        *,
        seconds: float,
        most: int,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> tuple[Answer, bool]:
        """The answer, which has to be complete after so many `seconds`, and whether it has no more than `most` bytes.

        What is larger has no body. Raises httpx.HTTPError, and CutShortError once `is_stopping`.
        """
        request = self._http.build_request(
            method, url, content=content, headers=headers, extensions={"trace": self._deadline.watch}
        )
        with self._deadline.of(seconds, is_stopping):
            response = self._http.send(request, stream=True)
            try:
                body = _read(response, most)
            finally:
                response.close()
        return _answer(response, body or b""), body is not None


class _Deadline:
    """Until when the request of this thread may be waited for."""

    def __init__(self) -> None:
        self._local = threading.local()

    def of(self, seconds: float, is_stopping: Callable[[], bool]) -> "_Deadline":
        """Begin a request."""
        self._local.seconds, self._local.until = seconds, time.monotonic() + seconds
        self._local.is_stopping = is_stopping
        return self

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._local.until = None

    def watch(self, event: str, info: Mapping[str, Any]) -> None:
        """See the trace extension of httpcore: each new connection is made to keep the deadline."""
        if event in ("connection.connect_tcp.complete", "socks5.connect_tcp.complete") or event.endswith(
            "start_tls.complete"
        ):
            self._keep(info["return_value"])

    def _keep(self, stream: httpcore.NetworkStream) -> None:
        read = stream.read

        def read_in_time(max_bytes: int, timeout: float | None = None) -> bytes:
            left = self._left()
            if left is None or (timeout is not None and timeout <= left):
                return read(max_bytes, timeout)
            try:
                return read(max_bytes, left)
            except httpcore.ReadTimeout:
                raise self._too_late() from None

        stream.read = read_in_time  # type: ignore[method-assign] # httpx has no place for a network backend

    def _left(self) -> float | None:
        until: float | None = getattr(self._local, "until", None)
        if until is None:
            return None
        if self._local.is_stopping():
            raise CutShortError
        left = until - time.monotonic()
        if left <= 0:
            raise self._too_late()
        return left

    def _too_late(self) -> httpcore.ReadTimeout:
        plural = "" if self._local.seconds == 1 else "s"
        return httpcore.ReadTimeout(f"the answer was not complete after {self._local.seconds:g} second{plural}")


def _read(response: httpx.Response, most: int) -> bytes | None:
    """The decoded body; None where it is larger."""
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > most:
            return None
    return bytes(body)


def _answer(response: httpx.Response, content: bytes) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    link = response.links.get("next", {}).get("url")
    return Answer(response.status_code, headers, _in_utf8(content, response.charset_encoding), str(response.url), link)


def _in_utf8(content: bytes, charset: str | None) -> bytes:
    """A body in the one encoding that JSON has, whatever the API writes; what is none is left to the reader."""
    try:
        encoding = charset or json.detect_encoding(content)
        is_utf8 = codecs.lookup(encoding).name == "utf-8" and not content.startswith(codecs.BOM_UTF8)
        return content if is_utf8 else content.decode(encoding).removeprefix("\ufeff").encode()
    except (LookupError, UnicodeError):
        return content
