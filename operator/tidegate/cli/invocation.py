"""Invocation: what the options common to all commands say, ready-made for the command."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tidegate.cli.cluster.client import Cluster
from tidegate.cli.display.screen import Format, Screen
from tidegate.cli.selection import Scope


@dataclass(frozen=True, slots=True)
class Patience:
    """Whether to wait for what was asked, and for how long."""

    wait: bool = False
    timeout: timedelta | None = None  # None: no limit


@dataclass(frozen=True, slots=True)
class Invocation:
    """One command line."""

    cluster: Cluster
    scope: Scope
    screen: Screen
    output: Format = Format.TEXT
    patience: Patience = Patience()
    yes: bool = False


def now() -> str:
    """The value of a request: any new one would do, and a time is informative."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
