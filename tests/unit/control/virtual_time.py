"""An event loop whose time passes only when nothing else is left to do, and then at once.

Tests of delays take no time with it, and never fail because a machine is slow.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class _ImpatientSelector(selectors.DefaultSelector):
    """Adds what it is asked to wait to the time, rather than to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events and timeout is None:
            raise RuntimeError("everybody waits, and nothing will ever happen")
        if not events and timeout:
            self.time += timeout
        return events


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """`loop.time()` begins at 0."""

    def __init__(self) -> None:
        self._impatient = _ImpatientSelector()
        super().__init__(self._impatient)

    def time(self) -> float:
        return self._impatient.time


def run(test: Coroutine[Any, Any, Result]) -> Result:
    """Run a test in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(test)
