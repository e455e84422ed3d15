"""Two Pods of one run at once: Kubernetes' Job controller can make a second one beside a live one."""

from dataclasses import replace
from datetime import timedelta

from tidegate.control.observation import JobState

from ..situations import FIRST, OFF, PAUSING, RUNNING, job, pod, unstarted_pod
from .notation import Row

ELDER = replace(pod(FIRST), name="elder", uid="elder")
YOUNGER = replace(ELDER, name="younger", uid="younger", created_at=ELDER.created_at + timedelta(seconds=20))
PENDING = replace(unstarted_pod(FIRST), name="pending", uid="pending")
DONE = replace(pod(FIRST, 0), name="done", uid="done")
TWO_PODS = RUNNING.but(pods=(YOUNGER, ELDER))

A_RUN_HAS_TWO_PODS = [
    Row("the Pod that started first continues", TWO_PODS, "Syncing | keeps 1 full push | evict younger"),
    Row("… with OFF declared", TWO_PODS.but(spec=OFF), "TurningOff | keeps 1 full push | evict younger"),
    Row(
        "a running Pod continues and a pending one is stopped, whichever was created first",
        RUNNING.but(pods=(PENDING, YOUNGER)),
        "Syncing | keeps 1 full push | evict pending",
    ),
    Row(
        "one is already being deleted",
        RUNNING.but(pods=(replace(ELDER, terminating=True), YOUNGER)),
        "Syncing | keeps 1 full push interrupted | nothing",
    ),
    Row(
        "one has completed the run, and the Job controller has not observed it",
        RUNNING.but(pods=(YOUNGER, replace(DONE, created_at=ELDER.created_at))),
        "Syncing | keeps 1 full push | evict younger",
    ),
    Row(
        "one has completed the run, and only its sidecar failed: it decides the run, and the other one is stopped",
        RUNNING.but(pods=(YOUNGER, replace(DONE, created_at=ELDER.created_at, failed=True))),
        "Waiting | none | suspend Job 1",
        activity="✓ 1",
    ),
    Row(
        "one has completed the run, and the Job failed because of the other one",
        RUNNING.but(
            jobs=(job(FIRST, JobState.FAILED, failure_reason="BackoffLimitExceeded"),),
            pods=(DONE, replace(YOUNGER, live=False, exit_code=1)),
        ),
        "Waiting | none | nothing",
        activity="✓ 1",
    ),
    Row(
        "their Job is being suspended: the Job controller itself ends both",
        PAUSING.but(pods=(YOUNGER, ELDER)),
        "TurningOff | keeps 1 full push | nothing",
    ),
]
