"""Undo: `undo` → the annotation that requests it, or a refusal; and which runs can have written anything. Pure."""

from dataclasses import dataclass

from tidegate.api import names
from tidegate.api.runs import ActivityEntry, Outcome, RunKind
from tidegate.cli.decisions.change import Change, require_accepted_job, require_on, unseen
from tidegate.cli.decisions.goal import Goal, Undone
from tidegate.cli.decisions.integration import Integration
from tidegate.cli.errors import RefusedError


@dataclass(frozen=True, slots=True)
class Undo:
    """`undo`, of one run."""

    run: int

    def change(self, seen: Integration) -> Change:
        """Raises RefusedError when that run cannot be undone, or not again."""
        require_that_it_may_have_written(seen, self.run)
        require_on(seen, f"an undo is a run, so turn it ON first: {seen.command('on')}")
        require_accepted_job(seen)
        if seen.annotations.get(names.UNDO_REQUESTED_ANNOTATION) == str(self.run):
            if seen.status.handled.undo_requested == str(self.run):
                raise RefusedError(self._not_again(seen))
            return Change(f"the undo of run {self.run} is requested already; {seen.status.message or ''}", {}, {})
        run = seen.status.run
        when = f"when run {run.number} has ended" if run else "at once"
        sentence = f"requested run {seen.status.runs + 1}, the undo of run {self.run}, to start {when}{unseen(seen)}"
        return Change(sentence, {}, {names.UNDO_REQUESTED_ANNOTATION: str(self.run)})

    def goal(self, patched: Integration) -> Goal:
        """What `--wait` waits for."""
        return Undone(self.run, patched.status.runs)

    def _not_again(self, seen: Integration) -> str:
        undos = (e for e in seen.status.recent_activity if e.kind is RunKind.UNDO and e.undo == self.run)
        last = next(undos, None)
        if last is not None and last.outcome is Outcome.SUCCEEDED:
            again = seen.command("undo", "--run", str(last.run))
            return f"run {last.run} has undone run {self.run}; to take that back, undo run {last.run}: {again}"
        ended = "was refused" if last is None else f"was run {last.run}, which has ended with {last.outcome}"
        return (
            f"its undo was requested before and {ended}: {seen.status.message}; to request it again, first remove the "
            f"request: kubectl annotate {names.SHORT_NAME} {seen.name} -n {seen.key.namespace} "
            f"{names.UNDO_REQUESTED_ANNOTATION}-"
        )


def require_that_it_may_have_written(seen: Integration, run: int) -> None:
    """Raise RefusedError when a run is known to have written nothing that could be listed or undone."""
    newest = seen.status.runs
    if not 0 < run <= newest:
        which = f"the newest is run {newest}" if newest else "it has not run yet"
        raise RefusedError(f"there is no run {run}: {which}")
    if seen.sync_run is not None and seen.sync_run.number == run:
        raise RefusedError(f"run {run} has not ended: wait for its end with {seen.command('watch')}")
    entry = next((entry for entry in seen.status.recent_activity if entry.run == run), None)
    if seen.plan_run is not None and seen.plan_run.number == run:
        raise RefusedError(f"run {run} is a plan and writes nothing")
    if entry is not None and entry.kind is RunKind.PLAN:
        raise RefusedError(f"run {run} was a plan and has written nothing")
    if entry is not None and entry.outcome is Outcome.SUCCEEDED and not _has_pushed(entry):
        raise RefusedError(f"run {run} has written nothing")


def last_that_wrote(seen: Integration) -> int:
    """The newest run that has written to a system. Raises RefusedError when none is known."""
    run = next((entry.run for entry in seen.status.recent_activity if _has_pushed(entry)), None)
    if run is None:
        raise RefusedError("no recent run has written anything: name an earlier one with --run")
    return run


def _has_pushed(entry: ActivityEntry) -> bool:
    return entry.report is not None and any(entry.report.pushed.values())
