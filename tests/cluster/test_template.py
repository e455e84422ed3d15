"""Bring your own worker: `spec.template` is a Pod template, laid over the defaults as a strategic merge does."""

from typing import Any

import pytest

from cluster.namespace import Namespace, condition, wait_for
from cluster.operator_process import WORKER_IMAGE
from cluster.played_node import PlayedNode

pytestmark = pytest.mark.usefixtures("operator")


def pod_spec(namespace: Namespace, **template_spec: Any) -> dict[str, Any]:
    """The Pod spec of the first run under a template."""
    namespace.create_integration(status="ON", delay="1h", template={"spec": template_spec})
    spec: dict[str, Any] = namespace.job(1)["spec"]["template"]["spec"]
    return spec


def test_without_a_template_the_built_in_worker_runs(namespace: Namespace, node: PlayedNode) -> None:
    namespace.create_integration(status="ON", delay="1h")
    (worker,) = namespace.job(1)["spec"]["template"]["spec"]["containers"]
    assert (worker["name"], worker["image"]) == ("sync", WORKER_IMAGE)


def test_a_custom_image_replaces_the_worker_and_gets_the_contract(namespace: Namespace, node: PlayedNode) -> None:
    own = {
        "name": "sync",
        "image": "registry.example/own:1",
        "command": ["/sync"],
        "env": [{"name": "A", "value": "b"}],
    }
    (worker,) = pod_spec(namespace, containers=[own])["containers"]
    assert (worker["image"], worker["command"]) == ("registry.example/own:1", ["/sync"])
    assert {"A", "SYNC_RUN", "SYNC_CACHE_DIR", "SYNC_CONFIG"} <= {entry["name"] for entry in worker["env"]}
    assert {mount["mountPath"] for mount in worker["volumeMounts"]} == {"/sync/cache", "/sync/config", "/tmp"}  # noqa: S108


def test_secrets_account_scheduling_resources_volumes_and_sidecars_reach_the_pod(
    namespace: Namespace, node: PlayedNode
) -> None:
    spec = pod_spec(
        namespace,
        serviceAccountName="syncer",
        nodeSelector={"disk": "ssd"},
        tolerations=[{"key": "batch", "operator": "Exists"}],
        volumes=[{"name": "data", "emptyDir": {}}],
        initContainers=[{"name": "proxy", "image": "registry.example/proxy:1", "restartPolicy": "Always"}],
        containers=[
            {
                "name": "sync",
                "envFrom": [{"secretRef": {"name": "databases"}}],
                "resources": {"limits": {"memory": "1Gi"}},
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            }
        ],
    )
    (worker,) = spec["containers"]
    assert spec["serviceAccountName"] == "syncer"
    assert spec["nodeSelector"] == {"disk": "ssd"}
    assert spec["tolerations"] == [{"key": "batch", "operator": "Exists"}]
    assert {"cache", "config", "data"} <= {volume["name"] for volume in spec["volumes"]}
    assert [container["name"] for container in spec["initContainers"]] == ["prepare-cache", "proxy"]
    assert worker["envFrom"] == [{"secretRef": {"name": "databases"}}]
    assert worker["resources"]["limits"] == {"memory": "1Gi"}
    assert "/data" in {mount["mountPath"] for mount in worker["volumeMounts"]}


def test_without_a_cache_there_is_no_volume_claim(namespace: Namespace, node: PlayedNode) -> None:
    namespace.create_integration(status="ON", delay="1h", cache={"none": True})
    volumes = {volume["name"]: volume for volume in namespace.job(1)["spec"]["template"]["spec"]["volumes"]}
    assert "emptyDir" in volumes["cache"]
    assert namespace.objects("v1", "PersistentVolumeClaim") == []


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (
            {"spec": {"containers": [{"name": "sync", "imge": "x"}]}},
            'unknown field "spec.template.spec.containers[0].imge"',
        ),
        ({"spec": {"containers": [{"name": "helper"}]}}, "spec.template.spec.containers[1].image: Required value"),
        ({"spec": {"containers": "sync"}}, "containers"),
        ({"spec": {"nodeSelector": {"disk": "a b"}}}, "spec.template.spec.nodeSelector"),
        (
            {"spec": {"containers": [{"name": "sync", "volumeMounts": [{"name": "no", "mountPath": "/no"}]}]}},
            "Not found",
        ),
    ],
)
def test_an_invalid_template_stalls_the_sync_with_the_api_server_s_message(
    namespace: Namespace, node: PlayedNode, template: dict[str, Any], words: str
) -> None:
    namespace.create_integration(status="ON", delay="1h", template=template)
    stalled = namespace.wait_condition("Stalled")
    assert stalled["reason"] == "JobRefused"
    assert words in stalled["message"]
    assert namespace.jobs() == []


def test_a_fixed_template_is_retried_at_once(namespace: Namespace, node: PlayedNode) -> None:
    namespace.create_integration(
        status="ON", delay="1h", template={"spec": {"containers": [{"name": "sync", "imge": "registry.example/own:1"}]}}
    )
    namespace.wait_condition("Stalled")
    namespace.patch(template={"spec": {"containers": [{"name": "sync", "image": "registry.example/own:1"}]}})
    node.end(1)
    assert namespace.wait_ended(1)["mark"] == "✓"


def test_an_exhausted_quota_is_reported_and_the_run_starts_when_there_is_room(
    namespace: Namespace, node: PlayedNode
) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "no-jobs"},
        "spec": {"hard": {"count/jobs.batch": "0"}},
    }
    namespace.create_object(quota)
    wait_for(
        "the quota to count", lambda: (namespace.find("v1", "ResourceQuota", "no-jobs") or {})["status"].get("hard")
    )
    namespace.create_integration(status="ON", delay="1h")
    status = namespace.wait_until("an explanation", lambda status: "cannot start yet" in status["message"])
    assert "exceeded quota: no-jobs" in status["message"]
    assert condition(status, "Syncing")["status"] == "False"
    namespace.delete("v1", "ResourceQuota", "no-jobs")
    node.end(1)
    assert namespace.wait_ended(1)["mark"] == "✓"
