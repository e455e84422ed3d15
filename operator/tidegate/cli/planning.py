"""Planning: request a plan, wait for it, and print what it has found.

The flow of `plan`, of the offer of `on`, and of `changes` and `undo`, which ask for the plan of an undo.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tidegate.api.plans import PlanStatus
from tidegate.api.spec import Mode
from tidegate.cli import apply, run_log
from tidegate.cli.decisions.goal import Verdict
from tidegate.cli.decisions.integration import Integration
from tidegate.cli.decisions.request_plan import RequestPlan
from tidegate.cli.display import log_lines, planned
from tidegate.cli.display.check_log import CheckLog, check_log
from tidegate.cli.display.plan_log import PlanLog
from tidegate.cli.errors import CommandError, ExitCode
from tidegate.cli.invocation import Invocation, now
from tidegate.cli.sealed import KeyPair
from tidegate.cli.wait import Awaited, wait
from tidegate.cli.wait_progress import display

# Types of a log's lines: what the run to be undone has written, and what would wait for a decision.
WRITTEN, WAITING = "written", "waiting"


@dataclass(frozen=True, slots=True)
class Made:
    """A plan, and the integration that it is of as it was then."""

    plan: PlanStatus
    of: Integration


def make(
    call: Invocation, seen: Integration, key: KeyPair | None = None, *, undo: int | None = None, check: bool = False
) -> Made | Verdict:
    """Request a plan and wait for it; with a key its log has the records' values. A Verdict says why there is none.

    With `undo` it is the plan of the undo of that run, with `check` nothing but a check of the configuration.
    """
    wish = RequestPlan(now(), key.public if key else None, undo, check)
    try:
        patched, change = apply.write(call.cluster, seen, wish)
    except CommandError as error:
        return Verdict(ExitCode(error.exit_code), error.message)
    call.screen.note(f"{seen.name}: {change.sentence}")
    latest = {patched.key: patched}
    awaited = [Awaited(patched, wish.goal(patched))]
    try:
        with display(call.cluster, call.scope, call.screen) as shown:
            verdict = wait(call.cluster, awaited, call.patience.timeout, shown, latest)[patched.key]
    except KeyboardInterrupt:
        what = "check" if check else "plan"
        return Verdict(ExitCode.INTERRUPTED, f"stopped waiting; the {what} continues in the cluster")
    plan = latest[patched.key].status.plan
    if verdict.code is not ExitCode.DONE or plan is None:
        return verdict
    call.screen.note(f"{seen.name}: {verdict.sentence}")
    return Made(plan, latest[patched.key])


def exit_code(made: Made) -> ExitCode:
    """What a script learns: whether the planned run would halt."""
    return ExitCode.STALLED if made.plan.would_halt else ExitCode.DONE


def show_counts(call: Invocation, made: Made) -> None:
    """Print what would be done to each object's records, and what would keep the full sync from doing it."""
    call.screen.show(planned.table(made.plan))
    for sentence in planned.halts(made.plan):
        call.screen.say(sentence)
    if made.plan.reason:
        call.screen.warn(made.plan.reason)


def show_consequences(call: Invocation, made: Made, modes: Sequence[Mode]) -> None:
    """Print what the full sync of each mode does with it."""
    call.screen.say(planned.found(made.plan, made.of))
    for mode in modes:
        call.screen.say(f"{planned.TITLE[mode]}: {planned.consequence(made.plan, made.of, mode)}.")


def show_details(call: Invocation, made: Made, key: KeyPair | None) -> None:
    """Print a line for each record that would be written, set aside or left alone.

    Raises NoLogError when the plan's log is gone.
    """
    _show(call, made, key, lambda detail: detail["type"] != WRITTEN)


def show_listed(call: Invocation, made: Made, key: KeyPair | None, type_: str) -> None:
    """Print a line for each record of this type only. Raises NoLogError likewise."""
    _show(call, made, key, lambda detail: detail["type"] == type_)


def _show(call: Invocation, made: Made, key: KeyPair | None, shows: Callable[[Mapping[str, Any]], bool]) -> None:
    log = _log(key)
    for detail in filter(shows, log.details(_lines(call, made))):
        call.screen.say(log_lines.detail(detail))
    if log.missing:
        call.screen.warn(log.missing)


def data(call: Invocation, made: Made, key: KeyPair | None, *, details: bool) -> Mapping[str, Any]:
    """The plan as a program reads it: as in the status, with the records and what is missing of them."""
    plan = made.plan.to_wire()
    if not details:
        return plan
    log = _log(key)
    records = list(log.details(_lines(call, made)))
    if log.missing:
        call.screen.warn(log.missing)
    return {**plan, "details": records, "detailsMissing": log.missing}


def listed(call: Invocation, made: Made, key: KeyPair | None, type_: str) -> Mapping[str, Any]:
    """The records of this type, as a program reads them, and what is missing of the log."""
    log = _log(key)
    records = [detail for detail in log.details(_lines(call, made)) if detail["type"] == type_]
    if log.missing:
        call.screen.warn(log.missing)
    return {"run": made.plan.run if made.plan.undo is None else made.plan.undo, type_: records, "missing": log.missing}


def show_check(call: Invocation, made: Made) -> None:
    """Print what each object was taken for, and what does not fit. Raises NoLogError likewise."""
    log = _check_log(call, made)
    for side in log.read:
        call.screen.say(str(side.get("text", "")))
    for complaint in log.complaints:
        call.screen.say(f"✗ {complaint}")
    if not made.plan.would_halt:
        call.screen.say("✓ the configuration fits both systems")


def check_data(call: Invocation, made: Made) -> Mapping[str, Any]:
    """The check as a program reads it, in the form of `tidegate-worker check --json`. Raises NoLogError likewise."""
    log = _check_log(call, made)
    read = [{name: value for name, value in side.items() if name not in ("type", "text")} for side in log.read]
    return {"run": made.plan.run, "fits": not made.plan.would_halt, "complaints": log.complaints, "read": read}


def _check_log(call: Invocation, made: Made) -> CheckLog:
    """What the check's log says; where it names no complaints, those of the status are all that there is."""
    log = check_log(_lines(call, made))
    return log if log.complaints else replace(log, complaints=list(made.plan.would_halt))


def _log(key: KeyPair | None) -> PlanLog:
    return PlanLog(key.open) if key else PlanLog()


def _lines(call: Invocation, made: Made) -> Iterator[str]:
    """Of the newest Pod: a Pod that is replaced begins the plan again."""
    *_, newest = run_log.read(call.cluster, made.of, made.plan.run or 0)
    return run_log.lines(newest.pieces)
