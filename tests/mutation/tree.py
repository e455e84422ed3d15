"""A copy of the tree that bugs are seeded into, and its tests."""

import multiprocessing
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from devcluster.paths import ROOT, in_memory
from mutation import forked

_PARTS = ("operator", "tests", "crds", "charts", "pyproject.toml")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", ".hypothesis")

# Of pytest's exit codes.
PASSED, FAILED = 0, 1

# Each run of tests is forked from a process that has imported this: it takes longer than most of the tests.
_IMPORTED = (
    "_hypothesis_pytestplugin",
    "hypothesis.stateful",
    "kopf",
    "kubernetes.aio.client",
    "pydantic",
    "pytest",
    "pytest_asyncio.plugin",
    "sqlalchemy",
    "xdist.plugin",
)
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([*_IMPORTED])


@dataclass(frozen=True)
class Done:
    """How a run of tests ended, and what pytest printed."""

    returncode: int
    stdout: str


@contextmanager
def copy_of_the_tree() -> Iterator[Path]:
    """A directory with all that the tests need."""
    with tempfile.TemporaryDirectory(dir=in_memory()) as directory:
        for name in _PARTS:
            part = ROOT / name
            if part.is_dir():
                shutil.copytree(part, Path(directory, name), ignore=_LEFT_OUT, symlinks=True)
            else:
                shutil.copy(part, directory)
        yield Path(directory)


def run_tests(tree: Path, tests: Sequence[str]) -> Done:
    """Run tests of a copy on the code of that copy, up to the first that fails."""
    with tempfile.NamedTemporaryFile() as out:
        process = _processes.Process(target=forked.run_pytest, args=(tree, tests, out.name))
        process.start()
        process.join()
        assert process.exitcode is not None
        return Done(process.exitcode, out.read().decode(errors="replace"))
