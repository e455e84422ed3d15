"""What the operator says when the API server or the way to it fails, instead of a traceback."""

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import aiohttp
import kopf
import pytest
from aiohttp import web
from kubernetes.aio.client.exceptions import ApiException

from tidegate.control.logs import Concise
from tidegate.control.outage import explain

SYNCS = "/apis/tidegate.dev/v1alpha1/syncintegrations"
NOBODY = "http://127.0.0.1:1"  # a reserved port: the connection is refused


def error_of(ask: Callable[[], Awaitable[object]]) -> BaseException:
    """What a real request raises, as kopf raises it: with the HTTP client's error as the cause."""

    async def attempt() -> BaseException:
        try:
            await ask()
        except (aiohttp.ClientError, ValueError) as error:
            return error
        raise AssertionError("the request succeeded")

    return asyncio.run(attempt())


def answered(status: int, path: str, content_type: str = "application/json") -> BaseException:
    async def ask() -> None:
        async def answer(_: web.Request) -> web.Response:
            return web.Response(status=status, text="<html>", content_type=content_type)

        application = web.Application()
        application.router.add_get(path, answer)
        runner = web.AppRunner(application)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            async with aiohttp.ClientSession() as session:
                port = runner.addresses[0][1]
                async with session.get(f"http://127.0.0.1:{port}{path}") as response:
                    response.raise_for_status()
                    await response.json()
        finally:
            await runner.cleanup()

    return error_of(ask)


def refused() -> BaseException:
    async def ask() -> None:
        async with aiohttp.ClientSession() as session:
            await session.get(NOBODY)

    return error_of(ask)


def caused_by(cause: BaseException) -> BaseException:
    try:
        raise RuntimeError("the watcher failed") from cause
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    ("error", "said", "way_out"),
    [
        (lambda: answered(404, SYNCS), "CustomResourceDefinition was deleted", "helm upgrade"),
        (lambda: answered(401, SYNCS), "refuses the operator's credentials", "ServiceAccount"),
        (lambda: kopf.LoginError("Ran out of valid credentials."), "refuses the operator's credentials", "KUBECONFIG"),
        (lambda: answered(403, "/api/v1/pods"), "403 Forbidden to GET /api/v1/pods", "Role"),
        (
            lambda: answered(500, "/api/v1/pods"),
            "500 Internal Server Error to GET /api/v1/pods",
            "Check the API server",
        ),
        (lambda: answered(200, SYNCS, "text/html"), "not JSON but text/html", "load balancers"),
        (lambda: answered(200, SYNCS), "not JSON", "load balancers"),
        (lambda: ApiException(status=403, reason="Forbidden"), "403 Forbidden", "Role"),
        (refused, "cannot be reached", "network"),
        (lambda: TimeoutError(), "cannot be reached: TimeoutError", "network"),
    ],
)
def test_an_outage_is_explained_on_one_line(error: Callable[[], BaseException], said: str, way_out: str) -> None:
    for raised in (error(), caused_by(error())):
        explained = explain(raised)
        assert explained is not None
        assert said in explained
        assert way_out in explained
        assert "\n" not in explained


@pytest.mark.parametrize("defect", [KeyError("spec"), ValueError("no number"), AttributeError("x"), None])
def test_a_defect_is_not_an_outage(defect: BaseException | None) -> None:
    assert explain(defect) is None


def logged(name: str, message: str, error: BaseException | None = None) -> str:
    exc_info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord(name, logging.ERROR, __file__, 1, message, None, exc_info)
    assert Concise().filter(record)
    return logging.Formatter("%(message)s").format(record)


def test_a_line_that_names_every_object_is_truncated() -> None:
    line = logged("kopf._core.reactor.queueing", f"Unprocessed streams left for {['uid'] * 10_000!r}.")
    assert line.startswith("Unprocessed streams left for ['uid', ")
    assert len(line) < 600
    assert line.endswith("characters)")


def test_an_outage_has_no_traceback() -> None:
    line = logged("kopf._core.reactor.running", "Resource observer has failed: 404", caused_by(answered(404, SYNCS)))
    assert line.startswith("Resource observer has failed: 404: the API server does not serve syncintegrations")
    assert "\n" not in line


def test_asyncio_s_repeated_report_is_dropped() -> None:
    error = answered(404, SYNCS)
    record = logging.LogRecord("asyncio", logging.ERROR, __file__, 1, "…", None, (type(error), error, None))
    assert not Concise().filter(record)


def test_a_defect_keeps_its_traceback() -> None:
    assert "Traceback" in logged("kopf.objects", "Handler failed", caused_by(KeyError("spec")))


def test_the_operator_s_own_lines_are_unchanged() -> None:
    assert logged("tidegate.control.main", "x" * 1000 + "\ny") == "x" * 1000 + "\ny"


UNAUTHORIZED = b'{"kind": "Status", "apiVersion": "v1", "code": 401, "message": "Unauthorized"}'


@pytest.mark.parametrize(
    ("status", "content_type", "content", "last_words"),
    [
        (401, "application/json", UNAUTHORIZED, "the API server refuses the operator's credentials"),
        (200, "text/html", b"<html>Sign in</html>", "the response is not from the API server"),
    ],
)
def test_the_operator_exits_with_a_message(
    tmp_path: Path, status: int, content_type: str, content: bytes, last_words: str
) -> None:
    """The process itself, standing by for a Lease, before a server that answers every request like this."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            kubeconfig = tmp_path / "kubeconfig"
            kubeconfig.write_text(json.dumps(access(f"http://127.0.0.1:{server.server_port}")))
            ended = started(kubeconfig, "--namespaces=sales", "--lease=sales/tidegate")
        finally:
            server.shutdown()
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith(f"tidegate-operator: {last_words}")
    assert "cannot list syncintegrations in namespace sales" in ended.stderr


def started(kubeconfig: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The operator, until it ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "tidegate.control.main", "--operator-image=o", "--worker-image=w", *options],
        env={**os.environ, "KUBECONFIG": str(kubeconfig)},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("content", ["", "[]", "text", "clusters: {a: b}", "a: [b"])
def test_an_invalid_kubeconfig_is_reported_by_name(tmp_path: Path, content: str) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(content)
    ended = started(kubeconfig)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("tidegate-operator: no cluster configured: ")
    assert line.endswith(". Set KUBECONFIG, or run inside a cluster.")


def test_a_port_in_use_is_reported(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(access("http://127.0.0.1:1")))
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        ended = started(kubeconfig, f"--port={port}")
    assert ended.returncode == 2
    assert ended.stderr == (
        f"tidegate-operator: port {port} cannot be opened: address already in use. "
        "Free it, or choose another one with --port\n"
    )


def access(server: str) -> dict[str, object]:
    """A kubeconfig."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": server}}],
        "users": [{"name": "test", "user": {"token": "of-no-meaning"}}],
    }
