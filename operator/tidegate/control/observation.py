"""Observe: what the cluster holds for one integration, as one frozen Observation.

The second step of the flow, after watch. Objects of the API server are read here and nowhere else; `decide` sees only
what stands in an Observation.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from pydantic import ValidationError

from tidegate.api import contract, names
from tidegate.api.spec import SyncIntegrationSpec
from tidegate.api.status import Run, RunKind, SyncIntegrationStatus

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Requests:
    """What was asked once, by annotation (design section 3); None: never asked."""

    sync: str | None = None
    reset: str | None = None
    allow_deletes: str | None = None


@dataclass(frozen=True, slots=True)
class Integration:
    """A SyncIntegration as it is stored."""

    name: str
    namespace: str
    uid: str
    generation: int
    resource_version: str
    spec: SyncIntegrationSpec
    status: SyncIntegrationStatus
    requests: Requests = Requests()
    deleting: bool = False
    stored_status: Body = field(default_factory=dict)  # to the letter, so that what is written is exactly what differs

    def tells_of(self, reason: str) -> bool:
        """Whether its status says so already: an Event more would only repeat it."""
        return any(c.type == "Ready" and c.reason == reason for c in self.status.conditions)


class JobState(Enum):
    """Whether a Job will still run Pods. A suspended Job is unfinished."""

    UNFINISHED = "unfinished"
    COMPLETE = "complete"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """A Job whose controller is the integration; `run` is what its claim said."""

    name: str
    uid: str
    resource_version: str
    run: Run
    state: JobState = JobState.UNFINISHED
    suspended: bool = False
    held_by: str | None = None  # who else has suspended it; the operator does not resume such a Job
    deleting: bool = False  # its controller makes no Pod for it any more, and never declares its end
    finalizers: tuple[str, ...] = ()  # what keeps it while it is being deleted
    suspension_seen: bool = False  # the Job controller has acknowledged the suspension, and not yet the resumption
    pods: int = 0  # active and terminating, as the Job's own status counts them
    failures: int = 0  # Pods that count towards the Job's backoff limit
    backoff_limit: int = 0  # how many failed Pods are replaced
    finished_at: datetime | None = None
    failure_reason: str = ""
    failure_message: str = ""

    @property
    def finished(self) -> bool:
        """True when the Job controller has declared its end."""
        return self.state is not JobState.UNFINISHED


@dataclass(frozen=True, slots=True)
class Pod:
    """A Pod of one of the integration's Jobs."""

    name: str
    uid: str
    resource_version: str
    job_uid: str | None
    created_at: datetime
    live: bool  # a container runs, or may still start
    begun: bool = False  # a container has started, an init container included
    worker_started: bool = False  # or may have
    terminating: bool = False  # it is being deleted
    ends_by: datetime | None = None  # the end of its grace period, once it is being deleted
    node: str = ""
    failed: bool = False  # all its containers have ended, and one of them not with 0
    not_ended: tuple[str, ...] = ()  # its ordinary containers; the kubelet itself ends native sidecars
    ended_at: datetime | None = None  # when the worker's container ended
    job_name: str | None = None  # of the Job that controls it
    labelled_job: str | None = None  # of the Job that made it, as its label says; it may have been orphaned since
    exit_code: int | None = None
    termination_message: str = ""
    trouble: str = ""  # why it cannot start, in the cluster's own words


@dataclass(frozen=True, slots=True)
class Cache:
    """The PersistentVolumeClaim of the integration's cache."""

    name: str
    resource_version: str
    bound: bool
    uid: str
    deleting: bool = False  # it stays as long as there is a Pod that uses it, even one that has ended


NO_RUN = 0  # the number of none


@dataclass(frozen=True, slots=True)
class Refusal:
    """The API server's answer to the last attempt to create a run's Job or cache; NO_RUN: a cache before any claim."""

    run: int
    generation: int
    message: str
    needs_human: bool  # the same request will probably be refused again
    retry_at: datetime


@dataclass(frozen=True, slots=True)
class Observation:
    """All that a decision is taken from, besides the time."""

    integration: Integration
    jobs: tuple[Job, ...] = ()
    pods: tuple[Pod, ...] = ()
    cache: Cache | None = None
    absent_job: str | None = None  # the name that LookUpJob has just found to be free
    refusal: Refusal | None = field(default=None)

    def job_of(self, run: Run) -> Job | None:
        """The Job of a claimed run."""
        return next((job for job in self.jobs if job.name == run.job_name), None)

    def pods_of(self, job: Job) -> tuple[Pod, ...]:
        """The Pods of a Job, that which speaks for the run first: one whose worker has succeeded, else the newest.

        Of two that were made within a second the one that is alive is newer.
        """
        pods = (pod for pod in self.pods if pod.job_uid == job.uid)
        return tuple(sorted(pods, key=_eloquence, reverse=True))

    @property
    def orphans(self) -> tuple[Pod, ...]:
        """The live Pods whose Job is gone."""
        jobs = {job.uid for job in self.jobs}
        return tuple(pod for pod in self.pods if pod.live and pod.job_uid not in jobs)

    @property
    def has_live_pod(self) -> bool:
        """True while any Pod of the integration runs or may still start."""
        return any(pod.live for pod in self.pods)


def _eloquence(pod: Pod) -> tuple[bool, datetime, bool]:
    return pod.exit_code == contract.ExitCode.COMPLETE, pod.created_at, pod.live


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
            reset=_request(annotations.get(names.RESET_REQUESTED_ANNOTATION)),
            allow_deletes=_request(annotations.get(names.ALLOW_DELETES_ANNOTATION)),
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
    return Job(
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        run=Run(
            number=_number(metadata["labels"][names.RUN_LABEL]),
            kind=RunKind(annotations[names.RUN_KIND_ANNOTATION]),
            push=annotations[names.RUN_PUSH_ANNOTATION] == "true",
            cache_epoch=_number(annotations[names.RUN_CACHE_EPOCH_ANNOTATION]),
            job_name=metadata["name"],
            started_at=_time(annotations[names.RUN_STARTED_ANNOTATION]),
            claimed_at=_time(metadata["creationTimestamp"]),
            generation=_number(annotations[names.RUN_GENERATION_ANNOTATION]),
        ),
        state=JobState.FAILED if failed else JobState.COMPLETE if complete else JobState.UNFINISHED,
        suspended=bool(spec.get("suspend")),
        held_by=_holder(metadata) if spec.get("suspend") else None,
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


def _holder(metadata: Body) -> str | None:
    """Who has suspended a Job, unless the operator has."""
    if names.SUSPENDED_ANNOTATION in metadata["annotations"]:
        return None
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


# What is larger the API server does not store, and the status could not be written.
LARGEST_NUMBER = 2**53 - 1

_REASON_CHARACTERS = 512


def inert(text: str) -> str:
    """Text of an untrusted origin, bounded and without control characters."""
    return "".join(c if c.isprintable() else " " for c in text[:_REASON_CHARACTERS]).strip()


def _number(text: str) -> int:
    number = int(text)
    if not 0 < number <= LARGEST_NUMBER:
        raise ValueError(f"{text} is not a number of ours")
    return number


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
