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


@pytest.fixture(scope="module")
def directory_in_memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where there is such a thing: to wait for the disk is most of a short run's time."""
    memory = Path("/dev/shm")  # noqa: S108 - the directory made in it is ours alone
    with TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path_factory.getbasetemp()) as directory:
        yield Path(directory)


@pytest.fixture(scope="module")
def world(directory_in_memory: Path) -> Iterator[World]:
    """Its pages and batches are small, so that a run has many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "PAGE", 3)
        patch.setattr(pair, "_BATCH", 3)
        world = World(directory_in_memory)
        yield world
        world.close()
