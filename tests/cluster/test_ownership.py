"""What belongs to an integration, and what does not (invariants I1, I7): names taken, strays, deletion, traces."""

from typing import Any

import pytest

from cluster.namespace import NAME, Namespace, Object, condition, wait_for
from cluster.operator_process import OperatorProcess
from cluster.played_node import PlayedNode
from tidegate.api import names


def foreign_job(name: str) -> Object:
    """A Job of somebody else's, who knows our labels."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "sync", "image": "registry.example/other:1"}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": {names.MANAGED_BY_LABEL: names.MANAGED_BY}},
        "spec": {"suspend": True, "template": {"spec": pod}},
    }


def create_before_the_operator(namespace: Namespace, **spec: Any) -> str:
    """An integration that no operator has seen; return its UID."""
    uid: str = namespace.create_integration(**spec)["metadata"]["uid"]
    return uid


def test_a_foreign_job_under_a_run_s_name_stalls_the_sync_and_is_left_alone(
    namespace: Namespace, node: PlayedNode, control_plane: object, request: pytest.FixtureRequest
) -> None:
    uid = create_before_the_operator(namespace, status="ON", delay="1h")
    taken = namespace.create_object(foreign_job(names.job_name(NAME, uid, 1)))
    request.getfixturevalue("operator")
    stalled = namespace.wait_condition("Stalled")
    assert stalled["reason"] == "JobRefused"
    assert "exists but does not belong to this SyncIntegration: delete or rename it" in stalled["message"]
    (left,) = namespace.objects("batch/v1", "Job")
    assert left["metadata"]["uid"] == taken["metadata"]["uid"]


def test_the_run_starts_when_the_name_is_free_again(
    namespace: Namespace, node: PlayedNode, request: pytest.FixtureRequest
) -> None:
    uid = create_before_the_operator(namespace, status="ON", delay="1h")
    taken = namespace.create_object(foreign_job(names.job_name(NAME, uid, 1)))
    request.getfixturevalue("operator")
    namespace.wait_condition("Stalled")
    namespace.delete("batch/v1", "Job", taken["metadata"]["name"])
    node.end(1)
    assert namespace.wait_ended(1)["mark"] == "✓"


def test_an_unfinished_job_of_the_sync_that_no_claim_names_is_adopted(
    namespace: Namespace, node: PlayedNode, operator: OperatorProcess
) -> None:
    namespace.create_integration(status="ON", delay="1h")
    namespace.wait_phase("Syncing")
    job = namespace.job(1)
    operator.kill()
    namespace.forge_status(None)
    assert namespace.status() == {}
    operator.start()
    status = namespace.wait_phase("Syncing")
    assert (status["run"]["number"], status["run"]["jobName"]) == (1, job["metadata"]["name"])
    node.end(1)
    namespace.wait_ended(1)
    assert namespace.jobs()[0]["metadata"]["uid"] == job["metadata"]["uid"]


def test_a_job_deleted_by_another_client_is_created_again_when_its_pod_has_ended(
    namespace: Namespace, node: PlayedNode, operator: OperatorProcess
) -> None:
    node.obeys_sigterm = False
    namespace.create_integration(status="ON", delay="1h")
    first = namespace.job(1)
    wait_for("a running Pod", lambda: [pod for pod in namespace.pods() if pod["status"]["phase"] == "Running"])
    namespace.delete("batch/v1", "Job", first["metadata"]["name"])
    wait_for("SIGTERM", lambda: [pod for pod in namespace.pods() if "deletionTimestamp" in pod["metadata"]])
    assert namespace.jobs() == []
    namespace.wait_until("its words", lambda status: status["message"].startswith("the Job of run 1 is gone"))
    node.obeys_sigterm = True
    second = namespace.job(1)
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    (told,) = wait_for("the Event", lambda: [e for e in namespace.events() if e["reason"] == "JobGone"])
    assert told["note"].endswith("creating it again")
    node.end(1)
    assert namespace.wait_ended(1)["mark"] == "✓"


def _run_that_is_orphaned(namespace: Namespace) -> str:
    """Start run 1 and delete its Job so that its Pod lives on; return the Pod's name."""
    namespace.create_integration(status="ON", delay="1h")
    job = namespace.job(1)["metadata"]
    wait_for("a running Pod", lambda: [pod for pod in namespace.pods() if pod["status"]["phase"] == "Running"])
    namespace.delete("batch/v1", "Job", job["name"], propagation="Orphan")
    (pod,) = wait_for("its Pod alone", lambda: namespace.pods() if not namespace.jobs() else None)
    wait_for("no owner", lambda: not namespace.pods()[0]["metadata"].get("ownerReferences"))
    assert pod["status"]["phase"] == "Running"
    name: str = pod["metadata"]["name"]
    return name


def test_a_deleted_job_is_not_created_again_beside_its_pod(
    namespace: Namespace, node: PlayedNode, operator: OperatorProcess
) -> None:
    pod = _run_that_is_orphaned(namespace)
    named = f"Pod {pod} is still running although its Job is gone; delete it if it does not terminate"
    namespace.wait_until("its name", lambda status: named in status["message"])
    assert namespace.jobs() == []
    node.end(1)
    node.end_every_run()
    assert namespace.wait_ended(1)["mark"] == "✓"


def test_off_is_not_honoured_while_the_pod_of_a_deleted_job_lives(
    namespace: Namespace, node: PlayedNode, operator: OperatorProcess
) -> None:
    pod = _run_that_is_orphaned(namespace)
    namespace.patch(status="OFF")
    named = f"waiting for run 1 to finish before turning OFF; Pod {pod} is still running although its Job is gone"
    status = namespace.wait_until("its name", lambda status: named in status["message"])
    assert (status["phase"], condition(status, "Syncing")["status"]) == ("TurningOff", "True")
    node.end(1)
    assert namespace.wait_phase("Off")["message"] == "OFF: no sync is running"


@pytest.mark.parametrize("switch", ["ON", "OFF"])
def test_a_run_that_succeeded_while_its_job_was_being_deleted_has_succeeded(
    namespace: Namespace, node: PlayedNode, operator: OperatorProcess, switch: str
) -> None:
    namespace.create_integration(status="ON", delay="1h")
    job = namespace.job(1)["metadata"]["name"]
    wait_for("a running Pod", lambda: [pod for pod in namespace.pods() if pod["status"]["phase"] == "Running"])
    namespace.set_finalizers("batch/v1", "Job", job, "example.com/keep")
    namespace.delete("batch/v1", "Job", job)
    namespace.patch(status=switch)
    node.end(1)
    assert namespace.wait_ended(1)["mark"] == "✓"
    status = namespace.wait_phase("Waiting" if switch == "ON" else "Off")
    assert [entry["run"] for entry in status["recentActivity"]] == [1]
    namespace.set_finalizers("batch/v1", "Job", job)
    wait_for("an end of its Job and Pod", lambda: not namespace.jobs() and not namespace.pods())
    assert "JobGone" not in [event["reason"] for event in namespace.events()]


def test_deleting_the_resource_without_an_operator_deletes_its_jobs_and_cache(
    namespace: Namespace, node: PlayedNode, operator: OperatorProcess
) -> None:
    namespace.create_integration(status="ON", delay="1h")
    wait_for("a running Pod", lambda: [pod for pod in namespace.pods() if pod["status"]["phase"] == "Running"])
    operator.kill()
    namespace.delete("tidegate.dev/v1alpha1", "SyncIntegration", NAME)
    assert namespace.find("tidegate.dev/v1alpha1", "SyncIntegration", NAME) is None
    wait_for("an end of its Jobs and Pods", lambda: not namespace.jobs() and not namespace.pods())
    assert namespace.objects("v1", "PersistentVolumeClaim") == []


def test_a_recreated_resource_does_not_get_its_predecessor_s_job_or_cache(
    namespace: Namespace, node: PlayedNode, operator: OperatorProcess
) -> None:
    node.obeys_sigterm = False  # the old run takes its time to end
    namespace.create_integration(status="ON", delay="1h")
    wait_for("a running Pod", lambda: [pod for pod in namespace.pods() if pod["status"]["phase"] == "Running"])
    old = namespace.job(1)
    namespace.delete("tidegate.dev/v1alpha1", "SyncIntegration", NAME)
    namespace.create_integration(status="ON", delay="1h")
    new = wait_for("a Job of its own", lambda: _other(namespace, old))
    assert new["metadata"]["name"] != old["metadata"]["name"]
    claims = {claim["metadata"]["name"] for claim in namespace.objects("v1", "PersistentVolumeClaim")}
    mounted = {
        volume["persistentVolumeClaim"]["claimName"]
        for volume in new["spec"]["template"]["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert mounted <= claims
    assert not mounted & {
        volume.get("persistentVolumeClaim", {}).get("claimName")
        for volume in old["spec"]["template"]["spec"]["volumes"]
    }


def _other(namespace: Namespace, old: Object) -> Object | None:
    return next((job for job in namespace.jobs() if job["metadata"]["uid"] != old["metadata"]["uid"]), None)


def test_the_operator_writes_only_the_status_of_the_resource(
    namespace: Namespace, node: PlayedNode, operator: OperatorProcess
) -> None:
    created = namespace.create_integration(status="ON", delay="1h")
    node.end(1)
    namespace.wait_ended(1)
    now = namespace.integration()
    assert now["spec"] == created["spec"]
    assert not now["metadata"].keys() & {"annotations", "finalizers", "labels", "ownerReferences"}
    managers = {entry["manager"]: entry.get("subresource") for entry in now["metadata"]["managedFields"]}
    assert managers["tidegate"] == "status"


def test_finished_jobs_beyond_the_limit_are_deleted_and_the_newest_is_kept(
    namespace: Namespace, node: PlayedNode, operator: OperatorProcess
) -> None:
    node.end_every_run()
    namespace.create_integration(status="ON", delay="0s", activityLimit=2)
    status = namespace.wait_until("five runs", lambda status: status.get("lastRun", {}).get("number", 0) >= 5)
    assert len(status["recentActivity"]) == 2
    namespace.patch(status="OFF")
    status = namespace.wait_phase("Off")
    newest = status["lastRun"]["number"]
    wait_for("two Jobs", lambda: len(namespace.jobs()) == 2)
    assert [int(job["metadata"]["labels"][names.RUN_LABEL]) for job in namespace.jobs()] == [newest - 1, newest]
    assert condition(status, "Ready")["status"] == "True"
