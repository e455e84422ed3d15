"""Several requests under way at once."""

import threading
from concurrent import futures as futures_module
from typing import Any

import pytest

from tidegate.worker.connectors.http import pool as pool_module
from tidegate.worker.connectors.http.pool import Pool


def test_results_are_in_the_order_of_the_items() -> None:
    pool = Pool(3)
    both = threading.Barrier(2)

    def work(number: int) -> int:
        both.wait()  # passes only where two are under way at once
        return number * 10

    assert pool.each(work, [1, 2, 3, 4]) == [10, 20, 30, 40]
    assert pool.each(work, []) == []
    pool.close()


def test_after_an_error_started_items_are_finished_and_the_others_are_not_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    under_way = threading.Event()
    gate = threading.Event()  # opens when the pool has cancelled what was not begun, and waits for the rest
    begun: list[int] = []
    finished: list[int] = []

    def wait(futures: Any, return_when: str = futures_module.ALL_COMPLETED) -> Any:
        if return_when == futures_module.ALL_COMPLETED:
            gate.set()
        return futures_module.wait(futures, return_when=return_when)

    def work(number: int) -> None:
        begun.append(number)
        if number == 1:
            under_way.wait()
            raise ValueError(number)
        under_way.set()
        gate.wait()
        finished.append(number)

    monkeypatch.setattr(pool_module, "wait", wait)
    pool = Pool(2)
    with pytest.raises(ValueError, match="1"):
        pool.each(work, range(500))
    pool.close()
    assert 0 in finished
    assert set(begun) <= {0, 1, 2}
    assert sorted(begun) == sorted([*finished, 1])
