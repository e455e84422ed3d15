"""What users read: the status of a SyncIntegration (design section 3).

It is also all that the operator remembers: after a restart the next decision is taken from here and from the cluster.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from tidegate.api.base import ApiModel, Duration, MicroTime, Time
from tidegate.api.spec import Mode, Switch


class Phase(StrEnum):
    """Where the toggle stands."""

    OFF = "Off"
    SYNCING = "Syncing"
    WAITING = "Waiting"
    TURNING_OFF = "TurningOff"
    PAUSED = "Paused"


class RunKind(StrEnum):
    """What a run does: read everything, read changes, undo a run, or report what a run would do without writing."""

    FULL = "Full"
    INCREMENTAL = "Incremental"
    UNDO = "Undo"  # of a run; it pays no full sync, and pushes no other change
    PLAN = "Plan"  # no run of an activation: it counts towards nothing that the runs of a sync are judged by


class Outcome(StrEnum):
    """How a run ended."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    TIMED_OUT = "TimedOut"
    CONFIGURATION_ERROR = "ConfigurationError"
    HALTED = "Halted"
    CACHE_UNUSABLE = "CacheUnusable"
    CACHE_LOST = "CacheLost"
    CANCELLED = "Cancelled"
    PAUSED = "Paused"

    @property
    def mark(self) -> str:
        """The sign in recent activity: only a run that did all its work has the check mark."""
        return {"Succeeded": "✓", "Paused": "⏸"}.get(self, "✗")

    @property
    def needs_human(self) -> bool:
        """True when retrying cannot help until something is changed."""
        return self in (Outcome.CONFIGURATION_ERROR, Outcome.HALTED, Outcome.CACHE_UNUSABLE)


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


class Found(ApiModel):
    """One thing that halted a run, in its own words: what an approval of that run is about."""

    object: Annotated[str, Field(description="The object of spec.sync.")]
    connector: Annotated[
        str, Field(description="The side whose records are gone, have a blank field, or would be written.")
    ]
    what: Annotated[
        str,
        Field(
            description="deletes: records are gone; empty: all that were there; blanked: a field is blank now; "
            "creates, updates: records would be written; undo: an undo would delete them."
        ),
    ]
    count: Annotated[int, Field(description="How many records.")]
    digest: Annotated[str, Field(description="Of the records' ids: another set of records has another one.")]
    field: Annotated[str | None, Field(description="Of blanked: which field.")] = None


SpecDigest = Annotated[
    str | None,
    Field(
        description="A digest of the spec that its Job was made from, without status and offPolicy; another one is a "
        "reason to retry a run that failed. Absent: a later generation is."
    ),
]


class ObjectReset(ApiModel):
    """A reset of one object of spec.sync: the worker forgets the object, once, before it reads it."""

    object: Annotated[str, Field(description="The object of spec.sync.")]
    began: Annotated[
        MicroTime, Field(description="When a run was first claimed for it: tells it from others of the object.")
    ]
    push: Annotated[
        bool,
        Field(description="Whether what differs is pushed then, by the activation's mode; false: it is left alone."),
    ]


class Run(ApiModel):
    """The run that is claimed: its Job exists, or is about to."""

    number: Annotated[int, Field(description="Counted over the life of the resource.")]
    kind: RunKind
    push: Annotated[bool, Field(description="false: read-only, nothing is written to either system.")]
    cache_epoch: Annotated[int, Field(description="The cache epoch that its worker uses.")]
    cache_epoch_began: Annotated[
        MicroTime | None, Field(description="When that epoch began; absent: its number alone tells it.")
    ] = None
    oldest_cache_epoch: Annotated[
        int | None, Field(description="A cache of this epoch or a later one is kept; absent: only one of cacheEpoch.")
    ] = None
    cache_run: Annotated[
        int | None, Field(description="A run that has used the cache; absent: the cache may be empty.")
    ] = None
    job_name: Annotated[str, Field(description="The name of its Job.")]
    started_at: Annotated[Time, Field(description="When the run was claimed first.")]
    # To the microsecond: every claim has to differ from the one before, so that its write is a fence.
    claimed_at: Annotated[MicroTime, Field(description="When its Job was last about to be created or resumed.")]
    generation: Annotated[int, Field(description="The resource's generation that its Job was made from.")] = 0
    spec_digest: SpecDigest = None
    cancelling: Annotated[
        bool, Field(description="Its Job is being deleted: it was paused and a reset followed, or it never started.")
    ] = False
    unstarted: Annotated[
        bool, Field(description="It is cancelled because its worker could not start; there is nothing to finish.")
    ] = False
    interrupted: Annotated[
        bool, Field(description="A Pod in which its worker had started was evicted or deleted, and is replaced.")
    ] = False
    approved: Annotated[int | None, Field(description="The halted run that was approved for this one.")] = None
    confirmed: Annotated[
        tuple[Found, ...] | None,
        Field(description="What that run had found; this one does that, and what spec.sync.safety allows anyway."),
    ] = None
    decisions: Annotated[
        str | None,
        Field(description="A digest of tidegate.dev/decisions as its worker is given it; absent: none."),
    ] = None
    undo: Annotated[int | None, Field(description="The run that it undoes; for a plan: whose undo it plans.")] = None
    check: Annotated[
        bool | None, Field(description="true: a plan that only checks whether the configuration fits.")
    ] = None
    object_resets: Annotated[
        tuple[ObjectReset, ...],
        Field(description="The objects that its worker resets, each once over all runs; a plan foresees that."),
    ] = ()
    requested_at: Annotated[
        str | None, Field(description="For a plan: the value of tidegate.dev/plan-requested-at that requested it.")
    ] = None
    cannot_start: Annotated[
        str | None,
        Field(description="For a plan: why its Pod cannot start. Absent while it has started, or may still."),
    ] = None
    plan_key: Annotated[
        str | None, Field(description="For a plan: the public key to which it encrypts the values of records.")
    ] = None
    without_cache: Annotated[
        bool, Field(description="For a plan: it starts with an empty cache, as the next full sync will.")
    ] = False


class CacheUse(ApiModel):
    """The cache as a run has left it; any other one is lost, and never taken for an empty one."""

    volume: Annotated[str, Field(description="The UID of its PersistentVolumeClaim; `none`: the sync has no volume.")]
    run: Annotated[int, Field(description="The newest run whose worker is known to have used it.")]


Counts = Annotated[dict[str, int], Field(description="Records per connector.")]


Withheld = Annotated[
    dict[str, int],
    Field(description="Records per connector that were not created, updated or deleted there, as `writes` forbids it."),
]


class RunReport(ApiModel):
    """What the worker says of its run; text of an untrusted origin, bounded."""

    reason: Annotated[str | None, Field(description="Why it ended so, as the worker says.")] = None
    read: Counts = Field(default_factory=dict)
    changed: Counts = Field(default_factory=dict)
    pushed: Counts = Field(default_factory=dict)
    created: Counts = Field(default_factory=dict)
    updated: Counts = Field(default_factory=dict)
    deleted: Counts = Field(default_factory=dict)
    withheld: Withheld = Field(default_factory=dict)
    conflicts: Annotated[int, Field(description="Fields that had been changed on both sides, to different values.")] = 0
    set_aside: Annotated[
        int, Field(description="Fields and records that this run set aside, and that still need manual resolution.")
    ] = 0
    waiting: Annotated[
        int, Field(description="Fields and records that need manual resolution, those of earlier runs included.")
    ] = 0
    found: Annotated[tuple[Found, ...] | None, Field(description="What halted it; at most ten.")] = None


class ActivityEntry(ApiModel):
    """A run that is not running any more."""

    run: Annotated[int, Field(description="Its number.")]
    kind: RunKind
    undo: Annotated[int | None, Field(description="The run that it undid; for a plan: whose undo it planned.")] = None
    check: Annotated[
        bool | None, Field(description="true: a plan that only checked whether the configuration fits.")
    ] = None
    outcome: Outcome
    mark: Annotated[str, Field(description="✓ done, ✗ not done, ⏸ paused.")]
    summary: Annotated[str, Field(description="The mark and the run, as `kubectl get` shows them.")]
    started_at: Annotated[Time, Field(description="When the run was claimed first.")]
    finished_at: Annotated[Time, Field(description="When the operator saw its end.")]
    duration: Annotated[Duration, Field(description="From startedAt to finishedAt.")]
    report: RunReport | None = None


class LastRun(ApiModel):
    """The newest run that ended."""

    number: Annotated[int, Field(description="Counted over the life of the resource.")]
    kind: RunKind
    undo: Annotated[int | None, Field(description="The run that it undid.")] = None
    outcome: Outcome
    finished_at: Annotated[
        Time, Field(description="When the operator saw its end, by its own clock: the delay counts from here.")
    ]
    generation: Annotated[
        int,
        Field(description="The resource's generation that its Job was made from."),
    ]
    spec_digest: SpecDigest = None
    reason: Annotated[str | None, Field(description="Why it did not succeed.")] = None
    found: Annotated[
        tuple[Found, ...] | None, Field(description="What halted it, and what an approval of this run covers.")
    ] = None


class PlannedSide(ApiModel):
    """What a full sync would do to one object's records on one side."""

    object: Annotated[str, Field(description="The object of spec.sync; `*`: all objects together.")]
    connector: Annotated[str, Field(description="The side that would be written.")]
    create: Annotated[int, Field(description="Records that would be created.")] = 0
    update: Annotated[int, Field(description="Records that would be updated.")] = 0
    delete: Annotated[int, Field(description="Records that would be deleted.")] = 0
    set_aside: Annotated[
        int, Field(description="Fields and records that would wait for a decision, those of earlier runs included.")
    ] = 0


class PlanStatus(ApiModel):
    """The newest plan that ended: what a full sync would push in mode PastAndFuture, and let go in mode FutureOnly."""

    run: Annotated[int | None, Field(description="Its run number; absent if the plan was refused.")] = None
    requested_at: Annotated[
        str | None, Field(description="The value of tidegate.dev/plan-requested-at that asked for it.")
    ] = None
    undo: Annotated[
        int | None, Field(description="The run whose undo it is the plan of; absent: it is the plan of a full sync.")
    ] = None
    check: Annotated[
        bool | None,
        Field(description="true: no plan was made, only whether the configuration fits both systems was checked."),
    ] = None
    started_at: Annotated[Time | None, Field(description="When it was claimed.")] = None
    finished_at: Annotated[Time, Field(description="When the operator saw its end.")]
    outcome: Outcome
    reason: Annotated[str | None, Field(description="Why the plan failed, or remarks on a plan that succeeded.")] = None
    first: Annotated[
        bool, Field(description="Whether it is the plan of a first run, which starts with an empty cache.")
    ] = False
    sides: Annotated[
        tuple[PlannedSide, ...], Field(description="Per object and connector, at most 32; the Pod's log has all.")
    ] = ()
    would_halt: Annotated[
        tuple[str, ...],
        Field(
            description="Each reason for which the full sync would halt before its first write; of a check: what does "
            "not fit."
        ),
    ] = ()

    @property
    def pushed(self) -> int:
        """How many records would be written on both sides together."""
        return sum(side.create + side.update + side.delete for side in self.sides)

    @property
    def set_aside(self) -> int:
        """How many fields and records would wait for a decision afterwards."""
        return sum(side.set_aside for side in self.sides)


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
