"""Kueue's own controllers, scheduler and Job webhook, as a process that serves the whole cluster, and its queues."""

import os
import socket
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kubernetes.dynamic import DynamicClient

from cluster.gitops.modules import install_definitions
from cluster.namespace import Namespace, Object, connect, wait_for
from devcluster import toolchain
from devcluster.certificates import Authority
from devcluster.cluster import Cluster
from devcluster.free_port import free_port
from devcluster.paths import ROOT

API_VERSION = "kueue.x-k8s.io/v1beta2"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
FLAVOR = "default"
_MODULE = ROOT / "tests" / "cluster" / "kueue"
_WEBHOOKS = {
    "MutatingWebhookConfiguration": ("/mutate-batch-v1-job", ["CREATE"]),
    "ValidatingWebhookConfiguration": ("/validate-batch-v1-job", ["CREATE", "UPDATE"]),
}


@dataclass(frozen=True)
class Queue:
    """A ClusterQueue that has room for one run, and the LocalQueues that lead to it."""

    name: str
    client: DynamicClient

    def lead_from(self, namespace: Namespace, local: str) -> None:
        """Let Jobs of a namespace wait in this queue, under the name that the namespace has for it."""
        namespace.create_object(_named(local, "LocalQueue", spec={"clusterQueue": self.name}))

    def set_stop_policy(self, policy: str) -> None:
        """Evict everything and admit nothing (`HoldAndDrain`), or admit again (`None`)."""
        _cluster_scoped(self.client, "ClusterQueue").patch(
            name=self.name, body={"spec": {"stopPolicy": policy}}, content_type="application/merge-patch+json"
        )


class Kueue:
    """Serves the cluster while it is entered."""

    def __init__(self, control_plane: Cluster, directory: Path) -> None:
        self._program = toolchain.ensure(["kueue"])["kueue"]
        self._control_plane = control_plane
        self._log = directory / "kueue.log"
        self._client = connect(control_plane.kubeconfig)
        self._authority = Authority(control_plane.directory / "pki")
        self._address = ("127.0.0.1", free_port())

    @contextmanager
    def queue(self, name: str, **quota: str) -> Iterator[Queue]:
        """A queue with a quota of each resource; it is deleted afterwards, when nothing waits in it any more."""
        resources = [{"name": resource, "nominalQuota": amount} for resource, amount in quota.items()]
        group = {"coveredResources": list(quota), "flavors": [{"name": FLAVOR, "resources": resources}]}
        queues = _cluster_scoped(self._client, "ClusterQueue")
        spec = {"namespaceSelector": {}, "resourceGroups": [group]}
        queues.create(body=_named(name, "ClusterQueue", spec=spec))
        try:
            yield Queue(name, self._client)
        finally:
            queues.delete(name=name)

    def __enter__(self) -> Self:
        install_definitions(self._control_plane.kubeconfig, _MODULE, "sigs.k8s.io/kueue", "config/components/crd/bases")
        pair = self._authority.server("kueue", [f"IP:{self._address[0]}"])
        command = [str(self._program), f"--webhook-port={self._address[1]}"]
        command += [f"--webhook-certificate={pair.certificate}", f"--webhook-key={pair.key}"]
        environment = {**os.environ, "KUBECONFIG": str(self._control_plane.kubeconfig)}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            wait_for("Kueue's webhook", self._listens, self.log)
            for kind, (path, operations) in _WEBHOOKS.items():
                self._register(kind, path, operations)
            _cluster_scoped(self._client, "ResourceFlavor").create(body=_named(FLAVOR, "ResourceFlavor"))
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            # It holds its objects by finalizers, and namespaces could not be deleted without it.
            workloads = _cluster_scoped(self._client, "Workload")
            wait_for("the end of all Workloads", lambda: not workloads.get().to_dict()["items"], self.log)
        finally:
            # Without it they would refuse the Jobs of all other tests.
            for configuration in _WEBHOOKS:
                _webhooks(self._client, configuration).delete(name="kueue")
            _cluster_scoped(self._client, "ResourceFlavor").delete(name=FLAVOR)
            self._end()

    def log(self) -> str:
        """What it has said of late."""
        return self._log.read_text()[-6000:]

    def _listens(self) -> bool:
        assert self._process.poll() is None, self.log()
        with socket.socket() as probe:
            return probe.connect_ex(self._address) == 0

    def _register(self, kind: str, path: str, operations: list[str]) -> None:
        authority = b64encode(self._authority.pair.certificate.read_bytes()).decode()
        rule = {"apiGroups": ["batch"], "apiVersions": ["v1"], "operations": operations, "resources": ["jobs"]}
        webhook: Object = {
            "name": "jobs.kueue.x-k8s.io",
            "clientConfig": {"url": f"https://127.0.0.1:{self._address[1]}{path}", "caBundle": authority},
            "rules": [rule],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
        _webhooks(self._client, kind).create(body={"metadata": {"name": "kueue"}, "webhooks": [webhook]})

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()


def _named(name: str, kind: str, **fields: Object) -> Object:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, **fields}


def _cluster_scoped(client: DynamicClient, kind: str) -> Any:
    return client.resources.get(api_version=API_VERSION, kind=kind)


def _webhooks(client: DynamicClient, kind: str) -> Any:
    return client.resources.get(api_version="admissionregistration.k8s.io/v1", kind=kind)
