"""When Python looks for garbage in cycles: seldom, and not while a batch of records is at work."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


def collect_seldom() -> None:
    """Look for garbage in cycles less often than Python would, which takes a seventh of a run: a page makes none."""
    gc.freeze()
    # The databases' drivers do make some, with all of a batch's values: it has to go before there is much of it.
    gc.set_threshold(20_000, 2, 2)


@contextmanager
def collected_afterwards() -> Iterator[None]:
    """Look for garbage after what is done inside, and not meanwhile.

    A search goes through all records of the batch, which are not garbage yet: that took a tenth of a push.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()  # what was made meanwhile counts, so that a search follows at once where it was much
