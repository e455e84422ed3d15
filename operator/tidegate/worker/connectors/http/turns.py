"""When the next request may be sent: within the API's quota, and not after the run received a stop request.

An API with a used-up quota reports how long to wait. The run waits if `longestWait` allows it, logs the wait, and
continues. Otherwise it sends no further request, acknowledges what was written, and ends with the reason.
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tidegate.worker.errors import Paused, SystemFailed

_LOGGER = logging.getLogger(__name__)

_FIRST_BACKOFF_SECONDS = 0.5
_LONGEST_BACKOFF_SECONDS = 30.0

# Sleeps are split into short ones, so that the run obeys a SIGTERM at once.
_NAP_SECONDS = 0.05

# Shorter waits are not worth a line in the log.
_WORTH_A_LINE_SECONDS = 10.0


class ClosedError(SystemFailed):
    """The API asks for a longer wait than `longestWait`; the request was not sent."""


class Turns:
    """Schedules the requests of one connector; thread-safe."""

    def __init__(
        self,
        connector: str,
        requests_per_second: float | None,
        longest_wait: timedelta,
        sleep: Callable[[float], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connector = connector
        self._interval = 1 / requests_per_second if requests_per_second else 0.0
        self._longest = longest_wait.total_seconds()
        self._sleep = sleep or self._nap
        self._clock = clock
        self._lock = threading.Lock()
        self._free_at = self._opens_at = clock()
        self._closed: ClosedError | None = None
        self._interrupted: Callable[[], bool] = lambda: False

    def stop_when(self, interrupted: Callable[[], bool]) -> None:
        self._interrupted = interrupted

    @property
    def is_stopping(self) -> bool:
        """Whether the run received a stop request."""
        return self._interrupted()

    def wait(self, *, finishing: bool) -> None:
        """Wait until a request may be sent. A request that completes a write (`finishing`) is sent after a SIGTERM too.

        Raises Paused and ClosedError.
        """
        while (ahead := self._opens_at - self._clock()) > 0 or self._closed is not None:
            if self._closed is not None:
                raise self._closed
            self._raise_if_stopping()
            self.rest(ahead)
        if self._interval:
            with self._lock:
                now = self._clock()
                ahead = max(0.0, self._free_at - now)
                self._free_at = now + ahead + self._interval
            if ahead:
                self.rest(ahead)
        if not finishing:
            self._raise_if_stopping()

    def close(self, seconds: float, reason: str, in_all: float) -> None:
        """Block requests for some seconds. Raises ClosedError when a request would wait too long `in_all`."""
        if in_all > self._longest:
            longest = timedelta(seconds=round(self._longest))
            self._closed = ClosedError(
                f"{reason}; the API asks for a wait of {_shown(in_all)}, and longestWait is {longest}: what was "
                "written until now is kept, and the next attempt resumes from there"
            )
            raise self._closed
        with self._lock:
            later = self._clock() + seconds
            is_news = later > self._opens_at + _WORTH_A_LINE_SECONDS
            self._opens_at = max(self._opens_at, later)
        if is_news:
            until = (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%SZ")
            _LOGGER.warning("%s; waiting until %s, as the API asks for", reason, until)

    def rest(self, seconds: float) -> None:
        """Sleep for some seconds, or until the run receives a stop request."""
        self._sleep(seconds)

    def back_off(self, attempt: int) -> None:
        """Wait before a retry; the wait grows with each attempt."""
        backoff = min(_FIRST_BACKOFF_SECONDS * 2**attempt, _LONGEST_BACKOFF_SECONDS)
        self.rest(backoff * random.uniform(0.5, 1))  # noqa: S311 - it only spreads requests

    def _nap(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (ahead := until - time.monotonic()) > 0 and not self._interrupted():
            time.sleep(min(ahead, _NAP_SECONDS))

    def _raise_if_stopping(self) -> None:
        if self._interrupted():
            raise Paused("paused by SIGTERM; everything done so far is committed, and the run will resume from there")


def _shown(seconds: float) -> str:
    try:
        return str(timedelta(seconds=round(seconds)))
    except OverflowError:
        return f"{seconds:.0f} seconds"
