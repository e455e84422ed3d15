"""Runs that do not succeed: retried where that may help, `Stalled` with the worker's own words where it cannot."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cluster.namespace import Namespace, condition, wait_for
from cluster.played_node import Ending, PlayedNode

pytestmark = pytest.mark.usefixtures("operator")


def test_a_failed_run_is_retried_as_the_same_kind(namespace: Namespace, node: PlayedNode) -> None:
    namespace.create_integration(status="ON", delay="0s", mode="FutureOnly", retries=0)
    node.end(1, exit_code=1, message="connection refused")
    entry = namespace.wait_ended(1)
    assert (entry["mark"], entry["outcome"], entry["report"]["reason"]) == ("✗", "Failed", "connection refused")
    status = namespace.wait_phase("Waiting")
    assert status["message"].startswith("run 1 failed: connection refused; retrying at ")
    assert condition(status, "Ready")["status"] == "False"
    assert condition(status, "Reconciling")["status"] == "True"
    namespace.annotate(sync_requested_at="now")
    assert namespace.job(2)["metadata"]["annotations"]["tidegate.dev/run-kind"] == "Full"
    assert namespace.job(2)["metadata"]["annotations"]["tidegate.dev/run-push"] == "false"


def test_a_pod_that_fails_is_replaced_within_the_run(namespace: Namespace, node: PlayedNode) -> None:
    namespace.create_integration(status="ON", delay="1h", retries=1)
    node.end(1, exit_code=1)
    wait_for("a second Pod", lambda: len(namespace.pods()) == 2)
    node.end(1)
    assert namespace.wait_ended(1)["mark"] == "✓"
    assert len(namespace.jobs()) == 1


@pytest.mark.parametrize(
    ("exit_code", "outcome", "what_helps"),
    [
        (
            2,
            "ConfigurationError",
            "fix spec.sync or spec.template to retry at once, or `kubectl sync run contacts` if ",
        ),
        (3, "Halted", "approve it with `kubectl sync approve contacts --run 1` or the annotation tidegate.dev/approve"),
        (4, "CacheUnusable", "reset the sync to start with a new cache"),
    ],
)
def test_a_permanent_failure_stalls_at_once_with_the_worker_s_reason(
    namespace: Namespace, node: PlayedNode, exit_code: int, outcome: str, what_helps: str
) -> None:
    namespace.create_integration(status="ON", delay="0s")
    node.end(1, exit_code, json.dumps({"reason": "the worker's own words"}))
    stalled = namespace.wait_condition("Stalled")
    assert stalled["reason"] == outcome
    assert stalled["message"].startswith(f"run 1 stopped: the worker's own words; {what_helps}")
    assert len(namespace.pods()) == 1


@contextmanager
def failing_webhook(namespace: Namespace) -> Iterator[None]:
    """An admission webhook on Jobs that cannot be reached, which the API server answers with 500."""
    kind = namespace.client.resources.get(
        api_version="admissionregistration.k8s.io/v1", kind="ValidatingWebhookConfiguration"
    )
    rule = {"apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["jobs"]}
    here = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [namespace.name]}
    webhook = {
        "name": "unreachable.tidegate.example",
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "rules": [rule],
        "namespaceSelector": {"matchExpressions": [here]},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    kind.create(body={"metadata": {"name": namespace.name}, "webhooks": [webhook]})
    try:
        yield
    finally:
        kind.delete(name=namespace.name)


def test_a_failing_webhook_is_reported_with_the_api_server_s_message(namespace: Namespace, node: PlayedNode) -> None:
    with failing_webhook(namespace):
        namespace.create_integration(status="ON", delay="1h")
        status = namespace.wait_until("the refusal", lambda status: "failed calling webhook" in status["message"])
        assert (status["phase"], condition(status, "Ready")["reason"]) == ("Waiting", "JobRefused")
        assert namespace.jobs() == []
        wait_for("an Event", lambda: [e for e in namespace.events() if e["reason"] == "JobRefused"])
    namespace.annotate(sync_requested_at="now")
    node.end(1)
    assert namespace.wait_ended(1)["mark"] == "✓"


def test_finished_jobs_of_a_sync_do_not_use_up_a_job_quota(namespace: Namespace, node: PlayedNode) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "jobs"}}
    namespace.create_object({**quota, "spec": {"hard": {"count/jobs.batch": "1"}}})
    namespace.create_integration(status="ON", delay="1s")
    node.end_every_run()
    assert namespace.wait_ended(3)["mark"] == "✓"


def test_a_fixed_configuration_is_retried_at_once(namespace: Namespace, node: PlayedNode) -> None:
    namespace.create_integration(status="ON", delay="1h", config={"connectors": "wrong"})
    node.end(1, exit_code=2)
    namespace.wait_condition("Stalled")
    namespace.patch(config={"connectors": "right"})
    node.end(2)
    assert namespace.wait_ended(2)["mark"] == "✓"
    assert condition(namespace.status(), "Stalled")["status"] == "False"


def test_a_run_that_exceeds_its_time_limit_fails(namespace: Namespace, node: PlayedNode) -> None:
    namespace.create_integration(status="ON", delay="1h", runTimeout="1s")
    entry = namespace.wait_ended(1)
    assert (entry["outcome"], entry["mark"]) == ("TimedOut", "✗")


def test_an_unschedulable_pod_is_explained_with_the_scheduler_s_message(namespace: Namespace, node: PlayedNode) -> None:
    node.starts_pods = False
    namespace.create_integration(status="ON", delay="1h")
    status = namespace.wait_until("the scheduler's message", lambda status: "Unschedulable" in status["message"])
    assert status["message"].startswith("run 1 cannot start: Unschedulable: 0/1 nodes are available")
    assert (status["phase"], condition(status, "Ready")["reason"]) == ("Waiting", "PodCannotStart")
    events = wait_for("an Event", lambda: [e for e in namespace.events() if e["reason"] == "PodCannotStart"])
    assert {event["type"] for event in events} == {"Warning"}
    node.starts_pods = True
    namespace.wait_phase("Syncing")
    node.end(1)
    assert namespace.wait_ended(1)["mark"] == "✓"


def test_off_cancels_a_run_whose_worker_never_started(namespace: Namespace, node: PlayedNode) -> None:
    node.starts_pods = False
    namespace.create_integration(status="ON", delay="1h")
    namespace.wait_condition("Reconciling")
    namespace.wait_phase("Waiting")
    namespace.patch(status="OFF")
    status = namespace.wait_phase("Off")
    assert (status["recentActivity"][0]["run"], status["recentActivity"][0]["outcome"]) == (1, "Cancelled")
    assert namespace.jobs() == []
    assert namespace.pods() == []


def test_a_run_without_a_pod_is_reported_and_ends_with_a_fix(namespace: Namespace, node: PlayedNode) -> None:
    namespace.create_integration(status="ON", delay="1h", template={"spec": {"serviceAccountName": "nobody"}})
    status = namespace.wait_until("an explanation", lambda status: "its Job has no Pod" in status["message"])
    assert status["phase"] == "Waiting"
    assert "its Job has no Pod, see `kubectl describe job " in status["message"]
    namespace.patch(template={"spec": {"serviceAccountName": "default"}})
    node.end(2)
    assert namespace.wait_ended(2)["mark"] == "✓"
    assert [entry["outcome"] for entry in namespace.status()["recentActivity"]] == ["Succeeded", "Cancelled"]


def test_off_waits_for_a_run_whose_worker_has_started_and_says_how_to_pause_it(
    namespace: Namespace, node: PlayedNode
) -> None:
    namespace.create_integration(status="ON", delay="1h")
    namespace.wait_phase("Syncing")
    (pod,) = wait_for(
        "its Pod to run", lambda: [pod for pod in namespace.pods() if pod["status"]["phase"] == "Running"]
    )
    node.starts_pods = False
    namespace.delete("v1", "Pod", pod["metadata"]["name"])
    namespace.patch(status="OFF")
    status = namespace.wait_until("an explanation", lambda status: "it cannot start again" in status["message"])
    assert status["phase"] == "TurningOff"
    assert status["message"].endswith("; offPolicy PauseRun pauses it instead")
    namespace.patch(offPolicy="PauseRun")
    namespace.wait_phase("Paused")


def test_hostile_text_of_a_worker_is_shown_inert(namespace: Namespace, node: PlayedNode) -> None:
    namespace.create_integration(status="ON", delay="1h", retries=0)
    node.script = lambda pod: Ending(1, "\x1b[2Jgone\n\u202eevil" + "x" * 4000)
    entry = namespace.wait_ended(1)
    reason = entry["report"]["reason"]
    assert len(reason) <= 512
    assert reason.isprintable()
