"""OFF with PauseRun: the run is paused, and the next ON picks up where it left off (invariant I3)."""

import pytest

from cluster.namespace import Namespace, condition, wait_for
from cluster.played_node import PlayedNode

pytestmark = pytest.mark.usefixtures("operator")


def pause(namespace: Namespace) -> None:
    """A first run, paused in the middle."""
    namespace.create_integration(status="ON", delay="1h", offPolicy="PauseRun")
    wait_for("a running Pod", lambda: [pod for pod in namespace.pods() if pod["status"]["phase"] == "Running"])
    namespace.patch(status="OFF")
    namespace.wait_phase("Paused")


def test_off_suspends_the_run_and_says_so(namespace: Namespace, node: PlayedNode) -> None:
    pause(namespace)
    status = namespace.status()
    assert namespace.job(1)["spec"]["suspend"] is True
    assert status["activity"] == "⏸ run 1"
    assert status["message"] == "run 1 is paused; turning ON continues it where it left off"
    assert condition(status, "Syncing")["status"] == "False"
    assert condition(status, "Ready")["status"] == "True"


def test_it_is_not_called_paused_before_its_pod_has_ended(namespace: Namespace, node: PlayedNode) -> None:
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


def test_on_with_reset_gives_up_the_paused_run_and_begins_anew(namespace: Namespace, node: PlayedNode) -> None:
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


def test_a_run_that_ends_while_it_is_being_paused_has_ended(namespace: Namespace, node: PlayedNode) -> None:
    node.obeys_sigterm = False
    namespace.create_integration(status="ON", delay="1h", offPolicy="PauseRun")
    wait_for("a running Pod", lambda: [pod for pod in namespace.pods() if pod["status"]["phase"] == "Running"])
    namespace.patch(status="OFF")
    wait_for("SIGTERM", lambda: [pod for pod in namespace.pods() if "deletionTimestamp" in pod["metadata"]])
    node.end(1, exit_code=0)
    status = namespace.wait_until("an honoured OFF", lambda status: status["phase"] in ("Off", "Paused"))
    assert status["recentActivity"][0]["run"] == 1
