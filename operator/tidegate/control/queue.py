"""The queue of integrations to reconcile, as client-go's workqueue: one worker per key, delayed keys, backoff.

It stands between watch and reconcile. A key that is added while it is being worked on is worked on once more
afterwards; adding it ten times is adding it once.
"""

import asyncio
import heapq
from dataclasses import dataclass, field

FIRST_RETRY = 0.05  # seconds
LONGEST_RETRY = 60.0

_REPLACED_ALARMS = 100  # that may be kept before the heap is rebuilt


@dataclass
class _Failures:
    """A key's failures since its last success."""

    in_a_row: int = 0
    attempts: set[str] = field(default_factory=set)


class WorkQueue:
    """Keys in order of arrival. Not thread-safe: for one event loop."""

    def __init__(self) -> None:
        self._ready: asyncio.Queue[str] = asyncio.Queue()  # which wakes one worker for a key, and not each that is idle
        self._waiting: set[str] = set()  # in _ready
        self._working: set[str] = set()
        self._again: set[str] = set()  # added while being worked on
        self._alarms: list[tuple[float, str]] = []
        self._alarm_of: dict[str, float] = {}  # the one alarm of a key that still counts
        self._timer: asyncio.TimerHandle | None = None  # of the earliest alarm, or of an earlier one
        self._failures: dict[str, _Failures] = {}

    @property
    def depth(self) -> int:
        """How many keys wait for a worker."""
        return self._ready.qsize()

    @property
    def alarms(self) -> int:
        """How many alarms are kept, those included that a newer one has replaced."""
        return len(self._alarms)

    async def add(self, key: str) -> None:
        """Reconcile `key` as soon as a worker is free."""
        self._enqueue(key)

    async def add_after(self, key: str, seconds: float) -> None:
        """Reconcile `key` again in `seconds`; of several alarms of one key the newest counts."""
        self._set_alarm(key, seconds)

    async def take(self) -> str:
        """Wait for a key; it is handed out once until it is given back with `done`."""
        key = await self._ready.get()
        self._waiting.discard(key)
        self._working.add(key)
        return key

    async def done(self, key: str, *, failed: bool = False, attempt: str = "") -> None:
        """Give `key` back; a failed one is requeued after a pause that doubles with each failure in a row.

        `attempt` says what failed. An attempt that has not failed since the last success is progress, and its pause is
        the first one again: a write whose answer is lost must not slow down those that follow it.
        """
        self._working.discard(key)
        if failed:
            failures = self._failures.setdefault(key, _Failures())
            failures.in_a_row = failures.in_a_row + 1 if attempt in failures.attempts else 1
            failures.attempts.add(attempt)
            self._set_alarm(key, min(FIRST_RETRY * 2 ** min(failures.in_a_row - 1, 30), LONGEST_RETRY))
        else:
            self._failures.pop(key, None)
        if key in self._again:
            self._again.discard(key)
            if not failed:
                self._enqueue(key)

    def _enqueue(self, key: str) -> None:
        if key in self._working:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.put_nowait(key)

    def _set_alarm(self, key: str, seconds: float) -> None:
        at = asyncio.get_running_loop().time() + max(0.0, seconds)
        self._alarm_of[key] = at
        heapq.heappush(self._alarms, (at, key))
        if len(self._alarms) > 2 * len(self._alarm_of) + _REPLACED_ALARMS:
            self._alarms = [(at, key) for key, at in self._alarm_of.items()]
            heapq.heapify(self._alarms)
        self._set_timer()

    def _set_timer(self) -> None:
        """Have the earliest alarm rung. A timer that comes before it stays: it finds nothing, and sets the next."""
        if not self._alarms or (self._timer is not None and self._timer.when() <= self._alarms[0][0]):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(self._alarms[0][0], self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._alarms and self._alarms[0][0] <= now:
            at, key = heapq.heappop(self._alarms)
            if self._alarm_of.get(key) == at:
                del self._alarm_of[key]
                self._enqueue(key)
        self._set_timer()
