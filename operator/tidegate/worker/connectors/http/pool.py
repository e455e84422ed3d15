"""Several requests under way at once."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


class Pool:
    """So many threads."""

    def __init__(self, size: int) -> None:
        self._executor = ThreadPoolExecutor(size, thread_name_prefix="http")

    def each(self, work: Callable[[_Item], _Answer], items: Sequence[_Item]) -> list[_Answer]:
        """Do the work on each item; the answers are in the same order.

        When one raises, what is under way is finished, the rest is not begun, and it is raised here.
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
        """End the threads."""
        self._executor.shutdown()
