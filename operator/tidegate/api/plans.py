"""A plan in the status: what a full sync, or the undo of a run, would write."""

from typing import Annotated

from pydantic import Field

from tidegate.api.base import ApiModel, Time
from tidegate.api.runs import Outcome


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


def what_is_planned(undo: int | None) -> str:
    """In words, what a plan is of; `undo`: the run whose undo is planned."""
    return "a full sync" if undo is None else f"the undo of run {undo}"
