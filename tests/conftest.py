"""How the tests run: what Hypothesis searches, and which tests share a process when several run them."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings

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
    """Keep the tests of a file together (`pytest --dist loadgroup`): they share what their fixtures start."""
    files_of_level: Counter[str] = Counter()
    places: dict[Path, tuple[int, int]] = {}
    for item in items:
        level = item.path.relative_to(Path(__file__).parent).parts[0]
        # The tests on a node share its cluster.
        item.add_marker(pytest.mark.xdist_group(level if level == "e2e" else str(item.path)))
        if item.path not in places:
            places[item.path] = _TURN[level], files_of_level[level]
            files_of_level[level] += 1
    if _IS_ONE_OF_SEVERAL:
        items.sort(key=lambda item: places[item.path])
