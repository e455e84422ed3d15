"""Where things are kept: everything large or alive is outside the checkout."""

import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent  # of the checkout


def cache_home() -> Path:
    """Binaries and base images: costly to make, never changed, shared by all clusters of this user."""
    return _xdg("XDG_CACHE_HOME", ".cache") / "tidegate"


def clusters_home() -> Path:
    """One directory per named cluster."""
    return _xdg("XDG_STATE_HOME", ".local/state") / "tidegate" / "clusters"


def _xdg(variable: str, default: str) -> Path:
    value = os.environ.get(variable, "")
    # The XDG specification says that a relative path is to be ignored.
    return Path(value) if value.startswith("/") else Path.home() / default
