"""A plan, as its user requests it: in which phases it is made, what it waits for, and what it gives way to."""

import json

import pytest

from cluster.namespace import Namespace, Object, condition, wait_for
from cluster.played_node import PlayedNode

pytestmark = pytest.mark.usefixtures("operator")

SIDES = [{"object": "contact", "connector": "crm", "create": 1204, "update": 0, "delete": 0, "setAside": 24}]
FOUND = json.dumps({"plan": {"first": False, "sides": SIDES, "wouldHalt": []}})
REQUEST = "tidegate.dev/plan-requested-at"


def request(namespace: Namespace, value: str = "now") -> None:
    namespace.annotate(plan_requested_at=value)


def wait_planned(namespace: Namespace, value: str = "now") -> Object:
    """The plan that answers this request."""
    status = namespace.wait_until("the plan", lambda status: status.get("plan", {}).get("requestedAt") == value)
    plan: Object = status["plan"]
    return plan


def wait_claimed(namespace: Namespace, run: int) -> Object:
    return namespace.wait_until("the plan's claim", lambda status: status.get("run", {}).get("number") == run)


def is_off(namespace: Namespace) -> None:
    namespace.create_integration(status="ON", delay="1h")
    namespace.wait_phase("Syncing")
    namespace.patch(status="OFF")


def test_while_off_the_phase_stays_off_and_the_status_has_the_result(namespace: Namespace, node: PlayedNode) -> None:
    is_off(namespace)
    node.end(1)
    namespace.wait_phase("Off")
    before = namespace.status()
    request(namespace)
    status = wait_claimed(namespace, 2)
    assert (status["phase"], status["run"]["kind"]) == ("Off", "Plan")
    assert status["message"] == "OFF: no sync is running; run 2 plans what a full sync would do"
    assert (condition(status, "Syncing")["status"], condition(status, "Ready")["status"]) == ("False", "True")
    node.end(2, message=FOUND)
    plan = wait_planned(namespace)
    assert (plan["run"], plan["outcome"], plan["sides"]) == (2, "Succeeded", SIDES)
    status = namespace.status()
    assert (status["lastRun"], status["activity"]) == (before["lastRun"], "✓ run 1")
    assert [entry["kind"] for entry in status["recentActivity"]] == ["Plan", "Full"]


def test_of_a_sync_that_has_never_run_no_volume_is_created(namespace: Namespace, node: PlayedNode) -> None:
    namespace.create_integration(status="OFF", annotations={REQUEST: "now"})
    node.end(1, message=FOUND)
    assert wait_planned(namespace)["first"] is True
    assert namespace.objects("v1", "PersistentVolumeClaim") == []


def test_while_waiting_it_is_made_beside_the_delay_and_off_is_honoured_at_once(
    namespace: Namespace, node: PlayedNode
) -> None:
    namespace.create_integration(status="ON", delay="1h")
    node.end(1)
    namespace.wait_phase("Waiting")
    request(namespace)
    status = wait_claimed(namespace, 2)
    assert (status["phase"], condition(status, "Syncing")["status"]) == ("Waiting", "False")
    assert status["nextRunAt"]
    uid = namespace.job(2)["metadata"]["uid"]
    namespace.patch(status="OFF", offPolicy="PauseRun")
    status = namespace.wait_phase("Off")
    assert status["run"]["number"] == 2
    assert not namespace.job(2)["spec"].get("suspend")
    node.end(2, message=FOUND)
    assert wait_planned(namespace)["outcome"] == "Succeeded"
    assert namespace.job(2)["metadata"]["uid"] == uid


def test_a_plan_waits_while_a_run_is_in_progress_and_reports_it(namespace: Namespace, node: PlayedNode) -> None:
    namespace.create_integration(status="ON", delay="1h", annotations={REQUEST: "now"})
    status = namespace.wait_phase("Syncing")
    assert status["message"].endswith("; the requested plan follows when run 1 has ended")
    node.end(2, message=FOUND)
    node.end(1)
    assert wait_planned(namespace)["run"] == 2


def test_while_a_run_is_paused_it_waits_until_that_has_ended(namespace: Namespace, node: PlayedNode) -> None:
    namespace.create_integration(status="ON", delay="1h", offPolicy="PauseRun")
    wait_for("a running Pod", lambda: [pod for pod in namespace.pods() if pod["status"]["phase"] == "Running"])
    namespace.patch(status="OFF")
    namespace.wait_phase("Paused")
    request(namespace)
    waits = "the requested plan waits until run 1 has been resumed and has ended"
    namespace.wait_until("the words", lambda status: waits in status["message"])
    node.end(1)
    node.end(2, message=FOUND)
    namespace.patch(status="ON")
    assert wait_planned(namespace)["run"] == 2


@pytest.mark.parametrize("reset", [False, True])
def test_a_new_activation_ends_the_plan_first(namespace: Namespace, node: PlayedNode, reset: bool) -> None:
    namespace.create_integration(status="OFF", annotations={REQUEST: "now"})
    wait_for("a running Pod", lambda: [pod for pod in namespace.pods() if pod["status"]["phase"] == "Running"])
    namespace.patch(status="ON", reset=reset)
    plan = wait_planned(namespace)
    assert plan["outcome"] == "Cancelled"
    assert plan["reason"].startswith("a plan gives way to a new activation")
    node.end(2)
    entry = namespace.wait_ended(2)
    assert (entry["mark"], entry["kind"]) == ("✓", "Full")
    assert [job["metadata"]["labels"]["tidegate.dev/run"] for job in namespace.jobs()] == ["2"]


def test_a_reset_during_a_plan_ends_it_first(namespace: Namespace, node: PlayedNode) -> None:
    namespace.create_integration(status="ON", delay="1h")
    node.end(1)
    namespace.wait_phase("Waiting")
    request(namespace)
    wait_claimed(namespace, 2)
    namespace.annotate(reset_requested_at="now")
    assert wait_planned(namespace)["outcome"] == "Cancelled"
    node.end(3)
    namespace.wait_ended(3)
    assert namespace.status()["activation"]["reset"] is True


def test_a_worker_that_does_not_say_that_it_can_plan_is_not_asked(namespace: Namespace, node: PlayedNode) -> None:
    container = {"name": "sync", "image": "registry.example/mine:1"}
    namespace.create_integration(
        status="OFF", template={"spec": {"containers": [container]}}, annotations={REQUEST: "now"}
    )
    plan = wait_planned(namespace)
    assert plan["outcome"] == "ConfigurationError"
    assert 'tidegate.dev/worker-plans: "true"' in plan["reason"]
    assert namespace.jobs() == []
    wait_for("the Event", lambda: [event for event in namespace.events() if event["reason"] == "PlanRefused"])
