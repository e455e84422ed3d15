"""Request a plan: `plan`, `check`, and the offer of `on` → the annotations that request it, or a refusal. Pure."""

from dataclasses import dataclass

from tidegate.api import names
from tidegate.api.status import Phase
from tidegate.cli.decisions.change import Change, require_accepted_job, unseen
from tidegate.cli.decisions.goal import Goal, Planned
from tidegate.cli.decisions.integration import Integration


@dataclass(frozen=True, slots=True)
class RequestPlan:
    """`plan`, `check`, and the offer of `on`."""

    at: str
    key: str | None = None  # what the details are sealed with; None: there are no values in them
    undo: int | None = None  # the run whose undo is planned; None: a full sync is
    check: bool = False  # nothing is planned, only whether the configuration fits is checked

    def change(self, seen: Integration) -> Change:
        """Raises RefusedError when no run can start."""
        require_accepted_job(seen)
        annotations = {
            names.PLAN_REQUESTED_ANNOTATION: self.at,
            names.PLAN_KEY_ANNOTATION: self.key,
            names.PLAN_UNDO_ANNOTATION: None if self.undo is None else str(self.undo),
            names.PLAN_CHECK_ANNOTATION: "true" if self.check else None,
        }
        what = "check" if self.check else "plan"
        return Change(f"requested a {what}{_after(seen)}{unseen(seen)}", {}, annotations)

    def goal(self, patched: Integration) -> Goal:
        """What is waited for."""
        return Planned(self.at)


def _after(seen: Integration) -> str:
    """What a plan waits for."""
    run = seen.status.run
    if run is None:
        return ""
    paused = ", which is paused," if seen.status.phase is Phase.PAUSED else ""
    return f", to start when run {run.number}{paused} has ended"
