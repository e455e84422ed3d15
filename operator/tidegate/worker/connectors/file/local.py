"""Local files, through the operating system's own calls.

Only these guarantee that a reader sees either the old or the new file, and that the new file survives a power failure.
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

# A file system's clock may advance only this often: a file that changed within this time before it was read may change
# again without new metadata.
_CLOCK_SECONDS = 2.0

_LEFTOVER_SECONDS = 3600


class LocalFiles:
    """Files of the local machine."""

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
        """Microseconds pass between the last check and the replacement."""
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
    """Give the new file the permissions of the old one."""
    try:
        status = old.stat()
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        new.chmod(0o666 & ~mask)
        return
    shutil.copymode(old, new)
    with suppress(PermissionError):  # only root may change a file's owner
        os.chown(new, status.st_uid, status.st_gid)


def _remove_leftovers(path: Path) -> None:
    """Remove replacement files of killed processes; a recent one may still be in use."""
    for leftover in path.parent.glob(f".{path.name}.*.tidegate"):
        with suppress(FileNotFoundError):
            if leftover.stat().st_mtime < time.time() - _LEFTOVER_SECONDS:
                leftover.unlink()
