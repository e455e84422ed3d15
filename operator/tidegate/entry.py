"""Entry: the console scripts. pip installs them all, with whatever extra: one whose extra is missing says so."""

import sys
from importlib import import_module


def operator() -> None:
    """`tidegate-operator`."""
    _start("tidegate.control.main", "operator")


def worker() -> None:
    """`tidegate-worker`."""
    _start("tidegate.worker.main", "worker")


def command_line() -> None:
    """`kubectl-sync`."""
    _start("tidegate.cli.main", "cli")


def completion() -> None:
    """`kubectl_complete-sync`."""
    _start("tidegate.cli.main", "cli", "complete_for_kubectl")


def _start(module: str, extra: str, function: str = "main") -> None:
    try:
        found = getattr(import_module(module), function)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "tidegate":
            raise
        sys.exit(
            f"{error.name} is not installed: this command needs the extra {extra!r}: pip install 'tidegate[{extra}]'"
        )
    sys.exit(found())
