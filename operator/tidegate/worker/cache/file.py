"""The cache's file: whether it was created, and how it is copied."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from shutil import copyfile

from tidegate.worker.errors import CacheLost
from tidegate.worker.sqlite_errors import meaning_of

FILE = "cache.sqlite"
_MADE = "cache.made"


def copy_cache(directory: Path, target: Path) -> None:
    """Copy a cache without changing it. Raises CacheLocked while another process uses it."""
    refuse_lost(directory)
    try:
        with (
            closing(sqlite3.connect(f"{(directory / FILE).resolve().as_uri()}?mode=rw", uri=True, timeout=1)) as cache,
            closing(sqlite3.connect(target / FILE)) as copy,
        ):
            cache.execute("PRAGMA locking_mode = EXCLUSIVE")  # otherwise SQLite keeps a file beside it
            cache.execute("SELECT 1 FROM sqlite_master")  # takes the lock; `backup` would wait for it without a limit
            cache.backup(copy)
    except sqlite3.Error as error:
        raise meaning_of(error) from error


def copy_at_rest(file: str, directory: Path, target: Path) -> None:
    """Copy a database that no other process uses, from where nothing can be written. Raises OSError."""
    for name in (file, f"{file}-wal"):  # a run that was killed has left its last commits in the second one
        if (directory / name).exists():
            copyfile(directory / name, target / name)


def refuse_lost(directory: Path) -> None:
    """Raise CacheLost if a cache was created in the directory, and its file is missing or empty."""
    file = directory / FILE
    if (directory / _MADE).exists() and not (file.exists() and file.stat().st_size):
        what = "is empty" if file.exists() else "is not there"
        raise CacheLost(f"the cache is lost: its file {FILE} {what}")


def note_that_it_was_made(directory: Path) -> None:
    """Note that a cache was created: from now on a missing or empty file counts as lost, not as new."""
    if (directory / _MADE).exists():
        return
    # The cache's file is already durable: whenever this marker exists, the cache must exist.
    (directory / _MADE).touch()
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
