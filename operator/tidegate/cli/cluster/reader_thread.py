"""Reader thread: a stream that is read in a thread of its own, and that can be ended while it blocks.

A thread that still reads from the network when the interpreter ends would take the whole process down with it.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

_AGAIN = 0.05
_PATIENCE = 2.0


class Stop:
    """How one thread ends what another one reads."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._end: Callable[[], None] | None = None

    @property
    def asked(self) -> bool:
        """Whether the reader is to end."""
        return self._asked.is_set()

    def sleep(self, seconds: float) -> None:
        """Pause, and no longer than until the reader is to end."""
        self._asked.wait(seconds)

    @contextlib.contextmanager
    def ends_by(self, end: Callable[[], None]) -> Iterator[None]:
        """What is read inside ends when `end` is called, by another thread."""
        self._end = end
        try:
            yield
        finally:
            self._end = None

    def ask(self) -> None:
        """End the reader, be it reading or not."""
        self._asked.set()
        if self._end is not None:
            with contextlib.suppress(Exception):  # it may have ended by itself at this moment
                self._end()


@contextlib.contextmanager
def reading(read: Callable[[Stop], None]) -> Iterator[None]:
    """Read in a thread of its own for as long as this lasts."""
    stop = Stop()
    thread = threading.Thread(target=read, args=(stop,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        give_up_at = time.monotonic() + _PATIENCE
        while thread.is_alive() and time.monotonic() < give_up_at:
            stop.ask()  # again: it may just have begun to read something else
            thread.join(_AGAIN)
