"""Starting: what keeps a run's Pod from starting, and whether its worker may have started. Pure.

A run that cannot start is not in progress, and says so within a minute (design section
10).
"""

from datetime import datetime, timedelta

from tidegate.api.runs import Run
from tidegate.api.status import SyncIntegrationStatus
from tidegate.control.observation import Job, Observation, Pod

# Every start has a moment without a node or a volume, and an image may take a second attempt. What lasts longer is
# worth an admin's attention, and a write.
TROUBLE_PATIENCE = timedelta(seconds=20)

# A volume that is attached and an image that is pulled give no reason while they take their time; a missing Secret or
# ConfigMap that is mounted gives none either.
SILENCE_PATIENCE = timedelta(seconds=45)

# The Job controller waits 10 s × 2^n, up to 10 min, before it replaces a Pod that failed:
# https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-backoff-failure-policy
_FIRST_REPLACEMENT = timedelta(seconds=10)
_LAST_REPLACEMENT = timedelta(minutes=10)


def obstacle(seen: Observation, run: Run, now: datetime) -> str | None:
    """Why the run's Pod has not started although it should have by now; None while all is well or may still be."""
    due = _due(seen, run)
    return due[1] if due is not None and due[0] <= now else None


def obstacle_due_at(seen: Observation, run: Run, now: datetime) -> datetime | None:
    """When a Pod that has not started yet will be late."""
    due = _due(seen, run)
    return due[0] if due is not None and due[0] > now else None


def _due(seen: Observation, run: Run) -> tuple[datetime, str] | None:
    job = seen.job_of(run)
    if job is None or job.finished or job.suspended:
        return None
    live = [pod for pod in seen.pods_of(job) if pod.live]
    if not live:
        return _due_without_pod(seen, run, job)
    pod = live[0]
    if any(other.worker_started for other in live):
        return None
    if (pod.begun and not pod.trouble) or pod.terminating:
        return None
    if pod.trouble:
        return pod.created_at + TROUBLE_PATIENCE, f"{pod.trouble} (Pod {pod.name})"
    return pod.created_at + SILENCE_PATIENCE, f"its Pod has not started, see `kubectl describe pod {pod.name}`"


def _due_without_pod(seen: Observation, run: Run, job: Job) -> tuple[datetime, str] | None:
    # The Job controller has made one that the watch has not shown yet, or has not noticed yet that the Job was resumed.
    if job.pods or job.suspension_seen:
        return None
    expected_at = max([run.claimed_at, *(_ended_at(pod) for pod in seen.pods_of(job))])
    if job.failures:
        expected_at += min(_FIRST_REPLACEMENT * (1 << min(job.failures - 1, 10)), _LAST_REPLACEMENT)
    return expected_at + TROUBLE_PATIENCE, f"its Job has no Pod, see `kubectl describe job {job.name}`"


def _ended_at(pod: Pod) -> datetime:
    return pod.ended_at or pod.created_at


def worker_may_have_started(seen: Observation, status: SyncIntegrationStatus, run: Run) -> bool:
    """False when it is certain that the worker's container has never started in this run: there is nothing to finish.

    A Pod whose worker was seen to start counts also when it is gone.
    """
    job = seen.job_of(run)
    paused = any(entry.run == run.number for entry in status.recent_activity)
    if run.interrupted or paused:
        return True
    return job is not None and (job.failures > 0 or any(pod.worker_started for pod in seen.pods_of(job)))


def is_interrupted(seen: Observation, run: Run) -> bool:
    """True while a Pod whose worker had started is being evicted or deleted: soon nothing shows that it had."""
    job = seen.job_of(run)
    return job is not None and any(pod.worker_started and pod.terminating for pod in seen.pods_of(job))
