"""One control plane for the whole session, a namespace for each test, and the operator as a process serving it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.command_line import CommandLine
from cluster.fault_proxy import FaultProxy
from cluster.namespace import Namespace
from cluster.operator_process import OperatorProcess
from cluster.played_logs import PlayedLogs
from cluster.played_node import PlayedNode
from devcluster import cluster as devcluster_cluster
from devcluster import toolchain
from devcluster.certificates import Authority
from devcluster.cluster import Cluster
from devcluster.errors import DevclusterError
from devcluster.paths import ROOT
from devcluster.progress import for_stderr
from devcluster.toolchain import kubectl


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """etcd, API server, controllers and scheduler, with the CustomResourceDefinition; no node."""
    try:
        toolchain.ensure(toolchain.CONTROL_PLANE, for_stderr())
        started = devcluster_cluster.start(tmp_path_factory.mktemp("control-plane"), node=False)
    except DevclusterError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must have a control plane: {error}")
        pytest.skip(f"no control plane: {error}")
    with started:
        Namespace.install_definition(started.kubeconfig, kubectl(), ROOT / "crds")
        PlayedNode.register(started.kubeconfig)
        yield started


@pytest.fixture
def namespace(control_plane: Cluster, request: pytest.FixtureRequest) -> Iterator[Namespace]:
    """A namespace of the test's own."""
    with Namespace.create(control_plane.kubeconfig, request.node.name) as created:
        yield created


@pytest.fixture
def node(control_plane: Cluster, namespace: Namespace) -> Iterator[PlayedNode]:
    """What a kubelet would do to the namespace's Pods."""
    with PlayedNode(control_plane.kubeconfig, namespace.name) as playing:
        yield playing


@pytest.fixture
def proxy(control_plane: Cluster, tmp_path: Path) -> Iterator[FaultProxy]:
    """Between the operator and the API server, for tests that count or disturb what it writes."""
    with FaultProxy(control_plane.kubeconfig, tmp_path) as serving:
        yield serving


@pytest.fixture
def proxied_operator(proxy: FaultProxy, namespace: Namespace, tmp_path: Path) -> Iterator[OperatorProcess]:
    """The operator behind the proxy."""
    with OperatorProcess(proxy.kubeconfig, namespace.name, tmp_path / "operator.log") as serving:
        yield serving


@pytest.fixture
def operator(control_plane: Cluster, namespace: Namespace, tmp_path: Path) -> Iterator[OperatorProcess]:
    """The operator, serving this namespace only."""
    with OperatorProcess(control_plane.kubeconfig, namespace.name, tmp_path / "operator.log") as serving:
        yield serving


@pytest.fixture(scope="module")
def shared_operator(control_plane: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    """One operator for all namespaces, for files whose tests would spend most of their time on its start."""
    log = tmp_path_factory.mktemp("operator") / "operator.log"
    with OperatorProcess(control_plane.kubeconfig, "", log) as serving:
        yield serving


@pytest.fixture
def sync(control_plane: Cluster, namespace: Namespace, tmp_path: Path) -> CommandLine:
    """`kubectl sync` in the test's namespace."""
    return CommandLine.open(control_plane.kubeconfig, namespace.name, tmp_path)


@pytest.fixture
def logs(control_plane: Cluster) -> Iterator[PlayedLogs]:
    """What the workers say."""
    with PlayedLogs(control_plane.kubeconfig, Authority(control_plane.directory / "pki")) as serving:
        yield serving
