"""How long the watchdog waits: a watch that makes progress is alive, however long all of it takes."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tidegate.control.freshness import Freshness
from tidegate.control.watchdog import shown

from .virtual_time import run

STREAM = ("syncintegrations", "")
OBJECTS = {f"uid-{number}": number for number in range(1, 41)}
PATIENCE = 60.0


@pytest.fixture
def freshness() -> Freshness:
    return Freshness()


def waited(freshness: Freshness, meanwhile: Callable[[], Awaitable[object]]) -> tuple[bool, float]:
    """Whether the watch has shown all objects, and after how many seconds that was known."""

    async def both() -> tuple[bool, float]:
        events = asyncio.ensure_future(meanwhile())
        verdict = await shown(freshness, STREAM, OBJECTS, freshness.so_far(STREAM), PATIENCE)
        events.cancel()
        return verdict, asyncio.get_running_loop().time()

    return run(both())


def show(freshness: Freshness, uid: str, version: int, *, deleted: bool = False) -> None:
    freshness.heard(STREAM, version)
    if deleted:
        freshness.lost(STREAM, uid)
    else:
        freshness.saw(STREAM, uid, version)


def test_a_start_that_lists_one_object_after_the_other_is_waited_for(freshness: Freshness) -> None:
    async def slow_events() -> None:
        for uid, version in OBJECTS.items():
            await asyncio.sleep(PATIENCE / 2)
            show(freshness, uid, version)
        freshness.listed(STREAM)

    complete, seconds = waited(freshness, slow_events)
    assert complete
    assert seconds == pytest.approx(len(OBJECTS) * PATIENCE / 2, abs=1)


def test_a_watch_that_shows_one_deletion_after_the_other_is_waited_for(freshness: Freshness) -> None:
    gone = [f"gone-{number}" for number in range(10)]
    for uid in gone:
        show(freshness, uid, 1)
    for uid, version in OBJECTS.items():
        show(freshness, uid, version)
    freshness.listed(STREAM)

    async def slow_deletions() -> None:
        for uid in gone:
            await asyncio.sleep(PATIENCE / 2)
            show(freshness, uid, 2000, deleted=True)

    complete, seconds = waited(freshness, slow_deletions)
    assert complete
    assert seconds == pytest.approx(10 * PATIENCE / 2, abs=1)


async def _nothing() -> None:
    """A dead watch."""


def test_a_dead_watch_is_found_within_the_patience(freshness: Freshness) -> None:
    complete, seconds = waited(freshness, _nothing)
    assert not complete
    assert seconds == pytest.approx(PATIENCE, abs=1)


def test_a_watch_that_dies_on_its_way_is_found_within_the_patience(freshness: Freshness) -> None:
    async def until_it_dies() -> None:
        await asyncio.sleep(50)
        show(freshness, "uid-1", 1)

    complete, seconds = waited(freshness, until_it_dies)
    assert not complete
    assert seconds == pytest.approx(50 + PATIENCE, abs=1)


def test_one_object_shown_again_and_again_hides_no_hung_start(freshness: Freshness) -> None:
    async def restless() -> None:
        while True:
            show(freshness, "uid-1", 1)
            await asyncio.sleep(1)

    complete, seconds = waited(freshness, restless)
    assert not complete
    assert seconds == pytest.approx(PATIENCE, abs=2)


def test_what_other_watches_show_hides_no_dead_watch(freshness: Freshness) -> None:
    async def busy_pods() -> None:
        for number in range(200):
            freshness.saw(("pods", ""), f"pod-{number}", number)
            await asyncio.sleep(1)

    complete, seconds = waited(freshness, busy_pods)
    assert not complete
    assert seconds == pytest.approx(PATIENCE, abs=1)


def test_changes_of_objects_that_are_shown_hide_no_missed_deletion(freshness: Freshness) -> None:
    show(freshness, "gone", 1)
    for uid, version in OBJECTS.items():
        show(freshness, uid, version)

    async def busy() -> None:
        for version in range(2000, 2200):
            show(freshness, "uid-1", version)
            await asyncio.sleep(1)

    complete, seconds = waited(freshness, busy)
    assert not complete
    assert seconds == pytest.approx(PATIENCE, abs=1)
