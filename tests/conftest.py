"""How the tests run: what Hypothesis searches, and which tests share a process when several run them."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from devcluster.paths import in_memory

# These machines are shared: how long an example takes says nothing.
ON_CI = os.environ.get("CI") == "true"
# A merge must not fail on what has been there before it.
settings.register_profile("default", deadline=None, print_blob=True, derandomize=ON_CI)
settings.register_profile("long", settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

_IS_ONE_OF_SEVERAL = "PYTEST_XDIST_WORKER" in os.environ
if _IS_ONE_OF_SEVERAL:
    # It ignores SIGINT, and so would all programs that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _sigterm_as_before() -> Iterator[None]:
    """A worker run in this process ignores SIGTERM in the end, and what later tests start would inherit that."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def directory_in_memory() -> Iterator[Path]:
    """For tests that would mostly wait for the disk."""
    with TemporaryDirectory(dir=in_memory()) as directory:
        yield Path(directory)


# Which levels are begun first: what takes longest, then what waits beside what computes. What is short fills the end.
_TURN = {"e2e": 0, "mutation": 0, "cluster": 1, "worker": 1, "unit": 2}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not _IS_ONE_OF_SEVERAL:
        return
    files_of_level: Counter[str] = Counter()
    places: dict[Path, tuple[int, int]] = {}
    for item in items:
        if item.path not in places:
            level = _level(item.nodeid)
            places[item.path] = _TURN[level], files_of_level[level]
            files_of_level[level] += 1
    items.sort(key=lambda item: places[item.path])


class TogetherByFile(LoadScopeScheduling):
    """The tests of a file run in one process, since they share what their fixtures start; those of e2e a cluster.

    `--dist loadgroup` does not do this: pytest 9.2 ignores the names by which pytest-xdist 3.8 marks a group.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "e2e" if _level(nodeid) == "e2e" else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return TogetherByFile(config, log)


def _level(nodeid: str) -> str:
    return nodeid.split("/")[1]
