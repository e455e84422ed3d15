"""The operator as the chart installs it, for all namespaces and with the chart's rights, shared by all attacks."""

from collections.abc import Iterator

import pytest

from cluster import chart
from cluster.namespace import Namespace
from cluster.operator_process import OperatorProcess
from cluster.played_node import PlayedNode
from devcluster.cluster import Cluster


@pytest.fixture(scope="package")
def operator(control_plane: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    """One for all, so that an attack on it is an attack on every sync."""
    directory = tmp_path_factory.mktemp("installation")
    with (
        chart.installed(control_plane, directory) as installation,
        OperatorProcess(installation.kubeconfig, "", directory / "operator.log") as serving,
    ):
        yield serving


@pytest.fixture(autouse=True)
def alive(operator: OperatorProcess) -> Iterator[None]:
    """No attack ends the operator."""
    yield
    survived = operator.running()
    if not survived:
        operator.start()  # for the next attack
    assert survived, operator.log()[-3000:]


@pytest.fixture
def elsewhere(control_plane: Cluster) -> Iterator[Namespace]:
    """Another tenant's namespace."""
    with Namespace.create(control_plane.kubeconfig, "elsewhere") as created:
        yield created


@pytest.fixture
def node_elsewhere(control_plane: Cluster, elsewhere: Namespace) -> Iterator[PlayedNode]:
    """What runs the other tenant's Pods."""
    with PlayedNode(control_plane.kubeconfig, elsewhere.name) as playing:
        yield playing
