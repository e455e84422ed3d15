"""View: what the watches have shown, kept by the integration that it belongs to.

It holds what decisions read and not whole objects. `watch` fills it; `reconcile` and `metrics` read it.
"""

import logging
from collections.abc import Callable, Collection, Iterable
from typing import Generic, TypeVar

from pydantic import ValidationError

from tidegate.api import names
from tidegate.control.observation import Body, Cache, Integration, Job, Observation, Pod
from tidegate.control.parse import cache_of, controller_uid, integration_of, is_of_a_run, job_of, pod_of

logger = logging.getLogger(__name__)

JOBS, PODS, CLAIMS = "jobs", "pods", "persistentvolumeclaims"

# More runs than the loss of a status can hide, and few beside the largest number that the API server stores.
_LONGEST_STEP = 10**9

View = TypeVar("View")
Owner = tuple[str, str]  # the namespace and the UID of an integration


class _Owned(Generic[View]):
    """The objects of one resource, by their own UID and by the integration that they belong to."""

    def __init__(self, read: Callable[[Body], View], owner_uid: Callable[[Body], str | None]) -> None:
        self._read = read
        self._owner_uid = owner_uid
        self._owners: dict[str, Owner] = {}
        self._views: dict[Owner, dict[str, View]] = {}

    def of(self, owner: Owner) -> Collection[View]:
        return self._views.get(owner, {}).values()

    def get(self, uid: str) -> View | None:
        owner = self._owners.get(uid)
        return None if owner is None else self._views[owner][uid]

    def put(self, body: Body) -> Iterable[str]:
        """Keep an object in place of what was known of it; return the UIDs of the integrations that this concerns."""
        uid, owner_uid = body["metadata"]["uid"], self._owner_uid(body)
        view = None if owner_uid is None else _read(self._read, body)
        before = self.remove(uid)
        if owner_uid is None:
            return before
        if view is not None:
            owner = (body["metadata"]["namespace"], owner_uid)
            self._owners[uid] = owner
            self._views.setdefault(owner, {})[uid] = view
        return {owner_uid, *before}

    def remove(self, uid: str) -> Iterable[str]:
        owner = self._owners.pop(uid, None)
        if owner is None:
            return ()
        views = self._views[owner]
        del views[uid]
        if not views:
            del self._views[owner]
        return (owner[1],)


class ClusterView:
    """The integrations, and each one's Jobs, Pods and cache."""

    def __init__(self) -> None:
        self._integrations: dict[str, Integration] = {}
        self._jobs = _Owned(job_of, controller_uid)
        self._pods = _Owned(pod_of, _integration_uid_of_pod)
        self._claims = _Owned(cache_of, controller_uid)
        self._last_words: dict[str, Pod] = {}  # of a Pod that is gone, by the UID of its Job
        self._owned: dict[str, _Owned[Job] | _Owned[Pod] | _Owned[Cache]] = {
            JOBS: self._jobs,
            PODS: self._pods,
            CLAIMS: self._claims,
        }

    def put(self, resource: str, body: Body) -> Iterable[str]:
        """Keep an object as a watch has shown it; return the UIDs of the integrations that this concerns."""
        if resource in self._owned:
            return self._owned[resource].put(body)
        uid = body["metadata"]["uid"]
        integration = _read(integration_of, body)
        if integration is None:
            self._integrations.pop(uid, None)
        else:
            self._integrations[uid] = integration
        return (uid,)

    def remove(self, resource: str, uid: str) -> Iterable[str]:
        """Forget an object that is gone; return the UIDs of the integrations that this concerns."""
        if resource == PODS:
            self._keep_last_words(uid)
        elif resource == JOBS:
            self._last_words.pop(uid, None)
        if resource in self._owned:
            return self._owned[resource].remove(uid)
        self._integrations.pop(uid, None)
        return (uid,)

    def _keep_last_words(self, uid: str) -> None:
        """Keep a Pod whose worker has ended until its Job is gone.

        A kubelet deletes a Pod that was told to end a moment after it has reported the exit code; before the
        integration is looked at again both may have happened.
        """
        pod = self._pods.get(uid)
        if pod is not None and pod.job_uid is not None and pod.exit_code is not None and not pod.live:
            self._last_words[pod.job_uid] = pod

    def integrations(self) -> Collection[Integration]:
        """All that there are now, in one step: asked from another thread, too."""
        return tuple(self._integrations.values())

    def observe(self, uid: str) -> Observation | None:
        """All that is known of an integration now, frozen; None when it does not exist (any more)."""
        integration = self._integrations.get(uid)
        if integration is None:
            return None
        # Labels and owner references can be forged by anyone who may write objects in the namespace.
        home = (integration.namespace, uid)
        cache_name = names.cache_name(integration.name, uid)
        jobs = tuple(job for job in self._jobs.of(home) if _is_plausible(job, integration))
        gone = (self._last_words[job.uid] for job in jobs if job.uid in self._last_words)
        return Observation(
            integration=integration,
            jobs=jobs,
            pods=tuple(pod for pod in (*self._pods.of(home), *gone) if is_of_a_run(pod, integration)),
            cache=next((claim for claim in self._claims.of(home) if claim.name == cache_name), None),
        )


def _integration_uid_of_pod(body: Body) -> str | None:
    # A Pod's controller is its Job; which integration that Job belonged to must be known after the Job is gone.
    uid: str | None = (body["metadata"].get("labels") or {}).get(names.INTEGRATION_UID_LABEL)
    return uid


def _is_plausible(job: Job, integration: Integration) -> bool:
    """False for a run number that no sync reaches: a forged one would leave no larger number to use."""
    return max(job.run.number, job.run.cache_epoch) <= integration.status.runs + _LONGEST_STEP


def _read(read: Callable[[Body], View], body: Body) -> View | None:
    """What `read` makes of an object; None, and a warning, when it cannot read it."""
    metadata = body["metadata"]
    what = (body.get("kind"), metadata.get("namespace"), metadata.get("name"))
    try:
        return read(body)
    except (KeyError, ValueError) as error:
        detail = error.errors(include_url=False) if isinstance(error, ValidationError) else repr(error)
        logger.warning("ignoring %s %s/%s: it is not in the form that this version reads: %s", *what, detail)
    except Exception:
        # One tenant's object that meets a defect must not blind the operator to those of all others.
        logger.exception("ignoring %s %s/%s: reading it failed", *what)
    return None
