"""The Job of a run and the claim of a cache: what the contract promises to a worker, and what nobody can override."""

import copy
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tidegate.api.runs import Found, Run, RunKind
from tidegate.api.spec import SyncIntegrationSpec
from tidegate.api.status import SyncIntegrationStatus
from tidegate.control import render
from tidegate.control.observation import Integration
from tidegate.control.parse import job_of
from tidegate.control.settings import Settings

from .situations import CACHE, GENERATION, NAME, NAMESPACE, NOW, UID, run

SETTINGS = Settings(operator_image="registry.example/operator:1", worker_image="registry.example/worker:1")
RUN = run(12, RunKind.INCREMENTAL, cache_epoch=3)
LABELS = {
    "app.kubernetes.io/managed-by": "tidegate",
    "tidegate.dev/integration": NAME,
    "tidegate.dev/integration-uid": UID,
}
OWNER = {
    "apiVersion": "tidegate.dev/v1alpha1",
    "kind": "SyncIntegration",
    "name": NAME,
    "uid": UID,
    "controller": True,
}


SAME_EPOCH = {"name": "SYNC_CACHE_EPOCH", "value": "1"}


def integration(**spec: Any) -> Integration:
    return Integration(
        name=NAME,
        namespace=NAMESPACE,
        uid=UID,
        generation=GENERATION,
        resource_version="10",
        spec=SyncIntegrationSpec.model_validate({"status": "ON", **spec}),
        status=SyncIntegrationStatus(),
    )


def job(of: Run = RUN, **spec: Any) -> dict[str, Any]:
    return render.job(integration(**spec), of, SETTINGS)


def pod(of: Run = RUN, **spec: Any) -> dict[str, Any]:
    template: dict[str, Any] = job(of, **spec)["spec"]["template"]["spec"]
    return template


def container(name: str, **spec: Any) -> dict[str, Any]:
    containers = pod(**spec)
    (found,) = (c for c in [*containers["initContainers"], *containers["containers"]] if c["name"] == name)
    return dict(found)


def environment(of: Run = RUN, **spec: Any) -> dict[str, str]:
    (worker,) = pod(of, **spec)["containers"]
    return {entry["name"]: entry["value"] for entry in worker["env"]}


class TestIdentity:
    def test_a_job_belongs_to_the_integration_and_to_its_run(self) -> None:
        metadata = job()["metadata"]
        assert (metadata["name"], metadata["namespace"]) == (RUN.job_name, NAMESPACE)
        assert metadata["ownerReferences"] == [OWNER]
        assert metadata["labels"] == {**LABELS, "tidegate.dev/run": "12"}

    def test_deleting_the_integration_does_not_wait_for_its_jobs(self) -> None:
        assert "blockOwnerDeletion" not in job()["metadata"]["ownerReferences"][0]
        assert "finalizers" not in job()["metadata"]

    def test_a_job_repeats_its_claim_for_adoption(self) -> None:
        body = job()
        stored = {**body, "metadata": {**body["metadata"], "uid": "a", "resourceVersion": "1"}}
        stored["metadata"]["creationTimestamp"] = RUN.claimed_at.isoformat()
        assert job_of(stored).run == RUN

    def test_a_pod_is_found_by_its_labels_even_when_its_job_is_gone(self) -> None:
        assert job()["spec"]["template"]["metadata"]["labels"] == {**LABELS, "tidegate.dev/run": "12"}


class TestOneAtATime:
    def test_a_pod_is_replaced_only_after_it_has_ended(self) -> None:
        spec = job()["spec"]
        assert (spec["parallelism"], spec["completions"]) == (1, 1)
        assert spec["podReplacementPolicy"] == "Failed"
        assert spec["template"]["spec"]["restartPolicy"] == "Never"

    def test_permanent_failures_fail_at_once_and_pauses_and_evictions_do_not_count(self) -> None:
        final, lost, paused, evicted = job()["spec"]["podFailurePolicy"]["rules"]
        assert final == {
            "action": "FailJob",
            "onExitCodes": {"containerName": "sync", "operator": "In", "values": [2, 3, 4, 79]},
        }
        assert lost == {
            "action": "FailJob",
            "onExitCodes": {"containerName": "prepare-cache", "operator": "In", "values": [79]},
        }
        assert paused == {
            "action": "Ignore",
            "onExitCodes": {"containerName": "sync", "operator": "In", "values": [75]},
        }
        assert evicted == {
            "action": "Ignore",
            "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
        }

    def test_retries_are_pods_within_the_run(self) -> None:
        assert job(retries=7)["spec"]["backoffLimit"] == 7
        assert job()["spec"]["backoffLimit"] == 2

    @pytest.mark.parametrize(("timeout", "seconds"), [("1h", 3600), ("90s", 90), ("1ms", 1), (None, None)])
    def test_the_time_limit_is_set_on_the_job_so_that_paused_time_does_not_count(
        self, timeout: str | None, seconds: int | None
    ) -> None:
        assert job(runTimeout=timeout)["spec"].get("activeDeadlineSeconds") == seconds


class TestTheContract:
    def test_a_worker_gets_its_run_by_environment(self) -> None:
        assert environment() == {
            "SYNC_PROTOCOL": "1",
            "SYNC_NAME": NAME,
            "SYNC_NAMESPACE": NAMESPACE,
            "SYNC_UID": UID,
            "SYNC_RUN": "12",
            "SYNC_SCOPE": "changes",
            "SYNC_PUSH": "true",
            "SYNC_CACHE_DIR": "/sync/cache",
            "SYNC_CACHE_EPOCH": "3",
            "SYNC_CONFIG": "/sync/config/sync.json",
        }

    def test_an_epoch_is_told_with_its_beginning(self) -> None:
        began = NOW + timedelta(microseconds=7)
        assert environment(of=run(12, cache_epoch_began=began))["SYNC_CACHE_EPOCH_BEGAN"] == (
            "2026-11-24T12:00:00.000007Z"
        )

    @pytest.mark.parametrize(
        ("of", "scope", "push"),
        [
            (run(1), "full", "true"),
            (run(1, push=False), "full", "false"),
            (run(2, RunKind.INCREMENTAL), "changes", "true"),
        ],
    )
    def test_scope_and_push_follow_from_the_kind_of_run(self, of: Run, scope: str, push: str) -> None:
        told = environment(of)
        assert (told["SYNC_SCOPE"], told["SYNC_PUSH"]) == (scope, push)

    @pytest.mark.parametrize(
        ("approval", "of", "asked"),
        [
            ("Always", run(1), True),
            ("Always", run(1, push=False), False),
            ("Always", run(2, RunKind.INCREMENTAL), False),
            ("Unusual", run(1), False),
        ],
    )
    def test_an_approval_is_required_before_a_full_sync_that_pushes(self, approval: str, of: Run, asked: bool) -> None:
        assert ("SYNC_APPROVAL" in environment(of, approval=approval)) == asked

    def test_an_approval_is_passed_to_the_approved_run(self) -> None:
        told = environment(run(13, approved=12))
        assert (told["SYNC_APPROVED"], told["SYNC_ALLOW_DELETES"]) == ("12", "12")
        found = Found(object="contact", connector="crm", what="deletes", count=30, digest="0123456789abcdef")
        told = environment(run(13, approved=12, confirmed=(found,)))
        assert json.loads(told["SYNC_CONFIRMED"]) == [
            {"object": "contact", "connector": "crm", "what": "deletes", "count": 30, "digest": "0123456789abcdef"}
        ]
        assert "SYNC_CONFIRMED" not in environment(run(13))

    def test_the_operator_s_image_prepares_the_cache_before_the_worker_runs(self) -> None:
        first = pod()["initContainers"][0]
        assert (first["name"], first["image"]) == ("prepare-cache", "registry.example/operator:1")
        assert first["command"] == ["python", "-m", "tidegate.worker.epoch"]
        assert {"name": "SYNC_CACHE_EPOCH", "value": "3"} in first["env"]
        assert first["terminationMessagePolicy"] == "FallbackToLogsOnError"

    def test_a_custom_worker_s_configuration_replaces_the_sync(self) -> None:
        template = job(config={"path1": "a"})["spec"]["template"]
        assert json.loads(template["metadata"]["annotations"]["tidegate.dev/sync-config"]) == {"path1": "a"}

    def test_the_run_gets_the_declared_sync(self) -> None:
        template = job(sync={"objects": [{"name": "kontakt-ü"}]})["spec"]["template"]
        written = template["metadata"]["annotations"]["tidegate.dev/sync-config"]
        assert json.loads(written) == {"objects": [{"name": "kontakt-ü"}]}
        (config,) = (volume for volume in template["spec"]["volumes"] if volume["name"] == "config")
        (item,) = config["downwardAPI"]["items"]
        assert item["fieldRef"]["fieldPath"] == "metadata.annotations['tidegate.dev/sync-config']"

    def test_the_pod_has_no_api_token(self) -> None:
        assert pod()["automountServiceAccountToken"] is False

    @pytest.mark.parametrize("name", ["sync", "prepare-cache"])
    def test_the_pod_meets_the_restricted_pod_security_standard(self, name: str) -> None:
        assert pod()["securityContext"]["runAsNonRoot"] is True
        assert pod()["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container(name)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


class TestTheCache:
    def test_one_claim_serves_all_runs(self) -> None:
        (volume,) = (volume for volume in pod()["volumes"] if volume["name"] == "cache")
        assert volume["persistentVolumeClaim"] == {"claimName": CACHE.name}

    def test_without_a_claim_the_volume_is_empty_and_deleted_with_the_pod(self) -> None:
        (volume,) = (volume for volume in pod(cache={"none": True})["volumes"] if volume["name"] == "cache")
        assert volume == {"name": "cache", "emptyDir": {}}

    def test_the_claim_belongs_to_the_integration(self) -> None:
        claim = render.cache_claim(integration())
        assert claim["metadata"]["name"] == CACHE.name
        assert claim["metadata"]["ownerReferences"] == [OWNER]
        assert claim["metadata"]["labels"] == LABELS
        assert claim["spec"] == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}

    def test_size_and_class_are_as_declared(self) -> None:
        claim = render.cache_claim(integration(cache={"size": "5Gi", "storageClassName": "fast"}))
        assert claim["spec"]["resources"]["requests"]["storage"] == "5Gi"
        assert claim["spec"]["storageClassName"] == "fast"


class TestACustomWorker:
    def test_a_custom_worker_replaces_the_built_in_one_under_its_name(self) -> None:
        own = {"name": "sync", "image": "registry.example/own:1", "resources": {"limits": {"memory": "1Gi"}}}
        worker = container("sync", template={"spec": {"containers": [own]}})
        assert (worker["image"], worker["resources"]) == ("registry.example/own:1", {"limits": {"memory": "1Gi"}})
        assert {entry["name"] for entry in worker["env"]} >= {"SYNC_RUN", "SYNC_CONFIG"}

    def test_a_sidecar_stands_beside_it(self) -> None:
        spec = pod(template={"spec": {"containers": [{"name": "proxy", "image": "registry.example/proxy:1"}]}})
        assert [c["name"] for c in spec["containers"]] == ["sync", "proxy"]

    def test_its_environment_may_refer_to_the_contract_s(self) -> None:
        own = {"name": "sync", "env": [{"name": "LABEL", "value": "run $(SYNC_RUN)"}]}
        order = [entry["name"] for entry in container("sync", template={"spec": {"containers": [own]}})["env"]]
        assert order.index("SYNC_RUN") < order.index("LABEL")

    def test_labels_and_annotations_of_its_own_are_kept(self) -> None:
        metadata = {"labels": {"team": "crm"}, "annotations": {"example.org/a": "b"}}
        template = job(template={"metadata": metadata})["spec"]["template"]["metadata"]
        assert template["labels"]["team"] == "crm"
        assert template["annotations"]["example.org/a"] == "b"

    @pytest.mark.parametrize(
        "overrides",
        [
            {"spec": {"restartPolicy": "OnFailure"}},
            {"spec": {"restartPolicy": None}},
            {"metadata": {"labels": {"tidegate.dev/integration-uid": "another", "tidegate.dev/run": "1"}}},
            {"metadata": {"labels": None}},
            {"metadata": None},
            {"metadata": {"annotations": {"tidegate.dev/sync-config": "{}"}}},
            {"metadata": {"annotations": None}},
            {"spec": {"containers": [{"name": "sync", "env": [{"name": "SYNC_PUSH", "value": "true"}]}]}},
            {"spec": {"containers": [{"name": "sync", "env": None}]}},
            {"spec": {"initContainers": [{"name": "prepare-cache", "env": [SAME_EPOCH]}]}},
        ],
    )
    def test_fields_that_the_operator_relies_on_cannot_be_overridden(self, overrides: dict[str, Any]) -> None:
        read_only = run(1, push=False, cache_epoch=9)
        template = job(read_only, template=overrides, sync={"a": 1})["spec"]["template"]
        assert template["metadata"]["labels"].items() >= {**LABELS, "tidegate.dev/run": "1"}.items()
        assert template["metadata"]["annotations"]["tidegate.dev/sync-config"] == '{"a":1}'
        assert template["spec"]["restartPolicy"] == "Never"
        (worker,), (init,) = template["spec"]["containers"], template["spec"]["initContainers"]
        assert {"name": "SYNC_PUSH", "value": "false"} in worker["env"]
        assert {"name": "SYNC_CACHE_EPOCH", "value": "9"} in init["env"]

    @pytest.mark.parametrize(
        "template",
        [
            {"spec": "text"},
            {"spec": {"containers": "sync"}},
            {"spec": {"containers": ["sync"]}},
            {"spec": {"containers": [{"name": "sync", "env": {"A": "b"}}]}},
            {"spec": {"containers": [{"image": "nameless"}]}},
            {"spec": {"containers": [{"name": ["sync"]}]}},
            {"spec": {"initContainers": {"name": "prepare-cache"}}},
            {"spec": {"restartPolicy": 3}},
            {"metadata": "text"},
            {"metadata": {"labels": ["a"]}},
            {"metadata": {"annotations": "a"}},
        ],
    )
    def test_an_invalid_template_is_left_to_the_api_server_to_refuse(self, template: dict[str, Any]) -> None:
        sent = job(template=template)["spec"]["template"]
        assert _contains(sent, template)

    @pytest.mark.parametrize("template", [{}, {"spec": None}, {"spec": {}}, {"spec": {"containers": None}}])
    def test_an_empty_template_is_valid(self, template: dict[str, Any]) -> None:
        assert job(template=template)["spec"]["template"]["spec"]["restartPolicy"] == "Never"

    def test_the_declared_template_is_not_changed(self) -> None:
        declared = integration(
            template={
                "metadata": {"labels": {"team": "crm"}, "annotations": {}},
                "spec": {"containers": [{"name": "sync", "env": [{"name": "A", "value": "b"}]}], "volumes": []},
            }
        )
        before = copy.deepcopy(declared.spec.template)
        render.job(declared, RUN, SETTINGS)
        assert declared.spec.template == before


class TestDefaultsOfTheInstallation:
    """`settings.run_template`: above the operator's own defaults, beneath the template of each SyncIntegration."""

    def pod(self, run_template: dict[str, Any], template: dict[str, Any] | None = None) -> dict[str, Any]:
        settings = replace(SETTINGS, run_template=run_template)
        rendered: dict[str, Any] = render.job(integration(template=template), RUN, settings)["spec"]["template"]
        return rendered

    def test_defaults_apply_to_a_run_without_a_template(self) -> None:
        resources = {"requests": {"cpu": "100m"}}
        spec = {
            "imagePullSecrets": [{"name": "registry"}],
            "nodeSelector": {"pool": "syncs"},
            "containers": [{"name": "sync", "resources": resources}],
        }
        rendered = self.pod({"metadata": {"annotations": {"example.org/a": "b"}}, "spec": spec})
        assert rendered["metadata"]["annotations"]["example.org/a"] == "b"
        assert rendered["spec"]["imagePullSecrets"] == [{"name": "registry"}]
        assert rendered["spec"]["nodeSelector"] == {"pool": "syncs"}
        (worker,) = rendered["spec"]["containers"]
        assert (worker["image"], worker["resources"]) == (SETTINGS.worker_image, resources)

    def test_a_template_overrides_adds_and_removes_defaults(self) -> None:
        defaults = {
            "spec": {
                "priorityClassName": "low",
                "imagePullSecrets": [{"name": "registry"}],
                "tolerations": [{"key": "a", "operator": "Exists"}],
                "containers": [{"name": "sync", "resources": {"limits": {"memory": "1Gi", "cpu": "1"}}}],
            }
        }
        own = {
            "spec": {
                "priorityClassName": None,
                "imagePullSecrets": [{"name": "team"}],
                "tolerations": [{"key": "b", "operator": "Exists"}],
                "containers": [{"name": "sync", "resources": {"limits": {"memory": "2Gi"}}}],
            }
        }
        spec = self.pod(defaults, own)["spec"]
        assert "priorityClassName" not in spec
        assert spec["imagePullSecrets"] == [{"name": "registry"}, {"name": "team"}]
        assert spec["tolerations"] == [{"key": "b", "operator": "Exists"}]
        assert spec["containers"][0]["resources"] == {"limits": {"memory": "2Gi", "cpu": "1"}}

    def test_null_removes_a_default_such_as_a_user_id(self) -> None:
        spec = self.pod({"spec": {"securityContext": {"runAsUser": None, "fsGroup": None}}})["spec"]
        assert spec["securityContext"].keys() & {"runAsUser", "fsGroup", "runAsNonRoot"} == {"runAsNonRoot"}

    def test_fields_that_the_operator_relies_on_stay(self) -> None:
        worker = {"name": "sync", "env": [{"name": "SYNC_RUN", "value": "1"}]}
        labels = {"tidegate.dev/run": "1"}
        rendered = self.pod(
            {"metadata": {"labels": labels}, "spec": {"restartPolicy": "Always", "containers": [worker]}}
        )
        assert rendered["metadata"]["labels"]["tidegate.dev/run"] == "12"
        assert rendered["spec"]["restartPolicy"] == "Never"
        assert {"name": "SYNC_RUN", "value": "12"} in rendered["spec"]["containers"][0]["env"]


def _contains(sent: Any, declared: Any) -> bool:
    """Whether all that is declared is in what is sent, in a list at any place."""
    if isinstance(declared, dict) and isinstance(sent, dict):
        return all(key in sent and _contains(sent[key], value) for key, value in declared.items())
    if isinstance(declared, list) and isinstance(sent, list):
        return all(any(_contains(one, value) for one in sent) for value in declared)
    return bool(sent == declared)


def test_only_queue_labels_are_copied_to_the_job() -> None:
    labels = {"kueue.x-k8s.io/queue-name": "sales", "team": "crm"}
    rendered = job(template={"metadata": {"labels": labels}})["metadata"]["labels"]
    assert rendered["kueue.x-k8s.io/queue-name"] == "sales"
    assert "team" not in rendered


@pytest.mark.parametrize("template", [{}, {"metadata": 1}, {"metadata": {"labels": "no"}}])
def test_a_template_without_labels_puts_none_on_the_job(template: dict[str, Any]) -> None:
    assert job(template=template)["metadata"]["labels"] == job()["metadata"]["labels"]
