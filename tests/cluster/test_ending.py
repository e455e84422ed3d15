"""Pods that do not end: a sidecar that outlives the worker, and a node that is lost."""

import pytest

from cluster.namespace import Namespace, condition, wait_for
from cluster.operator_process import OperatorProcess
from cluster.played_node import PlayedNode

PROXY = {"spec": {"containers": [{"name": "proxy", "image": "registry.example/proxy:1"}]}}


@pytest.mark.parametrize(("exit_code", "mark"), [(0, "✓"), (3, "✗")])
def test_the_worker_container_s_exit_code_decides_a_run_that_a_sidecar_keeps_alive(
    namespace: Namespace, node: PlayedNode, operator: OperatorProcess, exit_code: int, mark: str
) -> None:
    node.sidecars_end_with_the_worker = False
    namespace.create_integration(status="ON", delay="1h", template=PROXY)
    node.end(1, exit_code)
    entry = namespace.wait_ended(1)
    assert entry["mark"] == mark
    (told,) = wait_for("the Event", lambda: [e for e in namespace.events() if e["reason"] == "SidecarStopped"])
    assert "but proxy kept Pod" in told["note"]
    wait_for("the end of its Pod and Job", lambda: not namespace.pods() and not namespace.jobs())
    namespace.patch(status="OFF")
    status = namespace.wait_phase("Off")
    assert [(entry["run"], entry["mark"]) for entry in status["recentActivity"]] == [(1, mark)]


def test_off_does_not_wait_for_a_sidecar(namespace: Namespace, node: PlayedNode, operator: OperatorProcess) -> None:
    node.sidecars_end_with_the_worker = False
    namespace.create_integration(status="ON", delay="1h", template=PROXY)
    wait_for("a running Pod", lambda: [pod for pod in namespace.pods() if pod["status"]["phase"] == "Running"])
    namespace.patch(status="OFF")
    namespace.wait_phase("TurningOff")
    node.end(1)
    status = namespace.wait_phase("Off")
    assert (status["message"], status["recentActivity"][0]["mark"]) == ("OFF: no sync is running", "✓")
    assert namespace.pods() == []


def test_a_pod_on_a_lost_node_is_named_with_what_to_do(
    namespace: Namespace, node: PlayedNode, operator: OperatorProcess
) -> None:
    node.obeys_sigterm = False
    namespace.create_integration(status="ON", delay="1h", template={"spec": {"terminationGracePeriodSeconds": 1}})
    wait_for("a running Pod", lambda: [pod for pod in namespace.pods() if pod["status"]["phase"] == "Running"])
    (pod,) = namespace.pods()
    name = pod["metadata"]["name"]
    namespace.delete("v1", "Pod", name)
    status = namespace.wait_until("its name", lambda status: f"Pod {name} on node played" in status["message"])
    assert status["message"].endswith(f"kubectl delete pod {name} -n {namespace.name} --force")
    assert (condition(status, "Ready")["status"], condition(status, "Ready")["reason"]) == ("False", "PodDoesNotEnd")
    (told,) = wait_for("the Event", lambda: [e for e in namespace.events() if e["reason"] == "PodDoesNotEnd"])
    assert told["type"] == "Warning"
    node.obeys_sigterm = True
    namespace.wait_until("another Pod", lambda status: condition(status, "Ready")["reason"] != "PodDoesNotEnd")
    node.end(1)
    assert namespace.wait_ended(1)["mark"] == "✓"
