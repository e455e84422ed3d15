"""Integrations that the tables start from, as the API server would return them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tidegate.api.base import format_time
from tidegate.cli.decisions.integration import Integration, integration_of

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
AT = "2026-11-24T12:00:00.000000+00:00"
RESET_REQUEST = "tidegate.dev/reset-requested-at"
PLAN_REQUEST = "tidegate.dev/plan-requested-at"
PLAN_KEY = "tidegate.dev/plan-public-key"
PLAN_UNDO = "tidegate.dev/plan-undo"
PLAN_CHECK = "tidegate.dev/plan-check"
DECLARED_POLICY = "tidegate.dev/declared-off-policy"


def integration(
    *,
    name: str = "contacts",
    switch: str = "ON",
    status: dict[str, Any] | None = None,
    annotations: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    generation: int = 1,
    managers: tuple[str, ...] = (),
    **spec: Any,
) -> Integration:
    """A SyncIntegration with this spec and status."""
    return integration_of(
        {
            "metadata": {
                "name": name,
                "namespace": "sales",
                "uid": "5f0c7a52",
                "generation": generation,
                "resourceVersion": "41",
                "creationTimestamp": ago(days=3),
                "annotations": annotations or {},
                "labels": labels or {},
                "managedFields": [{"manager": manager} for manager in managers],
            },
            "spec": {"status": switch, **spec},
            "status": status or {},
        }
    )


def ago(**duration: float) -> str:
    return format_time(NOW - timedelta(**duration))


def off(**status: Any) -> dict[str, Any]:
    """OFF, and honoured."""
    return {
        "observedGeneration": 1,
        "phase": "Off",
        "message": "OFF: no sync is running",
        "conditions": conditions(ready=True),
        **status,
    }


def waiting(mode: str = "PastAndFuture", **status: Any) -> dict[str, Any]:
    """ON, caught up, between two runs."""
    return {
        "observedGeneration": 1,
        "phase": "Waiting",
        "message": "waiting until 2026-11-24T12:05:00Z for the next run",
        "activation": {"number": 3, "mode": mode, "reset": False, "startedAt": ago(hours=2), "caughtUp": True},
        "nextRunAt": ago(minutes=-5),
        "runs": 12,
        "conditions": conditions(ready=True),
        **status,
    }


def syncing(mode: str = "PastAndFuture", **status: Any) -> dict[str, Any]:
    """ON, in the midst of run 13."""
    running = {"phase": "Syncing", "message": "run 13 is in progress: incremental sync", "run": run(13), "runs": 13}
    return {**waiting(mode), **running, **status}


def turning_off(**status: Any) -> dict[str, Any]:
    """OFF was declared in the midst of run 13."""
    message = "waiting for run 13 to finish before turning OFF"
    return {**syncing(), "phase": "TurningOff", "message": message, "conditions": conditions(), **status}


def paused(**status: Any) -> dict[str, Any]:
    """OFF, with run 13 paused midway."""
    message = "run 13 is paused; turning ON continues it where it left off"
    return {**syncing(), "phase": "Paused", "message": message, **status}


def halted(**status: Any) -> dict[str, Any]:
    """ON, and run 12 was halted by the guard."""
    last = {"number": 12, "kind": "Full", "outcome": "Halted", "finishedAt": ago(minutes=1), "generation": 1}
    message = 'run 12 stopped: 900 gone; approve it with the annotation tidegate.dev/approve: "12"'
    return {**waiting(), "message": message, "lastRun": last, "conditions": conditions(stalled=True), **status}


def refused(**status: Any) -> dict[str, Any]:
    """ON, and the API server refuses the Job of run 13."""
    message = "Job is invalid: spec.template.spec.containers[0].image: Required value"
    stalled = {"phase": "Waiting", "message": message, "conditions": conditions(stalled=True)}
    return {**syncing(), **stalled, **status}


def plan(*sides: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A plan that run 13 has made."""
    made = {"run": 13, "requestedAt": AT, "startedAt": ago(minutes=1), "finishedAt": ago(seconds=5)}
    return {**made, "outcome": "Succeeded", "first": False, "sides": list(sides), **changes}


def side(connector: str, create: int = 0, update: int = 0, delete: int = 0, set_aside: int = 0) -> dict[str, Any]:
    """What a plan says of one side."""
    counts = {"create": create, "update": update, "delete": delete, "setAside": set_aside}
    return {"object": "contact", "connector": connector, **counts}


def run(number: int, *, push: bool = True, kind: str = "Incremental") -> dict[str, Any]:
    return {
        "number": number,
        "kind": kind,
        "push": push,
        "cacheEpoch": 1,
        "jobName": f"contacts-{number}",
        "startedAt": ago(minutes=3),
        "claimedAt": ago(minutes=3),
    }


def entry(
    number: int, outcome: str = "Succeeded", mark: str = "✓", kind: str = "Incremental", **report: Any
) -> dict[str, Any]:
    """A run in recent activity."""
    return {
        "run": number,
        "kind": kind,
        "outcome": outcome,
        "mark": mark,
        "summary": f"{mark} run {number}",
        "startedAt": ago(minutes=2),
        "finishedAt": ago(minutes=1),
        "duration": "1m",
        "report": report,
    }


def conditions(
    *, ready: bool = False, stalled: bool = False, generation: int = 1, reason: str = "Reason"
) -> list[dict[str, Any]]:
    holds = {"Ready": ready, "Stalled": stalled, "Reconciling": not ready and not stalled, "Syncing": False}
    return [
        {
            "type": type_,
            "status": str(value),
            "reason": reason,
            "message": "message",
            "observedGeneration": generation,
            "lastTransitionTime": ago(minutes=1),
        }
        for type_, value in holds.items()
    ]
