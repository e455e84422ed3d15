"""Pods that do not end: a sidecar outlives the worker, or a node is lost."""

from dataclasses import replace
from datetime import timedelta

from ..situations import FIRST, IS_OFF, NOW, OFF, RUNNING, at_rest, job, last_run, pod, status
from .notation import Row

LOST = replace(pod(FIRST), terminating=True, ends_by=NOW - timedelta(minutes=1), node="worker-7")
OUTLIVED = replace(pod(FIRST, 0, ended_at=NOW - timedelta(minutes=1)), live=True, not_ended=("proxy",))
RECORDED = RUNNING.but(status=status(runs=1, last_run=last_run(1)), pods=(OUTLIVED,))

A_POD_DOES_NOT_END = [
    Row(
        "the worker has succeeded, and a sidecar keeps its Pod alive: the run is over, and the Pod is stopped",
        RUNNING.but(pods=(OUTLIVED,)),
        "Waiting | none | suspend Job 1",
        activity="✓ 1",
    ),
    Row("… with OFF declared", RUNNING.but(spec=OFF, pods=(OUTLIVED,)), "TurningOff | none | suspend Job 1"),
    Row("… and the Job is marked", RECORDED, "Waiting | none | suspend Job 1"),
    Row(
        "… and the Pod has ended: the Job is deleted, which frees the run's name",
        RECORDED.but(jobs=(at_rest(FIRST),), pods=()),
        "Waiting | none | delete Job 1",
    ),
    Row(
        "the sidecar has time to end by itself",
        RUNNING.but(pods=(replace(OUTLIVED, ended_at=NOW - timedelta(seconds=5)),)),
        "Syncing | keeps 1 full push | nothing",
        again="15s",
    ),
    Row(
        "the sidecar has failed beside a worker that had succeeded: the run is not repeated",
        RUNNING.but(jobs=(job(FIRST, failures=1, backoff_limit=2),), pods=(pod(FIRST, 0, failed=True),)),
        "Waiting | none | suspend Job 1",
        activity="✓ 1",
    ),
    Row(
        "a Pod is still there after its grace period: its node may be lost",
        RUNNING.but(pods=(LOST,)),
        "Syncing | keeps 1 full push interrupted | nothing",
    ),
    Row("… with nothing else to do", IS_OFF.but(pods=(LOST,)), "TurningOff | none | nothing"),
]
