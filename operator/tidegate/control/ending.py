"""Ending: Pods whose worker has ended, or that should have ended themselves, and have not. Pure.

The worker's container decides how a run ends, whatever else its Pod holds. A Pod that is
deleted ends within its grace period, unless its node is lost: nothing but a person can know that (design section 10).
"""

from datetime import datetime, timedelta

from tidegate.api.base import format_time
from tidegate.api.contract import ExitCode
from tidegate.control.observation import Job, Observation, Pod

# A sidecar may send its last logs before it is stopped.
SIDECAR_PATIENCE = timedelta(seconds=20)

# Beyond the grace period, for a kubelet that is slow to say that the Pod has ended.
DELETION_PATIENCE = timedelta(seconds=20)

# A run that ends with one of these is not tried again.
_FINAL_EXIT_CODES = set(ExitCode) - {ExitCode.PAUSED}


def ended_by_worker(seen: Observation, job: Job, now: datetime) -> Pod | None:
    """The Pod that speaks for a Job if the run is over because its worker has ended, although the Job does not say so.

    Either another container keeps the Pod alive, so the Job would never end; or another container has failed beside a
    worker that had succeeded, so the Job would repeat the run; or the Job is being deleted, so it never says anything;
    or the worker ended for good while its Job was being suspended, so that the Job would be taken for paused.
    """
    pods = seen.pods_of(job)
    pod = next(iter(pods), None)
    if pod is None or job.finished:
        return None
    if is_out_of_use(seen, job) or (job.suspended and not any(each.live for each in pods)):
        return pod if pod.exit_code in _FINAL_EXIT_CODES else None
    if not pod.live:
        return pod if pod.failed and pod.exit_code == ExitCode.COMPLETE else None
    due = _sidecar_due_at(job, pod)
    return pod if due is not None and due <= now else None


def is_out_of_use(seen: Observation, job: Job) -> bool:
    """True for a Job that is being deleted and has no live Pod: it never runs again, and never finishes."""
    return job.deleting and not job.finished and not any(pod.live for pod in seen.pods_of(job))


def _sidecar_due_at(job: Job, pod: Pod) -> datetime | None:
    if not pod.live or pod.exit_code is None or not pod.not_ended or pod.terminating or job.suspended:
        return None
    return (pod.ended_at or pod.created_at) + SIDECAR_PATIENCE


def look_again_at(seen: Observation, now: datetime) -> datetime | None:
    """When a Pod that has not ended yet will be late."""
    speakers = ((job, pods[0]) for job in seen.jobs if not job.finished and (pods := seen.pods_of(job)))
    due = [_sidecar_due_at(job, pod) for job, pod in speakers]
    due += [pod.ends_by + DELETION_PATIENCE for pod in seen.pods if pod.live and pod.ends_by is not None]
    return min((at for at in due if at is not None and at > now), default=None)


def overdue(seen: Observation, now: datetime) -> str | None:
    """Which deleted Pod should have ended by now, and what to do; None while there is none."""
    late = [pod for pod in seen.pods if pod.live and pod.ends_by and pod.ends_by + DELETION_PATIENCE <= now]
    if not late:
        return None
    pod = min(late, key=lambda pod: pod.name)
    where = f" on node {pod.node}" if pod.node else ""
    by = format_time(pod.ends_by) if pod.ends_by else ""
    delete = f"kubectl delete pod {pod.name} -n {seen.integration.namespace} --force"
    return (
        f"Pod {pod.name}{where} should have terminated by {by}, so its node may be lost; "
        f"once you are certain that the node is down, delete the Pod: {delete}"
    )
