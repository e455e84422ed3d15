"""Sends several requests concurrently."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


class Pool:
    """A pool of `size` threads."""

    def __init__(self, size: int) -> None:
        self._executor = ThreadPoolExecutor(size, thread_name_prefix="http")

    def each(self, work: Callable[[_Item], _Answer], items: Sequence[_Item]) -> list[_Answer]:
        """Call `work` with each item; the results are in the same order.

        When a call raises, calls under way are completed, no other starts, and the exception is raised here.
        """
        futures = [self._executor.submit(work, item) for item in items]
        wait(futures, return_when=FIRST_EXCEPTION)
        for future in futures:
            future.cancel()
        wait(futures)
        for future in futures:
            if not future.cancelled() and (error := future.exception()) is not None:
                raise error
        return [future.result() for future in futures]

    def close(self) -> None:
        """Stop the threads."""
        self._executor.shutdown()
