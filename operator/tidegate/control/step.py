"""Step: what `decide` hands to `report` and `act`, as frozen data."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tidegate.api.runs import Run
from tidegate.api.status import Phase, SyncIntegrationStatus

# How soon to decide again where no event of a watch may come.
LOOK_AGAIN = timedelta(seconds=1)
LOOK_UP_AGAIN = timedelta(seconds=10)  # a request each time


@dataclass(frozen=True, slots=True)
class CreateCache:
    """Create the integration's PersistentVolumeClaim."""


@dataclass(frozen=True, slots=True)
class CreateJob:
    """Create the Job of a claimed run; its name is the lock (invariant I1)."""

    run: Run


@dataclass(frozen=True, slots=True)
class SuspendJob:
    """Set a Job's suspend field: true deletes its Pod with SIGTERM, false continues (invariant I3)."""

    name: str
    uid: str
    resource_version: str
    suspend: bool


@dataclass(frozen=True, slots=True)
class DeleteJob:
    """Delete exactly this Job, as it was seen, and its Pods with it; one that has changed since is left alone."""

    name: str
    uid: str
    resource_version: str
    housekeeping: bool = False  # nothing depends on it: it may fail, and is retried later


@dataclass(frozen=True, slots=True)
class EvictPod:
    """End exactly this Pod, as it was seen, without a failure of its Job; one that has changed since is left alone."""

    name: str
    uid: str
    resource_version: str


@dataclass(frozen=True, slots=True)
class LookUpJob:
    """Ask the API server, not the watch, whether a Job's name is free and no Pod of the integration is left alive.

    If so, decide again.
    """

    name: str


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell the admin by a Kubernetes Event."""

    reason: str
    note: str
    warning: bool = False


Action = CreateCache | CreateJob | SuspendJob | DeleteJob | EvictPod | LookUpJob | Announce
Chore = DeleteJob | EvictPod  # tried by itself: when it cannot be done now, nothing else waits for it


@dataclass(frozen=True, slots=True)
class Step:
    """What to remember, what to do, and when to requeue.

    `status` is what the operator remembers; `report` adds what people read. It is written before any action is taken,
    with the observed resourceVersion as a precondition: who lost a race acts on nothing (design section 4).
    """

    phase: Phase
    status: SyncIntegrationStatus
    actions: tuple[Action, ...] = ()
    look_again_at: datetime | None = None
    stalled: str | None = None  # why nothing will happen until something is changed
    cannot_start: str | None = None  # what keeps the claimed run from starting; it may still start by itself
    does_not_end: str | None = None  # which deleted Pod should have ended by now, and what to do
    duplicate: str | None = None  # which Pods of the run are stopped, because another one speaks for it
    reason: str | None = None  # of the conditions, where it is not about how a run ended


def earliest(*times: datetime | None) -> datetime | None:
    """The first of these times; None where there is none."""
    return min((at for at in times if at is not None), default=None)
