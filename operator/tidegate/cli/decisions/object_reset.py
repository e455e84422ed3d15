"""Object reset: `reset --object` → the annotation that requests it, or a refusal. Pure."""

from dataclasses import dataclass

from tidegate.api import names, resets
from tidegate.api.spec import Mode
from tidegate.cli.decisions.change import Annotations, Change, require_accepted_job, unseen
from tidegate.cli.decisions.goal import Goal, RunEnded
from tidegate.cli.decisions.integration import Integration
from tidegate.cli.errors import RefusedError


@dataclass(frozen=True, slots=True)
class ResetObjects:
    """`reset`, of the objects that are named."""

    at: str  # a time, which names the request
    objects: tuple[str, ...]

    def change(self, seen: Integration) -> Change:
        """Raises RefusedError when there is no such object, or when a reset of the whole sync would be lost."""
        why = resets.obstacle(self.at, self.objects, seen.spec.object_names)
        if why is not None:
            raise RefusedError(why)
        if seen.reset_pending:
            raise RefusedError("a reset of the whole sync has been requested, and has not begun")
        require_accepted_job(seen)
        # One that no run was claimed for yet would be replaced by this request.
        asked = (*seen.resets_pending, *(name for name in self.objects if name not in seen.resets_pending))
        request: Annotations = {names.RESET_REQUESTED_ANNOTATION: resets.request(self.at, asked)}
        return Change(self._sentence(seen) + unseen(seen), {}, request)

    def goal(self, patched: Integration) -> Goal:
        """What `--wait` waits for."""
        return RunEnded(patched.status.runs)

    def _sentence(self, seen: Integration) -> str:
        run, activation = seen.status.run, seen.status.activation
        when = f"when run {run.number} has ended" if run else "at once" if seen.on else "after the next ON"
        mode = seen.spec.mode if activation is None else activation.mode
        follows = "left alone" if mode is Mode.FUTURE_ONLY else "pushed"
        return (
            f"requested a reset of {', '.join(self.objects)}: run {seen.status.runs + 1}, to start {when}, reads these "
            f"records as if for the first time; what differs is {follows} ({mode})"
        )
