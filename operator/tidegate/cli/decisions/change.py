"""Change: an integration as it is, and a wish → the patch that makes it so, or a refusal. Pure.

The centre of the commands that act. A patch carries the resourceVersion that it was decided on, so that its sentence
stays true. A sentence says what was declared or requested, and what follows; it never says that something has happened
which only the operator can do. `mode` and `reset` are always written, never left as another client left them.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from tidegate.api import names
from tidegate.api.base import format_duration
from tidegate.api.runs import Run
from tidegate.api.spec import Mode, OffPolicy, Switch
from tidegate.api.status import Phase
from tidegate.cli.decisions.goal import CaughtUp, Goal, Off, RunEnded
from tidegate.cli.decisions.integration import NOT_PICKED_UP, OFF_POLICY_ANNOTATION, Integration
from tidegate.cli.errors import RefusedError

Fields = dict[str, Any]
Annotations = dict[str, str | None]  # None: taken away


@dataclass(frozen=True, slots=True)
class Change:
    """What to write, and what it means."""

    sentence: str
    spec: Fields
    annotations: Annotations

    @property
    def empty(self) -> bool:
        """True when nothing has to be written."""
        return not self.spec and not self.annotations

    def patch(self, seen: Integration) -> Fields:
        """The JSON merge patch, which applies to this resourceVersion only."""
        metadata: Fields = {"resourceVersion": seen.resource_version, "uid": seen.uid}
        if self.annotations:
            metadata["annotations"] = self.annotations
        return {"metadata": metadata, "spec": self.spec} if self.spec else {"metadata": metadata}


@dataclass(frozen=True, slots=True)
class TurnOn:
    """`on`."""

    at: str  # names the request
    mode: Mode | None = None  # demanded
    default_mode: Mode = Mode.PAST_AND_FUTURE  # where one has to be chosen, and none is demanded
    reset: bool = False
    delay: timedelta | None = None

    def begins_anew(self, seen: Integration) -> bool:
        """Whether a mode has to be chosen; otherwise the present activation continues, or the declared one begins."""
        return self.reset or (not seen.on and (seen.status.activation is None or seen.reset_pending))

    def can_be_planned(self, seen: Integration) -> bool:
        """Whether a plan, made now, says what this would do; one of a cache that is deleted first would not."""
        off = seen.status.phase is Phase.OFF and seen.status.run is None
        return off and seen.spec.worker_plans and not (self.reset or seen.reset_pending)

    def change(self, seen: Integration) -> Change:
        """Raises RefusedError when the mode that is demanded could not take effect."""
        activation = seen.status.activation
        if self.begins_anew(seen) or (activation is None and self.mode is not None):
            return self._begin(seen)
        if activation is not None and self.mode not in (None, activation.mode):
            raise RefusedError(_mode_refusal(seen, activation.mode))
        if activation is None or seen.on:
            return self._leave_on(seen)
        return self._continue(seen, activation.mode)

    def goal(self, patched: Integration) -> Goal:
        """What `--wait` waits for."""
        return CaughtUp(patched.generation)

    def _begin(self, seen: Integration) -> Change:
        if seen.on:
            require_accepted_job(seen)
        mode = self.mode or self.default_mode
        # Requested once rather than declared: a `reset: true` left behind would be done again at the next ON.
        request = {names.RESET_REQUESTED_ANNOTATION: self.at} if self.reset else {}
        restored, forgotten = _restore_off_policy(seen)
        sentence = _first(seen) + _CONSEQUENCE[mode]
        if self.reset or seen.reset_pending:
            sentence += "; all cached data is deleted first" + ("" if self.reset else ", as requested before")
        spec = {"mode": mode, "reset": False, **restored}
        return self._on(seen, sentence + _left_behind(seen, self.reset), spec, {**request, **forgotten})

    def _continue(self, seen: Integration, mode: Mode) -> Change:
        run = seen.sync_run
        if run is None:
            sentence = f"turned ON again before the OFF took effect; continuing with {mode}"
        elif seen.status.phase is Phase.PAUSED:
            sentence = f"turned ON: run {run.number} picks up where it left off, with {mode}"
        else:
            sentence = f"turned ON again before run {run.number} ended; continuing with {mode}"
        restored, forgotten = _restore_off_policy(seen)
        spec = {"mode": mode, "reset": False, **restored}
        return self._on(seen, sentence + _left_behind(seen, False), spec, forgotten)

    def _leave_on(self, seen: Integration) -> Change:
        if self.delay is not None and self.delay != seen.spec.delay:
            delay = format_duration(self.delay)
            return Change(f"already ON; the delay is now {delay}", {"delay": delay}, {})
        return Change(f"already ON; {seen.status.message or NOT_PICKED_UP}", {}, {})

    def _on(self, seen: Integration, sentence: str, spec: Fields, annotations: Annotations) -> Change:
        delay = {} if self.delay is None else {"delay": format_duration(self.delay)}
        return Change(sentence + unseen(seen), {"status": Switch.ON, **spec, **delay}, annotations)


@dataclass(frozen=True, slots=True)
class TurnOff:
    """`off`. Without a policy of its own: as the spec declares, apart from what an earlier `off --pause` left there."""

    policy: OffPolicy | None = None

    def change(self, seen: Integration) -> Change:
        """Turn OFF by the policy, which holds for this OFF only."""
        declared = seen.declared_off_policy or seen.spec.off_policy
        policy = self.policy or declared
        spec: Fields = {"status": Switch.OFF} if seen.on else {}
        if policy is not seen.spec.off_policy:
            spec["offPolicy"] = policy
        remembered = declared if policy is not declared else None
        annotations: Annotations = {} if remembered is seen.declared_off_policy else {OFF_POLICY_ANNOTATION: remembered}
        return Change(self._sentence(seen, policy), spec, annotations)

    def goal(self, patched: Integration) -> Goal:
        """What `--wait` waits for."""
        return Off(patched.generation)

    def _sentence(self, seen: Integration, policy: OffPolicy) -> str:
        run = seen.sync_run
        if not seen.on and seen.observed and seen.status.phase is Phase.OFF:
            return "already OFF; no sync is running"
        if not seen.on and seen.observed and seen.status.phase is Phase.PAUSED:
            return f"already OFF; {seen.status.message}"
        if run is None:
            planning = f"; {_named(seen.plan_run)}, goes on" if seen.plan_run else ""
            return f"turning OFF: no run is in progress, and none will start{planning}{unseen(seen)}"
        if seen.cannot_start:
            return f"turning OFF: run {run.number} cannot start, and is cancelled unless its worker has run before"
        if policy is OffPolicy.PAUSE_RUN:
            then = "cancels it and resets" if seen.reset_pending else "resumes it"
            pauses = "pauses at its next checkpoint unless it finishes first"
            return f"turning OFF: run {run.number} {pauses}; the next ON {then}"
        return f"turning OFF: run {run.number} finishes first"


@dataclass(frozen=True, slots=True)
class RunNow:
    """`run`."""

    at: str
    full: bool = False

    def change(self, seen: Integration) -> Change:
        """Raises RefusedError when no run could follow."""
        helps = "an ON begins with a full sync" if self.full else "turn it ON first"
        require_on(seen, f"{helps}: {seen.command('on')}")
        require_accepted_job(seen)
        following = seen.status.runs + 1
        run = seen.status.run
        when = f"when run {run.number} has ended" if run else "at once"
        what = f"run {following}, a full sync," if self.full else f"run {following},"
        request = names.FULL_SYNC_REQUESTED_ANNOTATION if self.full else names.SYNC_REQUESTED_ANNOTATION
        return Change(f"requested {what} to start {when}{unseen(seen)}", {}, {request: self.at})

    def goal(self, patched: Integration) -> Goal:
        """What `--wait` waits for."""
        return RunEnded(patched.status.runs)


@dataclass(frozen=True, slots=True)
class Reset:
    """`reset`."""

    at: str

    def change(self, seen: Integration) -> Change:
        """Raises RefusedError when the reset would have to wait for an ON."""
        require_on(seen, f"reset it when turning it ON: {seen.command('on', '--reset')}")
        require_accepted_job(seen)
        sentence = f"requested a reset: {_first(seen)}all cached data is deleted, and {_CONSEQUENCE[seen.spec.mode]}"
        return Change(sentence + unseen(seen), {}, {names.RESET_REQUESTED_ANNOTATION: self.at})

    def goal(self, patched: Integration) -> Goal:
        """What `--wait` waits for."""
        return CaughtUp(patched.generation)


class Wish(Protocol):
    """What a command asks of an integration."""

    def change(self, seen: Integration, /) -> Change:
        """What to write. Raises RefusedError when it could not take effect."""

    def goal(self, patched: Integration, /) -> Goal:
        """What `--wait` waits for."""


_CONSEQUENCE = {
    Mode.PAST_AND_FUTURE: "a full sync reads both sides and pushes what has changed",
    Mode.FUTURE_ONLY: "a read-only full sync pushes nothing; only later changes are pushed",
}


def _first(seen: Integration) -> str:
    """What comes before a new activation."""
    run = seen.status.run
    turned = "" if seen.on else "turned ON: "
    if seen.plan_run is not None:
        return f"{turned}{_named(seen.plan_run)}, is cancelled, and "
    if run is None:
        return turned
    if seen.status.phase is Phase.PAUSED:
        return f"{turned}run {run.number} is cancelled, and "
    return f"{turned}when run {run.number} has ended, "


def _named(run: Run) -> str:
    """A run that plans or checks."""
    return f"the {'check' if run.check else 'plan'}, run {run.number}"


def _left_behind(seen: Integration, reset: bool) -> str:
    if not seen.spec.reset or reset:
        return ""
    return " (removed reset: true, which was left in the spec; to reset, add --reset)"


def _restore_off_policy(seen: Integration) -> tuple[Fields, Annotations]:
    before = seen.declared_off_policy
    return ({"offPolicy": before}, {OFF_POLICY_ANNOTATION: None}) if before else ({}, {})


def _mode_refusal(seen: Integration, mode: Mode) -> str:
    run = seen.status.run
    if seen.status.phase is Phase.PAUSED and run:
        return (
            f"run {run.number} is paused and resumes in the mode it started in, {mode}: omit the mode, or start over "
            "with --reset"
        )
    turn_off = "wait until it is OFF" if not seen.on else "turn it OFF first"
    return (
        f"it was turned ON with {mode}, and a mode is only read at an ON: {turn_off} "
        f"({seen.command('off', '--wait')}), or start over with --reset"
    )


def require_on(seen: Integration, what_helps: str) -> None:
    """Raise RefusedError while it is OFF."""
    if not seen.on:
        raise RefusedError(f"it is OFF; {what_helps}")


def require_accepted_job(seen: Integration) -> None:
    """Raises RefusedError while the API server refuses the Job of a run."""
    if seen.job_refused and seen.observed:
        raise RefusedError(f"no run can start until the spec is corrected: {seen.status.message}")


def unseen(seen: Integration) -> str:
    """The rest of a sentence where no operator has seen the integration yet."""
    return "" if seen.status.phase else f"; {NOT_PICKED_UP}"
