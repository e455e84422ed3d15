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
    """Stores one Lease; hangs, or breaks the connection, when it is told to."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.hangs_at: set[str] = set()
        self.breaks = False
        self.asked = 0
        self.released = asyncio.Event()

    async def asked_again(self, times: int) -> None:
        """Wait for so many more requests."""
        enough = self.asked + times
        while self.asked < enough:  # noqa: ASYNC110 - each request is a step of the candidate's own clock
            await asyncio.sleep(0.01)

    async def handle(self, request: web.Request) -> web.Response:
        self.asked += 1
        if self.breaks:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if request.method in self.hangs_at:
            await self.released.wait()
        if request.method != "GET":
            self.lease = await request.json()
        if self.lease is None:
            return web.json_response({"kind": "Status", "code": 404}, status=404)
        return web.json_response(self.lease)


@pytest.fixture
def server() -> LeaseServer:
    return LeaseServer()


@pytest_asyncio.fixture
async def candidate(server: LeaseServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Leadership]:
    """A candidate that is less patient than the real one."""
    for name, seconds in {
        "RETRY_SECONDS": 1.0,
        "REQUEST_SECONDS": 60.0,
        "LEADER_SECONDS": 2.5,
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


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_a_leader_with_hanging_requests_exits_in_time(
    candidate: Leadership, server: LeaseServer, method: str
) -> None:
    leading = asyncio.create_task(candidate.run())
    await candidate.wait()
    server.hangs_at = {method}
    began = time.monotonic()
    with pytest.raises(LeadershipLostError):
        await leading
    assert LEADER_SECONDS < LEASE_SECONDS
    assert time.monotonic() - began < LEASE_SECONDS


async def test_a_leader_continues_while_it_can_renew(candidate: Leadership, server: LeaseServer) -> None:
    leading = asyncio.create_task(candidate.run())
    await candidate.wait()
    await server.asked_again(8)
    assert not leading.done()
    leading.cancel()
    await asyncio.gather(leading, return_exceptions=True)


async def test_a_standby_retries_after_a_broken_connection(candidate: Leadership, server: LeaseServer) -> None:
    server.breaks = True
    standing = asyncio.create_task(candidate.run())
    await server.asked_again(3)
    server.breaks = False
    await candidate.wait()
    assert not standing.done()
    standing.cancel()
    await asyncio.gather(standing, return_exceptions=True)
