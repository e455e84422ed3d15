"""A copy of the tree that bugs are seeded into, and its tests."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_PARTS = ("operator", "tests", "crds", "charts", "pyproject.toml")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", ".hypothesis")

# Of pytest's exit codes.
PASSED, FAILED = 0, 1


def copy_of_the_tree(directory: Path) -> Path:
    """Copy all that the tests need into a directory; return it."""
    for name in _PARTS:
        part = _ROOT / name
        if part.is_dir():
            shutil.copytree(part, directory / name, ignore=_LEFT_OUT, symlinks=True)
        else:
            shutil.copy(part, directory / name)
    return directory


def run_tests(tree: Path, tests: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """Run tests of a copy on the code of that copy, up to the first that fails."""
    # The copy comes before the tree that is installed, also for the programs that tests start.
    variables = {**os.environ, "PYTHONPATH": f"{tree / 'operator'}:{tree / 'tests'}"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    return subprocess.run(
        command, cwd=tree, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
