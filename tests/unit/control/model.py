"""A model of the API server, for one SyncIntegration and what belongs to it.

It holds the JSON that the API server would store, and offers what the operator meets: `ModelWriter` for its writes,
`ModelView` for what its watches have shown. A write waits until the test lets it happen, so that anything can happen
in between. The Ledger is told of everything that happens and asserts the invariants.
"""

import copy
import itertools
import types
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar, cast

from tidegate.api import names
from tidegate.api.base import format_time
from tidegate.control import render
from tidegate.control.act import RefusedError, StaleViewError
from tidegate.control.merge_patch import merge_patch
from tidegate.control.observation import Body, Cache, Integration, Job, Observation, Pod
from tidegate.control.parse import cache_of, controller_uid, integration_of, is_of_a_run, job_of, pod_of
from tidegate.control.settings import LONGEST_REQUEST, Settings
from tidegate.control.step import Action, CreateCache, CreateJob, DeleteJob, EvictPod, SuspendJob

from .ledger import Ledger

NAME, NAMESPACE, UID = "crm-to-billing", "sales", "5f0c7a52-7f6a-4c59-9d0e-6f0d3b7c1a11"
EPOCH = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
SETTINGS = Settings(operator_image="registry.example/operator:1", worker_image="registry.example/worker:1")

INTEGRATION, JOB, POD, CLAIM = "SyncIntegration", "Job", "Pod", "PersistentVolumeClaim"
Key = tuple[str, str]  # kind and name
View = Integration | Job | Pod | Cache
_READ: dict[str, Callable[[Body], View]] = {INTEGRATION: integration_of, JOB: job_of, POD: pod_of, CLAIM: cache_of}

Answer = TypeVar("Answer")
Request = Callable[[], Any]


@dataclass(frozen=True)
class Version:
    """What the watch says of an object since a revision; None: it is deleted."""

    revision: int
    at: timedelta
    view: View | None


@dataclass(frozen=True)
class Backup:
    """What a backup of etcd holds, and what was true then."""

    objects: dict[Key, dict[str, Any]]
    history: dict[Key, list[Version]]
    revision: int
    ledger: Ledger


@dataclass
class Server:
    """The API server: what is stored, and what has been stored before."""

    ledger: Ledger = field(default_factory=lambda: Ledger(UID))
    time: timedelta = timedelta(0)  # since the beginning; only ever grows
    revision: int = 0
    objects: dict[Key, dict[str, Any]] = field(default_factory=dict)
    history: dict[Key, list[Version]] = field(default_factory=dict)
    refusal: RefusedError | None = None  # of any creation
    queueing: bool = False  # a queueing controller suspends each Job when it is created
    resuming: bool = False  # one resumes each Job that the operator suspends
    errors: int = 0  # how many requests of operators are answered with 500
    writes: int = 0  # by operators
    _uids: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def now(self) -> datetime:
        return EPOCH + self.time

    def stored(self, kind: str) -> list[dict[str, Any]]:
        return [body for (its_kind, _), body in self.objects.items() if its_kind == kind]

    def view(self, kind: str, name: str) -> Any:
        return self.history[kind, name][-1].view

    @property
    def integration(self) -> Integration:
        return cast(Integration, self.view(INTEGRATION, NAME))

    @property
    def jobs(self) -> list[Job]:
        """Of the integration; other owners' are left out."""
        views = [self.view(JOB, body["metadata"]["name"]) for body in self.stored(JOB)]
        return [view for view in views if view is not None]

    @property
    def pods(self) -> list[Pod]:
        return [self.view(POD, body["metadata"]["name"]) for body in self.stored(POD)]

    def create(self, kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
        given = {"uid": f"{kind}-{next(self._uids)}", **body["metadata"]}
        created = {**body, "metadata": {**given, "creationTimestamp": format_time(self.now)}}
        self.objects[kind, created["metadata"]["name"]] = created
        self.changed(kind, created)
        return created

    def changed(self, kind: str, body: dict[str, Any]) -> str:
        """Give a changed object its new version."""
        self.revision += 1
        body["metadata"]["resourceVersion"] = str(self.revision)
        name = body["metadata"]["name"]
        # What is another owner's is not shown by the operator's watches.
        ours = kind in (INTEGRATION, POD) or controller_uid(body) == UID
        frozen = _READ[kind](body) if ours else None
        self.history.setdefault((kind, name), []).append(Version(self.revision, self.time, frozen))
        return str(self.revision)

    def back_up(self) -> Backup:
        """What a backup of etcd holds."""
        history = {key: list(versions) for key, versions in self.history.items()}
        return Backup(copy.deepcopy(self.objects), history, self.revision, self.ledger.backed_up())

    def restore(self, backup: Backup) -> None:
        """Put a backup of etcd in place of all that is stored; revisions go back, and come again."""
        self.objects = copy.deepcopy(backup.objects)
        self.history = {key: list(versions) for key, versions in backup.history.items()}
        self.revision = backup.revision
        self.ledger.etcd_restored(backup.ledger)

    def delete(self, kind: str, name: str) -> None:
        del self.objects[kind, name]
        self.revision += 1
        self.history[kind, name].append(Version(self.revision, self.time, None))

    # What operators ask for

    def patch_status(self, seen: Integration, change: Body) -> str:
        body = self.objects.get((INTEGRATION, NAME))
        if body is None or body["metadata"]["resourceVersion"] != seen.resource_version:
            raise StaleViewError("the object has been modified")
        before = self.integration
        status = apply_merge_patch(body.get("status") or {}, change)
        if status == body.get("status"):
            return seen.resource_version
        body["status"] = status
        self.writes += 1
        version = self.changed(INTEGRATION, body)
        self.ledger.status_written(before, self.integration, self.jobs, self.pods)
        return version

    def create_owned(self, kind: str, manifest: Body) -> str:
        if self.refusal is not None:
            raise self.refusal
        present = self.objects.get((kind, manifest["metadata"]["name"]))
        if present is None:
            self.writes += 1
            if kind == JOB and self.queueing:
                manifest = {**manifest, "spec": {**manifest["spec"], "suspend": True}}
            created = self.create(kind, manifest)
            if kind == JOB:
                job = self.view(JOB, created["metadata"]["name"])
                self.ledger.job_created(job, self.jobs, self.integration)
            return cast(str, created["metadata"]["resourceVersion"])
        if controller_uid(present) != UID:
            raise RefusedError(f"{kind} exists but does not belong to this SyncIntegration", needs_human=True)
        return cast(str, present["metadata"]["resourceVersion"])

    def suspend_job(self, action: SuspendJob) -> str:
        body = self.objects.get((JOB, action.name))
        if body is None or body["metadata"]["resourceVersion"] != action.resource_version:
            raise StaleViewError("the Job has been modified")
        self.ledger.touched(controller_uid(body))
        self.writes += 1
        if action.suspend:
            self.ledger.job_is_to_be_suspended(self.view(JOB, action.name))
        body["spec"]["suspend"] = action.suspend
        annotations = body["metadata"]["annotations"]
        annotations.pop(names.SUSPENDED_ANNOTATION, None)
        if action.suspend:
            annotations[names.SUSPENDED_ANNOTATION] = "true"
        version = self.changed(JOB, body)
        self.ledger.job_suspended(self.view(JOB, action.name), self.integration)
        if action.suspend and self.resuming:
            self.hold_job(action.name, held=False)
        return version

    def hold_job(self, name: str, *, held: bool) -> None:
        """Another controller suspends a Job, or resumes it."""
        body = self.objects[JOB, name]
        body["spec"]["suspend"] = held
        self.changed(JOB, body)

    def delete_job(self, action: DeleteJob) -> None:
        body = self.objects.get((JOB, action.name))
        if body is None or body["metadata"]["resourceVersion"] != action.resource_version:
            return
        self.ledger.touched(controller_uid(body))
        self.writes += 1
        job = self.view(JOB, action.name)
        self.delete(JOB, action.name)
        self.ledger.job_deleted(job, self.jobs, self.integration)

    def evict_pod(self, action: EvictPod) -> None:
        body = self.objects.get((POD, action.name))
        if body is None or body["metadata"]["resourceVersion"] != action.resource_version:
            raise StaleViewError("the Pod has been modified")
        self.writes += 1
        self.ledger.pod_evicted(self.view(POD, action.name), self.jobs, self.pods)
        if "deletionTimestamp" not in body["metadata"]:
            body["metadata"]["deletionTimestamp"] = format_time(self.now)
            self.changed(POD, body)

    def job_is_absent(self, name: str) -> bool:
        return (JOB, name) not in self.objects and not any(
            pod.live and is_of_a_run(pod, self.integration) for pod in self.pods
        )

    # What users ask for

    def declare(self, **spec: Any) -> None:
        body = self.objects[INTEGRATION, NAME]
        if body["spec"] == {**body["spec"], **spec}:
            return
        body["spec"] = {**body["spec"], **spec}
        body["metadata"]["generation"] += 1
        self.changed(INTEGRATION, body)
        self.ledger.declared(self.integration.spec)

    def annotate(self, annotation: str, value: str | None) -> None:
        """Set an annotation; None removes it."""
        body = self.objects[INTEGRATION, NAME]
        annotations = {**body["metadata"].get("annotations", {}), annotation: value}
        body["metadata"]["annotations"] = {key: text for key, text in annotations.items() if text is not None}
        self.changed(INTEGRATION, body)


SYNC = {"objects": [{"name": "contact"}, {"name": "account"}]}


def new_integration(server: Server, **spec: Any) -> None:
    metadata = {"name": NAME, "namespace": NAMESPACE, "uid": UID, "generation": 1}
    server.create(
        INTEGRATION,
        {"metadata": metadata, "spec": {"status": "OFF", "delay": "10s", "retries": 0, "sync": SYNC, **spec}},
    )


def apply_merge_patch(old: Body, patch: Body) -> dict[str, Any]:
    """RFC 7386, as the API server applies it."""
    new = dict(old)
    for key, value in patch.items():
        if value is None:
            new.pop(key, None)
        elif isinstance(value, Mapping):
            present = new.get(key)
            new[key] = apply_merge_patch(present if isinstance(present, Mapping) else {}, value)
        else:
            new[key] = value
    return new


@types.coroutine
def _when_let(request: Request, within: float = LONGEST_REQUEST) -> Generator[tuple[Request, float], Any, Any]:
    """Wait until the test lets the request happen, within so many seconds; it answers, or raises, as it sees fit."""
    return (yield request, within)


class ModelWriter:
    """`act.Writer` for the model."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def write_status(self, integration: Integration, status: Body) -> str:
        change = merge_patch(integration.stored_status, status)
        return cast(str, await _when_let(lambda: self._server.patch_status(integration, change)))

    async def job_is_absent(self, integration: Integration, name: str) -> bool:
        return cast(bool, await _when_let(lambda: self._server.job_is_absent(name)))

    async def attempt(self, integration: Integration, action: Action) -> bool:
        try:
            await self.take(integration, action, 5)
        except TimeoutError:
            return False
        return True

    async def take(self, integration: Integration, action: Action, within: float = LONGEST_REQUEST) -> str | None:
        request: Request
        match action:
            case CreateCache():
                request = partial(self._server.create_owned, CLAIM, render.cache_claim(integration))
            case CreateJob(run):
                request = partial(self._server.create_owned, JOB, render.job(integration, run, SETTINGS))
            case SuspendJob():
                request = partial(self._server.suspend_job, action)
            case DeleteJob():
                request = partial(self._server.delete_job, action)
            case EvictPod():
                request = partial(self._server.evict_pod, action)
            case _:
                return None
        return cast(str | None, await _when_let(request, within))


class ModelView:
    """`view.ClusterView` for the model: of each object some version that has been, and never an older one again."""

    def __init__(self, server: Server, revision: int) -> None:
        """As a list at this revision shows it."""
        self._server = server
        self._shown: dict[Key, int] = {}
        self._last_words: dict[str, Pod] = {}  # of a Pod that is gone, by the UID of its Job
        for key, versions in server.history.items():
            known = sum(1 for version in versions if version.revision <= revision)
            if known:
                self._shown[key] = known

    def behind(self) -> list[Key]:
        """The objects of which there is news, oldest news first."""
        news = [key for key, versions in self._server.history.items() if self._shown.get(key, 0) < len(versions)]
        return sorted(news, key=lambda key: self._server.history[key][self._shown.get(key, 0)].revision)

    def lag(self) -> timedelta:
        """How old the oldest news is that has not been shown."""
        news = (self._server.history[key][self._shown.get(key, 0)].at for key in self.behind())
        return self._server.time - min(news, default=self._server.time)

    def show(self, key: Key, *, newest: bool = True) -> None:
        """Deliver the next, or all, of what has happened to an object."""
        versions, shown = self._server.history[key], self._shown.get(key, 0)
        self._shown[key] = len(versions) if newest else min(shown + 1, len(versions))
        for before, after in pairwise(versions[: self._shown[key]]):
            pod = before.view
            if after.view is None and isinstance(pod, Pod) and pod.job_uid and pod.exit_code is not None:
                self._last_words[pod.job_uid] = pod

    def observe(self, uid: str) -> Observation | None:
        seen: dict[str, list[Any]] = {INTEGRATION: [], JOB: [], POD: [], CLAIM: []}
        for key, known in self._shown.items():
            view = self._server.history[key][known - 1].view
            if view is not None:
                seen[key[0]].append(view)
        if not seen[INTEGRATION]:
            return None
        seen[POD] += [self._last_words[job.uid] for job in seen[JOB] if job.uid in self._last_words]
        return Observation(
            integration=seen[INTEGRATION][0],
            jobs=tuple(seen[JOB]),
            pods=tuple(pod for pod in seen[POD] if is_of_a_run(pod, seen[INTEGRATION][0])),
            cache=next(iter(seen[CLAIM]), None),
        )
