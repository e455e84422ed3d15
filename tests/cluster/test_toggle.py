"""The toggle, as its user sees it: ON, OFF, mode, delay, reset (design section 3)."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from cluster.namespace import Namespace, Object, condition, wait_for
from cluster.operator_process import OperatorProcess
from cluster.played_node import PlayedNode

pytestmark = pytest.mark.usefixtures("operator")


def environment(job: Object) -> dict[str, str]:
    """What the worker of a run is told."""
    (worker,) = job["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry["value"] for entry in worker["env"]}


def time_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


class TestOn:
    def test_starts_a_full_sync_and_shows_a_check_mark_at_its_end(self, namespace: Namespace, node: PlayedNode) -> None:
        namespace.create_integration(status="ON", delay="1h")
        status = namespace.wait_phase("Syncing")
        assert status["activity"] == "▶ run 1"
        assert status["message"] == "run 1 is in progress: full sync, pushing what has changed"
        assert condition(status, "Syncing")["status"] == "True"
        node.end(1, message='{"read": {"crm": 3}}')
        entry = namespace.wait_ended(1)
        assert (entry["mark"], entry["kind"], entry["report"]["read"]) == ("✓", "Full", {"crm": 3})
        status = namespace.wait_phase("Waiting")
        assert status["activity"] == "✓ run 1"
        assert status["activation"]["caughtUp"]
        assert condition(status, "Ready")["status"] == "True"
        assert condition(status, "Syncing")["status"] == "False"

    @pytest.mark.parametrize(("mode", "push"), [("PastAndFuture", "true"), ("FutureOnly", "false")])
    def test_the_mode_decides_whether_the_full_sync_pushes_and_later_runs_always_do(
        self, namespace: Namespace, node: PlayedNode, mode: str, push: str
    ) -> None:
        namespace.create_integration(status="ON", delay="0s", mode=mode)
        node.end(1)
        first, second = environment(namespace.job(1)), environment(namespace.job(2))
        assert (first["SYNC_SCOPE"], first["SYNC_PUSH"]) == ("full", push)
        assert (second["SYNC_SCOPE"], second["SYNC_PUSH"]) == ("changes", "true")

    def test_as_a_bare_yaml_boolean_is_shown_as_on(self, namespace: Namespace, node: PlayedNode) -> None:
        namespace.create_integration(status=True, delay="1h")
        assert namespace.wait_phase("Syncing")["declared"] == "ON"

    def test_a_changed_mode_is_announced_for_the_next_activation(self, namespace: Namespace, node: PlayedNode) -> None:
        namespace.create_integration(status="ON", delay="1h")
        node.end(1)
        namespace.wait_phase("Waiting")
        namespace.patch(mode="FutureOnly")
        status = namespace.wait_phase("Waiting")
        assert status["message"].endswith("; mode FutureOnly applies when it is next turned ON")
        assert status["activation"]["mode"] == "PastAndFuture"


class TestOff:
    def test_waits_for_the_running_run_without_touching_it(self, namespace: Namespace, node: PlayedNode) -> None:
        namespace.create_integration(status="ON", delay="0s")
        namespace.wait_phase("Syncing")
        before = namespace.job(1)
        wait_for("the Pod", namespace.pods)
        namespace.patch(status="OFF")
        status = namespace.wait_phase("TurningOff")
        assert status["message"] == "waiting for run 1 to finish before turning OFF"
        assert condition(status, "Syncing")["status"] == "True"
        assert namespace.job(1)["spec"] == before["spec"]
        assert "deletionTimestamp" not in namespace.pods()[0]["metadata"]
        node.end(1)
        status = namespace.wait_phase("Off")
        assert (status["activity"], status["message"]) == ("✓ run 1", "OFF: no sync is running")
        assert condition(status, "Ready")["status"] == "True"
        assert condition(status, "Syncing")["status"] == "False"
        assert "activation" not in status
        assert len(namespace.jobs()) == 1

    def test_between_two_runs_takes_effect_at_once(self, namespace: Namespace, node: PlayedNode) -> None:
        namespace.create_integration(status="ON", delay="1h")
        node.end(1)
        namespace.wait_phase("Waiting")
        namespace.patch(status="OFF")
        status = namespace.wait_phase("Off")
        assert "nextRunAt" not in status

    def test_reverted_in_time_changes_nothing(self, namespace: Namespace, node: PlayedNode) -> None:
        namespace.create_integration(status="ON", delay="1h")
        namespace.wait_phase("Syncing")
        namespace.patch(status="OFF")
        namespace.wait_phase("TurningOff")
        namespace.patch(status="ON")
        namespace.wait_phase("Syncing")
        node.end(1)
        status = namespace.wait_phase("Waiting")
        assert status["activation"]["number"] == 1

    def test_followed_by_on_starts_an_activation_with_the_declared_mode(
        self, namespace: Namespace, node: PlayedNode
    ) -> None:
        namespace.create_integration(status="ON", delay="1h")
        node.end(1)
        namespace.wait_phase("Waiting")
        namespace.patch(status="OFF")
        namespace.wait_phase("Off")
        namespace.patch(status="ON", mode="FutureOnly")
        told = environment(namespace.job(2))
        assert (told["SYNC_SCOPE"], told["SYNC_PUSH"]) == ("full", "false")
        assert namespace.status()["activation"]["number"] == 2


class TestDelay:
    def test_separates_the_end_of_a_run_from_the_start_of_the_next(
        self, namespace: Namespace, node: PlayedNode
    ) -> None:
        namespace.create_integration(status="ON", delay="2s")
        node.end(1)
        ended = time_of(namespace.wait_ended(1)["finishedAt"])
        begun = time_of(namespace.job(2)["metadata"]["creationTimestamp"])
        assert begun - ended >= timedelta(seconds=2)

    def test_when_shortened_applies_at_once(self, namespace: Namespace, node: PlayedNode) -> None:
        namespace.create_integration(status="ON", delay="1h")
        node.end(1)
        namespace.wait_phase("Waiting")
        namespace.patch(delay="0s")
        namespace.job(2)

    def test_is_skipped_once_by_a_request(self, namespace: Namespace, node: PlayedNode) -> None:
        namespace.create_integration(status="ON", delay="1h")
        node.end(1)
        namespace.wait_phase("Waiting")
        namespace.annotate(sync_requested_at="now")
        node.end(2)
        namespace.wait_ended(2)
        status = namespace.wait_phase("Waiting")
        assert status["handled"]["syncRequestedAt"] == "now"
        assert len(namespace.jobs()) == 2


class TestReset:
    def epochs(self, namespace: Namespace) -> list[str]:
        return [environment(job)["SYNC_CACHE_EPOCH"] for job in namespace.jobs()]

    def test_with_on_starts_a_cache_epoch_once(self, namespace: Namespace, node: PlayedNode) -> None:
        node.end_every_run()
        namespace.create_integration(status="ON", delay="1h")
        namespace.wait_ended(1)
        namespace.patch(status="OFF")
        namespace.wait_phase("Off")
        namespace.patch(status="ON", reset=True)
        namespace.wait_ended(2)
        namespace.annotate(sync_requested_at="now")
        namespace.wait_ended(3)
        assert self.epochs(namespace) == ["1", "2", "2"]

    def test_declared_while_on_waits_for_the_running_run(self, namespace: Namespace, node: PlayedNode) -> None:
        namespace.create_integration(status="ON", delay="1h")
        namespace.wait_phase("Syncing")
        namespace.patch(reset=True)
        status = namespace.wait_phase("Syncing")
        assert status["cacheEpoch"] == 1
        node.end(1)
        told = environment(namespace.job(2))
        assert (told["SYNC_CACHE_EPOCH"], told["SYNC_SCOPE"]) == ("2", "full")

    def test_requested_by_annotation_happens_once_and_is_acknowledged_in_the_status(
        self, namespace: Namespace, node: PlayedNode
    ) -> None:
        node.end_every_run()
        namespace.create_integration(status="ON", delay="1h")
        namespace.wait_ended(1)
        namespace.annotate(reset_requested_at="now")
        namespace.wait_ended(2)
        status = namespace.wait_phase("Waiting")
        assert status["handled"]["resetRequestedAt"] == "now"
        assert self.epochs(namespace) == ["1", "2"]


class TestAChangedSync:
    def test_applies_to_the_next_run_and_never_to_the_running_one(self, namespace: Namespace, node: PlayedNode) -> None:
        namespace.create_integration(status="ON", delay="0s", config={"table": "contact"})
        namespace.wait_phase("Syncing")
        before = namespace.job(1)["spec"]["template"]
        namespace.patch(config={"table": "person"})
        namespace.wait_phase("Syncing")
        assert namespace.job(1)["spec"]["template"] == before
        node.end(1)
        configuration = namespace.job(2)["spec"]["template"]["metadata"]["annotations"]["tidegate.dev/sync-config"]
        assert configuration == '{"table":"person"}'


def test_every_run_has_a_job_that_never_runs_two_pods(namespace: Namespace, node: PlayedNode) -> None:
    namespace.create_integration(status="ON", delay="1h")
    spec: dict[str, Any] = namespace.job(1)["spec"]
    assert (spec["parallelism"], spec["completions"]) == (1, 1)
    assert spec["podReplacementPolicy"] == "Failed"
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert spec["template"]["spec"]["automountServiceAccountToken"] is False


def test_events_report_what_happened(namespace: Namespace, node: PlayedNode, operator: OperatorProcess) -> None:
    namespace.create_integration(status="ON", delay="1h")
    node.end(1)
    namespace.wait_phase("Waiting")
    namespace.patch(status="OFF")
    namespace.wait_phase("Off")
    told = wait_for("three Events", lambda: namespace.events() if len(namespace.events()) >= 3 else None)
    assert {event["reason"] for event in told} == {"TurnedOn", "CaughtUp", "TurnedOff"}
