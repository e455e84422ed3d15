"""Parse: the API server's JSON as the parts of an Observation. Pure.

Objects of the API server are read here and nowhere else.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from pydantic import ValidationError

from tidegate.api import contract, names
from tidegate.api.resets import objects_of
from tidegate.api.runs import Run, RunKind
from tidegate.api.spec import SyncIntegrationSpec
from tidegate.api.status import SyncIntegrationStatus
from tidegate.control.observation import Body, Cache, Integration, Job, JobState, Pod, Requests
from tidegate.control.untrusted import inert, positive_number


def controller_uid(body: Body) -> str | None:
    """The UID of the object that controls this one (invariant I7 rests on it)."""
    references = body["metadata"].get("ownerReferences") or ()
    return next((reference["uid"] for reference in references if reference.get("controller")), None)


def integration_of(body: Body) -> Integration:
    """A SyncIntegration from the API server's JSON.

    Raises ValidationError when the declared spec does not fit the models: the cluster's CRD is of another version.
    """
    metadata = body["metadata"]
    annotations = metadata.get("annotations") or {}
    return Integration(
        name=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        generation=metadata["generation"],
        resource_version=metadata["resourceVersion"],
        spec=SyncIntegrationSpec.model_validate(body["spec"]),
        status=_status_of(body.get("status") or {}),
        requests=Requests(
            sync=_request(annotations.get(names.SYNC_REQUESTED_ANNOTATION)),
            full_sync=_request(annotations.get(names.FULL_SYNC_REQUESTED_ANNOTATION)),
            reset=_request(annotations.get(names.RESET_REQUESTED_ANNOTATION)),
            reset_objects=objects_of(annotations.get(names.RESET_REQUESTED_ANNOTATION, "")),
            approve=_request(annotations.get(names.APPROVE_ANNOTATION)),
            allow_deletes=_request(annotations.get(names.ALLOW_DELETES_ANNOTATION)),
            plan=_request(annotations.get(names.PLAN_REQUESTED_ANNOTATION)),
            plan_key=_request(annotations.get(names.PLAN_KEY_ANNOTATION)),
            plan_undo=_request(annotations.get(names.PLAN_UNDO_ANNOTATION)),
            plan_check=annotations.get(names.PLAN_CHECK_ANNOTATION) == "true" or None,
            undo=_request(annotations.get(names.UNDO_REQUESTED_ANNOTATION)),
            decisions=annotations.get(names.DECISIONS_ANNOTATION),
        ),
        deleting="deletionTimestamp" in metadata,
        stored_status=body.get("status") or {},
    )


def _status_of(stored: Body) -> SyncIntegrationStatus:
    """The status. Fields that cannot be read, because a newer version wrote them, are lost; the others are not.

    Without the run its number is lost too, so that the run is read from its Job.
    """
    try:
        return SyncIntegrationStatus.model_validate(stored)
    except ValidationError as error:
        unreadable = {detail["loc"][0] for detail in error.errors()}
        if "run" in unreadable:
            unreadable.add("runs")
        return SyncIntegrationStatus.model_validate({name: stored[name] for name in stored.keys() - unreadable})


_REQUEST_CHARACTERS = 256


def _request(value: str | None) -> str | None:
    """What was asked. A long value stands as its digest: it is echoed in the status, which has to stay storable."""
    if value is None or len(value) <= _REQUEST_CHARACTERS:
        return value
    return f"sha256:{hashlib.sha256(value.encode()).hexdigest()}"


def job_of(body: Body) -> Job:
    """A Job of ours from the API server's JSON.

    Raises KeyError or ValueError when it does not carry what `render` writes: another client made it.
    """
    metadata, spec, status = body["metadata"], body["spec"], body.get("status") or {}
    annotations = metadata["annotations"]
    holds = {c["type"]: c for c in status.get("conditions") or () if c["status"] == "True"}
    failed, complete = holds.get("Failed"), holds.get("Complete")
    ended = failed or complete
    ours = names.SUSPENDED_ANNOTATION in annotations
    return Job(
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        run=Run(
            number=positive_number(metadata["labels"][names.RUN_LABEL]),
            kind=RunKind(annotations[names.RUN_KIND_ANNOTATION]),
            push=annotations[names.RUN_PUSH_ANNOTATION] == "true",
            cache_epoch=positive_number(annotations[names.RUN_CACHE_EPOCH_ANNOTATION]),
            job_name=metadata["name"],
            started_at=_time(annotations[names.RUN_STARTED_ANNOTATION]),
            claimed_at=_time(metadata["creationTimestamp"]),
            generation=positive_number(annotations[names.RUN_GENERATION_ANNOTATION]),
            undo=positive_number(undone) if (undone := annotations.get(names.RUN_UNDO_ANNOTATION)) else None,
            check=names.RUN_CHECK_ANNOTATION in annotations or None,
            decisions=annotations.get(names.RUN_DECISIONS_ANNOTATION),
        ),
        state=JobState.FAILED if failed else JobState.COMPLETE if complete else JobState.UNFINISHED,
        suspended=bool(spec.get("suspend")),
        held_by=_other_writer(metadata) if spec.get("suspend") and not ours else None,
        resumed_by=_other_writer(metadata) if ours and not spec.get("suspend") else None,
        deleting="deletionTimestamp" in metadata,
        finalizers=tuple(inert(finalizer) for finalizer in metadata.get("finalizers") or ()),
        suspension_seen="Suspended" in holds,
        pods=status.get("active", 0) + status.get("terminating", 0),
        failures=status.get("failed", 0),
        backoff_limit=spec.get("backoffLimit", 0),
        finished_at=_time(status.get("completionTime") or ended["lastTransitionTime"]) if ended else None,
        failure_reason=inert(failed.get("reason", "")) if failed else "",
        failure_message=inert(failed.get("message", "")) if failed else "",
    )


# The field manager of the operator's writes.
FIELD_MANAGER = "tidegate"


def _other_writer(metadata: Body) -> str:
    """Who but the operator has suspended a Job, or resumed it."""
    queue = metadata["labels"].get(names.QUEUE_NAME_LABEL)
    if queue:
        return inert(f"Kueue, in the queue {queue}")
    for entry in metadata.get("managedFields") or ():
        owned = (entry.get("fieldsV1") or {}).get("f:spec") or {}
        # What an admission webhook sets is recorded as the writer's own.
        if "f:suspend" in owned and entry.get("manager") != FIELD_MANAGER:
            return inert(str(entry.get("manager")))
    return "another controller"


def pod_of(body: Body) -> Pod:
    """A Pod of ours from the API server's JSON."""
    metadata, status = body["metadata"], body.get("status") or {}
    containers = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
    started = {container["name"] for container in containers if _has_started(container)}
    ended = _ended(status.get("containerStatuses")).get(contract.WORKER_CONTAINER, {})
    if contract.WORKER_CONTAINER not in started:
        ended = {}
    # Where the worker has not run, the message of the container that prepared its cache counts.
    speaker = ended or _ended(status.get("initContainerStatuses")).get(contract.CACHE_CONTAINER, {})
    live = status.get("phase") not in ("Succeeded", "Failed")
    # Phase Running: all init containers have succeeded, and at least one container has started. Of a Pod that has ended
    # without a status of its worker nothing is certain.
    is_told = any(container["name"] == contract.WORKER_CONTAINER for container in containers)
    unknown = not is_told and (not live or (not containers and status.get("phase") == "Running"))
    worker_started = contract.WORKER_CONTAINER in started or unknown
    return Pod(
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        job_uid=controller_uid(body),
        created_at=_time(metadata["creationTimestamp"]),
        live=live,
        begun=worker_started or bool(started),
        worker_started=worker_started,
        terminating="deletionTimestamp" in metadata,
        ends_by=_time(metadata["deletionTimestamp"]) if "deletionTimestamp" in metadata else None,
        node=inert((body.get("spec") or {}).get("nodeName") or ""),
        failed=status.get("phase") == "Failed",
        not_ended=tuple(
            inert(container["name"])
            for container in status.get("containerStatuses") or ()
            if "terminated" not in (container.get("state") or {})
        ),
        ended_at=_time(ended["finishedAt"]) if ended.get("finishedAt") else None,
        job_name=_controlling_job(metadata),
        labelled_job=(metadata.get("labels") or {}).get(_JOB_NAME_LABEL),
        exit_code=ended.get("exitCode"),
        termination_message=speaker.get("message", ""),
        # What a sidecar does beside a worker that has started keeps nothing from starting.
        trouble=inert(_trouble(status)) if live and not worker_started else "",
    )


def is_of_a_run(pod: Pod, integration: Integration) -> bool:
    """True for a Pod that one of the integration's Jobs has made, whoever controls it now.

    A Pod outlives its Job if that is deleted with `--cascade=orphan`, and it still syncs (invariant I1). The label can
    be forged by anyone who may create Pods in the namespace: the Pod is then waited for, and the status names it.
    """
    made_by = (pod.job_name, pod.labelled_job)
    return any(name is not None and names.is_job_name(name, integration.name, integration.uid) for name in made_by)


# https://kubernetes.io/docs/reference/labels-annotations-taints/#batch-kubernetes-io-job-name
_JOB_NAME_LABEL = "batch.kubernetes.io/job-name"


def _controlling_job(metadata: Body) -> str | None:
    references = metadata.get("ownerReferences") or ()
    controller: Body = next((reference for reference in references if reference.get("controller")), {})
    is_job = (controller.get("apiVersion"), controller.get("kind")) == ("batch/v1", "Job")
    return str(controller["name"]) if is_job else None


def _has_started(container: Body) -> bool:
    """Whether a container has ever run."""
    states = (container.get("state") or {}, container.get("lastState") or {})
    ended = [terminated for state in states if (terminated := state.get("terminated"))]
    return any("running" in state for state in states) or not all(_was_never_made(container, it) for it in ended)


def _was_never_made(container: Body, terminated: Body) -> bool:
    """When a Pod ends, the kubelet calls its containers terminated, also those that were never made."""
    has_run = container.get("containerID") or terminated.get("containerID") or terminated.get("startedAt")
    return terminated.get("reason") == "ContainerStatusUnknown" and not has_run


def _ended(containers: Sequence[Body] | None) -> dict[str, Body]:
    states = {c["name"]: (c.get("state") or {}).get("terminated") for c in containers or ()}
    return {name: terminated for name, terminated in states.items() if terminated}


def cache_of(body: Body) -> Cache:
    """A PersistentVolumeClaim of ours from the API server's JSON."""
    return Cache(
        name=body["metadata"]["name"],
        resource_version=body["metadata"]["resourceVersion"],
        bound=(body.get("status") or {}).get("phase") == "Bound",
        uid=body["metadata"]["uid"],
        deleting="deletionTimestamp" in body["metadata"],
    )


# Reasons of a waiting container that are part of an ordinary start.
_ORDINARY = ("ContainerCreating", "PodInitializing", "")


def _trouble(status: Body) -> str:
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"{condition.get('reason', '')}: {condition.get('message', '')}"
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason", "") not in _ORDINARY:
            return f"{waiting['reason']}: {waiting.get('message', '')}"
    return ""


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
