"""A run in the status: what it does, how it ends, and what its worker reports (design section 3)."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from tidegate.api.base import ApiModel, Duration, MicroTime, Time


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


def newest_of_sync(activity: Iterable[ActivityEntry]) -> ActivityEntry | None:
    """The newest run of the sync in recent activity; a plan is none."""
    return next((entry for entry in activity if entry.kind is not RunKind.PLAN), None)
