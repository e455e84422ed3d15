"""How the tests run: what Hypothesis searches, and which tests share a process when several run them."""

import os
import signal
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


# The one cluster with a node: its tests share it, and take longest, so that they are begun first.
_E2E = "e2e"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file together (`pytest -n 2 --dist loadgroup`): they share what their fixtures start."""
    for item in items:
        group = _E2E if _E2E in item.path.parts else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
    if _IS_ONE_OF_SEVERAL:
        items.sort(key=lambda item: _E2E not in item.path.parts)
