"""Least privilege in real life: whatever the tests before this one have made the operator do, it had the right to."""

import pytest

from cluster import audit
from devcluster.cluster import Cluster
from devcluster.control_plane import AUDIT_LOG
from devcluster.front import DevelopmentCluster


def test_the_operator_never_requested_a_right_that_it_lacks(cluster: DevelopmentCluster) -> None:
    if not isinstance(cluster, Cluster):
        pytest.skip(f"the requests to a cluster of the kind {cluster.rung} are not recorded")
    events = audit.recorded(cluster.directory / AUDIT_LOG)
    assert audit.used(events), "the operator has asked for something"
    assert audit.refused(events) == set()
