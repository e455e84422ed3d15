"""Render: a claimed run → the manifests of its Job and of the cache's PersistentVolumeClaim. Pure.

What a worker finds in its Pod is the contract of design section 6.1.
"""

import json
from typing import Any

from tidegate.api import contract, names
from tidegate.api.base import format_micro_time, format_time
from tidegate.api.contract import Environment, ExitCode
from tidegate.api.runs import Run, RunKind
from tidegate.api.spec import Approval
from tidegate.control.merge_patch import strategic_merge
from tidegate.control.observation import Integration
from tidegate.control.settings import Settings

Manifest = dict[str, Any]

DEFAULT_CACHE_SIZE = "1Gi"

# The numeric user of our images; a volume becomes writable to it through fsGroup.
WORKER_USER = 65532

_CONTAINER_SECURITY: Manifest = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}

# Exit codes that another Pod of the same run would end with, too: the run fails at once, without retries.
_FINAL_EXIT_CODES = [
    ExitCode.CONFIGURATION_ERROR,
    ExitCode.HALTED,
    ExitCode.CACHE_UNUSABLE,
    ExitCode.CACHE_LOST,
]


def cache_claim(integration: Integration) -> Manifest:
    """The PersistentVolumeClaim that keeps the worker's cache between runs."""
    cache = integration.spec.cache
    spec: Manifest = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": cache.size or DEFAULT_CACHE_SIZE}},
    }
    if cache.storage_class_name:
        spec["storageClassName"] = cache.storage_class_name
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": _metadata(integration, names.cache_name(integration.name, integration.uid)),
        "spec": spec,
    }


def job(integration: Integration, run: Run, settings: Settings) -> Manifest:
    """The Job of one run: at most one Pod at a time, no token of the API server in it."""
    spec = integration.spec
    metadata = _metadata(integration, run.job_name)
    metadata["labels"] |= {names.RUN_LABEL: str(run.number), **_queue_labels(spec.template)}
    metadata["annotations"] = {
        names.RUN_KIND_ANNOTATION: run.kind,
        names.RUN_PUSH_ANNOTATION: _boolean(run.push),
        names.RUN_CACHE_EPOCH_ANNOTATION: str(run.cache_epoch),
        names.RUN_STARTED_ANNOTATION: format_time(run.started_at),
        names.RUN_GENERATION_ANNOTATION: str(run.generation),
    }
    if run.undo is not None:
        metadata["annotations"][names.RUN_UNDO_ANNOTATION] = str(run.undo)
    if run.check:
        metadata["annotations"][names.RUN_CHECK_ANNOTATION] = _boolean(True)
    if run.decisions:
        metadata["annotations"][names.RUN_DECISIONS_ANNOTATION] = run.decisions
    job_spec: Manifest = {
        "parallelism": 1,
        "completions": 1,
        "backoffLimit": 0 if run.check else spec.retries,  # whoever asks for a check waits for it
        # Without it the Job controller replaces a Pod that is still terminating: two at once (invariant I1).
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {
            "rules": [
                _on_exit_codes("FailJob", _FINAL_EXIT_CODES),
                _on_exit_codes("FailJob", [ExitCode.CACHE_LOST], contract.CACHE_CONTAINER),
                _on_exit_codes("Ignore", [ExitCode.PAUSED]),
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            ]
        },
        "template": _pod_template(integration, run, settings),
    }
    if spec.run_timeout is not None:
        job_spec["activeDeadlineSeconds"] = max(1, round(spec.run_timeout.total_seconds()))
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": job_spec}


def _metadata(integration: Integration, name: str) -> Manifest:
    return {
        "name": name,
        "namespace": integration.namespace,
        "labels": _labels(integration),
        "ownerReferences": [
            {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "name": integration.name,
                "uid": integration.uid,
                "controller": True,
            }
        ],
    }


def _queue_labels(template: Manifest | None) -> Manifest:
    """What the template says to a queueing controller, which looks for it on the Job."""
    metadata = (template or {}).get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    declared = labels if isinstance(labels, dict) else {}
    return {key: value for key, value in declared.items() if key.startswith(names.QUEUE_LABEL_PREFIX)}


def _labels(integration: Integration) -> Manifest:
    return {
        names.MANAGED_BY_LABEL: names.MANAGED_BY,
        names.INTEGRATION_LABEL: names.label_value(integration.name),
        names.INTEGRATION_UID_LABEL: integration.uid,
    }


def _on_exit_codes(action: str, codes: list[ExitCode], container: str = contract.WORKER_CONTAINER) -> Manifest:
    # Kubernetes wants the values in order and without duplicates.
    condition = {
        "containerName": container,
        "operator": "In",
        "values": sorted(int(code) for code in codes),
    }
    return {"action": action, "onExitCodes": condition}


def _pod_template(integration: Integration, run: Run, settings: Settings) -> Manifest:
    defaults = strategic_merge(_default_template(integration, run, settings), settings.run_template)
    declared = strategic_merge(defaults, integration.spec.template or {})
    return strategic_merge(declared, _fixed_template(integration, run), malformed_stays=True)


def _fixed_template(integration: Integration, run: Run) -> Manifest:
    """What is not the declared template's to change: what Pods are found by, and what a run is given."""
    environment = _environment(integration, run)
    given: Manifest = {"env": environment}
    if run.kind is RunKind.PLAN:
        given["volumeMounts"] = [_cache_mount(run)]
    return {
        "metadata": {
            "labels": {**_labels(integration), names.RUN_LABEL: str(run.number)},
            "annotations": {
                names.SYNC_CONFIG_ANNOTATION: integration.spec.configuration_text,
                **({names.DECISIONS_ANNOTATION: integration.requests.decisions} if run.decisions else {}),
            },
        },
        "spec": {
            "restartPolicy": "Never",
            "initContainers": [{"name": contract.CACHE_CONTAINER, **given}],
            "containers": [{"name": contract.WORKER_CONTAINER, **given}],
        },
    }


def _default_template(integration: Integration, run: Run, settings: Settings) -> Manifest:
    cache_mount = _cache_mount(run)
    config_mount = {"name": "config", "mountPath": contract.CONFIG_DIR, "readOnly": True}
    environment = _environment(integration, run)
    worker = {
        "name": contract.WORKER_CONTAINER,
        "image": settings.worker_image,
        "imagePullPolicy": settings.image_pull_policy,
        "env": environment,
        "volumeMounts": [cache_mount, config_mount, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
        "securityContext": _CONTAINER_SECURITY,
    }
    prepare_cache = {
        "name": contract.CACHE_CONTAINER,
        "image": settings.operator_image,
        "imagePullPolicy": settings.image_pull_policy,
        "command": ["python", "-m", "tidegate.worker.epoch"],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "env": environment,
        "volumeMounts": [cache_mount],
        "securityContext": _CONTAINER_SECURITY,
    }
    files = [_file(contract.CONFIG_FILE, names.SYNC_CONFIG_ANNOTATION)]
    if run.decisions:
        files.append(_file(contract.DECISIONS_FILE, names.DECISIONS_ANNOTATION))
    return {
        "metadata": {},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 60,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": WORKER_USER,
                "runAsGroup": WORKER_USER,
                "fsGroup": WORKER_USER,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "initContainers": [prepare_cache],
            "containers": [worker],
            "volumes": [
                {"name": "cache", **_cache_volume(integration, run)},
                # The declared sync travels with the run's own Pod, so that a later edit cannot change this run.
                {"name": "config", "downwardAPI": {"items": files}},
                {"name": "tmp", "emptyDir": {}},
            ],
        },
    }


def _file(path: str, annotation: str) -> Manifest:
    return {"path": path, "fieldRef": {"fieldPath": f"metadata.annotations['{annotation}']"}}


def _cache_mount(run: Run) -> Manifest:
    mount: Manifest = {"name": "cache", "mountPath": contract.CACHE_DIR}
    return mount | {"readOnly": True} if run.kind is RunKind.PLAN else mount


def _cache_volume(integration: Integration, run: Run) -> Manifest:
    if integration.spec.cache.none or run.without_cache:
        return {"emptyDir": {}}
    return {"persistentVolumeClaim": {"claimName": names.cache_name(integration.name, integration.uid)}}


def _environment(integration: Integration, run: Run) -> list[Manifest]:
    values = {
        Environment.PROTOCOL: contract.PROTOCOL,
        Environment.NAME: integration.name,
        Environment.NAMESPACE: integration.namespace,
        Environment.UID: integration.uid,
        Environment.RUN: str(run.number),
        Environment.SCOPE: "changes" if run.kind is RunKind.INCREMENTAL or run.undo is not None else "full",
        Environment.PUSH: _boolean(run.push),
        Environment.CACHE_DIR: contract.CACHE_DIR,
        Environment.CACHE_EPOCH: str(run.cache_epoch),
        Environment.CONFIG: f"{contract.CONFIG_DIR}/{contract.CONFIG_FILE}",
    }
    if run.kind is RunKind.PLAN:
        values[Environment.PLAN] = _boolean(True)
    if run.check:
        values[Environment.CHECK] = _boolean(True)
    if run.undo is not None:
        values[Environment.UNDO] = str(run.undo)
    if run.plan_key is not None:
        values[Environment.PLAN_KEY] = run.plan_key
    if run.cache_epoch_began is not None:
        values[Environment.CACHE_EPOCH_BEGAN] = format_micro_time(run.cache_epoch_began)
    if run.oldest_cache_epoch is not None:
        values[Environment.CACHE_OLDEST_EPOCH] = str(run.oldest_cache_epoch)
    if run.cache_run is not None:
        values[Environment.CACHE_RUN] = str(run.cache_run)
    if run.decisions:
        values[Environment.DECISIONS] = f"{contract.CONFIG_DIR}/{contract.DECISIONS_FILE}"
    if run.object_resets:
        asked = [reset.to_wire() for reset in run.object_resets]
        values[Environment.RESET_OBJECTS] = json.dumps(asked, ensure_ascii=False)
    catches_up = run.kind is RunKind.FULL or any(reset.push for reset in run.object_resets)
    if catches_up and run.push and integration.spec.approval is Approval.ALWAYS:
        values[Environment.APPROVAL] = "always"
    if run.approved is not None:
        values |= dict.fromkeys((Environment.APPROVED, Environment.ALLOW_DELETES), str(run.approved))
    if run.confirmed:
        found = [each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in run.confirmed]
        values[Environment.CONFIRMED] = json.dumps(found, ensure_ascii=False)
    return [{"name": name, "value": value} for name, value in values.items()]


def _boolean(value: bool) -> str:
    return "true" if value else "false"
