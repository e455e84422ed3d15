"""A proxy between the operator and the API server: it numbers the writes, and disturbs those that a test chooses.

It speaks plain HTTP to the operator and the administrator's TLS to the API server. Watches are passed on as they come,
and can be silenced.
"""

import asyncio
import json
import ssl
import threading
from base64 import b64decode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
import yaml
from aiohttp import web

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "content-encoding"}


class Fault(Enum):
    """What becomes of a write."""

    CONFLICT = 409
    UNPROCESSABLE = 422
    TOO_MANY_REQUESTS = 429
    SERVER_ERROR = 500
    RESET = "the connection is reset, and nothing was written"
    LOST_ANSWER = "it was written, and no answer comes"
    KILL_BEFORE = "the operator is killed, and nothing was written"
    KILL_AFTER = "the operator is killed when it was written"


@dataclass(frozen=True)
class Request:
    """One request of the operator that is not a watch."""

    method: str
    path: str
    body: Any

    @property
    def writes(self) -> bool:
        return self.method != "GET"


# Asked for each write, in order; None: it is passed on.
Choice = Callable[[Request], Fault | None]


class FaultProxy:
    """Serves on a free port while it is entered; `kubeconfig` is the operator's way to it."""

    def __init__(self, kubeconfig: Path, directory: Path) -> None:
        self._upstream, self._tls = _access(kubeconfig, directory)
        self.kubeconfig = directory / "proxied.kubeconfig"
        self.requests: list[Request] = []
        self.choose: Choice = lambda request: None
        self.kill: Callable[[], None] = lambda: None
        self.silenced: set[str] = set()  # resources whose watches say nothing any more
        self.restored: set[str] = set()  # resources whose lists are as old as a backup of etcd
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def writes(self) -> list[Request]:
        """All writes so far, Events among them."""
        return [request for request in self.requests if request.writes]

    def __enter__(self) -> Self:
        self._thread.start()
        port = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        cluster = {"server": f"http://127.0.0.1:{port}"}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "proxy",
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
            "clusters": [{"name": "proxy", "cluster": cluster}],
            "users": [{"name": "proxy", "user": {"token": "of-no-meaning"}}],
        }
        self.kubeconfig.write_text(json.dumps(config))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> int:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls, limit=0), timeout=aiohttp.ClientTimeout(total=None)
        )
        application = web.Application(client_max_size=2**24)
        application.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port: int = self._runner.addresses[0][1]
        return port

    async def _stop(self) -> None:
        await self._runner.cleanup()
        await self._session.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET" and "watch" in request.query:
            return await self._pass_on_watch(request)
        content = await request.read()
        seen = Request(request.method, request.path, json.loads(content) if content else None)
        self.requests.append(seen)
        fault = self.choose(seen) if seen.writes else None
        match fault:
            case None:
                return await self._pass_on(request, content)
            case Fault.RESET:
                return self._reset(request)
            case Fault.LOST_ANSWER:
                await self._pass_on(request, content)
                await asyncio.Event().wait()  # until the operator gives up
                raise AssertionError
            case Fault.KILL_BEFORE:
                await asyncio.to_thread(self.kill)
                return self._reset(request)
            case Fault.KILL_AFTER:
                await self._pass_on(request, content)
                await asyncio.to_thread(self.kill)
                return self._reset(request)
            case _:
                return _refusal(int(fault.value))

    def _reset(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def _pass_on(self, request: web.Request, content: bytes) -> web.Response:
        async with self._session.request(
            request.method, self._upstream + request.path_qs, headers=_headers(request), data=content or None
        ) as answer:
            body = await answer.read()
            if request.method == "GET" and request.path.rsplit("/", 1)[1] in self.restored:
                listed = json.loads(body)
                listed["metadata"]["resourceVersion"] = "1"
                body = json.dumps(listed).encode()
            return web.Response(status=answer.status, body=body, headers={"Content-Type": answer.content_type})

    async def _pass_on_watch(self, request: web.Request) -> web.StreamResponse:
        resource = request.path.rsplit("/", 1)[1]
        async with self._session.get(self._upstream + request.path_qs, headers=_headers(request)) as answer:
            response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
            with suppress(ConnectionResetError):  # the operator was killed
                await response.prepare(request)
                async for line in answer.content:
                    if resource in self.silenced:
                        await asyncio.Event().wait()
                    await response.write(line)
            return response


def _headers(request: web.Request) -> dict[str, str]:
    dropped = _HOP_BY_HOP | {"authorization", "accept-encoding"}
    return {name: value for name, value in request.headers.items() if name.lower() not in dropped}


def _refusal(code: int) -> web.Response:
    status = {
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "code": code,
        "message": f"the test refuses with {code}",
    }
    headers = {"Retry-After": "1"} if code == Fault.TOO_MANY_REQUESTS.value else {}
    return web.json_response(status, status=code, headers=headers)


def _access(kubeconfig: Path, directory: Path) -> tuple[str, ssl.SSLContext]:
    """The API server's address, and the administrator's TLS."""
    config = yaml.safe_load(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    server = urlsplit(cluster["server"])
    tls = ssl.create_default_context(cadata=b64decode(cluster["certificate-authority-data"]).decode())
    certificate, key = directory / "proxy.crt", directory / "proxy.key"
    for path, name in ((certificate, "client-certificate-data"), (key, "client-key-data")):
        path.touch(mode=0o600)
        path.write_bytes(b64decode(user[name]))
    tls.load_cert_chain(certificate, key)
    return f"{server.scheme}://{server.netloc}", tls
