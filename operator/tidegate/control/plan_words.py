"""Plan words: what a message says of a plan that is in progress or requested. Pure. Used by `report`."""

from tidegate.api.plans import what_is_planned
from tidegate.api.runs import Outcome, RunKind
from tidegate.api.status import Phase
from tidegate.control.declared import plan_requested
from tidegate.control.observation import Observation
from tidegate.control.step import Step


def plan_words(seen: Observation, step: Step) -> str:
    """The end of a message, from its semicolon on; empty where there is nothing to say of a plan."""
    status = step.status
    run = status.run
    if run is not None and run.kind is RunKind.PLAN:
        what = "a check" if run.check else "a plan"
        why = f": {status.plan.reason}" if status.plan and status.plan.outcome is Outcome.CANCELLED else ""
        if run.cancelling:
            return f"; ending run {run.number}, {what}{why}"
        if run.cannot_start:
            return f"; run {run.number}, {what}, cannot start: {run.cannot_start}"
        if run.check:
            return f"; run {run.number} checks whether the configuration fits both systems"
        return f"; run {run.number} plans what {what_is_planned(run.undo)} would do"
    if not plan_requested(seen, status):
        return ""
    what = "check" if seen.integration.requests.plan_check else "plan"
    if run is not None and step.phase is Phase.PAUSED:
        return f"; the requested {what} waits until run {run.number} has been resumed and has ended"
    if run is not None:
        return f"; the requested {what} follows when run {run.number} has ended"
    return f"; the requested {what} follows"
