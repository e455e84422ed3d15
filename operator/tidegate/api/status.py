"""What users read: the status of a SyncIntegration (design section 3).

It is also all that the operator remembers: after a restart the next decision is taken from here and from the cluster.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from tidegate.api.base import ApiModel, MicroTime, Time
from tidegate.api.plans import PlanStatus
from tidegate.api.runs import ActivityEntry, Counts, LastRun, ObjectReset, Run, Withheld
from tidegate.api.spec import Mode, Switch


class Phase(StrEnum):
    """Where the toggle stands."""

    OFF = "Off"
    SYNCING = "Syncing"
    WAITING = "Waiting"
    TURNING_OFF = "TurningOff"
    PAUSED = "Paused"


class Activation(ApiModel):
    """One stretch of ON, from its taking effect to the taking effect of an OFF."""

    number: Annotated[int, Field(description="Counted over the life of the resource.")]
    mode: Annotated[Mode, Field(description="spec.mode when it began; a later change waits for the next one.")]
    reset: Annotated[bool, Field(description="Whether it began by deleting the cache.")]
    started_at: Annotated[Time, Field(description="When the ON took effect.")]
    caught_up: Annotated[bool, Field(description="Whether its full sync has succeeded.")] = False
    full_sync_owed: Annotated[
        bool, Field(description="Another full sync was requested after it had caught up, and has not succeeded yet.")
    ] = False
    cache_lost: Annotated[
        str | None,
        Field(description="Why its full sync is owed again: what became of its cache. Absent once it has caught up."),
    ] = None


class CacheUse(ApiModel):
    """The cache as a run has left it; any other one is lost, and never taken for an empty one."""

    volume: Annotated[str, Field(description="The UID of its PersistentVolumeClaim; `none`: the sync has no volume.")]
    run: Annotated[int, Field(description="The newest run whose worker is known to have used it.")]


class RecordTotals(ApiModel):
    """What all runs together have done to records, per connector; the source of the metrics, so that they survive."""

    read: Counts = Field(default_factory=dict)
    created: Counts = Field(default_factory=dict)
    updated: Counts = Field(default_factory=dict)
    deleted: Counts = Field(default_factory=dict)
    withheld: Withheld = Field(default_factory=dict)
    set_aside: Annotated[int, Field(description="Fields and records that runs have set aside.")] = 0


class HandledRequests(ApiModel):
    """The newest value of each request annotation that has been acted upon."""

    sync_requested_at: Annotated[str | None, Field(description="Of tidegate.dev/sync-requested-at.")] = None
    full_sync_requested_at: Annotated[str | None, Field(description="Of tidegate.dev/full-sync-requested-at.")] = None
    reset_requested_at: Annotated[str | None, Field(description="Of tidegate.dev/reset-requested-at.")] = None
    refused_reset: Annotated[
        str | None, Field(description="The value of tidegate.dev/reset-requested-at that was last refused by an Event.")
    ] = None
    plan_requested_at: Annotated[str | None, Field(description="Of tidegate.dev/plan-requested-at.")] = None
    undo_requested: Annotated[
        str | None,
        Field(
            description="Of tidegate.dev/undo-requested, once that undo has succeeded, has halted, has ended with a "
            "configuration error, or was refused; not repeated while the annotation stays as it is."
        ),
    ] = None
    undo_refused: Annotated[
        str | None, Field(description="Why no undo was started for that value; absent: it was not refused.")
    ] = None
    decisions: Annotated[
        str | None,
        Field(description="A digest of tidegate.dev/decisions as the newest run that succeeded with it was given it."),
    ] = None
    refused_approvals: Annotated[
        tuple[str, ...],
        Field(
            description="Values of tidegate.dev/approve and tidegate.dev/allow-deletes that name no run, or were set "
            "before that run had halted: they approve nothing while the annotation stays as it is."
        ),
    ] = ()
    refused_decisions: Annotated[
        str | None, Field(description="A digest of tidegate.dev/decisions as it was last refused by an Event.")
    ] = None


class Condition(ApiModel):
    """A condition as Kubernetes defines it (metav1.Condition)."""

    type: Annotated[str, Field(description="Ready, Reconciling, Stalled or Syncing.")]
    status: Annotated[Literal["True", "False", "Unknown"], Field(description="True, False or Unknown.")]
    reason: Annotated[str, Field(description="Why, in one word for programs.")]
    message: Annotated[str, Field(description="Why, in a sentence for people.")]
    observed_generation: Annotated[int, Field(description="The generation of the spec that it describes.")]
    last_transition_time: Annotated[Time, Field(description="When its status changed last.")]


class SyncIntegrationStatus(ApiModel):
    """The observed state of one data sync."""

    observed_generation: Annotated[
        int | None, Field(description="The generation of the spec that this status describes.")
    ] = None
    declared: Annotated[
        Switch | None,
        Field(description="spec.status as the operator read it: ON or OFF, however it was written."),
    ] = None
    phase: Phase | None = None
    message: Annotated[
        str | None, Field(description="What is happening and what would change it, in one sentence.")
    ] = None
    activity: Annotated[
        str | None, Field(description="The newest run: ▶ running, ▷ not started yet, ✓ done, ✗ not done, ⏸ paused.")
    ] = None
    activation: Annotated[Activation | None, Field(description="Absent while the sync is off.")] = None
    run: Annotated[Run | None, Field(description="Absent while no run is in progress or paused.")] = None
    last_run: LastRun | None = None
    last_synced_at: Annotated[Time | None, Field(description="The end of the newest run that succeeded.")] = None
    next_run_at: Annotated[
        Time | None, Field(description="When the delay, or the backoff after a failure, is over.")
    ] = None
    cache_epoch: Annotated[
        int, Field(description="Which life of the cache this is: the number of the run that began it, by a reset.")
    ] = 1
    cache_epoch_began: Annotated[
        MicroTime | None,
        Field(
            description="When this epoch began. Its number comes again when etcd is restored from a backup; the time "
            "does not, so that a reset deletes a cache that has the number already. Absent in the first epoch."
        ),
    ] = None
    oldest_cache_epoch: Annotated[
        int | None,
        Field(
            description="The oldest epoch that the cache may still be of. Set by a reset until a worker has run in the "
            "new epoch: if OFF comes earlier, the next activation keeps whichever cache it finds."
        ),
    ] = None
    cache: Annotated[
        CacheUse | None, Field(description="Absent until a worker has run in the present epoch of the cache.")
    ] = None
    object_resets: Annotated[
        tuple[ObjectReset, ...],
        Field(description="Objects whose reset was requested: each run is given them until one has succeeded."),
    ] = ()
    activations: Annotated[int, Field(description="The number of the newest activation.")] = 0
    runs: Annotated[int, Field(description="The number of the newest run; numbers are never used again.")] = 0
    consecutive_failures: Annotated[
        int, Field(description="Runs that failed since the newest that succeeded; each doubles the wait, up to 1h.")
    ] = 0
    waiting_records: Annotated[
        int, Field(description="Fields and records that wait for a decision, as the worker last reported.")
    ] = 0
    record_totals: Annotated[
        RecordTotals, Field(description="What all runs together have done to records, per connector.")
    ] = RecordTotals()
    handled: HandledRequests = HandledRequests()
    plan: Annotated[PlanStatus | None, Field(description="The newest plan that ended.")] = None
    recent_activity: Annotated[
        tuple[ActivityEntry, ...], Field(description="Runs that are not running, newest first.")
    ] = ()
    conditions: Annotated[
        tuple[Condition, ...],
        Field(description="Where the sync stands, for programs: kstatus, kubectl wait, Flux, Argo CD."),
    ] = ()
