"""A lock between processes, for work that must not be done twice at once."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devcluster.progress import Reporter


@contextmanager
def file_lock(path: Path, reporter: Reporter, waiting_for: str) -> Iterator[None]:
    """Hold an exclusive lock on `path`; the kernel lets go of it when the holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with reporter.step(f"Waiting for another process that {waiting_for}"):
                fcntl.flock(file, fcntl.LOCK_EX)
        yield
