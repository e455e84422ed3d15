"""Goal: what `--wait` waits for, and when that has come or cannot come any more. Pure.

Judged by `observedGeneration` and conditions only, so that a status of before the change is never taken for its answer.
"""

from dataclasses import dataclass

from tidegate.api.status import ActivityEntry, Outcome, Phase
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


Goal = CaughtUp | Off | RunEnded


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


def noticed(goal: Goal, seen: Integration) -> bool:
    """Whether the operator has taken notice of what was asked."""
    match goal:
        case CaughtUp(generation):
            return _observed(seen, generation) and (not seen.reset_pending or seen.status.run is not None)
        case Off(generation):
            return _observed(seen, generation)
        case RunEnded(after):
            return seen.status.runs > after or seen.status.run is not None


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
    entry = min((e for e in seen.status.recent_activity if e.run > after), key=lambda e: e.run, default=None)
    if entry is not None:
        return _verdict_on(entry, seen)
    if seen.job_refused or seen.waits_for_a_pod:
        return Verdict(ExitCode.STALLED, _message(seen))
    if not seen.on and seen.observed and seen.status.phase in (Phase.OFF, Phase.PAUSED):
        return Verdict(ExitCode.FAILED, "it is OFF: no run will start")
    return None


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
