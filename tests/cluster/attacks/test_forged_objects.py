"""Jobs, Pods and volumes that claim to be a sync's: it goes its way as if they were not there, and spares them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from cluster.namespace import API_VERSION, KIND, NAME, Namespace, Object, wait_for
from cluster.played_node import Ending, PlayedNode
from tidegate.api import names

IMAGE = "registry.example/other:1"
WORDS = "words of a forger"


def owner(api_version: str, kind: str, name: str, uid: str, *, controller: bool = True) -> list[Object]:
    """An owner reference, which anybody may write into his own objects."""
    return [{"apiVersion": api_version, "kind": kind, "name": name, "uid": uid, "controller": controller}]


def owned_by(integration: Object, *, controller: bool = True) -> list[Object]:
    """The owner reference that the operator writes."""
    metadata = integration["metadata"]
    return owner(API_VERSION, KIND, metadata["name"], metadata["uid"], controller=controller)


def labels(integration: Object, run: str = "7") -> Object:
    """The labels that the operator writes."""
    return {
        names.MANAGED_BY_LABEL: names.MANAGED_BY,
        names.INTEGRATION_LABEL: NAME,
        names.INTEGRATION_UID_LABEL: integration["metadata"]["uid"],
        names.RUN_LABEL: run,
    }


def forged_job(integration: Object, run: str = "7", owners: list[Object] | None = None, **annotations: str) -> Object:
    """A Job with everything that a run's Job has."""
    told = {
        names.RUN_KIND_ANNOTATION: "Full",
        names.RUN_PUSH_ANNOTATION: "true",
        names.RUN_CACHE_EPOCH_ANNOTATION: "1",
        names.RUN_STARTED_ANNOTATION: "2026-01-01T00:00:00Z",
        names.RUN_GENERATION_ANNOTATION: "1",
        **{f"tidegate.dev/{name.replace('_', '-')}": value for name, value in annotations.items()},
    }
    spec = {"restartPolicy": "Never", "containers": [{"name": "sync", "image": IMAGE}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": "forged",
            "labels": labels(integration, run),
            "annotations": told,
            "ownerReferences": owners or [],
        },
        # Suspended: it makes no Pod of its own, and what touches it shows.
        "spec": {"suspend": True, "template": {"metadata": {"labels": labels(integration, run)}, "spec": spec}},
    }


def forged_pod(integration: Object, owners: list[Object] | None = None) -> Object:
    """A Pod with everything that a run's Pod has."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "forged", "labels": labels(integration), "ownerReferences": owners or []},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "sync", "image": IMAGE}]},
    }


def foreign_job(namespace: Namespace) -> Object:
    """A Job that is nobody's, to own a forged Pod."""
    spec = {"restartPolicy": "Never", "containers": [{"name": "c", "image": IMAGE}]}
    return namespace.create_object(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "foreign"},
            "spec": {"suspend": True, "template": {"spec": spec}},
        }
    )


def pod_of_foreign_job(integration: Object, namespace: Namespace) -> Object:
    """A Pod with our labels whose controller is a Job that is not ours."""
    job = foreign_job(namespace)["metadata"]
    return forged_pod(integration, owner("batch/v1", "Job", job["name"], job["uid"]))


Make = Callable[[Object, Object, Namespace], Object]


@dataclass(frozen=True)
class Forgery:
    """What is made beside or elsewhere, from the sync, its Job, and the namespace that it is made in."""

    what: str
    elsewhere: bool
    make: Make


FORGERIES = [
    Forgery("a Pod with the labels", False, lambda sync, job, _: forged_pod(sync)),
    Forgery("a Pod of a foreign Job with the labels", False, lambda sync, job, there: pod_of_foreign_job(sync, there)),
    Forgery("a Pod with the labels, elsewhere", True, lambda sync, job, _: forged_pod(sync)),
    Forgery(
        "a Pod of the sync's own Job, elsewhere",
        True,
        lambda sync, job, _: forged_pod(
            sync, owner("batch/v1", "Job", job["metadata"]["name"], job["metadata"]["uid"])
        ),
    ),
    Forgery("a Job with the labels", False, lambda sync, job, _: forged_job(sync)),
    Forgery("a Job with another controller", False, lambda sync, job, there: _job_of_config_map(sync, there)),
    Forgery(
        "a Job with the sync as an owner that does not control it",
        False,
        lambda sync, job, _: forged_job(sync, owners=owned_by(sync, controller=False)),
    ),
    Forgery(
        "a Job with the sync as controller, elsewhere",
        True,
        lambda sync, job, _: forged_job(sync, owners=owned_by(sync)),
    ),
]


def _job_of_config_map(integration: Object, namespace: Namespace) -> Object:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner"}}
    metadata = namespace.create_object(body)["metadata"]
    return forged_job(integration, owners=owner("v1", "ConfigMap", "owner", metadata["uid"]))


def _volume(name: str, integration: Object | None = None) -> Object:
    metadata: Object = {"name": name, "labels": {names.MANAGED_BY_LABEL: names.MANAGED_BY}}
    if integration is not None:
        metadata["ownerReferences"] = owned_by(integration)
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": claim}


def live_on(namespace: Namespace, node: PlayedNode) -> Object:
    """What a sync does that nothing disturbs: run 1 ends, run 2 follows, OFF is honoured. Return the status."""
    node.end(1)
    namespace.wait_ended(1)
    namespace.annotate(sync_requested_at="2")
    node.end(2)
    namespace.wait_ended(2)
    namespace.patch(status="OFF")
    return namespace.wait_phase("Off")


def assert_undisturbed(status: Object) -> None:
    """Two runs, and nobody else's words."""
    assert [(entry["run"], entry["mark"]) for entry in status["recentActivity"]] == [(2, "✓"), (1, "✓")]
    assert status["runs"] == 2
    assert status["cacheEpoch"] == 1
    assert WORDS not in str(status)


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.what)
def test_a_forged_object_changes_nothing(
    namespace: Namespace,
    node: PlayedNode,
    elsewhere: Namespace,
    node_elsewhere: PlayedNode,
    forgery: Forgery,
) -> None:
    namespace.create_integration(status="ON", delay="1h")
    job = namespace.job(1)
    there = elsewhere if forgery.elsewhere else namespace
    made = there.create_object(forgery.make(namespace.integration(), job, there))
    assert_undisturbed(live_on(namespace, node))
    left = there.find(made["apiVersion"], made["kind"], "forged")
    # Kubernetes itself collects what has an owner that is not there; nobody else may touch it.
    assert left is None or left["spec"] == {**made["spec"], **_bound(left)}
    assert left is not None or forgery.elsewhere


def _bound(pod: Object) -> Object:
    return {"nodeName": pod["spec"]["nodeName"]} if "nodeName" in pod["spec"] else {}


def test_a_pod_with_all_labels_forged_blocks_a_start_and_is_named(namespace: Namespace, node: PlayedNode) -> None:
    """It cannot be told from the Pod of a Job that was deleted without it: it is waited for, and never touched."""
    node.end_every_run()
    namespace.create_integration(status="ON", delay="1h")
    namespace.wait_ended(1)
    pod = forged_pod(namespace.integration())
    pod["metadata"]["labels"]["batch.kubernetes.io/job-name"] = namespace.job(1)["metadata"]["name"]
    node.script = lambda running: None
    namespace.create_object(pod)
    wait_for("its start", lambda: (_pod(namespace) or {}).get("status", {}).get("phase") == "Running")
    namespace.annotate(sync_requested_at="2")
    named = "Pod forged is still running although its Job is gone; delete it if it does not terminate"
    namespace.wait_until("its name", lambda status: named in status["message"])
    namespace.delete("v1", "Pod", "forged")
    node.end_every_run()
    assert namespace.wait_ended(2)["mark"] == "✓"


def _pod(namespace: Namespace) -> Object | None:
    return namespace.find("v1", "Pod", "forged")


def test_the_sync_s_own_pod_counts(namespace: Namespace, node: PlayedNode) -> None:
    """The twin of all forged Pods: what is really the sync's keeps OFF from being honoured."""
    namespace.create_integration(status="ON", delay="1h")
    wait_for("a running Pod", lambda: [pod for pod in namespace.pods() if pod["status"]["phase"] == "Running"])
    namespace.patch(status="OFF")
    status = namespace.wait_phase("TurningOff")
    assert status["message"] == "waiting for run 1 to finish before turning OFF"


@pytest.mark.parametrize("ended", [Ending(0, WORDS), Ending(2, WORDS)], ids=["succeeded", "failed for good"])
def test_a_forged_pod_s_termination_message_is_ignored(
    namespace: Namespace, node: PlayedNode, elsewhere: Namespace, node_elsewhere: PlayedNode, ended: Ending
) -> None:
    node_elsewhere.end_every_run(ended)
    namespace.create_integration(status="ON", delay="1h")
    sync, job = namespace.integration(), namespace.job(1)["metadata"]
    elsewhere.create_object(forged_pod(sync, owner("batch/v1", "Job", job["name"], job["uid"])))
    namespace.create_object(forged_pod(sync))
    assert_undisturbed(live_on(namespace, node))


def test_a_foreign_volume_under_the_cache_s_name_stalls_the_sync_and_is_left_alone(
    namespace: Namespace, node: PlayedNode
) -> None:
    uid = namespace.create_integration(status="OFF")["metadata"]["uid"]
    namespace.wait_phase("Off")
    taken = namespace.create_object(_volume(names.cache_name(NAME, uid)))
    namespace.patch(status="ON", delay="1h")
    stalled = namespace.wait_condition("Stalled")
    assert "exists but does not belong to this SyncIntegration: delete or rename it" in stalled["message"]
    assert namespace.jobs() == []
    assert namespace.objects("v1", "PersistentVolumeClaim") == [taken]
    namespace.delete("v1", "PersistentVolumeClaim", taken["metadata"]["name"])
    wait_for("an end of it", lambda: not _same(namespace, taken))
    node.end(1)
    assert namespace.wait_ended(1)["mark"] == "✓"


def _same(namespace: Namespace, taken: Object) -> bool:
    found = namespace.find("v1", "PersistentVolumeClaim", taken["metadata"]["name"])
    return found is not None and found["metadata"]["uid"] == taken["metadata"]["uid"]


def test_a_volume_in_another_namespace_is_not_the_sync_s(
    namespace: Namespace, node: PlayedNode, elsewhere: Namespace
) -> None:
    sync = namespace.create_integration(status="OFF")
    namespace.wait_phase("Off")
    name = names.cache_name(NAME, sync["metadata"]["uid"])
    elsewhere.create_object(_volume(name, sync))
    namespace.patch(status="ON", delay="1h")
    assert_undisturbed(live_on(namespace, node))
    assert namespace.find("v1", "PersistentVolumeClaim", name)


@pytest.mark.parametrize(
    ("run", "annotations"),
    [
        ("9007199254740991", {}),
        ("9223372036854775807", {}),
        ("9" * 40, {}),
        ("7", {"run_cache_epoch": "9007199254740991"}),
        ("7", {"run_cache_epoch": "9" * 40}),
        ("7", {"run_cache_epoch": "-1"}),
        ("7", {"run_generation": "9" * 40}),
        ("7", {"run_started_at": "9999-12-31T23:59:59Z"}),
        ("7", {"run_started_at": "0001-01-01T00:00:00Z"}),
        ("7", {"run_started_at": "soon"}),
        ("7", {"run_kind": "Evil"}),
        ("seven", {}),
    ],
    ids=str,
)
def test_absurd_annotations_on_the_sync_s_own_job_leave_no_trace_when_it_is_gone(
    namespace: Namespace, node: PlayedNode, run: str, annotations: dict[str, Any]
) -> None:
    """Who may create Jobs here can name the sync as their controller. What they cannot do is damage it for good."""
    node.end_every_run()
    namespace.create_integration(status="ON", delay="1h")
    namespace.wait_ended(1)
    sync = namespace.integration()
    namespace.create_object(forged_job(sync, run, owned_by(sync), **annotations))
    namespace.annotate(sync_requested_at="2")
    # It is made suspended, so that it is held for whoever has suspended it, where it is readable at all.
    wait_for("a reaction to it", lambda: _is_held(namespace) or namespace.status()["lastRun"]["number"] > 1)
    namespace.delete("batch/v1", "Job", "forged")
    before = namespace.wait_until("a wait", lambda status: "run" not in status)["lastRun"]["number"]
    namespace.annotate(sync_requested_at="3")
    status = namespace.wait_until("a run more", lambda status: status["lastRun"]["number"] > before)
    assert status["lastRun"]["outcome"] == "Succeeded"
    assert status["runs"] < 100
    assert status["cacheEpoch"] < 100


def _is_held(namespace: Namespace) -> bool:
    return "its Job is suspended by" in namespace.status().get("message", "")
