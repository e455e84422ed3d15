"""Files of this machine, by the operating system's own calls.

Only they can promise that a reader sees either the old file or the new one, and that it outlives a power cut.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from tidegate.worker.connectors.file.files import Facts

# A file system's clock may stand still for this long: what was changed in so short a time before it was read may be
# changed again and look the same.
_CLOCK_SECONDS = 2.0

_LEFTOVER_SECONDS = 3600


class LocalFiles:
    """A Files."""

    def facts(self, path: str) -> Facts | None:
        try:
            status = Path(path).stat()
        except FileNotFoundError:
            return None
        return (
            ("inode", str(status.st_ino)),
            ("changed", str(max(status.st_mtime_ns, status.st_ctime_ns))),
            ("modified", str(status.st_mtime_ns)),
            ("size", str(status.st_size)),
        )

    def identify(self, facts: Facts, moment: float) -> bool:
        return int(dict(facts)["changed"]) / 1e9 < moment - _CLOCK_SECONDS

    def changed_at(self, path: str) -> float:
        return Path(path).stat().st_mtime

    def beside(self, path: str) -> list[str]:
        return sorted(file.name for file in Path(path).parent.iterdir() if file.is_file())

    def open(self, path: str) -> BinaryIO:
        return Path(path).open("rb")

    def replace(self, path: str, content: Iterable[bytes], is_still: Callable[[], bool]) -> bool:
        """Between the last look and the replacement there are microseconds."""
        target = Path(os.path.realpath(path))
        _remove_leftovers(target)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tidegate", dir=target.parent)
        new = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.writelines(content)
                file.flush()
                os.fsync(file.fileno())
            _take_after(new, target)
            if not is_still():
                return False
            new.replace(target)
        finally:
            new.unlink(missing_ok=True)
        directory = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return True


def _take_after(new: Path, old: Path) -> None:
    """Who may read the old file may read the new one."""
    try:
        status = old.stat()
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        new.chmod(0o666 & ~mask)
        return
    shutil.copymode(old, new)
    with suppress(PermissionError):  # only root may give files away
        os.chown(new, status.st_uid, status.st_gid)


def _remove_leftovers(path: Path) -> None:
    """New files that a killed process did not get to put in place; a younger one may be in the making."""
    for leftover in path.parent.glob(f".{path.name}.*.tidegate"):
        with suppress(FileNotFoundError):
            if leftover.stat().st_mtime < time.time() - _LEFTOVER_SECONDS:
                leftover.unlink()
