"""The cache's identity, for any worker image: reset the cache, keep it, or refuse it (design section 6.1).

It runs before the worker: the operator's image runs it as an init container (`python -m tidegate.worker.epoch`), so it
needs nothing but the standard library. Markers in the volume say what the cache is: its epoch and when that began, and
the newest run that has used it.

- Another epoch is a reset. The epoch's marker is removed before the wipe and written after it: a wipe that was
  interrupted is repeated, and one that was finished never is, however often the Pod is retried.
- SYNC_CACHE_RUN says which run is known to have used the cache before. A cache that does not know of that
  run, or that knows of a later one, is lost: it is empty, or it was restored from a backup. It is left untouched, and
  the run ends with exit code 79, so that the operator starts a full sync with a new epoch.
- SYNC_PLAN: the cache is only looked at. One of another epoch is left as it is, and the plan is one of a first run.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tidegate.api.contract import Environment, ExitCode

MARKER = ".tidegate-epoch"
# A file of its own: an older version of this program compares the epoch's marker to the letter, and deletes the cache.
RUN_MARKER = ".tidegate-run"
BEGAN_MARKER = ".tidegate-epoch-began"

# What the built-in worker must not lose with a reset: a refresh token that its server has replaced is nowhere else.
CREDENTIALS = ".tidegate-credentials"

# The other one is made by the file system, and not ours to delete.
_LEFT_ALONE = ("lost+found", CREDENTIALS)


class CacheLostError(Exception):
    """The cache is not the one that the earlier runs have left."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the operator says about the run's cache; None: it does not say."""

    epoch: str
    oldest_epoch: str | None = None  # a reset was cancelled: the cache may still be of this epoch or a later one
    run: int | None = None
    used_by: int | None = None  # the newest run that is known to have used the cache
    began: str | None = None  # when the epoch began


@dataclass(frozen=True, slots=True)
class Found:
    """What the markers in the cache say; None: there is no marker."""

    epoch: str | None = None
    run: int | None = None
    began: str | None = None


def belongs(found: str | None, epoch: str, oldest: str | None) -> bool:
    """Whether a cache with the epoch `found` belongs to `epoch`; see `Expected.oldest_epoch`."""
    if found == epoch:
        return True
    return oldest is not None and found is not None and found.isdecimal() and int(oldest) <= int(found) < int(epoch)


def is_kept(found: Found, expected: Expected) -> bool:
    """Whether the cache is kept, rather than wiped. Raises CacheLostError when it is neither."""
    began_twice = (
        found.epoch == expected.epoch and found.began != expected.began and None not in (found.began, expected.began)
    )
    kept = belongs(found.epoch, expected.epoch, expected.oldest_epoch) and not began_twice
    if expected.used_by is not None:
        used = f"run {expected.used_by} has used the cache of this sync"
        if found.epoch is None:
            raise CacheLostError(f"the cache is empty, but {used}")
        if began_twice:
            words = f"the cache is of an epoch {found.epoch} that began at {found.began} instead of {expected.began}"
            raise CacheLostError(f"{words}, but {used}")
        if not kept:
            raise CacheLostError(f"the cache is of epoch {found.epoch} instead of {expected.epoch}, but {used}")
        if found.run is None or found.run < expected.used_by:
            before = "before any run" if found.run is None else f"after run {found.run}"
            raise CacheLostError(f"the cache is as it was {before}, but {used}")
    if kept and found.run is not None and expected.run is not None and found.run > expected.run:
        raise CacheLostError(f"run {found.run} has used the cache, which is later than this run, {expected.run}")
    return kept


def prepare(directory: Path, expected: Expected) -> str:
    """Make the directory hold nothing but what belongs to the expected epoch; the sentence says what was done.

    Raises CacheLostError, and touches nothing, when the cache is not the one that the earlier runs have left.
    """
    marker, epoch = directory / MARKER, expected.epoch
    found = _look(directory)
    if is_kept(found, expected):
        _mark_run(directory, expected)
        _mark_beginning(directory, expected)
        if found.epoch == epoch:
            return f"the cache is of epoch {epoch}: kept"
        _write(marker, epoch)
        return f"the cache was of epoch {found.epoch}, whose reset was cancelled: kept, now of epoch {epoch}"
    marker.unlink(missing_ok=True)
    _flush(directory)
    deleted = 0
    for entry in sorted(directory.iterdir()):
        if entry.name in _LEFT_ALONE:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
        deleted += entry.name not in (RUN_MARKER, BEGAN_MARKER)
    _flush(directory)
    _mark_run(directory, expected)
    _mark_beginning(directory, expected)
    _write(marker, epoch)
    before = f"was of epoch {found.epoch}" if found.epoch else "had no epoch"
    if found.epoch == epoch:
        before += f", which began at {found.began}"
    return f"the cache {before}: {deleted} entries deleted, now of epoch {epoch}"


def look(directory: Path, expected: Expected) -> str:
    """What a plan would find there, which touches nothing. Raises CacheLostError where a run would."""
    found = _look(directory)
    if is_kept(found, expected):
        return f"the cache is of epoch {found.epoch}: the plan works on a copy"
    if found.epoch is None:
        return "there is no cache: this is the plan of a first run"
    return f"the cache is of epoch {found.epoch} and would be deleted: this is the plan of a first run"


def epoch_of(directory: Path) -> str | None:
    """The epoch that a cache is of, by its marker; None: there is no marker."""
    return _look(directory).epoch


def _look(directory: Path) -> Found:
    epoch, run, began = (_read(directory / marker) for marker in (MARKER, RUN_MARKER, BEGAN_MARKER))
    return Found(epoch or None, int(run) if run.isdecimal() else None, began or None)


def _read(marker: Path) -> str:
    return marker.read_text().strip() if marker.exists() else ""


def _mark_run(directory: Path, expected: Expected) -> None:
    if expected.run is not None:
        _write(directory / RUN_MARKER, str(expected.run))


def _mark_beginning(directory: Path, expected: Expected) -> None:
    if expected.began is not None:
        _write(directory / BEGAN_MARKER, expected.began)


def _write(marker: Path, text: str) -> None:
    draft = marker.with_name(f"{marker.name}.new")
    with draft.open("w") as file:
        file.write(f"{text}\n")
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


def _number(text: str | None) -> int | None:
    return int(text) if text else None


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Prepare the cache as the environment asks, or look at it for a plan; 0 when it is ready, 79 when it is lost."""
    try:
        expected = Expected(
            epoch=environ[Environment.CACHE_EPOCH],
            oldest_epoch=environ.get(Environment.CACHE_OLDEST_EPOCH),
            run=_number(environ.get(Environment.RUN)),
            used_by=_number(environ.get(Environment.CACHE_RUN)),
            began=environ.get(Environment.CACHE_EPOCH_BEGAN),
        )
        do = look if environ.get(Environment.PLAN) == "true" else prepare
        print(do(Path(environ[Environment.CACHE_DIR]), expected), flush=True)
    except KeyError as missing:
        print(f"the environment variable {missing.args[0]} is not set", flush=True)
        return 1
    except CacheLostError as error:
        print(error, flush=True)
        return ExitCode.CACHE_LOST
    except OSError as error:
        print(f"the cache cannot be prepared: {error}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
