"""Planned: a plan's counts → a table, and sentences in the words of the question that turning ON asks. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.table import Table

from tidegate.api.plans import PlanStatus
from tidegate.api.spec import Mode
from tidegate.cli.decisions.integration import Integration
from tidegate.cli.display import show
from tidegate.cli.display.screen import inert

_NAMES, _COUNTS = ("OBJECT", "SYSTEM"), ("CREATE", "UPDATE", "DELETE", "SET ASIDE")
TITLE = {Mode.PAST_AND_FUTURE: "Past and future", Mode.FUTURE_ONLY: "Future only"}


def table(plan: PlanStatus) -> Table:
    """What would be done to each object's records on each side."""
    shown = show.table()
    for heading in _NAMES:
        shown.add_column(heading)
    for heading in _COUNTS:
        shown.add_column(heading, justify="right")
    for side in plan.sides:
        counts = (side.create, side.update, side.delete, side.set_aside)
        shown.add_row(
            "(all)" if side.object == "*" else inert(side.object),
            inert(side.connector),
            *(f"{count:,}" for count in counts),
        )
    return shown


def found(plan: PlanStatus, seen: Integration) -> str:
    """How many records there are to decide about, and since when."""
    records = _totals(plan, seen).records
    if plan.first:
        differ = {0: "no record differs", 1: "1 record differs"}.get(records, f"{records:,} records differ")
        return f"This would be the first run of {seen.name}: {differ}."
    changed = {0: "no record changed", 1: "1 record changed"}.get(records, f"{records:,} records changed")
    return f"Since the last run, {changed}." if seen.on else f"While {seen.name} was OFF, {changed}."


def consequence(plan: PlanStatus, seen: Integration, mode: Mode) -> str:
    """What a full sync of this mode does with them."""
    totals = _totals(plan, seen)
    if mode is Mode.FUTURE_ONLY:
        return {0: "has nothing to let go", 1: "lets it go"}.get(totals.records, "lets them go")
    pushes = f"pushes {totals.pushed:,}" if totals.pushed else "pushes nothing"
    aside = f" and sets {totals.set_aside:,} aside" if totals.set_aside else ""
    return f"{pushes}{aside}{_still_waiting(totals.waiting)}"


def halts(plan: PlanStatus) -> Iterator[str]:
    """What would keep the full sync of either mode, or the undo, from doing anything."""
    what = "full sync" if plan.undo is None else "undo"
    return (f"The {what} would halt before it does any of this: {inert(reason)}" for reason in plan.would_halt)


def _still_waiting(count: int) -> str:
    if count == 1:
        return "; 1 that waits for a decision stays set aside"
    return f"; {count:,} that wait for a decision stay set aside" if count else ""


@dataclass(frozen=True, slots=True)
class _Totals:
    """Of all objects and both sides; `waiting` were set aside before, and are none of the `set_aside`."""

    pushed: int
    set_aside: int
    waiting: int

    @property
    def records(self) -> int:
        return self.pushed + self.set_aside


def _totals(plan: PlanStatus, seen: Integration) -> _Totals:
    # A plan counts all that would wait afterwards, the status what has waited since before.
    waiting = min(seen.status.waiting_records, plan.set_aside)
    return _Totals(plan.pushed, plan.set_aside - waiting, waiting)
