"""Where things are kept: everything large or alive is outside the checkout."""

import os
import shutil
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent  # of the checkout


def cache_home() -> Path:
    """Binaries and base images: costly to make, never changed, shared by all clusters of this user."""
    return _xdg("XDG_CACHE_HOME", ".cache") / "tidegate"


def clusters_home() -> Path:
    """One directory per named cluster."""
    return _xdg("XDG_STATE_HOME", ".local/state") / "tidegate" / "clusters"


def in_memory() -> Path:
    """A directory whose files need no disk; the usual one for temporary files where there is no room in memory."""
    memory = Path("/dev/shm")  # noqa: S108 - a directory of one's own is made in it
    if memory.is_dir() and shutil.disk_usage(memory).free >= _ROOM_BYTES:
        return memory
    return Path(tempfile.gettempdir())


# A container may have 64 MB by default, which two database servers would fill.
_ROOM_BYTES = 2 * 1024**3


def _xdg(variable: str, default: str) -> Path:
    value = os.environ.get(variable, "")
    # The XDG specification says that a relative path is to be ignored.
    return Path(value) if value.startswith("/") else Path.home() / default
