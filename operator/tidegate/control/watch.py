"""Watch: cluster events → the view that `observe` reads, and keys for the queue. The first step of the flow.

kopf serves as the informer: its indices hold what the watches have shown, its event handlers only say which
integration to look at. Nothing of ours is stored in framework annotations, and no finalizer is set.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import kopf
from pydantic import ValidationError

from tidegate.api import names
from tidegate.control.freshness import Freshness
from tidegate.control.observation import (
    Body,
    Cache,
    Integration,
    Job,
    Observation,
    Pod,
    cache_of,
    controller_uid,
    integration_of,
    is_of_a_run,
    job_of,
    pod_of,
)
from tidegate.control.queue import WorkQueue

logger = logging.getLogger(__name__)

INTEGRATIONS = (names.GROUP, names.VERSION, names.PLURAL)
JOBS = ("batch", "v1", "jobs")
PODS = ("", "v1", "pods")
CLAIMS = ("", "v1", "persistentvolumeclaims")

View = TypeVar("View")
Key = TypeVar("Key")
Index = Mapping[Key, Iterable[View]]

# More runs than the loss of a status can hide, and few beside the largest number that the API server stores.
_LONGEST_STEP = 10**9

Owner = tuple[str, str]  # the namespace and the UID of an integration


class ClusterView:
    """What the watches have shown, by the UID of the integration that it belongs to."""

    def __init__(self) -> None:
        self._integrations: Index[str, Integration] = {}
        self._jobs: Index[Owner, Job] = {}
        self._pods: Index[Owner, Pod] = {}
        self._claims: Index[Owner, Cache] = {}

    def attach(
        self,
        integrations: Index[str, Integration],
        jobs: Index[Owner, Job],
        pods: Index[Owner, Pod],
        claims: Index[Owner, Cache],
    ) -> None:
        """Read from these indices from now on."""
        self._integrations, self._jobs, self._pods, self._claims = integrations, jobs, pods, claims

    def integrations(self) -> Iterator[Integration]:
        """All that there are."""
        for uid in self._integrations:
            yield from self._integrations.get(uid, ())

    def observe(self, uid: str) -> Observation | None:
        """All that is known of an integration now, frozen; None when it does not exist (any more)."""
        integration = next(iter(self._integrations.get(uid, ())), None)
        if integration is None:
            return None
        # Anybody may write labels and owner references into his own objects, in his own namespace.
        home = (integration.namespace, uid)
        cache_name = names.cache_name(integration.name, uid)
        return Observation(
            integration=integration,
            jobs=tuple(job for job in self._jobs.get(home, ()) if _is_plausible(job, integration)),
            pods=tuple(pod for pod in self._pods.get(home, ()) if is_of_a_run(pod, integration)),
            cache=next((claim for claim in self._claims.get(home, ()) if claim.name == cache_name), None),
        )


def register(registry: kopf.OperatorRegistry, view: ClusterView, queue: WorkQueue, freshness: Freshness) -> None:
    """Let kopf keep `view`, fill `queue`, and tell `freshness` of every event."""

    def saw(resource: kopf.Resource, event: kopf.RawEvent) -> None:
        metadata = event["object"]["metadata"]
        freshness.saw(
            resource.plural,
            metadata["namespace"],
            metadata["uid"],
            int(metadata["resourceVersion"]),
            deleted=event["type"] == "DELETED",
        )

    @kopf.index(*INTEGRATIONS, id="integrations", registry=registry)
    def integration(body: kopf.Body, **_: Any) -> dict[str, Integration] | None:
        freshness.indexed(body.metadata["uid"])
        return _indexed(body, body.metadata["uid"], integration_of)

    @kopf.index(*JOBS, id="jobs", registry=registry)
    def job(body: kopf.Body, **_: Any) -> dict[Owner, Job] | None:
        freshness.indexed(body.metadata["uid"])
        return _indexed(body, _owner(body, controller_uid(body)), job_of)

    @kopf.index(*PODS, id="pods", registry=registry)
    def pod(body: kopf.Body, **_: Any) -> dict[Owner, Pod] | None:
        freshness.indexed(body.metadata["uid"])
        return _indexed(body, _owner(body, _integration_uid_of_pod(body)), pod_of)

    @kopf.index(*CLAIMS, id="claims", registry=registry)
    def claim(body: kopf.Body, **_: Any) -> dict[Owner, Cache] | None:
        freshness.indexed(body.metadata["uid"])
        return _indexed(body, _owner(body, controller_uid(body)), cache_of)

    @kopf.on.startup(registry=registry)
    async def attach(**indices: Any) -> None:
        view.attach(indices["integrations"], indices["jobs"], indices["pods"], indices["claims"])

    @kopf.on.event(*INTEGRATIONS, registry=registry)
    async def integration_changed(body: kopf.Body, resource: kopf.Resource, event: kopf.RawEvent, **_: Any) -> None:
        saw(resource, event)
        await queue.add(body.metadata["uid"])

    @kopf.on.event(*JOBS, registry=registry)
    @kopf.on.event(*CLAIMS, registry=registry)
    async def owned_object_changed(body: kopf.Body, resource: kopf.Resource, event: kopf.RawEvent, **_: Any) -> None:
        saw(resource, event)
        uid = controller_uid(body)
        if uid is not None:
            await queue.add(uid)

    @kopf.on.event(*PODS, registry=registry)
    async def pod_changed(body: kopf.Body, resource: kopf.Resource, event: kopf.RawEvent, **_: Any) -> None:
        saw(resource, event)
        uid = _integration_uid_of_pod(body)
        if uid is not None:
            await queue.add(uid)


def _integration_uid_of_pod(body: Body) -> str | None:
    # A Pod's controller is its Job; which integration that Job belonged to must be known after the Job is gone.
    uid: str | None = (body["metadata"].get("labels") or {}).get(names.INTEGRATION_UID_LABEL)
    return uid


def _is_plausible(job: Job, integration: Integration) -> bool:
    """False for a number that no sync gets to: believed once, it would be the last but one that can be stored."""
    return max(job.run.number, job.run.cache_epoch) <= integration.status.runs + _LONGEST_STEP


def _owner(body: Body, uid: str | None) -> Owner | None:
    return None if uid is None else (body["metadata"]["namespace"], uid)


def _indexed(body: Body, key: Key | None, read: Callable[[Body], View]) -> dict[Key, View] | None:
    if key is None:
        return None
    plain = dict(body)  # kopf's views of nested fields are not the plain JSON that pydantic reads
    try:
        return {key: read(plain)}
    except (KeyError, ValueError) as error:
        metadata = plain["metadata"]
        detail = error.errors(include_url=False) if isinstance(error, ValidationError) else repr(error)
        logger.warning(
            "ignoring %s %s/%s: it is not in the form that this version reads: %s",
            plain.get("kind"),
            metadata.get("namespace"),
            metadata.get("name"),
            detail,
        )
        return None
