"""Situations that the decision tables start from: what is declared, what is remembered, what the cluster holds."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tidegate.api import names
from tidegate.api.contract import ExitCode
from tidegate.api.runs import LastRun, Outcome, Run, RunKind
from tidegate.api.spec import Mode, SyncIntegrationSpec
from tidegate.api.status import Activation, Phase, SyncIntegrationStatus
from tidegate.control.decide import decide
from tidegate.control.observation import Cache, Integration, Job, JobState, Observation, Pod, Refusal, Requests
from tidegate.control.step import Action, Announce, Step

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
NAME, NAMESPACE = "crm-to-billing", "sales"
UID = "5f0c7a52-7f6a-4c59-9d0e-0240ac0015a0"  # of all syncs with equal delays this one falls due first
GENERATION = 1


def run(number: int, kind: RunKind = RunKind.FULL, *, push: bool = True, ago: float = 60, **fields: Any) -> Run:
    started_at = NOW - timedelta(seconds=ago)
    given = {"cache_epoch": 1, "claimed_at": started_at, "generation": GENERATION, **fields}
    return Run(
        number=number,
        kind=kind,
        push=push,
        job_name=names.job_name(NAME, UID, number),
        started_at=started_at,
        **given,
    )


def activation(number: int = 1, mode: Mode = Mode.PAST_AND_FUTURE, **fields: Any) -> Activation:
    return Activation(number=number, mode=mode, **{"reset": False, "started_at": NOW - timedelta(hours=1), **fields})


def last_run(
    number: int, outcome: Outcome = Outcome.SUCCEEDED, *, ago: float = 30, generation: int = GENERATION
) -> LastRun:
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
    given = {"uid": f"job-{of.number}", "resource_version": "20", "finished_at": finished_at, **fields}
    return Job(name=of.job_name, run=of, state=state, **given)


def at_rest(of: Run) -> Job:
    """A Job that is suspended, as its controller has acknowledged, and has no Pod left."""
    return job(of, suspended=True, suspension_seen=True)


def pod(of: Run, exit_code: int | None = None, *, message: str = "", job_uid: str | None = None, **fields: Any) -> Pod:
    """A Pod whose worker runs, or has ended with this exit code."""
    given = {"begun": True, "worker_started": True, **fields}
    return Pod(
        name=f"{of.job_name}-abcde",
        uid=f"pod-{of.number}",
        resource_version="30",
        job_uid=job_uid or f"job-{of.number}",
        created_at=NOW - timedelta(seconds=50),
        live=exit_code is None,
        exit_code=exit_code,
        termination_message=message,
        **given,
    )


def unstarted_pod(of: Run, trouble: str = "Unschedulable: 0/3 nodes are available", *, ago: float = 50) -> Pod:
    """A Pod none of whose containers has started, and why."""
    made_at = NOW - timedelta(seconds=ago)
    return replace(pod(of), begun=False, worker_started=False, trouble=trouble, created_at=made_at)


CACHE = Cache(name=names.cache_name(NAME, UID), resource_version="5", bound=True, uid="cache-1")


@dataclass(frozen=True)
class Situation:
    """What is declared, what is remembered, and what the cluster holds."""

    spec: dict[str, Any]
    status: SyncIntegrationStatus = SyncIntegrationStatus()
    jobs: tuple[Job, ...] = ()
    pods: tuple[Pod, ...] = ()
    requests: Requests = Requests()
    generation: int = GENERATION
    cache: Cache | None = CACHE
    absent_job: str | None = None
    refusal: Refusal | None = None
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
        return Observation(integration, self.jobs, self.pods, self.cache, self.absent_job, self.refusal)

    def but(self, **changes: Any) -> "Situation":
        return replace(self, **changes)

    def declaring(self, **fields: Any) -> "Situation":
        """The same with other fields of the spec."""
        return replace(self, spec={**self.spec, **fields})

    def remembering(self, **fields: Any) -> "Situation":
        """The same with other fields of the status."""
        return replace(self, status=self.status.model_copy(update=fields))

    def made_from(self) -> "Situation":
        """The same, where the runs were made from the spec as it is."""
        digest = SyncIntegrationSpec.model_validate(self.spec).digest
        runs = {"run": self.status.run, "last_run": self.status.last_run}
        return self.remembering(**{k: r and r.model_copy(update={"spec_digest": digest}) for k, r in runs.items()})

    def decide(self, at: datetime = NOW) -> Step:
        return decide(self.observe(), at)


def status(phase: Phase | None = None, **fields: Any) -> SyncIntegrationStatus:
    fields.setdefault("runs", fields["run"].number if fields.get("run") else 0)
    fields.setdefault("activations", fields["activation"].number if fields.get("activation") else 0)
    return SyncIntegrationStatus(phase=phase, **fields)


def deeds(actions: Iterable[Action]) -> list[Action]:
    """The actions that change something: all but the Events."""
    return [action for action in actions if not isinstance(action, Announce)]


ON: dict[str, Any] = {"status": "ON", "delay": "5m"}
OFF: dict[str, Any] = {"status": "OFF", "delay": "5m"}
PAUSE: dict[str, Any] = {**OFF, "offPolicy": "PauseRun"}

CAUGHT_UP = activation(caught_up=True)
FIRST = run(1)
SECOND = run(2, RunKind.INCREMENTAL)

NEW = Situation(OFF)
# Turned OFF after run 1.
IS_OFF = Situation(
    OFF, status(Phase.OFF, runs=1, activations=1, last_run=last_run(1)), jobs=(job(FIRST, JobState.COMPLETE, ago=30),)
)
# Run 1 of the first activation is running.
RUNNING = Situation(
    ON, status(Phase.SYNCING, run=FIRST, activation=activation()), jobs=(job(FIRST),), pods=(pod(FIRST),)
)
# Run 1 is claimed, but the watch has not shown its Job.
CLAIMED = RUNNING.but(jobs=(), pods=())
# The same, and a live look has found that there is none.
CLAIMED_ONLY = CLAIMED.but(absent_job=FIRST.job_name)
FINISHED = RUNNING.but(jobs=(job(FIRST, JobState.COMPLETE),), pods=(pod(FIRST, ExitCode.COMPLETE),))
# Its Job has been suspended, and its Pod has not ended yet.
PAUSING = RUNNING.but(
    spec=PAUSE,
    status=status(Phase.TURNING_OFF, run=FIRST, activation=activation()),
    jobs=(job(FIRST, suspended=True, suspension_seen=True, pods=1),),
)
PAUSED = PAUSING.but(
    status=status(Phase.PAUSED, run=FIRST, activation=activation()),
    jobs=(at_rest(FIRST),),
    pods=(pod(FIRST, ExitCode.PAUSED),),
)
# The Pod of run 1 cannot start, and that is told.
CANNOT_START = RUNNING.but(pods=(unstarted_pod(FIRST),))
# The first full sync has succeeded half a minute ago.
WAITING = Situation(
    ON,
    status(Phase.WAITING, runs=1, activation=CAUGHT_UP, last_run=last_run(1)),
    jobs=(job(FIRST, JobState.COMPLETE, ago=30),),
)


def failed(code: int, message: str = "", **fields: Any) -> Situation:
    """Run 1 has just failed with this exit code."""
    reason = "PodFailurePolicy" if code in (2, 3, 4) else "BackoffLimitExceeded"
    return RUNNING.but(
        jobs=(job(FIRST, JobState.FAILED, **{"failure_reason": reason, **fields}),),
        pods=(pod(FIRST, code, message=message),),
    )


def failing(times: int, *, ago: float = 0, delay: str = "0s") -> Situation:
    """The full sync has failed this often in a row."""
    remembered = status(
        Phase.WAITING,
        activation=activation(),
        runs=times,
        last_run=last_run(times, Outcome.FAILED, ago=ago),
        consecutive_failures=times,
    )
    return Situation({**ON, "delay": delay}, remembered)


def stalled(outcome: Outcome, *, ago: float = 5) -> Situation:
    """Run 1 has ended in a way that only a human can mend."""
    remembered = status(
        Phase.WAITING, activation=activation(), runs=1, last_run=last_run(1, outcome, ago=ago), consecutive_failures=1
    )
    return Situation(ON, remembered)


def refusal(*, needs_human: bool, run_number: int = 1, generation: int = GENERATION, retry_in: float = 5) -> Refusal:
    """The API server's answer to the creation of run 1's Job, to be tried again."""
    words = 'unknown field "spec.template.spec.imge"'
    retry_at = NOW + timedelta(seconds=retry_in)
    return Refusal(run_number, generation, words, needs_human=needs_human, retry_at=retry_at)
