"""A cluster with a real node and the chart installed, one for the whole session; a namespace for each test."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import installation
from demo.kubectl import Kubectl
from demo.screen import Screen
from devcluster import front, images, toolchain
from devcluster.errors import DevclusterError
from devcluster.front import DevelopmentCluster
from devcluster.progress import for_stderr

# Generous, to end rather than to hang: what is waited for takes seconds.
PATIENCE = "--timeout=600s"


@pytest.fixture(scope="session")
def cluster_name() -> Iterator[str]:
    for left_over in filter(_is_orphaned, front.names()):
        front.down(left_over)
    name = f"e2e-{os.getpid()}"
    yield name
    front.down(name)


@pytest.fixture(scope="session")
def new_cluster(cluster_name: str) -> DevelopmentCluster:
    """With our images, and without Tidegate when it is asked for first."""
    progress = for_stderr()
    try:
        running = front.up(cluster_name, progress=progress)
    except DevclusterError as error:
        if os.environ.get("CI") == "true" and os.geteuid() == 0:
            pytest.fail(f"CI must have a node: {error}")
        pytest.skip(f"no cluster with a node: {error}")
    running.load_images(images.ALL, progress)
    return running


@pytest.fixture(scope="session")
def pristine(new_cluster: DevelopmentCluster) -> frozenset[str]:
    """All objects of the cluster before Tidegate was installed."""
    return frozenset(inventory(new_cluster))


@pytest.fixture(scope="session")
def cluster(new_cluster: DevelopmentCluster, pristine: frozenset[str]) -> DevelopmentCluster:
    """With the chart installed."""
    install(new_cluster)
    return new_cluster


def install(on: DevelopmentCluster) -> None:
    """Install the chart, in a namespace that admits restricted Pods only."""
    kubectl = administrator(on)
    kubectl.run("create", "namespace", installation.NAMESPACE)
    kubectl.run("label", "namespace", installation.NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    installation.install_chart(on.kubeconfig)


def administrator(of: DevelopmentCluster) -> Kubectl:
    """kubectl with all rights, on the namespace `default`."""
    return Kubectl(toolchain.kubectl(), of.kubeconfig, "default", Screen())


def inventory(of: DevelopmentCluster) -> set[str]:
    """The names of all objects that are there, but for those that Kubernetes makes and forgets by itself."""
    kubectl = administrator(of)
    kinds = set(kubectl.run("api-resources", "--verbs=list", "--output=name").split())
    listed = sorted(kinds - {"events", "events.events.k8s.io", "componentstatuses"})
    columns = "--output=custom-columns=K:.kind,N:.metadata.namespace,O:.metadata.name"
    return set(kubectl.run("get", ",".join(listed), "--all-namespaces", "--no-headers", columns).splitlines())


@pytest.fixture
def namespace(cluster: DevelopmentCluster, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kubectl]:
    """kubectl on a namespace of the test's own that admits restricted Pods only; also its kubeconfig's default."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:50].rstrip("-")
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_text(cluster.kubeconfig.read_text())
    kubectl = Kubectl(toolchain.kubectl(), kubeconfig, name, Screen())
    kubectl.run("config", "set-context", "--current", f"--namespace={name}")
    kubectl.run("create", "namespace", name)
    kubectl.run("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    yield kubectl
    kubectl.run("delete", "namespace", name, "--wait=false", "--ignore-not-found")


def _is_orphaned(name: str) -> bool:
    """Whether a cluster was left behind by a session that was killed."""
    pid = name.removeprefix("e2e-")
    return pid != name and not Path(f"/proc/{pid}").exists()
