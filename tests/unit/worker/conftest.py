from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tidegate.worker.run import pair, scan

from .databases import Databases
from .world import World


@pytest.fixture
def databases(tmp_path: Path) -> Databases:
    return Databases(tmp_path)


@pytest.fixture
def tmp_path(directory_in_memory: Path) -> Iterator[Path]:
    """Waiting for the disk would be most of a short run's time."""
    with TemporaryDirectory(dir=directory_in_memory) as directory:
        yield Path(directory)


@pytest.fixture(scope="module")
def world(directory_in_memory: Path) -> Iterator[World]:
    """Its pages and batches are small, so that a run has many."""
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory(dir=directory_in_memory) as directory:
        patch.setattr(scan, "PAGE", 3)
        patch.setattr(pair, "_BATCH", 3)
        world = World(Path(directory))
        yield world
        world.close()
