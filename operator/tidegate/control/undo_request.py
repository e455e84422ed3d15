"""Undo request: which run a person has asked to undo by annotation, and why that is refused. Pure.

A request is a run's number, so the same value is carried out once: until the annotation is removed and set again.
"""

from functools import partial

from tidegate.api import names
from tidegate.api.runs import LastRun, Outcome, RunKind
from tidegate.api.spec import Switch
from tidegate.api.status import HandledRequests, SyncIntegrationStatus
from tidegate.control.declared import wants_reset
from tidegate.control.observation import Observation
from tidegate.control.step import Announce
from tidegate.control.untrusted import LARGEST_NUMBER, inert

_NOT_DECLARED = (
    "the template has an image of its own and does not say that its worker can undo: one that does not know SYNC_UNDO "
    f'would sync. Once it does, set the annotation {names.WORKER_UNDOES_ANNOTATION}: "true" in spec.template.metadata'
)
# After any other end the undo is tried again.
_FINAL = (Outcome.SUCCEEDED, Outcome.CONFIGURATION_ERROR, Outcome.HALTED)


def run_to_undo(seen: Observation, status: SyncIntegrationStatus) -> int | None:
    """The run whose undo is requested and has neither ended for good nor been refused; None: there is none."""
    asked = seen.integration.requests.undo
    if asked is None or asked == status.handled.undo_requested or obstacle(seen, status, asked) is not None:
        return None
    return int(asked)


def starts_at_once(seen: Observation, status: SyncIntegrationStatus) -> bool:
    """Whether a requested undo is due now, rather than after the wait that follows a failed attempt at it."""
    run = run_to_undo(seen, status)
    return run is not None and not has_failed(status.last_run, run)


def has_failed(last: LastRun | None, run: int) -> bool:
    """Whether the last run was an attempt to undo this run that has to be repeated."""
    return last is not None and last.kind is RunKind.UNDO and last.undo == run and last.outcome not in _FINAL


def obstacle(seen: Observation, status: SyncIntegrationStatus, asked: str) -> str | None:
    """Why the run of this number cannot be undone, as far as that is known before a worker is asked."""
    if not seen.integration.spec.worker_undoes:
        return _NOT_DECLARED
    if not (asked.isascii() and asked.isdigit()) or asked.startswith("0") or len(asked) > len(str(LARGEST_NUMBER)):
        return f'it must be the number of a run, not "{inert(asked)}"'
    run = int(asked)
    if run > status.runs:
        return f"there is no run {run} yet; the newest is run {status.runs}"
    plans = {entry.run for entry in status.recent_activity if entry.kind is RunKind.PLAN}
    return f"run {run} was a plan and has written nothing" if run in plans else None


def refuse(seen: Observation, status: SyncIntegrationStatus) -> tuple[SyncIntegrationStatus, tuple[Announce, ...]]:
    """The status with a request that cannot be carried out as handled; a request that was withdrawn is forgotten."""
    asked, handled = seen.integration.requests.undo, status.handled
    if asked is None:
        forgotten = handled.undo_requested is None and handled.undo_refused is None
        return (status if forgotten else _handled(status, None, None)), ()
    if asked == handled.undo_requested:
        return status, ()
    why = obstacle(seen, status, asked)
    if why is None:
        return status, ()
    return _handled(status, asked, why), (Announce("UndoRefused", _refusal_words(why), warning=True),)


def with_handled(status: SyncIntegrationStatus, undone: int | None, outcome: Outcome) -> SyncIntegrationStatus:
    """The status after a run that undid `undone` has ended with this outcome."""
    if undone is None or outcome not in _FINAL:
        return status
    return _handled(status, str(undone), None)


def _handled(status: SyncIntegrationStatus, value: str | None, refused: str | None) -> SyncIntegrationStatus:
    handled = status.handled.replace(partial(HandledRequests, undo_requested=value, undo_refused=refused))
    return status.replace(partial(SyncIntegrationStatus, handled=handled))


def words(seen: Observation, status: SyncIntegrationStatus) -> str:
    """What becomes of a request, for the message; "" where there is nothing to say."""
    asked, handled, run = seen.integration.requests.undo, status.handled, status.run
    if asked is not None and asked == handled.undo_requested and handled.undo_refused is not None:
        return f"; {_refusal_words(handled.undo_refused)}"
    undone = run_to_undo(seen, status)
    if undone is None or (run is not None and run.kind is RunKind.UNDO and run.undo == undone):
        return ""
    what = f"the requested undo of run {undone}"
    if seen.integration.spec.status is Switch.OFF:
        return f"; {what} waits until the sync is ON: turn it ON"
    if wants_reset(seen, status):
        return f"; {what} follows the reset, which deletes the journal that it needs"
    if run is not None:
        return f"; then {what} follows"
    return f"; the next run is {what}"


def _refusal_words(why: str) -> str:
    return f"the annotation {names.UNDO_REQUESTED_ANNOTATION} starts no undo: {why}"
