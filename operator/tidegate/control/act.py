"""Act: Step → API writes, each with its precondition. The only module that writes to the cluster.

The last step of the flow. Requests go out as plain JSON, so that what the API server has to say about a user's template
reaches the user in the API server's own words.
"""

import contextlib
import json
import logging
import re
from datetime import UTC, datetime
from typing import cast

import aiohttp
from kubernetes.aio.client.exceptions import ApiException

from tidegate.api import names
from tidegate.control import render
from tidegate.control.merge_patch import merge_patch
from tidegate.control.observation import Body, Integration
from tidegate.control.parse import FIELD_MANAGER, controller_uid, is_of_a_run, pod_of
from tidegate.control.rest import MERGE_PATCH, METADATA, Rest, path
from tidegate.control.settings import LONGEST_REQUEST, Settings
from tidegate.control.step import (
    Action,
    Announce,
    Chore,
    CreateCache,
    CreateJob,
    DeleteJob,
    EvictPod,
    LookUpJob,
    SuspendJob,
)

logger = logging.getLogger(__name__)

# For what nothing depends on: an Event that says what the status says too, an old Job that takes up room.
_COURTESY_SECONDS = 5.0

_SYNCS = f"/apis/{names.GROUP}/{names.VERSION}"
_BATCH, _CORE, _EVENTS = "/apis/batch/v1", "/api/v1", "/apis/events.k8s.io/v1"
_AS_OURS = {"fieldManager": FIELD_MANAGER}

_TOO_DEEP = "spec.template or spec.sync is nested too deeply to be made into a Job: take some of its levels away"

_NOT_FOUND = 404
_CONFLICT = 409
_BAD_REQUEST, _UNPROCESSABLE = 400, 422


class StaleViewError(Exception):
    """The object has changed since it was observed: nothing was written, observe again."""


class RefusedError(Exception):
    """The API server will not create a run's Job or cache; the message is its own.

    `needs_human`: it will probably refuse the same request again.
    """

    def __init__(self, message: str, *, needs_human: bool) -> None:
        super().__init__(message)
        self.needs_human = needs_human


class Writer:
    """The few API writes of the operator."""

    def __init__(self, rest: Rest, settings: Settings, instance: str) -> None:
        """`instance` names this operator process in Events."""
        self._rest = rest
        self._settings = settings
        self._instance = instance

    async def write_status(self, integration: Integration, status: Body) -> str:
        """Store the status, unless the object has changed since it was observed; return its new resourceVersion.

        Raises StaleViewError when another client has written, or the object is gone.
        """
        change = merge_patch(integration.stored_status, status)
        body = {
            "metadata": {"resourceVersion": integration.resource_version, "uid": integration.uid},
            "status": change,
        }
        where = path(_SYNCS, names.PLURAL, integration.namespace, integration.name, "status")
        return await self._patch(where, body, self._settings.request_timeout)

    async def job_is_absent(self, integration: Integration, name: str) -> bool:
        """Ask the API server itself whether the integration has no Job of this name, and no Pod that is alive."""
        job = await self._read_job(integration, name)
        if job is not None and controller_uid(job) == integration.uid:
            await self._mark_again(integration, job)
            return False
        pods = await self._rest.ask(
            "GET",
            path(_CORE, "pods", integration.namespace),
            query={"labelSelector": f"{names.INTEGRATION_UID_LABEL}={integration.uid}"},
            within=self._settings.request_timeout,
        )
        found = (pod_of(pod) for pod in pods["items"] or ())
        return not any(pod.live and is_of_a_run(pod, integration) for pod in found)

    async def _mark_again(self, integration: Integration, job: Body) -> None:
        """Put back the labels and annotations of the claimed run's Job: without them no watch shows what it does."""
        run, metadata = integration.status.run, job["metadata"]
        if run is None or run.job_name != metadata["name"]:
            return
        ours = render.job(integration, run, self._settings)["metadata"]
        marks = {kind: ours[kind] for kind in ("labels", "annotations")}
        if all((metadata.get(kind) or {}).get(key) == mark for kind in marks for key, mark in marks[kind].items()):
            return
        where = f"{integration.namespace}/{integration.name}"
        logger.warning("%s: Job %s had lost labels or annotations; restored them", where, run.job_name)
        precondition = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
        within = self._settings.request_timeout
        with contextlib.suppress(StaleViewError):  # it has changed since: the next look-up sees to it
            await self._patch_job(integration, run.job_name, {"metadata": {**precondition, **marks}}, within)

    async def take(self, integration: Integration, action: Action, within: float = LONGEST_REQUEST) -> str | None:
        """Take one action; return the resourceVersion of what was written, if the watch is to show it.

        `within`: seconds after which a creation or a resumption is given up, even where a request may take longer.
        Raises RefusedError when a Job or cache cannot be created, StaleViewError when a precondition failed.
        """
        within = min(within, self._settings.request_timeout)
        match action:
            case CreateCache():
                return await self._create_cache(integration, within)
            case CreateJob():
                return await self._create_job(integration, action, within)
            case SuspendJob():
                return await self._suspend_job(integration, action, within)
            case DeleteJob():
                await self._delete_job(integration, action, within)
            case EvictPod():
                await self._evict_pod(integration, action, within)
            case Announce():
                await self._announce(integration, action, within)
            case LookUpJob():  # answered before the step is taken
                pass
        return None

    async def attempt(self, integration: Integration, action: Chore | Announce) -> bool:
        """Take an action that nothing depends on; False, and a line in the log, when it cannot be done now."""
        try:
            await self.take(integration, action, _COURTESY_SECONDS)
        except (ApiException, aiohttp.ClientError, TimeoutError) as error:
            said = words(error) if isinstance(error, ApiException) else repr(error)
            logger.warning("cannot %s for %s/%s: %s", _what(action), integration.namespace, integration.name, said)
            return False
        return True

    async def _create_cache(self, integration: Integration, within: float) -> str | None:
        manifest = render.cache_claim(integration)
        name = manifest["metadata"]["name"]
        try:
            written = await self._create(_CORE, "persistentvolumeclaims", integration, manifest, within)
        except ApiException as error:
            if error.status != _CONFLICT:
                raise _refused(error) from error
            where = path(_CORE, "persistentvolumeclaims", integration.namespace, name)
            present = await self._rest.ask("GET", where, within=within)
            if controller_uid(present) != integration.uid:
                raise RefusedError(_taken("PersistentVolumeClaim", name), needs_human=True) from error
            return _resource_version(present)
        return _resource_version(written)

    async def _create_job(self, integration: Integration, action: CreateJob, within: float) -> str:
        try:
            manifest = render.job(integration, action.run, self._settings)
            written = await self._create(_BATCH, "jobs", integration, manifest, within)
        except RecursionError as error:
            raise RefusedError(_TOO_DEEP, needs_human=True) from error
        except ApiException as error:
            if error.status != _CONFLICT:
                raise _refused(error) from error
            present = await self._read_job(integration, action.run.job_name)
            if present is None:
                raise StaleViewError(f"Job {action.run.job_name} has just been deleted") from error
            if controller_uid(present) != integration.uid:
                raise RefusedError(_taken("Job", action.run.job_name), needs_human=True) from error
            return _resource_version(present)
        return _resource_version(written)

    async def _create(self, prefix: str, plural: str, integration: Integration, manifest: Body, within: float) -> Body:
        query = {**_AS_OURS, "fieldValidation": "Strict"}
        where = path(prefix, plural, integration.namespace)
        written = await self._rest.ask("POST", where, manifest, query=query, accept=METADATA, within=within)
        return cast(Body, written)

    async def _read_job(self, integration: Integration, name: str) -> Body | None:
        where = path(_BATCH, "jobs", integration.namespace, name)
        try:
            return cast(Body, await self._rest.ask("GET", where, within=self._settings.request_timeout))
        except ApiException as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    async def _suspend_job(self, integration: Integration, action: SuspendJob, within: float) -> str:
        body = {
            "metadata": {
                "resourceVersion": action.resource_version,
                "uid": action.uid,
                "annotations": {names.SUSPENDED_ANNOTATION: "true" if action.suspend else None},
            },
            "spec": {"suspend": action.suspend},
        }
        return await self._patch_job(integration, action.name, body, within)

    async def _patch_job(self, integration: Integration, name: str, body: Body, within: float) -> str:
        return await self._patch(path(_BATCH, "jobs", integration.namespace, name), body, within)

    async def _patch(self, where: str, body: Body, within: float) -> str:
        try:
            written = await self._rest.ask(
                "PATCH", where, body, query=_AS_OURS, content_type=MERGE_PATCH, accept=METADATA, within=within
            )
        except ApiException as error:
            if error.status in (_CONFLICT, _NOT_FOUND):
                raise StaleViewError(words(error)) from error
            raise
        return _resource_version(written)

    async def _delete_job(self, integration: Integration, action: DeleteJob, within: float) -> None:
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": action.uid, "resourceVersion": action.resource_version},
            "propagationPolicy": "Background",
        }
        try:
            where = path(_BATCH, "jobs", integration.namespace, action.name)
            await self._rest.ask("DELETE", where, options, within=within)
        except ApiException as error:
            if error.status not in (_CONFLICT, _NOT_FOUND):  # gone already, or another one of the same name
                raise

    async def _evict_pod(self, integration: Integration, action: EvictPod, within: float) -> None:
        # A deletion would count as a failure of the Job; an eviction does not (its podFailurePolicy ignores it).
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": action.name, "namespace": integration.namespace},
            "deleteOptions": {"preconditions": {"uid": action.uid, "resourceVersion": action.resource_version}},
        }
        where = path(_CORE, "pods", integration.namespace, action.name, "eviction")
        try:
            await self._rest.ask("POST", where, eviction, within=within)
        except ApiException as error:
            if error.status in (_CONFLICT, _NOT_FOUND):
                raise StaleViewError(words(error)) from error
            raise

    async def _announce(self, integration: Integration, action: Announce, within: float) -> None:
        manifest = {
            "metadata": {"generateName": f"{integration.name[:200].rstrip('-.')}-", "namespace": integration.namespace},
            "eventTime": datetime.now(UTC).isoformat(timespec="microseconds"),
            "reportingController": f"{names.GROUP}/operator",
            "reportingInstance": self._instance,
            "action": action.reason,
            "reason": action.reason,
            "type": "Warning" if action.warning else "Normal",
            "note": action.note[:1024],
            "regarding": {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "name": integration.name,
                "namespace": integration.namespace,
                "uid": integration.uid,
                "resourceVersion": integration.resource_version,
            },
        }
        await self._rest.ask("POST", path(_EVENTS, "events", integration.namespace), manifest, within=within)


def _resource_version(written: Body) -> str:
    return cast(str, written["metadata"]["resourceVersion"])


def _what(action: Chore | Announce) -> str:
    match action:
        case Announce():
            return "write an Event"
        case DeleteJob(name=name):
            return f"delete the finished Job {name}"
        case EvictPod(name=name):
            return f"evict the Pod {name}, which runs beside another one of its run,"


def _taken(kind: str, name: str) -> str:
    return f"{kind} {name} exists but does not belong to this SyncIntegration: delete or rename it"


def _refused(error: ApiException) -> Exception:
    # 429 and 5xx too: a failing admission webhook is answered with 500, and the status must not call that a run.
    if not error.status:
        return error
    return RefusedError(words(error), needs_human=error.status in (_BAD_REQUEST, _UNPROCESSABLE))


def words(error: ApiException) -> str:
    """What the API server said, without the HTTP around it."""
    try:
        message = json.loads(error.body or "")["message"]
    except (ValueError, KeyError, TypeError):
        message = f"{error.status or ''} {error.reason}".strip()
    return re.sub(r"\s+", " ", str(message))[:1024]
