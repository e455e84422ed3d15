"""Goal: what `--wait` waits for, and when that has come or cannot come any more. Pure.

Judged by `observedGeneration` and conditions only, so that a status of before the change is never taken for its answer.
"""

from dataclasses import dataclass

from tidegate.api import names
from tidegate.api.plans import PlanStatus, what_is_planned
from tidegate.api.runs import ActivityEntry, Outcome, RunKind
from tidegate.api.status import Phase
from tidegate.cli.decisions.integration import Integration
from tidegate.cli.errors import ExitCode


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """ON is honoured: the full sync that it owes has succeeded, and so has a reset that was requested."""

    generation: int


@dataclass(frozen=True, slots=True)
class Off:
    """OFF is honoured: no sync is running, and none will start."""

    generation: int


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The first run after this one has ended."""

    after: int


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan that was requested by this value has ended."""

    requested_at: str


@dataclass(frozen=True, slots=True)
class Undone:
    """The first undo of `run` after run `after` has ended, or was refused."""

    run: int
    after: int


Goal = CaughtUp | Off | RunEnded | Planned | Undone


@dataclass(frozen=True, slots=True)
class Verdict:
    """The end of a wait."""

    code: ExitCode
    sentence: str


def judge(goal: Goal, seen: Integration) -> Verdict | None:
    """The end of the wait, or None while it continues."""
    match goal:
        case CaughtUp(generation):
            return _caught_up(seen, generation)
        case Off(generation):
            return _off(seen, generation)
        case RunEnded(after):
            return _run_ended(seen, after)
        case Planned(requested_at):
            return _planned(seen, requested_at)
        case Undone(run, after):
            return _undone(seen, run, after)


def noticed(goal: Goal, seen: Integration) -> bool:
    """Whether the operator has taken notice of what was asked."""
    match goal:
        case CaughtUp(generation):
            return _observed(seen, generation) and (not seen.reset_pending or seen.status.run is not None)
        case Off(generation):
            return _observed(seen, generation)
        case RunEnded(after) | Undone(_, after):
            return seen.status.runs > after or seen.status.run is not None
        case Planned(requested_at):
            return seen.status.handled.plan_requested_at == requested_at or seen.status.run is not None


def _observed(seen: Integration, generation: int) -> bool:
    return (seen.status.observed_generation or 0) >= generation


def _caught_up(seen: Integration, generation: int) -> Verdict | None:
    if not seen.on:
        return Verdict(ExitCode.FAILED, "turned OFF by another client")
    if seen.holds("Stalled", generation) and (not seen.reset_pending or seen.job_refused):
        return Verdict(ExitCode.STALLED, _message(seen))
    if seen.waits_for_a_pod and not seen.reset_pending:
        return Verdict(ExitCode.STALLED, _message(seen))
    if seen.holds("Ready", generation) and not seen.reset_pending:
        return Verdict(ExitCode.DONE, f"caught up; {_message(seen)}")
    return None


def _off(seen: Integration, generation: int) -> Verdict | None:
    if seen.on:
        return Verdict(ExitCode.FAILED, "turned ON by another client")
    if seen.holds("Ready", generation):
        return Verdict(ExitCode.DONE, _message(seen))
    if seen.waits_for_a_pod and _observed(seen, generation):
        return Verdict(ExitCode.STALLED, _message(seen))
    return None


def _run_ended(seen: Integration, after: int) -> Verdict | None:
    later = (e for e in seen.status.recent_activity if e.run > after and e.kind is not RunKind.PLAN)
    entry = min(later, key=lambda e: e.run, default=None)
    if entry is not None:
        return _verdict_on(entry, seen)
    return _no_run_follows(seen)


def _no_run_follows(seen: Integration) -> Verdict | None:
    if seen.job_refused or seen.waits_for_a_pod:
        return Verdict(ExitCode.STALLED, _message(seen))
    if not seen.on and seen.observed and seen.status.phase in (Phase.OFF, Phase.PAUSED):
        return Verdict(ExitCode.FAILED, "it is OFF: no run will start")
    return None


def _undone(seen: Integration, run: int, after: int) -> Verdict | None:
    if seen.annotations.get(names.UNDO_REQUESTED_ANNOTATION) != str(run):
        return Verdict(ExitCode.FAILED, "another client has withdrawn the request")
    undos = (e for e in seen.status.recent_activity if e.run > after and e.kind is RunKind.UNDO and e.undo == run)
    entry = min(undos, key=lambda e: e.run, default=None)
    if entry is not None:
        return _verdict_on(entry, seen)
    if seen.status.handled.undo_requested == str(run) and (why := seen.status.handled.undo_refused) is not None:
        return Verdict(ExitCode.STALLED, f"the undo of run {run} was refused: {why}")
    return _no_run_follows(seen)


def _planned(seen: Integration, requested_at: str) -> Verdict | None:
    plan = seen.status.plan
    if plan is not None and plan.requested_at == requested_at:
        return _verdict_on_plan(plan)
    run = seen.plan_run
    begun = run is not None and run.requested_at == requested_at
    handled = seen.status.handled.plan_requested_at == requested_at
    if handled and not begun:
        return Verdict(ExitCode.FAILED, "it was cancelled: request it again")
    if not begun and seen.annotations.get(names.PLAN_REQUESTED_ANNOTATION) != requested_at:
        return Verdict(ExitCode.FAILED, "another client has requested another plan or check")
    if begun and run is not None and run.cannot_start is not None:
        what = "check" if run.check else "plan"
        return Verdict(ExitCode.STALLED, f"run {run.number}, the {what}, cannot start: {run.cannot_start}")
    if seen.job_refused or seen.waits_for_a_pod:
        return Verdict(ExitCode.STALLED, _message(seen))
    return None


def _verdict_on_plan(plan: PlanStatus) -> Verdict:
    if plan.outcome is Outcome.SUCCEEDED and plan.check:
        return Verdict(ExitCode.DONE, f"run {plan.run} has checked the configuration; nothing was written")
    if plan.outcome is Outcome.SUCCEEDED:
        planned = what_is_planned(plan.undo)
        return Verdict(ExitCode.DONE, f"run {plan.run} has planned {planned}; nothing was written")
    code = ExitCode.STALLED if plan.outcome.needs_human else ExitCode.FAILED
    what = "check" if plan.check else "plan"
    return Verdict(code, f"no {what} was made: {plan.reason or plan.outcome}")


def _verdict_on(entry: ActivityEntry, seen: Integration) -> Verdict:
    if entry.outcome is Outcome.SUCCEEDED:
        return Verdict(ExitCode.DONE, entry.summary)
    last = seen.status.last_run
    reported = entry.report.reason if entry.report else None
    reason = reported or (last.reason if last and last.number == entry.run else None) or entry.outcome
    # What would help stands in the message, as long as no later run has begun.
    stalled = entry.outcome.needs_human
    sentence = _message(seen) if stalled and seen.holds("Stalled") else f"{entry.summary}: {reason}"
    return Verdict(ExitCode.STALLED if stalled else ExitCode.FAILED, sentence)


def _message(seen: Integration) -> str:
    return seen.status.message or ""
