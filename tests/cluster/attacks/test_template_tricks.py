"""What a Pod template may not do: take the run out of the contract, or its Pod out of the namespace's bounds."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from cluster.namespace import Namespace, Object, wait_for
from cluster.operator_process import WORKER_IMAGE, OperatorProcess
from devcluster.cluster import Cluster
from tidegate.api import names

EVIL = "registry.example/evil:1"


@pytest.fixture(scope="module")
def town(control_plane: Cluster, operator: OperatorProcess) -> Iterator[Namespace]:
    """A namespace for all these syncs; no Pod is ever started in it."""
    with Namespace.create(control_plane.kubeconfig, "town") as namespace:
        yield namespace


@pytest.fixture
def name() -> str:
    """A sync's name, for each case its own."""
    return f"sync-{uuid.uuid4().hex[:8]}"


def job_of(namespace: Namespace, name: str) -> Object:
    """The sync's Job."""
    return wait_for(
        "a Job",
        lambda: next((j for j in namespace.jobs() if j["metadata"]["labels"][names.INTEGRATION_LABEL] == name), None),
    )


def stated(namespace: Namespace, name: str, template: Any) -> Object:
    """The Job of a sync with this template, while it is what its user meant."""
    namespace.create_integration(name, status="ON", delay="1h", template=template)
    return job_of(namespace, name)


def environment(container: Object) -> dict[str, str | None]:
    return {entry["name"]: entry.get("value") for entry in container["env"]}


def with_worker(**fields: Any) -> Object:
    """A template that says this of the worker's container."""
    return {"spec": {"containers": [{"name": "sync", **fields}]}}


CONTRACT_BREAKERS: dict[str, Any] = {
    "a run number of its own": with_worker(env=[{"name": "SYNC_RUN", "value": "99"}]),
    "a run number from a Secret": with_worker(
        env=[{"name": "SYNC_RUN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
    ),
    "a push, told twice": with_worker(env=[{"name": "SYNC_PUSH", "value": "x"}, {"name": "SYNC_PUSH", "value": "y"}]),
    "a foreign identity": with_worker(
        env=[{"name": "SYNC_UID", "value": "0"}, {"name": "SYNC_NAMESPACE", "value": "kube-system"}]
    ),
    "an older cache epoch": {
        "spec": {"initContainers": [{"name": "prepare-cache", "env": [{"name": "SYNC_CACHE_EPOCH", "value": "0"}]}]}
    },
    "everything null": {
        "metadata": None,
        "spec": {"restartPolicy": None, "initContainers": None, "containers": [{"name": "sync", "env": None}]},
    },
    "labels of another sync": {
        "metadata": {
            "labels": {
                names.MANAGED_BY_LABEL: "somebody",
                names.INTEGRATION_UID_LABEL: "0",
                names.INTEGRATION_LABEL: "other",
                names.RUN_LABEL: "99",
            }
        }
    },
    "no labels": {"metadata": {"labels": {names.INTEGRATION_UID_LABEL: None, names.RUN_LABEL: None}}},
    "a sync of its own choosing": {"metadata": {"annotations": {names.SYNC_CONFIG_ANNOTATION: '{"evil": 1}'}}},
    "a restart policy": {"spec": {"restartPolicy": "Always"}},
    "another namespace and name": {"metadata": {"namespace": "kube-system", "name": "x", "generateName": "y"}},
    "another owner": {
        "metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "0"}]}
    },
    "the worker twice": {"spec": {"containers": [{"name": "sync", "image": EVIL}, {"name": "sync"}]}},
}


@pytest.mark.parametrize("what", [what for what in CONTRACT_BREAKERS if what != "everything null"])
def test_a_template_cannot_override_the_contract_s_environment(town: Namespace, name: str, what: str) -> None:
    job = stated(town, name, CONTRACT_BREAKERS[what])
    uid = town.integration(name)["metadata"]["uid"]
    template = job["spec"]["template"]
    (worker,) = template["spec"]["containers"]
    (prepare,) = template["spec"]["initContainers"]
    for container in (worker, prepare):
        told = environment(container)
        assert len(told) == len(container["env"]), "each variable once"
        assert (told["SYNC_RUN"], told["SYNC_PUSH"], told["SYNC_CACHE_EPOCH"]) == ("1", "true", "1")
        assert (told["SYNC_NAME"], told["SYNC_NAMESPACE"], told["SYNC_UID"]) == (name, town.name, uid)
    labels, annotations = template["metadata"]["labels"], template["metadata"]["annotations"]
    assert (labels[names.MANAGED_BY_LABEL], labels[names.INTEGRATION_UID_LABEL]) == (names.MANAGED_BY, uid)
    assert (labels[names.INTEGRATION_LABEL], labels[names.RUN_LABEL]) == (name, "1")
    assert annotations[names.SYNC_CONFIG_ANNOTATION] == "{}"
    assert template["spec"]["restartPolicy"] == "Never"
    assert job["metadata"]["namespace"] == town.name
    (owner,) = job["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"]) == (uid, True)


def test_a_template_can_set_what_belongs_to_the_user(town: Namespace, name: str) -> None:
    """The twin: the same places, with what belongs there."""
    own = with_worker(env=[{"name": "MINE", "value": "1"}], image=EVIL)
    own["metadata"] = {"labels": {"team": "sales"}, "annotations": {"note": "x"}}
    template = stated(town, name, own)["spec"]["template"]
    (worker,) = template["spec"]["containers"]
    assert (environment(worker)["MINE"], worker["image"]) == ("1", EVIL)
    assert template["metadata"]["labels"]["team"] == "sales"
    assert template["metadata"]["annotations"]["note"] == "x"


def test_without_a_template_the_pod_has_no_api_token(town: Namespace, name: str) -> None:
    spec = stated(town, name, None)["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in spec
    assert spec["containers"][0]["image"] == WORKER_IMAGE


@dataclass(frozen=True)
class Refused:
    """A template that the API server takes for no Pod template, in its own words, and one that it takes."""

    what: str
    template: Any
    words: str
    twin: Any = field(default_factory=dict)


def mount(**fields: Any) -> Any:
    """A template that mounts the cache once more."""
    return with_worker(volumeMounts=[{"name": "cache", "mountPath": "/x", **fields}])


REFUSED = [
    Refused("a way out of a volume", mount(subPath="../../etc"), "must not contain '..'", mount(subPath="a/b")),
    Refused(
        "a way out of a volume by a variable",
        mount(subPathExpr="$(SYNC_NAME)/../../etc"),
        "must not contain '..'",
        mount(subPathExpr="$(SYNC_NAME)"),
    ),
    Refused(
        "an ephemeral container",
        {"spec": {"ephemeralContainers": [{"name": "debug", "image": EVIL}]}},
        "ephemeralContainers",
        {"spec": {"initContainers": [{"name": "debug", "image": EVIL}]}},
    ),
    Refused(
        "a Job's fields in the Pod's",
        {"spec": {"podFailurePolicy": {"rules": []}, "backoffLimit": 999}},
        'unknown field "spec.template.spec.',
        {"spec": {"activeDeadlineSeconds": 60}},
    ),
    Refused(
        "a Job's fields beside the Pod's",
        {"parallelism": 5, "spec": {}},
        'unknown field "spec.template.parallelism"',
        {"spec": {}},
    ),
    Refused(
        "another kind of object", {"kind": "Pod", "spec": {}}, 'unknown field "spec.template.kind"', {"metadata": {}}
    ),
    Refused(
        "a directive of strategic merge patch",
        {"spec": {"$patch": "replace", "containers": [{"name": "sync", "image": EVIL}]}},
        'unknown field "spec.template.spec.$patch"',
        {"spec": {"containers": [{"name": "sync", "image": EVIL}]}},
    ),
    Refused("everything null", CONTRACT_BREAKERS["everything null"], "image: Required value", {"spec": None}),
    Refused("a field with a hostile name", {"spec": {"\x1b[2J\u202eevil": 1}}, "unknown field", {"spec": {}}),
    Refused("a list for a map", {"spec": [], "metadata": []}, "cannot unmarshal array", {"spec": {}, "metadata": {}}),
    Refused(
        "a number for a name",
        {"spec": {"serviceAccountName": 5}},
        "serviceAccountName",
        {"spec": {"serviceAccountName": "x"}},
    ),
    Refused(
        "environment without a name",
        with_worker(env=[{"value": "x"}, {"name": "SYNC_RUN", "value": "99"}]),
        "name: Required value",
        with_worker(env=[{"name": "X", "value": "x"}]),
    ),
    Refused(
        "labels that are none",
        {"metadata": {"labels": {"team": "a b", "x" * 80: "y"}}},
        "a valid label must be",
        {"metadata": {"labels": {"team": "a-b"}}},
    ),
    Refused(
        "labels that are a list", {"metadata": {"labels": ["tidegate.dev/run"]}}, "labels", {"metadata": {"labels": {}}}
    ),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.what)
def test_an_invalid_pod_template_stalls_with_the_api_server_s_message(
    town: Namespace, name: str, case: Refused
) -> None:
    town.create_integration(name, status="ON", delay="1h", template=case.template)
    stalled = town.wait_condition("Stalled", name=name)
    assert stalled["reason"] == "JobRefused"
    assert case.words in stalled["message"]
    assert stalled["message"].isprintable()
    assert not [j for j in town.jobs() if j["metadata"]["labels"][names.INTEGRATION_LABEL] == name]
    town.patch(name, template=None)
    town.patch(name, template=case.twin)
    job_of(town, name)


# What the Pod Security Standard `restricted` forbids; a namespace with that label admits no such Pod.
HOST_ACCESS: dict[str, Object] = {
    "a path of the host": {"volumes": [{"name": "host", "hostPath": {"path": "/"}}]},
    "the host's network": {"hostNetwork": True},
    "the host's processes": {"hostPID": True},
    "the host's communication": {"hostIPC": True},
    "root": {"securityContext": {"runAsNonRoot": False, "runAsUser": 0}},
    "no seccomp profile": {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
    "a privileged container": {
        "containers": [{"name": "sync", "securityContext": {"privileged": True, "allowPrivilegeEscalation": True}}]
    },
    "more privileges": {"containers": [{"name": "sync", "securityContext": {"allowPrivilegeEscalation": True}}]},
    "capabilities": {"containers": [{"name": "sync", "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}]},
    "a port of the host": {"containers": [{"name": "sync", "ports": [{"containerPort": 80, "hostPort": 80}]}]},
    "root in the init container": {
        "initContainers": [{"name": "prepare-cache", "securityContext": {"runAsUser": 0, "runAsNonRoot": False}}]
    },
    "a container beside that is not restricted": {"containers": [{"name": "other", "image": EVIL}]},
}


@pytest.fixture(scope="module")
def restricted(control_plane: Cluster, operator: OperatorProcess) -> Iterator[Namespace]:
    """A namespace of restricted Pods, with all the syncs that want more, and one that does not."""
    with Namespace.create(control_plane.kubeconfig, "restricted") as namespace:
        label = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
        namespaces = namespace.client.resources.get(api_version="v1", kind="Namespace")
        namespaces.patch(name=namespace.name, body=label, content_type="application/merge-patch+json")
        for number, spec in enumerate(HOST_ACCESS.values()):
            namespace.create_integration(f"greedy-{number}", status="ON", delay="1h", template={"spec": spec})
        namespace.create_integration("modest", status="ON", delay="1h")
        yield namespace


@pytest.mark.parametrize("number", range(len(HOST_ACCESS)), ids=list(HOST_ACCESS))
def test_a_restricted_namespace_admits_no_pod_that_wants_the_host(restricted: Namespace, number: int) -> None:
    name = job_of(restricted, f"greedy-{number}")["metadata"]["name"]

    def refusal() -> str | None:
        events = restricted.objects("events.k8s.io/v1", "Event")
        return next(
            (e["note"] for e in events if e["regarding"]["name"] == name and e["reason"] == "FailedCreate"), None
        )

    assert "violates PodSecurity" in wait_for("a refusal", refusal)
    assert not [pod for pod in restricted.pods() if pod["metadata"]["labels"]["job-name"] == name]


def test_a_restricted_namespace_admits_the_built_in_worker(restricted: Namespace) -> None:
    name = job_of(restricted, "modest")["metadata"]["name"]
    wait_for("a Pod", lambda: [p for p in restricted.pods() if p["metadata"]["labels"]["job-name"] == name])


def test_a_pod_that_is_not_admitted_is_reported(restricted: Namespace) -> None:
    status = restricted.wait_until("an explanation", lambda status: "Pod" in status.get("message", ""), name="greedy-0")
    assert "kubectl describe job" in status["message"]
