"""How long the watchdog waits: a watch that makes progress is alive, however long all of it takes. And what it asks."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import pytest
from kubernetes.aio.client.exceptions import ApiException

from tidegate.control.freshness import Freshness
from tidegate.control.rest import Rest
from tidegate.control.watchdog import BlindError, Watchdog, shown

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


def test_a_slow_start_that_keeps_listing_is_waited_for(freshness: Freshness) -> None:
    async def slow_events() -> None:
        for uid, version in OBJECTS.items():
            await asyncio.sleep(PATIENCE / 2)
            show(freshness, uid, version)
        freshness.listed(STREAM)

    complete, seconds = waited(freshness, slow_events)
    assert complete
    assert seconds == pytest.approx(len(OBJECTS) * PATIENCE / 2, abs=1)


def test_a_watch_that_keeps_showing_deletions_is_waited_for(freshness: Freshness) -> None:
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


def test_a_watch_that_dies_during_its_start_is_found_within_the_patience(freshness: Freshness) -> None:
    async def until_it_dies() -> None:
        await asyncio.sleep(50)
        show(freshness, "uid-1", 1)

    complete, seconds = waited(freshness, until_it_dies)
    assert not complete
    assert seconds == pytest.approx(50 + PATIENCE, abs=1)


def test_repeated_events_of_one_object_do_not_hide_a_hung_start(freshness: Freshness) -> None:
    async def restless() -> None:
        while True:
            show(freshness, "uid-1", 1)
            await asyncio.sleep(1)

    complete, seconds = waited(freshness, restless)
    assert not complete
    assert seconds == pytest.approx(PATIENCE, abs=2)


def test_events_of_other_watches_do_not_hide_a_dead_watch(freshness: Freshness) -> None:
    async def busy_pods() -> None:
        for number in range(200):
            freshness.saw(("pods", ""), f"pod-{number}", number)
            await asyncio.sleep(1)

    complete, seconds = waited(freshness, busy_pods)
    assert not complete
    assert seconds == pytest.approx(PATIENCE, abs=1)


def test_events_of_known_objects_do_not_hide_a_missed_deletion(freshness: Freshness) -> None:
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


PERIOD = 60.0


class Stored:
    """An API server that holds so many syncs, shows them in pages, and notes when it is asked for one.

    It forgets the state that a list shows after so many seconds.
    """

    remembers = 300.0
    forgotten = 0

    def __init__(self, freshness: Freshness, syncs: int, namespaces: tuple[str, ...] = ()) -> None:
        self.asked_at: list[float] = []
        self.syncs = syncs
        for plural in ("syncintegrations", "jobs", "pods", "persistentvolumeclaims"):
            for namespace in namespaces or ("",):
                stream = (plural, namespace)
                for number in range(syncs if plural == "syncintegrations" else 0):
                    freshness.saw(stream, f"uid-{number}", number + 1)
                freshness.listed(stream)

    def make(self) -> None:
        self.syncs += 1

    async def ask(self, method: str, path: str, *, query: Mapping[str, str], **_: object) -> Any:
        now = asyncio.get_running_loop().time()
        self.asked_at.append(now)
        stored = self.syncs if path.endswith("syncintegrations") else 0
        first, stored, began_at = json.loads(query.get("continue") or json.dumps([0, stored, now]))
        if now - began_at > self.remembers:
            self.forgotten += 1
            raise ApiException(status=410, reason="Expired")
        limit = int(query["limit"])
        items = [
            {"metadata": {"uid": f"uid-{number}", "resourceVersion": str(number + 1)}}
            for number in range(first, min(first + limit, stored))
        ]
        proceed = json.dumps([first + limit, stored, began_at]) if first + limit < stored else ""
        return {"metadata": {"resourceVersion": str(stored + 1), "continue": proceed}, "items": items}


def watch_over(
    stored: Stored,
    freshness: Freshness,
    seconds: float,
    namespaces: tuple[str, ...] = (),
    unseen_at: float = float("inf"),
) -> float:
    """Let a watchdog work for so many seconds; return when it found a watch to be blind.

    `unseen_at`: when an object is made that no watch shows.
    """

    async def work() -> float:
        watchdog = Watchdog(cast(Rest, stored), freshness, namespaces, period=PERIOD, patience=PATIENCE)
        loop = asyncio.get_running_loop()
        if unseen_at < seconds:
            loop.call_at(unseen_at, stored.make)
        try:
            async with asyncio.timeout(seconds):
                await watchdog.run()
        except BlindError:
            return loop.time()
        except TimeoutError:
            return float("inf")
        raise AssertionError("it has ended")

    return run(work())


@pytest.mark.parametrize("syncs", [0, 1_000, 10_000])
def test_an_idle_operator_makes_fewer_than_three_requests_a_minute_for_any_number_of_objects(
    freshness: Freshness, syncs: int
) -> None:
    stored = Stored(freshness, syncs)
    watch_over(stored, freshness, seconds=3600 + PERIOD)
    minutes = Counter(at // 60 for at in stored.asked_at if PERIOD <= at < 3600)
    assert len(minutes) == 59
    assert max(minutes.values()) <= 3


@pytest.mark.parametrize(("syncs", "minutes"), [(0, 2), (1_000, 2), (10_000, 10)])
@pytest.mark.parametrize("unseen_at", [61, 130, 250, 400])
def test_a_silent_watch_is_found_within_minutes_and_the_patience(
    freshness: Freshness, syncs: int, minutes: int, unseen_at: float
) -> None:
    stored = Stored(freshness, syncs)
    found_at = watch_over(stored, freshness, seconds=3600, unseen_at=unseen_at)
    assert unseen_at + PATIENCE <= found_at <= unseen_at + minutes * PERIOD + PATIENCE + 1


def test_all_pages_are_read_before_the_api_server_forgets_what_they_show(freshness: Freshness) -> None:
    stored = Stored(freshness, 20_000)
    watch_over(stored, freshness, seconds=3600)
    assert not stored.forgotten


def test_a_list_that_is_forgotten_between_two_pages_is_listed_at_once(freshness: Freshness) -> None:
    stored = Stored(freshness, 10_000)
    stored.remembers = 30
    found_at = watch_over(stored, freshness, seconds=3600, unseen_at=400)
    assert stored.forgotten
    assert found_at <= 400 + 2 * 10 * PERIOD + PATIENCE


def test_a_round_over_many_namespaces_takes_ten_periods_at_most(freshness: Freshness) -> None:
    namespaces = tuple(f"tenant-{number}" for number in range(100))
    stored = Stored(freshness, 10, namespaces)
    watch_over(stored, freshness, seconds=11 * PERIOD + 1, namespaces=namespaces)
    assert len(stored.asked_at) >= 2 * 4 * len(namespaces)
