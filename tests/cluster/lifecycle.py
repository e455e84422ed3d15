"""One full life of an integration, acted out by its user: what every disturbed operator must bring to the same end."""

import re
from dataclasses import dataclass, field
from typing import Any

from cluster.namespace import NAME, Namespace, Object, run_of, wait_for
from cluster.played_node import PlayedNode

# 1 to 3 succeed, 4 is paused and resumed, 5 follows a reset, 6 fails, 7 is its retry, 8 is turned off in the middle.
RUNS = 8


@dataclass
class Life:
    """What was true at the end, in a form that is the same for every life that went as it should."""

    status: Object = field(default_factory=dict)
    activity: list[tuple[int, str, str]] = field(default_factory=list)
    jobs: list[tuple[int, str, str]] = field(default_factory=list)
    pods_at_once: int = 0
    pods_of_run: dict[int, int] = field(default_factory=dict)


class Census:
    """Counts Pods and Jobs as they come, so that none goes unnoticed."""

    def __init__(self, node: PlayedNode) -> None:
        self.pods: dict[str, int] = {}
        self.most_at_once = 0
        node.census = self._count

    def _count(self, pods: list[Object]) -> None:
        live = [pod for pod in pods if pod.get("status", {}).get("phase") in ("Pending", "Running")]
        self.most_at_once = max(self.most_at_once, len(live))
        self.pods |= {pod["metadata"]["uid"]: run_of(pod) for pod in pods}


def live(namespace: Namespace, node: PlayedNode) -> Life:
    """Act it out, and tell what has become of it."""
    census = Census(node)
    namespace.create_integration(status="ON", delay="1h", retries=0, activityLimit=50)
    node.end(1)
    _ended(namespace, 1)
    for run in (2, 3):
        _sync_now(namespace, run)
        node.end(run)
        _ended(namespace, run)
    _pause_and_resume(namespace, node, 4)
    namespace.annotate(reset_requested_at="once")
    node.end(5)
    _ended(namespace, 5)
    _sync_now(namespace, 6)
    node.end(6, exit_code=1)
    _ended(namespace, 6)
    _sync_now(namespace, 7)
    node.end(7)
    _ended(namespace, 7)
    _sync_now(namespace, 8)
    _running(namespace, 8)
    namespace.patch(status="OFF", offPolicy="FinishRun")
    namespace.wait_phase("TurningOff")
    node.end(8)
    namespace.wait_phase("Off")
    told = _tell(namespace, census)
    namespace.delete("tidegate.dev/v1alpha1", "SyncIntegration", NAME)
    wait_for("an end of its Jobs and Pods", lambda: not namespace.jobs() and not namespace.pods())
    return told


def _pause_and_resume(namespace: Namespace, node: PlayedNode, run: int) -> None:
    namespace.patch(offPolicy="PauseRun")
    _sync_now(namespace, run)
    _running(namespace, run)
    uid = namespace.job(run)["metadata"]["uid"]
    namespace.patch(status="OFF")
    namespace.wait_phase("Paused")
    namespace.patch(status="ON")
    _running(namespace, run)
    assert namespace.job(run)["metadata"]["uid"] == uid
    node.end(run)
    _ended(namespace, run)


def _sync_now(namespace: Namespace, run: int) -> None:
    namespace.wait_until("a wait", lambda status: "run" not in status)
    namespace.annotate(sync_requested_at=f"run-{run}")


def _running(namespace: Namespace, run: int) -> None:
    wait_for(
        f"a running Pod of run {run}",
        lambda: [pod for pod in namespace.pods() if run_of(pod) == run and pod["status"]["phase"] == "Running"],
    )


def _ended(namespace: Namespace, run: int) -> None:
    namespace.wait_until(f"the end of run {run}", lambda s: s.get("lastRun", {}).get("number") == run)


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def _tell(namespace: Namespace, census: Census) -> Life:
    status = namespace.status()
    return Life(
        status=without_times(status),
        activity=[(entry["run"], entry["kind"], entry["outcome"]) for entry in status["recentActivity"]],
        jobs=[_job(job) for job in namespace.jobs()],
        pods_at_once=census.most_at_once,
        pods_of_run={run: list(census.pods.values()).count(run) for run in range(1, RUNS + 1)},
    )


def _job(job: Object) -> tuple[int, str, str]:
    annotations = job["metadata"]["annotations"]
    return run_of(job), annotations["tidegate.dev/run-kind"], annotations["tidegate.dev/run-cache-epoch"]


_OF_ONE_LIFE = {
    "duration",
    "eventTime",
    "generateName",
    "jobName",
    "observedGeneration",
    "resourceVersion",
    "uid",
    "volume",
}


def without_times(value: Any) -> Any:
    """JSON without what differs from life to life: times, durations, and names that come from a UID."""
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in _OF_ONE_LIFE}
    if isinstance(value, list):
        return [without_times(item) for item in value]
    return _TIME.sub("TIME", value) if isinstance(value, str) else value
