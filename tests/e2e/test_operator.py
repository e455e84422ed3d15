"""What only a real cluster shows: admission of Pods, garbage collection, the operator's rights, a worker's words."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from demo import installation
from demo.kubectl import Kubectl
from devcluster.front import DevelopmentCluster
from e2e.conftest import PATIENCE

# A worker of somebody's own that reports a read record and ends.
SUCCEED = """
import json, os
open("/dev/termination-log", "w").write(json.dumps({"outcome": "complete", "read": {"crm": 1}}))
"""
UNTIL_TOLD = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
signal.sigwait([signal.SIGTERM])
"""


CARRIER_PIGEON = {"connectors": {"crm": {"type": "carrier-pigeon"}, "erp": {"type": "sql"}}, "objects": []}


def integration(script: str, **spec: Any) -> str:
    """A SyncIntegration whose worker runs a Python script."""
    worker = {"name": "sync", "image": "tidegate-worker:dev", "command": ["python3", "-c", script]}
    return json.dumps(
        {
            "apiVersion": "tidegate.dev/v1alpha1",
            "kind": "SyncIntegration",
            "metadata": {"name": "contacts"},
            "spec": {"status": "ON", "template": {"spec": {"containers": [worker]}}, **spec},
        }
    )


def wait(kubectl: Kubectl, *condition: str) -> None:
    """`kubectl wait`, with the resource's status in the error."""
    try:
        kubectl.run("wait", *condition, PATIENCE)
    except Exception as error:
        error.add_note(kubectl.run("describe", "sync"))
        error.add_note(kubectl.run("get", "events,pods"))
        raise


def test_a_namespace_of_restricted_pods_admits_a_run(namespace: Kubectl) -> None:
    namespace.run("create", "--filename=-", text=integration(SUCCEED))
    wait(namespace, "sync/contacts", "--for=condition=Ready")
    entry = namespace.get("sync", "contacts")["status"]["recentActivity"][0]
    assert (entry["summary"], entry["report"]["read"]) == ("✓ run 1", {"crm": 1})


def test_the_operator_never_changes_the_resource_s_metadata(namespace: Kubectl) -> None:
    namespace.run("create", "--filename=-", text=integration(SUCCEED))
    wait(namespace, "sync/contacts", "--for=condition=Ready")
    metadata = namespace.get("sync", "contacts")["metadata"]
    assert not metadata.keys() & {"finalizers", "labels", "annotations", "ownerReferences"}


def test_a_configuration_error_shows_the_worker_s_own_reason(namespace: Kubectl) -> None:
    manifest = json.loads(integration(SUCCEED, config=CARRIER_PIGEON))
    del manifest["spec"]["template"]  # the built-in worker
    namespace.run("create", "--filename=-", text=json.dumps(manifest))
    wait(namespace, "sync/contacts", "--for=condition=Stalled")
    status = namespace.get("sync", "contacts")["status"]
    stalled = next(condition for condition in status["conditions"] if condition["type"] == "Stalled")
    assert stalled["reason"] == "ConfigurationError"
    assert "carrier-pigeon" in stalled["message"]
    assert status["recentActivity"][0]["mark"] == "✗"
    assert len(namespace.get("pods")["items"]) == 1, "a configuration error is not retried"


@pytest.fixture
def operators_come_back(cluster: DevelopmentCluster, namespace: Kubectl) -> Iterator[None]:
    """However the test ends."""
    yield
    deployment = [f"--namespace={installation.NAMESPACE}", "deployment/tidegate"]
    namespace.run("scale", *deployment, "--replicas=2")
    namespace.run("rollout", "status", *deployment, PATIENCE)


def end_all_operators(kubectl: Kubectl) -> None:
    """So that none of them misses the rights that the next ones do not have."""
    elsewhere = f"--namespace={installation.NAMESPACE}"
    kubectl.run("scale", elsewhere, "deployment/tidegate", "--replicas=0")
    kubectl.run("wait", elsewhere, "pod", "--selector=app.kubernetes.io/name=tidegate", "--for=delete", PATIENCE)


@pytest.mark.usefixtures("operators_come_back")
def test_deleting_the_resource_needs_no_operator(namespace: Kubectl) -> None:
    namespace.run("create", "--filename=-", text=integration(UNTIL_TOLD))
    pods = "--selector=app.kubernetes.io/managed-by=tidegate"
    wait(namespace, "sync/contacts", "--for=jsonpath={.status.phase}=Syncing")
    wait(namespace, "pod", pods, "--for=create")
    wait(namespace, "pod", pods, "--for=condition=Ready")
    end_all_operators(namespace)
    namespace.run("delete", "sync", "contacts", PATIENCE)
    for kind in ("job", "pod", "persistentvolumeclaim"):
        namespace.run("wait", kind, pods, "--for=delete", PATIENCE)
        assert namespace.get(kind)["items"] == []


def test_rights_in_the_served_namespaces_are_enough(cluster: DevelopmentCluster, namespace: Kubectl) -> None:
    only = ("--set", f"namespaces={{{namespace.namespace}}}", "--set", "rbac.aggregate=false")
    end_all_operators(namespace)
    try:
        installation.install_chart(cluster.kubeconfig, *only)
        namespace.run("create", "--filename=-", text=integration(SUCCEED))
        wait(namespace, "sync/contacts", "--for=condition=Ready")
        elsewhere = ["auth", "can-i", "list", "jobs", "--namespace=default"]
        user = f"--as=system:serviceaccount:{installation.NAMESPACE}:tidegate"
        with pytest.raises(Exception, match="auth can-i"):
            namespace.run(*elsewhere, user)
    finally:
        end_all_operators(namespace)
        installation.install_chart(cluster.kubeconfig)
