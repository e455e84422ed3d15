"""The control plane, and what the benchmark does to it: many objects made at once, changes seen as they happen."""

import asyncio
import json
import os
import ssl
import time
from base64 import b64decode
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import aiohttp
import yaml

from devcluster import process, toolchain
from devcluster.certificates import Authority
from devcluster.cluster import Cluster
from devcluster.control_plane import AUDIT_LOG, AUDITED
from devcluster.process import Daemon

Object = dict[str, Any]

NAMESPACE = "bench"
_SYNCS = "/apis/tidegate.dev/v1alpha1"
PATHS = {
    "syncintegrations": f"{_SYNCS}/namespaces/{NAMESPACE}/syncintegrations",
    "jobs": f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs",
    "cronjobs": f"/apis/batch/v1/namespaces/{NAMESPACE}/cronjobs",
    "pods": f"/api/v1/namespaces/{NAMESPACE}/pods",
    "serviceaccounts": f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts",
}
_TICKS = os.sysconf("SC_CLK_TCK")
_AT_ONCE = 16


class Client:
    """The administrator's requests."""

    def __init__(self, cluster: Cluster) -> None:
        config = yaml.safe_load(cluster.kubeconfig.read_text())
        server, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        tls = ssl.create_default_context(cadata=b64decode(server["certificate-authority-data"]).decode())
        for name in ("client-certificate-data", "client-key-data"):
            (cluster.directory / f"bench-{name}").write_bytes(b64decode(user[name]))
        tls.load_cert_chain(
            cluster.directory / "bench-client-certificate-data", cluster.directory / "bench-client-key-data"
        )
        self._server, self._tls = server["server"], tls

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=0)
        self._session = aiohttp.ClientSession(self._server, connector=connector, timeout=aiohttp.ClientTimeout(None))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def create(self, path: str, body: Object) -> Object:
        return await self._ask("POST", path, body, "application/json")

    async def patch(self, path: str, body: Object) -> Object:
        return await self._ask("PATCH", path, body, "application/merge-patch+json")

    async def listed(self, resource: str) -> Object:
        return await self._ask("GET", PATHS[resource], None, "")

    async def delete(self, path: str) -> None:
        background = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        await self._ask("DELETE", path, background, "application/json")

    async def delete_all(self, resource: str) -> None:
        """Delete what there is, and wait until it is gone."""
        await self.delete(PATHS[resource])
        await self.until(resource, lambda items: not items)

    async def until(self, resource: str, holds: Callable[[list[Object]], bool]) -> list[Object]:
        """Wait until what there is of a resource satisfies a condition."""
        while True:
            items: list[Object] = (await self.listed(resource))["items"]
            if holds(items):
                return items
            await asyncio.sleep(0.2)

    async def watch(self, resource: str) -> AsyncIterator[Object]:
        """All changes from now on."""
        version = (await self.listed(resource))["metadata"]["resourceVersion"]
        query = {"watch": "true", "resourceVersion": version}
        async with self._session.get(PATHS[resource], params=query, read_bufsize=2**24) as answer:
            async for line in answer.content:
                yield json.loads(line)

    async def _ask(self, method: str, path: str, body: Object | None, kind: str) -> Object:
        headers = {"Content-Type": kind} if body is not None else {}
        data = None if body is None else json.dumps(body)
        async with self._session.request(method, path, data=data, headers=headers) as answer:
            told: Object = await answer.json()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {told.get('message')}")
            return told


async def all_of(requests: Iterable[Awaitable[object]]) -> None:
    """Make requests, a few at a time."""
    free = asyncio.Semaphore(_AT_ONCE)

    async def one(request: Awaitable[object]) -> None:
        async with free:
            await request

    await asyncio.gather(*(one(request) for request in requests))


@asynccontextmanager
async def beside(coroutine: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run a coroutine meanwhile."""
    task = asyncio.create_task(coroutine)
    try:
        await asyncio.sleep(0.3)  # its watch begins
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class FirstSeen:
    """When each key, such as the name of an object in some state, was seen first; by the clock of the day."""

    def __init__(self, client: Client, resource: str, key: Callable[[Object], str | None]) -> None:
        self._client, self._resource, self._key = client, resource, key
        self._seen = asyncio.Condition()
        self.at: dict[str, float] = {}

    async def watch(self) -> None:
        """Note what comes from now on."""
        async for event in self._client.watch(self._resource):
            found = self._key(event["object"])
            if found is not None and found not in self.at:
                self.at[found] = time.time()
                async with self._seen:
                    self._seen.notify_all()

    async def wait_for(self, number: int) -> None:
        """Wait until so many keys have been seen."""
        async with self._seen:
            await self._seen.wait_for(lambda: len(self.at) >= number)


async def end_pods(client: Client) -> None:
    """Play a node on which each worker ends as soon as it has started."""
    running: set[asyncio.Task[Object]] = set()
    async for event in client.watch("pods"):
        if event["type"] == "ADDED":
            name = event["object"]["metadata"]["name"]
            ended = client.patch(f"{PATHS['pods']}/{name}/status", {"status": _ended()})
            running.add(task := asyncio.create_task(ended))
            task.add_done_callback(running.discard)


def _ended() -> Object:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    worker = {"name": "sync", "image": "played", "imageID": "", "ready": False, "restartCount": 0}
    state = {"terminated": {"exitCode": 0, "startedAt": now, "finishedAt": now, "containerID": "played://1"}}
    return {"phase": "Succeeded", "startTime": now, "containerStatuses": [{**worker, "state": state}]}


class ControllerManager:
    """Kubernetes' controllers in the place of those that came with the control plane; entered for one case."""

    def __init__(self, cluster: Cluster, *options: str) -> None:
        self._cluster, self._options = cluster, options

    def __enter__(self) -> Self:
        of_cluster = [daemon for daemon in process.recorded(self._cluster.directory) if "controller" in daemon.name]
        process.stop(of_cluster)
        self._daemon: Daemon = process.spawn(
            "bench-controllers",
            [
                str(toolchain.ensure(["kube-controller-manager"])["kube-controller-manager"]),
                f"--kubeconfig={self._cluster.directory / 'system-kube-controller-manager.kubeconfig'}",
                f"--root-ca-file={self._cluster.directory / 'pki' / 'ca.crt'}",
                *("--use-service-account-credentials=true", "--leader-elect=false", "--secure-port=0", *self._options),
            ],
            self._cluster.directory,
        )
        return self

    def __exit__(self, *_: object) -> None:
        process.stop([self._daemon])

    @property
    def pid(self) -> int:
        return self._daemon.pid


class Requests:
    """What the operator has asked of the API server, by verb and resource, as the audit log has it."""

    def __init__(self, cluster: Cluster) -> None:
        self._log = cluster.directory / AUDIT_LOG
        self._read_to = self._log.stat().st_size if self._log.exists() else 0

    def count(self) -> Counter[str]:
        with self._log.open() as log:
            log.seek(self._read_to)
            events = [json.loads(line) for line in log if line.endswith("\n")]
        return Counter(
            event["verb"] for event in events if event["stage"] == "ResponseComplete" and event["verb"] != "watch"
        )


def cpu_seconds(*pids: int) -> float:
    """How long these processes have been on a processor."""
    stats = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids)
    return sum(int(fields[11]) + int(fields[12]) for fields in stats) / float(_TICKS)


def servers(cluster: Cluster) -> Sequence[int]:
    """The pids of the API server and of etcd."""
    daemons = process.recorded(cluster.directory)
    return [daemon.pid for daemon in daemons if daemon.name in ("kube-apiserver", "etcd")]


def kubeconfig_of_operator(cluster: Cluster) -> Path:
    """A user whose requests the audit log records."""
    authority = Authority(cluster.directory / "pki")
    client = authority.client("bench-operator", AUDITED)
    server = yaml.safe_load(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    return authority.kubeconfig(cluster.directory / "bench-operator.kubeconfig", server, client)


RIGHTS: Object = {
    "metadata": {"name": "bench-operator"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": AUDITED}],
}


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so many of the others do not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
