"""When Python looks for garbage in cycles."""

import gc
from collections.abc import Iterator, Mapping

import pytest

from tidegate.worker.garbage import collected_afterwards


@pytest.fixture
def searches() -> Iterator[list[int]]:
    """The generations that are searched from now on; Python's own settings are back afterwards."""
    found: list[int] = []

    def note(phase: str, info: Mapping[str, int]) -> None:
        if phase == "start":
            found.append(info["generation"])

    before = gc.get_threshold()
    gc.set_threshold(1000, 2, 2)
    gc.callbacks.append(note)
    yield found
    gc.callbacks.remove(note)
    gc.set_threshold(*before)
    gc.enable()


def batch() -> list[list[int]]:
    return [[n] for n in range(5000)]


def test_a_batch_is_searched_once_and_only_after_it(searches: list[int]) -> None:
    with collected_afterwards():
        searches.clear()  # what was due before the batch may have been searched on the way to it
        records = batch()
        assert searches == []
    records.append([0])
    assert len(searches) == 1


def test_a_batch_that_fails_leaves_the_search_on(searches: list[int]) -> None:
    with pytest.raises(OSError, match="gone"), collected_afterwards():
        raise OSError("gone")
    assert gc.isenabled()


def test_a_search_that_is_off_stays_off(searches: list[int]) -> None:
    gc.disable()
    with collected_afterwards():
        batch()
    batch()
    assert searches == []
