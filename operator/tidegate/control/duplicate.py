"""Duplicate: which Pods of a run must go because another one of them speaks for it. Pure.

Kubernetes' Job controller makes a second Pod beside a live one when it acts on an old view of the first
(https://github.com/kubernetes/kubernetes/issues/130683): two workers on two systems (invariant I1). The
built-in worker's lock in the cache keeps the second from writing meanwhile.
"""

from dataclasses import replace

from tidegate.api.contract import ExitCode
from tidegate.control.observation import Job, Observation, Pod
from tidegate.control.step import Announce, EvictPod, Step

DUPLICATE_POD = "DuplicatePod"


def end_duplicates(seen: Observation, step: Step) -> Step:
    """The step, with all Pods of the present run evicted but one."""
    run = step.status.run
    job = seen.job_of(run) if run else None
    if run is None or job is None or job.finished or job.suspended:
        return step  # the Job controller itself ends all the Pods of such a Job
    kept, superfluous = _split(seen, job)
    if kept is None or not superfluous:
        return step
    gone = ", ".join(pod.name for pod in superfluous)
    why = f"run {run.number} has more than one Pod at once: {gone} is stopped, because {kept.name} {_standing(kept)}"
    evictions = tuple(EvictPod(pod.name, pod.uid, pod.resource_version) for pod in superfluous)
    told = seen.integration.tells_of(DUPLICATE_POD) or step.reason is not None
    announcements = () if told else (Announce(DUPLICATE_POD, why, warning=True),)
    return replace(
        step,
        actions=(*step.actions, *announcements, *evictions),
        duplicate=why,
        reason=step.reason or DUPLICATE_POD,
    )


def _split(seen: Observation, job: Job) -> tuple[Pod | None, tuple[Pod, ...]]:
    """The Pod of a Job that stays, and those that go. One that is being deleted already is on its way out."""
    pods = seen.pods_of(job)
    live = [pod for pod in pods if pod.live and not pod.terminating]
    done = next((pod for pod in pods if pod.exit_code == ExitCode.COMPLETE), None)
    kept = done or min(live, key=_seniority, default=None)
    return kept, tuple(pod for pod in sorted(live, key=_seniority) if pod is not kept)


def _seniority(pod: Pod) -> tuple[bool, object, str]:
    """The smaller, the more work may be lost with it."""
    return not pod.worker_started, pod.created_at, pod.name


def _standing(pod: Pod) -> str:
    return "has completed the run" if pod.exit_code == ExitCode.COMPLETE else "began earlier"
