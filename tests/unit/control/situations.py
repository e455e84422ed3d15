"""Situations that the decision tables start from: an integration and what the cluster holds for it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tidegate.api import names
from tidegate.api.spec import Mode, SyncIntegrationSpec
from tidegate.api.status import (
    Activation,
    LastRun,
    Outcome,
    Phase,
    Run,
    RunKind,
    SyncIntegrationStatus,
)
from tidegate.control.decide import decide
from tidegate.control.observe import Cache, Integration, Job, JobState, Observation, Pod, Requests
from tidegate.control.plan import Action, Announce, Plan

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
NAME, NAMESPACE, UID = "crm-to-billing", "sales", "5f0c7a52-7f6a-4c59-9d0e-6f0d3b7c1a11"


def run(number: int, kind: RunKind = RunKind.FULL, *, push: bool = True, ago: float = 60, **fields: Any) -> Run:
    started_at = NOW - timedelta(seconds=ago)
    return Run(
        number=number,
        kind=kind,
        push=push,
        cache_epoch=fields.pop("cache_epoch", 1),
        job_name=names.job_name(NAME, UID, number),
        started_at=started_at,
        claimed_at=started_at,
        **fields,
    )


def activation(number: int = 1, mode: Mode = Mode.PAST_AND_FUTURE, **fields: Any) -> Activation:
    return Activation(number=number, mode=mode, **{"reset": False, "started_at": NOW - timedelta(hours=1), **fields})


def last_run(number: int, outcome: Outcome = Outcome.SUCCEEDED, *, ago: float = 30, generation: int = 1) -> LastRun:
    return LastRun(
        number=number,
        kind=RunKind.FULL,
        outcome=outcome,
        finished_at=NOW - timedelta(seconds=ago),
        generation=generation,
        reason=None if outcome is Outcome.SUCCEEDED else "the worker's own words",
    )


def job(of: Run, state: JobState = JobState.UNFINISHED, *, ago: float = 10, **fields: Any) -> Job:
    finished_at = None if state is JobState.UNFINISHED else NOW - timedelta(seconds=ago)
    return Job(
        name=of.job_name,
        uid=f"job-{of.number}",
        resource_version="20",
        run=of,
        state=state,
        finished_at=finished_at,
        **fields,
    )


def pod(of: Run, exit_code: int | None = None, *, message: str = "", job_uid: str | None = None) -> Pod:
    return Pod(
        name=f"{of.job_name}-abcde",
        resource_version="30",
        job_uid=job_uid or f"job-{of.number}",
        created_at=NOW - timedelta(seconds=50),
        live=exit_code is None,
        exit_code=exit_code,
        termination_message=message,
    )


CACHE = Cache(name=names.cache_name(NAME, UID), resource_version="5", bound=True)


@dataclass(frozen=True)
class Situation:
    """What is declared, what is remembered, and what the cluster holds."""

    spec: dict[str, Any]
    status: SyncIntegrationStatus = SyncIntegrationStatus()
    jobs: tuple[Job, ...] = ()
    pods: tuple[Pod, ...] = ()
    requests: Requests = Requests()
    generation: int = 1
    cache: Cache | None = CACHE
    absent_job: str | None = None
    deleting: bool = False

    def observe(self) -> Observation:
        integration = Integration(
            name=NAME,
            namespace=NAMESPACE,
            uid=UID,
            generation=self.generation,
            resource_version="10",
            spec=SyncIntegrationSpec.model_validate(self.spec),
            status=self.status,
            requests=self.requests,
            deleting=self.deleting,
        )
        return Observation(integration, self.jobs, self.pods, self.cache, self.absent_job)

    def but(self, **changes: Any) -> "Situation":
        return replace(self, **changes)

    def decide(self, at: datetime = NOW) -> Plan:
        return decide(self.observe(), at)


def status(phase: Phase | None = None, **fields: Any) -> SyncIntegrationStatus:
    fields.setdefault("runs", fields["run"].number if fields.get("run") else 0)
    fields.setdefault("activations", 1 if fields.get("activation") else 0)
    return SyncIntegrationStatus(phase=phase, **fields)


def deeds(actions: Iterable[Action]) -> list[Action]:
    """The actions that change something: all but the Events."""
    return [action for action in actions if not isinstance(action, Announce)]
