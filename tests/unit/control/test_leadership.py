"""A leader whose Lease cannot be renewed ends before another one may follow it, whatever hangs."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio import client

from tidegate.control import leadership
from tidegate.control.leadership import LEADER_SECONDS, LEASE_SECONDS, Leadership, LeadershipLostError


class LeaseServer:
    """Stores one Lease as the API server does; hangs, or breaks the connection, when it is told to."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.hangs_at: set[str] = set()
        self.breaks = False
        self.methods: list[str] = []
        self.released = asyncio.Event()

    @property
    def asked(self) -> int:
        return len(self.methods)

    def touch(self) -> None:
        """Change the Lease, as `kubectl annotate` does."""
        assert self.lease is not None
        self.lease["metadata"]["resourceVersion"] = str(int(self.lease["metadata"]["resourceVersion"]) + 1)

    def take(self, holder: str) -> None:
        """Another candidate takes the Lease."""
        assert self.lease is not None
        self.touch()
        self.lease["spec"]["holderIdentity"] = holder

    async def asked_again(self, times: int) -> None:
        """Wait for so many more requests."""
        enough = self.asked + times
        while self.asked < enough:  # noqa: ASYNC110 - each request is a step of the candidate's own clock
            await asyncio.sleep(0.01)

    async def handle(self, request: web.Request) -> web.Response:
        self.methods.append(request.method)
        if self.breaks:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if request.method in self.hangs_at:
            await self.released.wait()
        if request.method != "GET":
            written = await request.json()
            stored = self.lease["metadata"]["resourceVersion"] if self.lease else "0"
            if written["metadata"].get("resourceVersion", "0") != stored:
                return web.json_response({"kind": "Status", "code": 409}, status=409)
            written["metadata"]["resourceVersion"] = str(int(stored) + 1)
            self.lease = written
        if self.lease is None:
            return web.json_response({"kind": "Status", "code": 404}, status=404)
        return web.json_response(self.lease)


@pytest.fixture
def server() -> LeaseServer:
    return LeaseServer()


@pytest_asyncio.fixture
async def candidate(server: LeaseServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Leadership]:
    """A candidate that is less patient than the real one, but not less than a busy machine may stand still."""
    for name, seconds in {
        "RETRY_SECONDS": 1.0,
        "REQUEST_SECONDS": 60.0,
        "LEADER_SECONDS": 5.0,
        "_LOOK_SECONDS": 0.1,
    }.items():
        monkeypatch.setattr(leadership, name, seconds)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    async with TestServer(application) as listening:
        configuration = client.Configuration(host=str(listening.make_url("")).rstrip("/"))
        async with client.ApiClient(configuration) as api:
            yield Leadership(api, "tidegate-system", "tidegate", "operator-0")
        server.released.set()


@pytest_asyncio.fixture
async def leading(candidate: Leadership) -> AsyncIterator[asyncio.Task[None]]:
    """The candidate at work, since it leads; it is cancelled at the end."""
    task = asyncio.create_task(candidate.run())
    await candidate.wait()
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def continues(leading: asyncio.Task[None], server: LeaseServer, requests: int) -> bool:
    """Whether it leads until so many more requests have been made; a leader that has ended makes none."""
    asked = asyncio.create_task(server.asked_again(requests))
    await asyncio.wait({asked, leading}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    return not leading.done()


@pytest.fixture
def impatience(candidate: Leadership, monkeypatch: pytest.MonkeyPatch) -> None:
    """A leader that is to end anyway is not waited for longer than necessary."""
    monkeypatch.setattr(leadership, "LEADER_SECONDS", 2.5)


@pytest.mark.usefixtures("impatience")
@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_a_leader_with_hanging_requests_exits_in_time(
    leading: asyncio.Task[None], server: LeaseServer, method: str
) -> None:
    server.touch()  # so that the Lease is read again
    server.hangs_at = {method}
    began = time.monotonic()
    with pytest.raises(LeadershipLostError):
        await leading
    assert LEADER_SECONDS < LEASE_SECONDS
    assert time.monotonic() - began < LEASE_SECONDS


async def test_a_leader_continues_while_it_can_renew(leading: asyncio.Task[None], server: LeaseServer) -> None:
    assert await continues(leading, server, 8)  # which takes longer than a leader lasts without a renewal


async def test_a_renewal_is_one_request(leading: asyncio.Task[None], server: LeaseServer) -> None:
    before = server.asked
    assert await continues(leading, server, 3)
    assert set(server.methods[before:]) == {"PUT"}


async def test_a_leader_continues_after_a_change_of_its_lease_by_others(
    leading: asyncio.Task[None], server: LeaseServer
) -> None:
    server.touch()
    assert await continues(leading, server, 5)


@pytest.mark.usefixtures("impatience")
async def test_a_leader_whose_lease_another_has_taken_exits_and_leaves_it_alone(
    leading: asyncio.Task[None], server: LeaseServer
) -> None:
    server.take("operator-1")
    with pytest.raises(LeadershipLostError):
        await leading
    assert server.lease is not None
    assert server.lease["spec"]["holderIdentity"] == "operator-1"


async def test_a_standby_retries_after_a_broken_connection(candidate: Leadership, server: LeaseServer) -> None:
    server.breaks = True
    standing = asyncio.create_task(candidate.run())
    await server.asked_again(3)
    server.breaks = False
    await candidate.wait()
    assert not standing.done()
    standing.cancel()
    await asyncio.gather(standing, return_exceptions=True)
