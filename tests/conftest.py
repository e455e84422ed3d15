"""How the tests run: what Hypothesis searches, where files are in memory, and how several processes share the tests."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import Phase, settings

import distribution
from devcluster.paths import in_memory

# These machines are shared: how long an example takes says nothing.
ON_CI = os.environ.get("CI") == "true"
# A merge must not fail on what has been there before it.
settings.register_profile("default", deadline=None, print_blob=True, derandomize=ON_CI)
settings.register_profile("long", settings.get_profile("default"), max_examples=2000)
# A seeded bug has to be found; the smallest example of it would take minutes.
settings.register_profile("unshrunk", settings.get_profile("default"), phases=[Phase.explicit, Phase.generate])
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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if _IS_ONE_OF_SEVERAL:
        turns = distribution.turns([item.nodeid for item in items])
        items.sort(key=lambda item: turns[distribution.file_of(item.nodeid)])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> distribution.TogetherByFile:
    return distribution.TogetherByFile(config, log)
