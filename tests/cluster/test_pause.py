"""OFF with PauseRun: the run is paused, and the next ON picks up where it left off (invariant I3)."""

import pytest
import yaml

from cluster.namespace import Namespace, Object, condition, wait_for
from cluster.played_node import PlayedNode
from documentation.pages import Page

pytestmark = pytest.mark.usefixtures("operator")


def pause(namespace: Namespace) -> None:
    """A first run, paused in the middle."""
    namespace.create_integration(status="ON", delay="1h", offPolicy="PauseRun")
    wait_for("a running Pod", lambda: [pod for pod in namespace.pods() if pod["status"]["phase"] == "Running"])
    namespace.patch(status="OFF")
    namespace.wait_phase("Paused")


def test_off_suspends_the_run_and_reports_it(namespace: Namespace, node: PlayedNode) -> None:
    pause(namespace)
    status = namespace.status()
    assert namespace.job(1)["spec"]["suspend"] is True
    assert status["activity"] == "⏸ run 1"
    assert status["message"] == "run 1 is paused; turning ON continues it where it left off"
    assert condition(status, "Syncing")["status"] == "False"
    assert condition(status, "Ready")["status"] == "True"


def test_the_phase_is_not_paused_before_the_pod_has_ended(namespace: Namespace, node: PlayedNode) -> None:
    node.obeys_sigterm = False
    namespace.create_integration(status="ON", delay="1h", offPolicy="PauseRun")
    wait_for("a running Pod", lambda: [pod for pod in namespace.pods() if pod["status"]["phase"] == "Running"])
    namespace.patch(status="OFF")
    wait_for("SIGTERM", lambda: [pod for pod in namespace.pods() if "deletionTimestamp" in pod["metadata"]])
    status = namespace.wait_phase("TurningOff")
    assert status["message"] == "waiting for run 1 to pause before turning OFF"
    node.obeys_sigterm = True
    namespace.wait_phase("Paused")


def test_on_continues_the_same_job(namespace: Namespace, node: PlayedNode) -> None:
    pause(namespace)
    uid = namespace.job(1)["metadata"]["uid"]
    namespace.patch(status="ON")
    namespace.wait_phase("Syncing")
    node.end(1)
    entry = namespace.wait_ended(1)
    assert entry["mark"] == "✓"
    assert [(job["metadata"]["uid"], job["spec"]["suspend"]) for job in namespace.jobs()] == [(uid, False)]
    assert [entry["run"] for entry in namespace.status()["recentActivity"]] == [1]


def test_on_with_reset_cancels_the_paused_run_and_starts_an_activation(namespace: Namespace, node: PlayedNode) -> None:
    pause(namespace)
    namespace.patch(status="ON", reset=True)
    node.end(2)
    namespace.wait_ended(2)
    status = namespace.status()
    assert [(entry["run"], entry["outcome"]) for entry in status["recentActivity"]] == [
        (2, "Succeeded"),
        (1, "Cancelled"),
    ]
    assert status["cacheEpoch"] == 2


@pytest.mark.parametrize(("exit_code", "mark"), [(0, "✓"), (2, "✗"), (3, "✗"), (4, "✗")])
def test_a_run_whose_worker_ends_for_good_while_it_is_suspended_counts_as_finished(
    namespace: Namespace, node: PlayedNode, exit_code: int, mark: str
) -> None:
    node.obeys_sigterm = False
    namespace.create_integration(status="ON", delay="1h", offPolicy="PauseRun")
    wait_for("a running Pod", lambda: [pod for pod in namespace.pods() if pod["status"]["phase"] == "Running"])
    namespace.patch(status="OFF")
    wait_for("SIGTERM", lambda: [pod for pod in namespace.pods() if "deletionTimestamp" in pod["metadata"]])
    node.end(1, exit_code)
    status = namespace.wait_phase("Off")
    assert [(entry["run"], entry["mark"]) for entry in status["recentActivity"]] == [(1, mark)]
    assert "Paused" not in [event["reason"] for event in namespace.events()]


@pytest.fixture
def queued() -> Object:
    """The Pod template of docs/how-to.md that names a queue."""
    (block,) = Page.read("docs/how-to.md").section("Let Kueue decide when runs start").blocks("yaml")
    found: Object = yaml.safe_load(block)["spec"]["template"]
    return found


def suspend(namespace: Namespace, run: int, *, held: bool) -> None:
    """What a queueing controller does to a Job, under a name of its own."""
    jobs = namespace.client.resources.get(api_version="batch/v1", kind="Job")
    body = {"spec": {"suspend": held}}
    name = namespace.job(run)["metadata"]["name"]
    jobs.patch(
        name=name,
        namespace=namespace.name,
        body=body,
        content_type="application/merge-patch+json",
        field_manager="queueing",
    )


def test_a_job_that_another_controller_suspended_is_not_resumed(
    namespace: Namespace, node: PlayedNode, queued: Object
) -> None:
    node.starts_pods = False
    namespace.create_integration(status="ON", delay="1h", template=queued)
    assert namespace.job(1)["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "sales"
    suspend(namespace, 1, held=True)
    status = namespace.wait_until("the holder", lambda status: "is suspended by" in status["message"])
    assert status["message"] == "run 1 cannot start yet: its Job is suspended by Kueue, in the queue sales"
    assert (status["phase"], condition(status, "Ready")["reason"]) == ("Waiting", "JobHeld")
    node.starts_pods = True
    suspend(namespace, 1, held=False)
    node.end(1)
    assert namespace.wait_ended(1)["mark"] == "✓"
    assert [event["type"] for event in namespace.events() if event["reason"] == "JobHeld"] == ["Normal"]


def test_off_cancels_a_run_that_another_controller_never_started(namespace: Namespace, node: PlayedNode) -> None:
    node.starts_pods = False
    namespace.create_integration(status="ON", delay="1h")
    namespace.job(1)
    suspend(namespace, 1, held=True)
    status = namespace.wait_until("the holder", lambda status: "is suspended by" in status["message"])
    assert status["message"].endswith("its Job is suspended by queueing")
    namespace.patch(status="OFF")
    namespace.wait_phase("Off")
    assert namespace.jobs() == []
