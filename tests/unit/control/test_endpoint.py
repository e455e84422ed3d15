"""The operator's HTTP endpoint."""

import asyncio
import threading
from typing import cast

import aiohttp
import pytest

from devcluster.free_port import free_port
from tidegate.control.endpoint import Endpoint
from tidegate.control.metrics import Metrics
from tidegate.control.watchdog import Watchdog

PATIENCE = 60.0


class Sighted:
    """A watchdog that has seen everything."""

    blind, sighted = False, True


class SlowMetrics:
    """Takes as long as with thousands of syncs: until the rest of the operator has gone on."""

    def __init__(self) -> None:
        self.asked, self.went_on = threading.Event(), threading.Event()

    def exposition(self) -> bytes:
        self.asked.set()
        assert self.went_on.wait(PATIENCE), "everything else stood still meanwhile"
        return b"tidegate_ready 1\n"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_a_large_exposition_blocks_nothing(path: str) -> None:
    metrics, port = SlowMetrics(), free_port()

    async def scrape() -> str:
        async with session.get("/metrics") as answer:
            return await answer.text()

    async with (
        Endpoint(port, cast(Watchdog, Sighted()), cast(Metrics, metrics)),
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
    ):
        scraping = asyncio.create_task(scrape())
        await asyncio.to_thread(metrics.asked.wait, PATIENCE)
        async with session.get(path) as answered:
            assert await answered.text() == "ok\n"
        metrics.went_on.set()
        assert await scraping == "tidegate_ready 1\n"
