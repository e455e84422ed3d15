"""What SQLite's errors about the cache, or about the journal beside it, mean for a run."""

import sqlite3

from tidegate.worker.errors import CacheLocked, CacheUnusable, RunEnded

_CORRUPT = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_CANTOPEN", "SQLITE_READONLY")


def meaning_of(error: sqlite3.Error, what: str = "the cache", advice: str = "") -> RunEnded:
    """The run's error for an error of SQLite about `what`; `advice` follows where it cannot be read.

    A full or failing disk is retried; nothing is lost.
    """
    name = str(getattr(error, "sqlite_errorname", "") or "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return CacheLocked(f"another process is working on {what}")
    if name.startswith(_CORRUPT):
        return CacheUnusable(f"{what} cannot be read: {error}{advice}")
    return RunEnded(f"{what} cannot be written: {error}")
