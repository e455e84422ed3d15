"""Reads the body of an answer within bounds of size and time, so that no API can fill the memory or hold up a run."""

import time
from collections.abc import Callable

import httpx

from tidegate.worker.errors import ConfigurationError


class TooLargeError(ConfigurationError):
    """An answer has more bytes than `maxAnswerMegabytes` allows."""


class CutShortError(Exception):
    """The run was asked to stop while a body was read."""


def read_body(
    response: httpx.Response,
    most: int,
    seconds: float,
    is_stopping: Callable[[], bool],
    clock: Callable[[], float] = time.monotonic,
) -> bytes | None:
    """The decoded body; None where it is larger than `most` bytes.

    `seconds` is the time for all of it: a read timeout alone lets a body drip for ever. Raises httpx.ReadTimeout, and
    CutShortError once `is_stopping`.
    """
    body = bytearray()
    until = clock() + seconds
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > most:
            return None
        if is_stopping():
            raise CutShortError
        if clock() > until:
            raise httpx.ReadTimeout(f"the answer was not complete after {seconds:g} seconds", request=response.request)
    return bytes(body)
