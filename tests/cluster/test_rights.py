"""Least privilege: a full life with exactly the rights of the chart; the API server's audit log says what it took."""

from pathlib import Path

import pytest

from cluster import audit, chart, job_controller, lifecycle
from cluster.audit import Right
from cluster.namespace import NAME, Namespace, Object, wait_for
from cluster.operator_process import OperatorProcess
from cluster.played_node import PlayedNode
from devcluster.cluster import Cluster
from devcluster.control_plane import AUDIT_LOG
from tidegate.api import names


def granted(objects: list[Object]) -> set[Right]:
    """What the chart's roles allow the operator; those for people are not among its bindings."""
    bound = {o["roleRef"]["name"] for o in objects if o["kind"].endswith("RoleBinding")}
    return {
        (group, resource, verb)
        for role in objects
        if role["kind"] in ("Role", "ClusterRole") and role["metadata"]["name"] in bound
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


@pytest.mark.parametrize("everywhere", [True, False], ids=["the whole cluster", "one namespace"])
def test_every_granted_right_is_used_and_no_other_is_needed(
    control_plane: Cluster, namespace: Namespace, node: PlayedNode, tmp_path: Path, everywhere: bool
) -> None:
    options = () if everywhere else ("--set", f"namespaces={{{namespace.name}}}")
    served = "" if everywhere else namespace.name
    audit_log = control_plane.directory / AUDIT_LOG
    before = len(audit.recorded(audit_log))
    with chart.installed(control_plane, tmp_path, *options) as installation:
        log = tmp_path / "operator.log"
        lease = f"--lease={installation.lease}"
        with OperatorProcess(installation.kubeconfig, served, log, lease, "--watch-check-period=1") as operator:
            lifecycle.live(namespace, node)
            _prune(namespace, node)
            _meet_a_name_that_is_taken(namespace, node)
            _meet_a_second_pod(control_plane, namespace, node)
            wait_for(
                "a renewal of the Lease",
                lambda: ("coordination.k8s.io", "leases", "update") in audit.used(audit.recorded(audit_log, before)),
            )
            assert operator.stop() == 0
        events = audit.recorded(audit_log, before)
        assert audit.refused(events) == set(), "used and not granted"
        assert granted(installation.objects) - audit.used(events) == set(), "granted and not used"
        if not everywhere:
            kinds = {o["kind"] for o in installation.objects}
            assert not kinds & {"ClusterRole", "ClusterRoleBinding"}


def _prune(namespace: Namespace, node: PlayedNode) -> None:
    """More finished runs than are kept: the oldest Job is deleted, when its name is not needed any more."""
    namespace.create_integration(status="ON", delay="1h", activityLimit=1)
    node.end(1)
    namespace.wait_ended(1)
    namespace.annotate(reset_requested_at="now")
    node.end(2)
    namespace.wait_ended(2)
    wait_for("one Job", lambda: len(namespace.jobs()) == 1)
    namespace.delete("tidegate.dev/v1alpha1", "SyncIntegration", NAME)
    wait_for("an end of it", lambda: not namespace.jobs())


def _meet_a_name_that_is_taken(namespace: Namespace, node: PlayedNode) -> None:
    """Only this makes the operator read a volume, and then the Job that it did not come to create."""
    uid = namespace.create_integration(status="OFF")["metadata"]["uid"]
    namespace.wait_phase("Off")
    name = names.cache_name(NAME, uid)
    taken = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    namespace.create_object(taken)
    namespace.patch(status="ON", delay="1h")
    namespace.wait_until("a word about it", lambda status: f"{name} exists" in status["message"])
    namespace.delete("v1", "PersistentVolumeClaim", name)
    node.end(1)
    assert namespace.wait_ended(1)["mark"] == "✓"


def _meet_a_second_pod(control_plane: Cluster, namespace: Namespace, node: PlayedNode) -> None:
    """Only this makes the operator evict a Pod."""
    namespace.annotate(sync_requested_at="2")
    namespace.wait_phase("Syncing")
    wait_for("a running Pod", lambda: [pod for pod in namespace.pods() if pod["status"]["phase"] == "Running"])
    with job_controller.standing_still(control_plane):
        second = job_controller.make_second_pod(namespace)["metadata"]["name"]
        wait_for("its end", lambda: namespace.find("v1", "Pod", second) is None)
    node.end(2)
    assert namespace.wait_ended(2)["mark"] == "✓"
