"""Due: when the next run of an activation may start, and what has to happen first where time alone does not help. Pure.

The delay counts from the end of the last run; a failed run waits longer each time (design section 3).
"""

import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from tidegate.api import names
from tidegate.api.base import format_time
from tidegate.api.runs import LastRun, Outcome, Run, RunKind
from tidegate.api.status import SyncIntegrationStatus
from tidegate.control import object_resets
from tidegate.control.approvals import is_approved
from tidegate.control.observation import Integration, Observation
from tidegate.control.undo_request import starts_at_once

FIRST_BACKOFF = timedelta(seconds=10)
# Most configuration errors need an edit of the spec, which does not wait; some are fixed elsewhere, unseen.
FIRST_BACKOFF_OF_CONFIGURATION = timedelta(minutes=5)
LONGEST_BACKOFF = timedelta(hours=1)

# Kubernetes cuts times to the second, so a run may have ended this much later than its status says (invariant I5).
TIME_RESOLUTION = timedelta(seconds=1)

# Syncs that ended together, with equal delays, fall due over this part of the delay and not in the same instant.
_SPREAD = 0.01
_NARROWEST_SPREAD = timedelta(seconds=1)
_WIDEST_SPREAD = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Wait:
    """What the next run waits for: a time, a person, or whichever comes first."""

    until: datetime | None
    stalled: str | None = None  # what a person has to do


def wait_for_next_run(seen: Observation, status: SyncIntegrationStatus, now: datetime) -> Wait | None:
    """What the next run still waits for after the last one, `status.last_run`, has ended; None: it is due.

    A request and a correction of the spec after a failure are not kept waiting; an undo that has failed is.
    """
    last = status.last_run
    requested = sync_requested(seen, status) or full_sync_requested(seen, status)
    requested |= bool(object_resets.requested(seen, status)) or starts_at_once(seen, status)
    if last is None or requested or is_approved(seen, status, last):
        return None
    if status.consecutive_failures and is_corrected(seen, last):
        return None
    if last.outcome.needs_human and last.outcome is not Outcome.CONFIGURATION_ERROR:
        return Wait(until=None, stalled=_stalled_words(seen, last, None))
    due = due_at(seen.integration, status, last)
    if now >= due:
        return None
    return Wait(due, _stalled_words(seen, last, due) if last.outcome.needs_human else None)


def is_corrected(seen: Observation, made_from: Run | LastRun) -> bool:
    """Whether the spec is another one than a run was made from. Turning it OFF and ON corrects nothing."""
    if made_from.spec_digest is None:  # the status is from a version without it, or was lost
        return seen.integration.generation > made_from.generation
    return made_from.spec_digest != seen.integration.spec.digest


def sync_requested(seen: Observation, status: SyncIntegrationStatus) -> bool:
    """Whether a run has been asked for that no claim has answered yet."""
    requested = seen.integration.requests.sync
    return requested is not None and requested != status.handled.sync_requested_at


def full_sync_requested(seen: Observation, status: SyncIntegrationStatus) -> bool:
    """Whether a full sync has been asked for, and no run was claimed since."""
    requested = seen.integration.requests.full_sync
    return requested is not None and requested != status.handled.full_sync_requested_at


def due_at(integration: Integration, status: SyncIntegrationStatus, last: LastRun) -> datetime:
    """When the delay or the backoff after the last run is over, to the microsecond."""
    pause = _pause(integration.spec.delay, status, last)
    if not pause:
        return last.finished_at
    ended = last.finished_at.replace(microsecond=0)  # as it reads once it has been stored
    return ended + pause + _lateness(integration.uid, pause)


def _lateness(uid: str, pause: timedelta) -> timedelta:
    """How much later than its pause a sync falls due: always the same for one sync, and evenly spread over many."""
    # The end of the run was cut to the second: less than this second would be too early (invariant I5).
    spread = min(max(pause * _SPREAD, _NARROWEST_SPREAD), _WIDEST_SPREAD)
    return TIME_RESOLUTION + spread * (zlib.crc32(uid.encode()) / 2**32)


def _pause(delay: timedelta, status: SyncIntegrationStatus, last: LastRun) -> timedelta:
    if not status.consecutive_failures:
        return delay
    is_configuration = last.outcome is Outcome.CONFIGURATION_ERROR
    first = FIRST_BACKOFF_OF_CONFIGURATION if is_configuration else FIRST_BACKOFF
    # The exponent is bounded so that a large count cannot overflow a timedelta.
    doublings = min(status.consecutive_failures - 1, 20)
    return max(delay, min(first * (1 << doublings), LONGEST_BACKOFF))


_APPROVE = (
    "approve it with `kubectl sync approve {name} --run {run}` or the annotation "
    f'{names.APPROVE_ANNOTATION}: "{{run}}"'
)
# A worker that says what it has found, or that there is nothing to approve.
_WHAT_HELPS_WITH_FOUND = (
    f"if that is intended, {_APPROVE}; if not, restore or correct the records and `kubectl sync run {{name}}`"
)
_WHAT_HELPS_WITH_NOTHING_FOUND = "do what it says, and `kubectl sync run {name}`"
_WHAT_HELPS = {
    Outcome.CONFIGURATION_ERROR: (
        "fix spec.sync or spec.template to retry at once, or `kubectl sync run {name}` if it was fixed elsewhere; "
        "retrying at {due}"
    ),
    Outcome.HALTED: f"{_APPROVE}, or turn OFF and reset",
    Outcome.CACHE_UNUSABLE: "reset the sync to start with a new cache: `kubectl sync reset {name}`",
}

_WHAT_HELPS_AN_UNDO = {
    Outcome.CONFIGURATION_ERROR: (
        f"to try it again, remove the annotation {names.UNDO_REQUESTED_ANNOTATION} and set it again; "
        "the next run follows at {due}"
    ),
    Outcome.HALTED: f"if that is intended, {_APPROVE}; if not, `kubectl sync run {{name}}` continues without it",
}


def _stalled_words(seen: Observation, last: LastRun, due: datetime | None) -> str:
    words = _WHAT_HELPS_AN_UNDO.get(last.outcome) if last.kind is RunKind.UNDO else None
    if words is not None:
        again = format_time(due) if due else ""
        what_helps = words.format(name=seen.integration.name, run=last.number, undone=last.undo, due=again)
        return f"run {last.number}, the undo of run {last.undo}, stopped: {last.reason or last.outcome}; {what_helps}"
    words = _WHAT_HELPS[last.outcome]
    if last.outcome is Outcome.HALTED and last.found is not None:
        words = _WHAT_HELPS_WITH_FOUND if last.found else _WHAT_HELPS_WITH_NOTHING_FOUND
    what_helps = words.format(name=seen.integration.name, run=last.number, due=format_time(due) if due else "")
    return f"run {last.number} stopped: {last.reason or last.outcome}; {what_helps}"
