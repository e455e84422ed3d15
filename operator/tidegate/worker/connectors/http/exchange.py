"""One HTTP exchange with limits on size and time: no server can exhaust the memory or block a run.

A read timeout alone does not limit an answer whose headers or body arrive byte by byte. Here each socket read also ends
at the deadline of its request.
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

# They log URLs and headers of each request, which contain values of records, and may contain a key.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class TooLargeError(ConfigurationError):
    """An answer has more bytes than `maxAnswerMegabytes` allows."""


class CutShortError(Exception):
    """The run received a stop request while an answer was read."""


class Connections:
    """Connections to one server; thread-safe."""

    def __init__(self, headers: Mapping[str, str], part_seconds: float, concurrency: int) -> None:
        """`part_seconds` is the time limit for one part of an answer."""
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
        """Send a request; return the answer, and whether its body has at most `most` bytes.

        The whole answer must arrive within `seconds`. A larger body is dropped. Raises httpx.HTTPError, and
        CutShortError once `is_stopping` returns true.
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
    """The deadline of the request that the current thread sends."""

    def __init__(self) -> None:
        self._local = threading.local()

    def of(self, seconds: float, is_stopping: Callable[[], bool]) -> "_Deadline":
        """Start the clock for a request."""
        self._local.seconds, self._local.until = seconds, time.monotonic() + seconds
        self._local.is_stopping = is_stopping
        return self

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._local.until = None

    def watch(self, event: str, info: Mapping[str, Any]) -> None:
        """Wrap each new connection so that its reads respect the deadline. A callback of httpcore's trace extension."""
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
    """The decoded body; None where it is larger than `most` bytes."""
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
    """Re-encode a body as UTF-8, the only encoding of JSON. A body that cannot be decoded is returned unchanged."""
    try:
        encoding = charset or json.detect_encoding(content)
        is_utf8 = codecs.lookup(encoding).name == "utf-8" and not content.startswith(codecs.BOM_UTF8)
        return content if is_utf8 else content.decode(encoding).removeprefix("\ufeff").encode()
    except (LookupError, UnicodeError):
        return content
