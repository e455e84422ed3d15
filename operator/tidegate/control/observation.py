"""Observe: what the cluster holds for one integration, as one frozen Observation.

The second step of the flow, after watch. `decide` sees only what stands in an Observation; `parse` makes its parts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from tidegate.api import contract
from tidegate.api.runs import Run, RunKind
from tidegate.api.spec import SyncIntegrationSpec
from tidegate.api.status import SyncIntegrationStatus

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Requests:
    """What was asked once, by annotation (design section 3); None: never asked."""

    sync: str | None = None
    full_sync: str | None = None
    reset: str | None = None
    reset_objects: tuple[str, ...] = ()  # what that names; none: the whole sync
    approve: str | None = None
    allow_deletes: str | None = None  # approve, by its earlier name
    plan: str | None = None
    plan_key: str | None = None  # of that plan
    plan_undo: str | None = None  # of that plan: the run whose undo is planned
    plan_check: bool | None = None  # True, of that plan: it only checks the configuration
    undo: str | None = None  # the run to undo
    decisions: str | None = None  # as it is written, of up to 256 KiB


@dataclass(frozen=True, slots=True)
class Integration:
    """A SyncIntegration as it is stored."""

    name: str
    namespace: str
    uid: str
    generation: int
    resource_version: str = field(compare=False)  # many events change nothing else, and no decision reads it
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
    resource_version: str = field(compare=False)
    run: Run
    state: JobState = JobState.UNFINISHED
    suspended: bool = False
    held_by: str | None = None  # who else has suspended it; the operator does not resume such a Job
    resumed_by: str | None = None  # who else has resumed it after the operator had suspended it
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
    resource_version: str = field(compare=False)
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
    resource_version: str = field(compare=False)
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

        Of two that were made within a second the one that is alive is newer, or else the one whose exit code is known,
        or else the one that was not paused: a paused one is replaced, and one that has ended a run is not.
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

    @property
    def has_syncing_pod(self) -> bool:
        """The same of a Pod that may write: a plan's Pod only reads."""
        run = self.integration.status.run
        plans = {job.uid for job in self.jobs if job.run.kind is RunKind.PLAN}
        claimed = run.job_name if run is not None and run.kind is RunKind.PLAN else None
        return any(pod.live and pod.job_uid not in plans and not _is_made_by(pod, claimed) for pod in self.pods)


def _is_made_by(pod: Pod, job_name: str | None) -> bool:
    return job_name is not None and job_name in (pod.job_name, pod.labelled_job)


def _eloquence(pod: Pod) -> tuple[bool, datetime, bool, bool, bool]:
    code = pod.exit_code
    succeeded, was_paused = code == contract.ExitCode.COMPLETE, code == contract.ExitCode.PAUSED
    return succeeded, pod.created_at, pod.live, code is not None, not was_paused
