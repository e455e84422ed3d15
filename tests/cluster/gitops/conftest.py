"""What the tests of GitOps tools share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.command_line import CommandLine
from cluster.gitops.migrating_node import MigratingNode
from cluster.namespace import Namespace
from devcluster.cluster import Cluster


@pytest.fixture
def node(control_plane: Cluster, namespace: Namespace) -> Iterator[MigratingNode]:
    """What a kubelet would do to the namespace's Pods."""
    with MigratingNode(control_plane.kubeconfig, namespace.name) as playing:
        yield playing


@pytest.fixture
def sync(control_plane: Cluster, namespace: Namespace, tmp_path: Path) -> CommandLine:
    """`kubectl sync`, in the namespace."""
    return CommandLine.open(control_plane.kubeconfig, namespace.name, tmp_path)
