"""The operator's HTTP endpoint: /healthz and /readyz for Kubernetes, /metrics for Prometheus."""

import asyncio
import os

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from tidegate.control.metrics import Metrics
from tidegate.control.watchdog import Watchdog


class PortError(Exception):
    """The port cannot be opened; the message says why."""


class Endpoint:
    """Serves while it is entered."""

    def __init__(self, port: int, watchdog: Watchdog, metrics: Metrics) -> None:
        """`port` is opened on all addresses. Entering raises PortError when it cannot be."""
        self._port = port
        self._watchdog = watchdog
        self._metrics = metrics
        application = web.Application()
        application.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._exposition),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None)

    async def __aenter__(self) -> "Endpoint":
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, port=self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            why = os.strerror(error.errno).lower() if error.errno else str(error)
            raise PortError(f"port {self._port} cannot be opened: {why}") from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        if self._watchdog.blind:
            return web.Response(status=503, text="a watch is dead or silent\n")
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        if not self._watchdog.sighted:
            return web.Response(status=503, text="the watches have not synced yet\n")
        return web.Response(text="ok\n")

    async def _exposition(self, _: web.Request) -> web.Response:
        # With thousands of syncs it takes a second: not one in which nothing else is done.
        exposition = await asyncio.to_thread(self._metrics.exposition)
        return web.Response(body=exposition, headers={"Content-Type": CONTENT_TYPE_LATEST})
