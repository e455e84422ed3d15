"""What a kubelet does to Pods, for a control plane without a node: binds, runs and ends them, as tests say.

Only the API server's side of it is played: Pods get the status that a kubelet would report. What a container really
does is for tests/e2e.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from cluster.namespace import Object, connect, run_of
from tidegate.api.contract import WORKER_CONTAINER

NODE = "played"
_PERIOD = 0.05
_SECONDS_OF_A_WATCH = 1
_GONE_OR_CHANGED = (404, 409)


@dataclass(frozen=True)
class Ending:
    """How a worker's container ends."""

    exit_code: int = 0
    message: str = ""


PAUSED = Ending(75)

# Asked again and again for each running Pod; None: it goes on running.
Script = Callable[[Object], Ending | None]


class PlayedNode:
    """Runs the Pods of one namespace, in a thread of its own; each runs until it is told how to end."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self._pods = connect(kubeconfig).resources.get(api_version="v1", kind="Pod")
        self._namespace = namespace
        self._stop = threading.Event()
        self._changed = threading.Event()  # the Pods are no longer what was listed last
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._endings: dict[int, Ending] = {}
        self._lost_caches: dict[int, str] = {}
        self._failure: BaseException | None = None
        self.script: Script = lambda pod: None
        self.census: Callable[[list[Object]], None] = lambda pods: None  # is told of all Pods at each look
        self.obeys_sigterm = True
        self.starts_pods = True
        self.sidecars_end_with_the_worker = True

    @staticmethod
    def register(kubeconfig: Path) -> None:
        """Let the cluster know the node, so that Pods can be bound to it."""
        nodes = connect(kubeconfig).resources.get(api_version="v1", kind="Node")
        nodes.create(body={"metadata": {"name": NODE}})

    def end(self, run: int, exit_code: int = 0, message: str = "") -> None:
        """Let the Pod of a run end, be it there already or not; once."""
        self._endings[run] = Ending(exit_code, message)

    def refuse_cache(self, run: int, words: str) -> None:
        """Let the container that prepares a run's cache find that it is lost; once."""
        self._lost_caches[run] = words

    def end_every_run(self, ending: Ending = Ending()) -> None:
        """From now on every Pod ends as soon as it runs."""
        self.script = lambda pod: ending

    def __enter__(self) -> Self:
        self._thread.start()
        # Nobody waits for its end, which comes with that of its last request.
        threading.Thread(target=self._follow, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._failure is not None:
            if error is None:
                raise self._failure
            error.add_note(f"the played node has failed: {self._failure!r}")

    def _play(self) -> None:
        try:
            pods: list[Object] = []
            while not self._stop.wait(_PERIOD):
                if self._changed.is_set():
                    self._changed.clear()
                    pods = self._pods.get(namespace=self._namespace).to_dict()["items"]
                    self.census(pods)
                for pod in pods:
                    self._attend(pod)
        except BaseException as failure:
            self._failure = failure
            self._stop.set()

    def _follow(self) -> None:
        """Notice changes: to list the Pods at each look would be most of what the API server is asked for."""
        while not self._stop.is_set():
            self._changed.set()  # what happens between two watches too
            with suppress(ApiException, HTTPError):  # the list fails as well, and says so
                for _ in self._pods.watch(namespace=self._namespace, timeout=_SECONDS_OF_A_WATCH):
                    self._changed.set()

    def _attend(self, pod: Object) -> None:
        try:
            match pod.get("status", {}).get("phase"):
                case "Pending" if "deletionTimestamp" not in pod["metadata"] and self.starts_pods:
                    self._start(pod)
                case "Pending" if "deletionTimestamp" in pod["metadata"] and self.obeys_sigterm:
                    self._remove(pod)  # it was bound, and has not started
                case "Running":
                    self._watch_over(pod)
                case "Succeeded" | "Failed" if "deletionTimestamp" in pod["metadata"]:
                    self._remove(pod)
        except ApiException as error:
            # Somebody else has changed or deleted it: the next look will show.
            if error.status not in _GONE_OR_CHANGED:
                raise
            self._changed.set()

    def _start(self, pod: Object) -> None:
        if not pod["spec"].get("nodeName"):
            target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
            metadata = {"name": pod["metadata"]["name"]}
            self._pods.binding.create(
                body={"apiVersion": "v1", "kind": "Binding", "metadata": metadata, "target": target},
                name=pod["metadata"]["name"],
                namespace=self._namespace,
            )
        words = self._lost_caches.get(run_of(pod)) if self._lost_caches else None
        if words is not None:
            terminated = {"exitCode": 79, "message": words, "finishedAt": _now()}
            self._report(pod, "Failed", {"waiting": {"reason": "PodInitializing"}}, {"terminated": terminated})
            self._lost_caches.pop(run_of(pod))  # after the report, which may be refused and repeated
            return
        self._report(pod, "Running", {"running": {"startedAt": _now()}})

    def _watch_over(self, pod: Object) -> None:
        deleted = "deletionTimestamp" in pod["metadata"]
        worker = _worker_state(pod)
        if "terminated" in worker:  # a sidecar is left, which ends when it is killed
            if deleted and self.obeys_sigterm:
                killed = {"terminated": {"exitCode": 137, "finishedAt": _now()}}
                self._report(pod, "Failed", worker, sidecar=killed)
            return
        ending = self._endings.get(run_of(pod)) or self.script(pod)
        if ending is None and deleted and self.obeys_sigterm:
            ending = PAUSED
        if ending is None:
            return
        terminated = {"exitCode": ending.exit_code, "message": ending.message, "finishedAt": _now()}
        if self.sidecars_end_with_the_worker or len(pod["spec"]["containers"]) == 1:
            self._report(pod, "Failed" if ending.exit_code else "Succeeded", {"terminated": terminated})
        else:
            self._report(pod, "Running", {"terminated": terminated}, sidecar={"running": {"startedAt": _now()}})
        self._endings.pop(run_of(pod), None)

    def _remove(self, pod: Object) -> None:
        uid = {"uid": pod["metadata"]["uid"]}
        body = {"gracePeriodSeconds": 0, "preconditions": uid}
        self._pods.delete(name=pod["metadata"]["name"], namespace=self._namespace, body=body)
        self._changed.set()

    def _report(
        self,
        pod: Object,
        phase: str,
        state: dict[str, Any],
        init: dict[str, Any] | None = None,
        sidecar: dict[str, Any] | None = None,
    ) -> None:
        """Store the state of the worker, and of init containers and ordinary sidecars where it differs."""
        ready = "True" if phase == "Running" else "False"
        status = {
            "phase": phase,
            "startTime": pod.get("status", {}).get("startTime") or _now(),
            "conditions": [
                {"type": "PodScheduled", "status": "True"},
                {"type": "Ready", "status": ready},
            ],
            "containerStatuses": _states(pod["spec"]["containers"], state, sidecar, ready=phase == "Running"),
        }
        if init is not None:
            status["initContainerStatuses"] = _states(pod["spec"]["initContainers"], init, ready=False)
        self._pods.status.patch(
            name=pod["metadata"]["name"],
            namespace=self._namespace,
            body={"metadata": {"uid": pod["metadata"]["uid"]}, "status": status},
            content_type="application/merge-patch+json",
        )
        self._changed.set()


def _worker_state(pod: Object) -> dict[str, Any]:
    containers = pod["status"].get("containerStatuses") or ()
    return next((dict(c["state"]) for c in containers if c["name"] == WORKER_CONTAINER), {})


def _states(
    containers: list[Object], state: dict[str, Any], sidecar: dict[str, Any] | None = None, *, ready: bool
) -> list[Object]:
    return [
        {
            "name": container["name"],
            "image": container["image"],
            "imageID": "",
            "ready": ready,
            "restartCount": 0,
            "state": sidecar if sidecar and container["name"] != WORKER_CONTAINER else state,
        }
        for container in containers
    ]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
