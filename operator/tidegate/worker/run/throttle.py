"""How fast a run may go, and whether it may go on: asked by `scan` and `push` between their batches."""

import time
from collections.abc import Callable

from tidegate.worker.errors import Paused

# Sleeps are cut short, so that a SIGTERM is obeyed at once.
_NAP_SECONDS = 0.05


class Pace:
    """A limit of records per second over the whole run, and the one place where SIGTERM is obeyed."""

    def __init__(
        self,
        records_per_second: int | None,
        interrupted: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = records_per_second
        self._interrupted = interrupted
        self._clock = clock
        self._sleep = sleep
        self._free_at = clock()

    def batch(self, size: int) -> int:
        """A batch no larger than this, and no larger than what may be done in half a second."""
        return size if self._rate is None else max(1, min(size, self._rate // 2))

    def wait(self) -> None:
        """Return when the next batch may begin. Raises Paused after a SIGTERM."""
        while not self._interrupted():
            ahead = self._free_at - self._clock()
            if self._rate is None or ahead <= 0:
                return
            self._sleep(min(ahead, _NAP_SECONDS))
        raise Paused("paused by SIGTERM; everything done so far is committed, and the run will resume from there")

    def took(self, records: int) -> None:
        """A batch of so many records has been done."""
        if self._rate is not None:
            self._free_at = max(self._free_at, self._clock()) + records / self._rate
