"""A request to the API server: what is made of its answer, and which way it goes."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio import client
from kubernetes.aio.client.exceptions import ApiException

from tidegate.control import outage
from tidegate.control.rest import Rest, api_client, path

PATH = "/api/v1/namespaces/sales/pods"


class Answering:
    """A server that writes down what it is asked, as a proxy is asked for a whole URL, and answers as it is told."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.text = '{"kind": "PodList"}'

    async def handle(self, request: web.Request) -> web.Response:
        self.heard.append(request.raw_path)
        return web.Response(text=self.text, content_type="application/json")


@pytest.fixture
def server() -> Answering:
    return Answering()


@pytest_asyncio.fixture
async def address(server: Answering) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    async with TestServer(application) as listening:
        yield str(listening.make_url("")).rstrip("/")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    yield
    client.Configuration.set_default(None)


def cluster_at(server: str) -> None:
    client.Configuration.set_default(client.Configuration(host=server))


async def ask() -> object:
    async with api_client() as api:
        return await Rest(api).ask("GET", PATH, within=30)


async def test_the_result_is_the_answer_s_json_value(server: Answering, address: str) -> None:
    cluster_at(address)
    assert await ask() == {"kind": "PodList"}
    assert server.heard == [PATH]


async def test_the_environment_s_proxy_is_used(
    server: Answering, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster_at("http://api.example:6443")
    monkeypatch.setenv("HTTP_PROXY", address)
    assert await ask() == {"kind": "PodList"}
    assert server.heard == [f"http://api.example:6443{PATH}"]


async def test_no_proxy_is_used_for_an_exempted_server(
    server: Answering, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster_at(address)
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
    monkeypatch.setenv("NO_PROXY", "example.com,127.0.0.1")
    assert await ask() == {"kind": "PodList"}
    assert server.heard == [PATH]


async def test_the_environment_is_not_read_for_each_request(
    server: Answering, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kubernetes client does so by itself, twice in another thread: most of what a request costs."""
    cluster_at(address)
    async with api_client() as api:
        monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
        assert await Rest(api).ask("GET", PATH, within=30) == {"kind": "PodList"}


async def test_an_answer_that_is_not_json_is_explained(server: Answering, address: str) -> None:
    cluster_at(address)
    server.text = "<html>Sign in</html>"
    with pytest.raises(ApiException) as caught:
        await ask()
    assert "the response is not from the API server" in (outage.explain(caught.value) or "")


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("/api/v1", "pods"), "/api/v1/pods"),
        (("/api/v1", "pods", "sales"), "/api/v1/namespaces/sales/pods"),
        (("/apis/batch/v1", "jobs", "sales", "a"), "/apis/batch/v1/namespaces/sales/jobs/a"),
        (("/apis/batch/v1", "jobs", "sales", "a", "status"), "/apis/batch/v1/namespaces/sales/jobs/a/status"),
    ],
)
def test_the_path_of_a_resource(parts: tuple[str, ...], expected: str) -> None:
    assert path(*parts) == expected
