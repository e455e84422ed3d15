"""A run against a slow API, or one with a quota, keeps what it has done: after each request it can stop or wait."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tidegate.worker.connectors.http import client
from tidegate.worker.connectors.http.turns import Turns

from .rest_and_sqlite import RestAndSqlite
from .rest_server import Reply, Request, Serve


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidegate.worker.connectors.http.turns._FIRST_BACKOFF_SECONDS", 0.001)


@pytest.fixture
def systems(systems: RestAndSqlite) -> RestAndSqlite:
    systems.connector = {"concurrency": 2}
    return systems


def new_in_erp(systems: RestAndSqlite, number: int) -> None:
    for n in range(number):
        systems.sql("INSERT INTO contact (email, name, phone) VALUES (?, 'new', '1')", f"n{n}@x")


def prepare(systems: RestAndSqlite, method: str) -> None:
    """Forty writes by this method, all in one batch."""
    if method == "POST":
        new_in_erp(systems, 40)
        return
    systems.fill(40)
    systems.run()
    systems.sql("UPDATE contact SET name = 'new'" if method == "PATCH" else "DELETE FROM contact")


@pytest.mark.parametrize("says", ["all", "nothing"])
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_after_a_sigterm_no_further_write_is_sent_and_the_written_ones_are_kept(
    systems: RestAndSqlite, method: str, says: Any
) -> None:
    if says == "nothing":
        systems.api.says = "location" if method == "POST" else "nothing"
    prepare(systems, method)
    allowed = {"maxDeletes": {"percent": 100}, "emptySide": "allow"}
    item: dict[str, Any] = {"deletes": "propagate", "conflict": "erp", "safety": allowed}
    terminated = threading.Event()

    def answer(request: Request, serve: Serve) -> Reply:
        reply = serve(request)
        if request.method == method and len(systems.api.sent(method)) == 10:
            terminated.set()
        return reply

    systems.api.around = answer
    ended = systems.run(interrupted=terminated.is_set, **item)
    assert ended.code == 75
    sent = len(systems.api.sent(method))
    assert sent <= 11, "one more may have been under way"
    assert sum(ended.message["pushed"]["crm"].values()) == sent, "each is acknowledged"
    systems.api.around = None
    ended = systems.run(again=True, **item)
    assert ended.code == 0
    assert len(systems.api.sent(method)) == 40, "none is sent twice"
    assert systems.crm() == systems.erp()


def test_reading_by_ids_stops_between_two_requests(systems: RestAndSqlite) -> None:
    systems.fill(40)
    systems.run()
    for key in systems.api.contacts:
        systems.api.edit(key, name="edited")
    terminated = threading.Event()
    systems.api.requests.clear()
    systems.api.before = lambda _: terminated.set() if len(systems.api.requests) > 10 else None
    ended = systems.run(interrupted=terminated.is_set)
    assert (ended.code, ended.pushed) == (75, {"crm": "", "erp": ""})
    assert len(systems.api.requests) < 16


@pytest.fixture
def quota(monkeypatch: pytest.MonkeyPatch) -> Callable[[RestAndSqlite, int, int], list[int]]:
    """An API that answers so many requests, and then asks for a wait; a wait is over at once, and noted."""

    def use(systems: RestAndSqlite, requests: int, seconds: int) -> list[int]:
        left, waits = requests, list[int]()
        clock = 0.0

        def sleep(ahead: float) -> None:
            nonlocal left, clock
            with systems.api.lock:
                clock += ahead
                if ahead > 1 and left == 0:
                    waits.append(round(ahead))
                    left = requests

        def answer(request: Request, serve: Serve) -> Reply:
            nonlocal left
            with systems.api.lock:
                if left == 0:
                    return Reply(429, {"message": "quota used up"}, {"Retry-After": str(seconds)})
                left -= 1
                return serve(request)

        systems.api.around = answer

        def turns(connector: str, rate: Any, longest: Any, _sleep: Any, _clock: Any) -> Turns:
            return Turns(connector, rate, longest, sleep, lambda: clock)

        monkeypatch.setattr(client, "Turns", turns)
        return waits

    return use


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_run_waits_for_a_quota_and_logs_it_and_completes(
    systems: RestAndSqlite, quota: Callable[[RestAndSqlite, int, int], list[int]], method: str
) -> None:
    prepare(systems, method)
    systems.connector = {"concurrency": 1}
    waits = quota(systems, 15, 600)
    ended = systems.run(conflict="erp")
    assert ended.code == 0
    assert systems.crm() == systems.erp()
    assert len(waits) >= 3
    assert set(waits) == {600}
    warnings = [line["reason"] for line in ended.lines if line["type"] == "warning"]
    assert "429 Too Many Requests: quota used up; waiting until 2" in warnings[0]


def test_a_wait_beyond_the_limit_ends_the_run_and_the_next_one_resumes(
    systems: RestAndSqlite, quota: Callable[[RestAndSqlite, int, int], list[int]]
) -> None:
    new_in_erp(systems, 40)
    systems.connector = {"concurrency": 1}
    systems.place["find"] = "scan"
    for attempt in range(1, 6):
        quota(systems, 15, 86_400)
        before = len(systems.api.sent("POST"))
        ended = systems.run(again=attempt > 1)
        if ended.code == 0:
            break
        assert ended.code == 1
        assert "the API asks for a wait of 1 day, 0:00:00, and longestWait is 1:00:00" in ended.reason
        assert len(systems.api.sent("POST")) > before, "each attempt gets some through"
        assert len(systems.api.contacts) - ended.message["pushed"]["crm"]["create"] <= attempt, "at most one in doubt"
    assert ended.code == 0
    assert systems.crm() == systems.erp()
    assert len(systems.api.sent("POST")) == 40, "none is sent twice"
