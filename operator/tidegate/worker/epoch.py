"""Reset, for any worker image: wipe the cache when its epoch has changed (design section 6.1). Runs before the worker.

The operator's image runs it as an init container (`python -m tidegate.worker.epoch`), so it needs nothing but the
standard library. The marker is taken away before the wipe and written after it: a wipe that was cut short is
repeated, and one that was finished never is, however often the Pod is retried.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from tidegate.api.contract import Environment

MARKER = ".tidegate-epoch"

# Made by the file system, and not ours to delete.
_LEFT_ALONE = "lost+found"


def belongs(found: str | None, epoch: str, oldest: str | None) -> bool:
    """Whether a cache with the marker `found` belongs to `epoch`.

    `oldest`: a reset was cancelled, and the cache may still be of this epoch or a later one (SYNC_CACHE_OLDEST_EPOCH).
    """
    if found == epoch:
        return True
    return oldest is not None and found is not None and found.isdecimal() and int(oldest) <= int(found) < int(epoch)


def prepare(directory: Path, epoch: str, oldest: str | None = None) -> str:
    """Make the directory hold nothing but what belongs to the epoch; the sentence says what was done."""
    marker = directory / MARKER
    found = marker.read_text().strip() if marker.exists() else None
    if belongs(found, epoch, oldest):
        if found == epoch:
            return f"the cache is of epoch {epoch}: kept"
        _write(marker, epoch)
        return f"the cache was of epoch {found}, whose reset was cancelled: kept, now of epoch {epoch}"
    marker.unlink(missing_ok=True)
    _flush(directory)
    deleted = 0
    for entry in sorted(directory.iterdir()):
        if entry.name == _LEFT_ALONE:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
        deleted += 1
    _flush(directory)
    _write(marker, epoch)
    before = f"was of epoch {found}" if found else "had no epoch"
    return f"the cache {before}: {deleted} entries deleted, now of epoch {epoch}"


def _write(marker: Path, epoch: str) -> None:
    draft = marker.with_name(f"{MARKER}.new")
    with draft.open("w") as file:
        file.write(f"{epoch}\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(marker)
    _flush(marker.parent)


def _flush(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Prepare the cache as the environment asks; 0 when it is ready."""
    try:
        oldest = environ.get(Environment.CACHE_OLDEST_EPOCH)
        print(prepare(Path(environ[Environment.CACHE_DIR]), environ[Environment.CACHE_EPOCH], oldest), flush=True)
    except KeyError as missing:
        print(f"the environment variable {missing.args[0]} is not set", flush=True)
        return 1
    except OSError as error:
        print(f"the cache cannot be prepared: {error}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
