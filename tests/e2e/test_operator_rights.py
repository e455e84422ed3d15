"""Least privilege in real life: whatever the tests before this one have made the operator do, it had the right to."""

import pytest

from cluster import audit
from devcluster.cluster import Cluster
from devcluster.control_plane import AUDIT_LOG
from devcluster.front import DevelopmentCluster


def test_nothing_was_asked_for_that_is_not_granted(cluster: DevelopmentCluster) -> None:
    if not isinstance(cluster, Cluster):
        pytest.skip(f"the requests to a cluster of the kind {cluster.rung} are not recorded")
    events = audit.recorded(cluster.directory / AUDIT_LOG)
    assert audit.used(events), "the operator has asked for something"
    assert audit.refused(events) == set()
