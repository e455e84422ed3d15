"""The queue: one worker per key at a time, what is added twice is worked on once, alarms, and backoff."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import pytest

from tidegate.control.queue import FIRST_RETRY, LONGEST_RETRY, WorkQueue

from .virtual_time import run


def now() -> float:
    return asyncio.get_running_loop().time()


async def nothing_is_ready(queue: WorkQueue, within: float = 1e6) -> bool:
    """True when no key is given out within so many seconds."""
    try:
        await asyncio.wait_for(queue.take(), within)
    except TimeoutError:
        return True
    return False


def test_keys_are_returned_in_the_order_of_their_arrival() -> None:
    async def test() -> None:
        queue = WorkQueue()
        for key in ("a", "b", "c"):
            await queue.add(key)
        assert [await queue.take() for _ in range(3)] == ["a", "b", "c"]

    run(test())


def test_a_waiting_key_is_not_added_twice() -> None:
    async def test() -> None:
        queue = WorkQueue()
        for _ in range(10):
            await queue.add("a")
        assert queue.depth == 1
        assert await queue.take() == "a"
        assert await nothing_is_ready(queue)

    run(test())


def test_one_worker_at_a_time_handles_a_key() -> None:
    async def test() -> None:
        queue = WorkQueue()
        await queue.add("a")
        assert await queue.take() == "a"
        await queue.add("a")
        assert await nothing_is_ready(queue)
        await queue.done("a")
        assert await queue.take() == "a"

    run(test())


def test_events_during_the_work_are_handled_once_afterwards() -> None:
    async def test() -> None:
        queue = WorkQueue()
        await queue.add("a")
        await queue.take()
        for _ in range(10):
            await queue.add("a")
        await queue.done("a")
        assert await queue.take() == "a"
        await queue.done("a")
        assert await nothing_is_ready(queue)

    run(test())


def test_work_on_one_key_does_not_block_another() -> None:
    async def test() -> None:
        queue = WorkQueue()
        await queue.add("a")
        await queue.take()
        await queue.add("b")
        assert await queue.take() == "b"

    run(test())


@pytest.mark.parametrize("workers", [1, 3])
def test_every_key_is_handled_for_any_number_of_workers(workers: int) -> None:
    async def test() -> None:
        queue, busy, worked = WorkQueue(), set[str](), list[str]()

        async def work() -> None:
            while True:
                key = await queue.take()
                assert key not in busy
                busy.add(key)
                await asyncio.sleep(1)
                worked.append(key)
                busy.discard(key)
                await queue.done(key)

        tasks = [asyncio.create_task(work()) for _ in range(workers)]
        for round_ in range(3):
            for key in "abcdefgh":
                await queue.add(key)
            await asyncio.sleep(100)
            assert sorted(worked) == sorted("abcdefgh" * (round_ + 1))
        for task in tasks:
            task.cancel()

    run(test())


def test_a_key_wakes_one_worker_and_not_all_that_are_idle() -> None:
    async def test() -> None:
        queue, loop = WorkQueue(), asyncio.get_running_loop()
        workers = [asyncio.create_task(queue.take()) for _ in range(50)]
        await asyncio.sleep(1)
        scheduled, call_soon = list[object](), loop.call_soon

        def call_soon_and_note(callback: Callable[..., object], *args: object, **options: Any) -> asyncio.Handle:
            scheduled.append(callback)
            return call_soon(callback, *args, **options)

        loop.call_soon = call_soon_and_note  # type: ignore[method-assign]
        await queue.add("a")
        await queue.add_after("b", 5)
        await asyncio.sleep(1)
        assert [worker.result() for worker in workers if worker.done()] == ["a"]
        assert len(scheduled) < 10
        for worker in workers:
            worker.cancel()

    run(test())


class TestAlarms:
    def test_a_key_is_returned_at_its_time(self) -> None:
        async def test() -> None:
            queue = WorkQueue()
            await queue.add_after("a", 300)
            assert await queue.take() == "a"
            assert now() == pytest.approx(300)

        run(test())

    def test_the_earliest_alarm_comes_first(self) -> None:
        async def test() -> None:
            queue = WorkQueue()
            await queue.add_after("late", 20)
            await queue.add_after("early", 10)
            assert [await queue.take(), await queue.take()] == ["early", "late"]

        run(test())

    def test_of_several_alarms_of_one_key_the_newest_counts(self) -> None:
        async def test() -> None:
            queue = WorkQueue()
            for seconds in (10, 500, 20):
                await queue.add_after("a", seconds)
            assert await queue.take() == "a"
            assert now() == pytest.approx(20)
            await queue.done("a")
            assert await nothing_is_ready(queue)

        run(test())

    def test_an_event_precedes_the_alarm_and_leaves_it_set(self) -> None:
        async def test() -> None:
            queue = WorkQueue()
            await queue.add_after("a", 10)
            await queue.add("a")
            assert await queue.take() == "a"
            assert now() == 0
            await queue.done("a")
            assert await queue.take() == "a"
            assert now() == pytest.approx(10)

        run(test())

    def test_an_alarm_during_the_work_is_handled_afterwards(self) -> None:
        async def test() -> None:
            queue = WorkQueue()
            await queue.add("a")
            await queue.take()
            await queue.add_after("a", 10)
            await asyncio.sleep(60)
            assert await nothing_is_ready(queue, within=60)
            await queue.done("a")
            assert await queue.take() == "a"

        run(test())

    def test_a_time_in_the_past_is_now(self) -> None:
        async def test() -> None:
            queue = WorkQueue()
            await queue.add_after("a", -5)
            assert await queue.take() == "a"
            assert now() == 0

        run(test())

    def test_an_earlier_alarm_wakes_a_sleeping_worker(self) -> None:
        async def test() -> None:
            queue = WorkQueue()
            await queue.add_after("late", 1000)
            worker = asyncio.create_task(queue.take())
            await asyncio.sleep(1)
            await queue.add_after("early", 5)
            assert await worker == "early"
            assert now() == pytest.approx(6)

        run(test())

    def test_one_alarm_wakes_one_of_many_workers(self) -> None:
        async def test() -> None:
            queue = WorkQueue()
            workers = [asyncio.create_task(queue.take()) for _ in range(4)]
            await asyncio.sleep(1)
            await queue.add_after("a", 5)
            await asyncio.sleep(10)
            assert [worker.result() for worker in workers if worker.done()] == ["a"]
            for worker in workers:
                worker.cancel()

        run(test())


class TestBackoff:
    def test_the_pause_doubles_with_each_failure_up_to_a_limit(self) -> None:
        async def test() -> None:
            queue, times = WorkQueue(), []
            await queue.add("a")
            for _ in range(16):
                await queue.take()
                times.append(now())
                await queue.done("a", failed=True)
            pauses = [later - earlier for earlier, later in pairwise(times)]
            assert pauses[:3] == pytest.approx([FIRST_RETRY, 2 * FIRST_RETRY, 4 * FIRST_RETRY])
            assert pauses[-1] == pytest.approx(LONGEST_RETRY)
            assert max(pauses) == pytest.approx(LONGEST_RETRY)

        run(test())

    def test_a_success_resets_the_pause(self) -> None:
        async def test() -> None:
            queue = WorkQueue()
            await queue.add("a")
            for _ in range(5):
                await queue.take()
                await queue.done("a", failed=True)
            await queue.take()
            await queue.done("a")
            await queue.add("a")
            await queue.take()
            began = now()
            await queue.done("a", failed=True)
            await queue.take()
            assert now() - began == pytest.approx(FIRST_RETRY)

        run(test())

    def test_a_first_attempt_counts_as_progress(self) -> None:
        async def test() -> None:
            queue, times = WorkQueue(), []
            await queue.add("a")
            for attempt in ("claim 1", "create 1", "claim 2", "create 2", "create 2", "claim 2", "create 2"):
                await queue.take()
                times.append(now())
                await queue.done("a", failed=True, attempt=attempt)
            await queue.take()
            pauses = [later - earlier for earlier, later in pairwise([*times, now()])]
            assert pauses == pytest.approx([FIRST_RETRY * factor for factor in (1, 1, 1, 1, 2, 4, 8)])

        run(test())

    def test_events_during_a_failure_wait_for_the_pause(self) -> None:
        async def test() -> None:
            queue = WorkQueue()
            await queue.add("a")
            await queue.take()
            await queue.add("a")
            await queue.done("a", failed=True)
            assert await queue.take() == "a"
            assert now() == pytest.approx(FIRST_RETRY)
            await queue.done("a")
            assert await nothing_is_ready(queue)

        run(test())

    def test_one_key_s_failures_do_not_slow_another_down(self) -> None:
        async def test() -> None:
            queue = WorkQueue()
            await queue.add("a")
            for _ in range(8):
                await queue.take()
                await queue.done("a", failed=True)
            await queue.add("b")
            assert await queue.take() == "b"

        run(test())


@pytest.mark.parametrize("disturb", [WorkQueue.add, lambda queue, key: queue.add_after(key, 0)])
def test_a_cancelled_worker_loses_no_key(disturb: Callable[[WorkQueue, str], Awaitable[None]]) -> None:
    async def test() -> None:
        queue = WorkQueue()
        idle = asyncio.create_task(queue.take())
        await asyncio.sleep(1)
        idle.cancel()
        await disturb(queue, "a")
        assert await queue.take() == "a"

    run(test())


@pytest.mark.parametrize("turns", range(4))
def test_a_worker_that_is_cancelled_twice_leaves_the_queue_usable(turns: int) -> None:
    """At the end of the process kopf cancels what has been cancelled already; event handlers still add keys."""

    async def test() -> None:
        queue = WorkQueue()
        await queue.add_after("late", 3600)
        workers = [asyncio.create_task(queue.take()) for _ in range(3)]
        for _ in range(5):
            await asyncio.sleep(0)
        for _ in range(2):
            for worker in workers:
                worker.cancel()
            for _ in range(turns):
                await asyncio.sleep(0)
        await asyncio.gather(*workers, return_exceptions=True)
        await asyncio.wait_for(queue.add("a"), 1)
        assert await asyncio.wait_for(queue.take(), 1) == "a"

    run(test())


def test_obsolete_alarms_are_dropped() -> None:
    async def test() -> None:
        queue = WorkQueue()
        for seconds in range(10_000):
            await queue.add_after("a", 10_000 - seconds)
        assert queue.alarms < 200
        assert not await nothing_is_ready(queue, within=2)

    run(test())
