"""Approve: `approve` → the annotation that approves a halted run, or a refusal; and which run can be approved. Pure."""

from dataclasses import dataclass

from tidegate.api import names
from tidegate.api.runs import Outcome
from tidegate.cli.decisions.change import Change
from tidegate.cli.decisions.goal import Goal, RunEnded
from tidegate.cli.decisions.integration import Integration
from tidegate.cli.errors import RefusedError


@dataclass(frozen=True, slots=True)
class Approve:
    """`approve`, of the run that was halted."""

    run: int

    def change(self, seen: Integration) -> Change:
        """Raises RefusedError when there is nothing to approve, or it is another run than the one looked at."""
        halted = halted_run(seen)
        if halted != self.run:
            raise RefusedError(f"the halted run is run {halted}, not run {self.run}: {seen.status.message}")
        which = "the next run" if seen.on else "the first run after the next ON"
        return Change(
            f"approved run {halted}: {which} carries out what it found",
            {},
            {names.APPROVE_ANNOTATION: str(halted)},
        )

    def goal(self, patched: Integration) -> Goal:
        """What `--wait` waits for."""
        return RunEnded(patched.status.runs)


def halted_run(seen: Integration) -> int:
    """The number of the run that can be approved; RefusedError when there is none."""
    last = seen.status.last_run
    if seen.sync_run is not None:
        raise RefusedError(
            f"run {seen.sync_run.number} is in progress, and only a run that has halted can be approved: "
            f"wait for its end with {seen.command('watch')}"
        )
    if last is None:
        raise RefusedError("it has not run yet, and only a run that has halted can be approved")
    if last.outcome is not Outcome.HALTED:
        raise RefusedError(
            f"run {last.number} has not halted ({last.outcome}), so there is nothing to approve: "
            f"see {seen.command('status')}"
        )
    if last.found == ():
        raise RefusedError(f"run {last.number} has found nothing that could be approved: {seen.status.message}")
    return last.number
