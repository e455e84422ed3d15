"""Cluster: the few API calls of the client, as its user may do them."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, cast

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from tidegate.api import contract, names
from tidegate.api.contract import Environment
from tidegate.cli.cluster.api_errors import translated
from tidegate.cli.cluster.kubeconfig import Connection, Notice, connect, silence
from tidegate.cli.cluster.list_watch import ANSWER, CONNECT, Follower, Gone, Interrupted, key_of
from tidegate.cli.cluster.reader_thread import Stop
from tidegate.cli.decisions.change import Change
from tidegate.cli.decisions.integration import Body, Integration, Key, integration_of
from tidegate.cli.errors import CommandError

_FIELD_MANAGER = "kubectl-sync"
_MERGE_PATCH = "application/merge-patch+json"
_CONFLICT, _BAD_REQUEST = 409, 400


class ChangedMeanwhileError(Exception):
    """Another client has written the object since it was read: read it again and decide again."""


@dataclass(frozen=True, slots=True)
class Pod:
    """A Pod of a run."""

    key: Key
    run: int
    cache_epoch: int
    has_log: bool  # the worker has been started in it


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster, as its user."""

    api: client.ApiClient
    namespace: str  # the context's

    times: tuple[float, float] | None = (CONNECT, ANSWER)  # seconds, of a request; None: no limit

    @classmethod
    def connect(cls, connection: Connection, notice: Notice = silence) -> "Cluster":
        """As the options say; `notice` is called when an answer takes long.

        Raises ClusterError when there is no cluster to ask, before it is asked anything.
        """
        # The client logs what it tries again; how that ends is what a user wants to know.
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        api, namespace = connect(connection, notice)
        return cls(api, namespace, _times(connection.request_timeout))

    def get(self, key: Key) -> Integration:
        """One SyncIntegration. Raises NotFoundError."""
        with translated():
            body = self._objects.get_namespaced_custom_object(
                *_place(key.namespace), key.name, _request_timeout=self.times
            )
        return integration_of(cast(Body, body))

    def find(self, namespace: str | None, selector: str = "") -> list[Integration]:
        """The SyncIntegrations of one namespace, or of all, in the order of their names."""
        with translated():
            listed = self._listing(namespace, label_selector=selector)(_request_timeout=self.times)
        return sorted(map(integration_of, listed["items"]), key=lambda integration: integration.key)

    def namespaces_of(self, name: str) -> list[str]:
        """Where there is a SyncIntegration of this name, as far as the user may look; in the order of their names."""
        try:
            with translated():
                listed = self._listing(None, field_selector=f"metadata.name={name}")(_request_timeout=self.times)
        except CommandError:
            return []
        return sorted(key_of(item).namespace for item in listed["items"])

    def follow(
        self,
        namespace: str | None,
        selector: str = "",
        name: str = "",
        known: Iterable[Key] = (),
        stop: Stop | None = None,
    ) -> Iterator[Integration | Gone | Interrupted]:
        """The SyncIntegrations that there are, and which of the `known` are not, then every change, until stopped."""
        field = f"metadata.name={name}" if name else ""
        listing = self._listing(namespace, label_selector=selector, field_selector=field)
        for event in Follower(listing, set(known), stop or Stop(), times=self.times).changes():
            yield event if isinstance(event, Gone | Interrupted) else integration_of(event)

    def patch(self, seen: Integration, change: Change) -> Integration:
        """Write a change of what was seen. Raises ChangedMeanwhileError when it is not so any more."""
        with translated():
            try:
                body = self._objects.patch_namespaced_custom_object(
                    *_place(seen.key.namespace),
                    seen.name,
                    change.patch(seen),
                    field_manager=_FIELD_MANAGER,
                    _content_type=_MERGE_PATCH,
                    _request_timeout=self.times,
                )
            except ApiException as error:
                if error.status == _CONFLICT:
                    raise ChangedMeanwhileError from error
                raise
        return integration_of(cast(Body, body))

    def follow_job(self, of: Integration, run: int, stop: Stop) -> Iterator[Body | Gone | Interrupted]:
        """The Job of a run, then every change of it, until stopped."""
        name = names.job_name(of.name, of.uid, run)
        call = self._objects.list_namespaced_custom_object
        listing = partial(call, "batch", "v1", of.key.namespace, "jobs", field_selector=f"metadata.name={name}")
        return Follower(listing, stop=stop, times=self.times).changes()

    def pods(self, of: Integration, run: int | None = None) -> list[Pod]:
        """The Pods of a run, or of all runs, oldest first."""
        selector = f"{names.INTEGRATION_UID_LABEL}={of.uid}" + (f",{names.RUN_LABEL}={run}" if run is not None else "")
        with translated():
            listed = self._core.list_namespaced_pod(
                of.key.namespace, label_selector=selector, _request_timeout=self.times
            )
        bodies = [pod.model_dump(by_alias=True) for pod in listed.items]
        bodies.sort(key=lambda body: (body["metadata"]["creationTimestamp"], body["metadata"]["name"]))
        return [_pod_of(body) for body in bodies]

    def log(
        self, pod: Pod, *, follow: Stop | None = None, timestamps: bool = False, tail: int | None = None
    ) -> Iterator[bytes]:
        """The log of the worker in a Pod, in the pieces that arrive.

        `follow`: also what it prints from now on, until stopped; `timestamps`: each line begins with its time;
        `tail`: only so many lines of its end.
        """
        with translated():
            response: Any = self._core.read_namespaced_pod_log(
                pod.key.name,
                pod.key.namespace,
                container=contract.WORKER_CONTAINER,
                follow=follow is not None,
                timestamps=timestamps,
                tail_lines=tail,
                _preload_content=False,
                # A worker may be silent for as long as it likes.
                _request_timeout=None if follow else self.times,
            )
            try:
                if response.status >= _BAD_REQUEST:
                    raise ApiException(http_resp=response, body=response.data.decode(errors="replace"), data=None)
                with (follow or Stop()).ends_by(response.shutdown):
                    yield from response.stream(decode_content=False)
            finally:
                response.close()

    def namespaces(self) -> list[str]:
        """The names of all namespaces."""
        with translated():
            listed = self._core.list_namespace(_request_timeout=self.times)
        return [namespace.model_dump()["metadata"]["name"] for namespace in listed.items]

    # The client loads an API and all its models when it is first named: in quotes, that is when it is first used.

    @property
    def _objects(self) -> "client.CustomObjectsApi":
        return client.CustomObjectsApi(self.api)

    @property
    def _core(self) -> "client.CoreV1Api":
        return client.CoreV1Api(self.api)

    def _listing(self, namespace: str | None, **selectors: str) -> partial[Any]:
        call: Any  # both take more than selectors
        if namespace is None:
            call = self._objects.list_cluster_custom_object
            return partial(call, names.GROUP, names.VERSION, names.PLURAL, **selectors)
        call = self._objects.list_namespaced_custom_object
        return partial(call, *_place(namespace), **selectors)


def _place(namespace: str) -> tuple[str, str, str, str]:
    return names.GROUP, names.VERSION, namespace, names.PLURAL


def _times(timeout: timedelta | None) -> tuple[float, float] | None:
    if timeout is None:
        return CONNECT, ANSWER
    seconds = timeout.total_seconds()
    return (seconds, seconds) if seconds else None


def _pod_of(body: Body) -> Pod:
    worker = next(c for c in body["spec"]["containers"] if c["name"] == contract.WORKER_CONTAINER)
    environment = {variable["name"]: variable.get("value") for variable in worker.get("env") or ()}
    statuses = (body.get("status") or {}).get("containerStatuses") or ()
    states = [c.get("state") or {} for c in statuses if c["name"] == contract.WORKER_CONTAINER]
    return Pod(
        key=key_of(body),
        run=int(body["metadata"]["labels"][names.RUN_LABEL]),
        cache_epoch=int(environment[Environment.CACHE_EPOCH]),
        has_log=any(state.get("running") or state.get("terminated") for state in states),
    )
