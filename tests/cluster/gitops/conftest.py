"""What the tests of GitOps tools share."""

from collections.abc import Iterator

import pytest

from cluster.gitops.migrating_node import MigratingNode
from cluster.namespace import Namespace
from devcluster.cluster import Cluster


@pytest.fixture
def node(control_plane: Cluster, namespace: Namespace) -> Iterator[MigratingNode]:
    """What a kubelet would do to the namespace's Pods."""
    with MigratingNode(control_plane.kubeconfig, namespace.name) as playing:
        yield playing
