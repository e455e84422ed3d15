"""Approvals: which halted run a person has approved by annotation, and which approvals are refused. Pure.

An approval covers what a person has seen. One that names a run before it has halted is refused, and stays refused until
the annotation is removed or has another value, so that no halt is approved before anyone has seen it.
"""

from collections.abc import Iterator
from functools import partial

from tidegate.api import names
from tidegate.api.runs import LastRun, Outcome
from tidegate.api.status import HandledRequests, SyncIntegrationStatus
from tidegate.control.observation import Observation
from tidegate.control.step import Announce
from tidegate.control.untrusted import LARGEST_NUMBER, inert


def is_approved(seen: Observation, status: SyncIntegrationStatus, last: LastRun | None) -> bool:
    """Whether the last run has halted, and what it would do is approved: by its number, so that it serves once."""
    if last is None or last.outcome is not Outcome.HALTED:
        return False
    return any(value == str(last.number) and value not in status.handled.refused_approvals for _, value in _given(seen))


def refuse(seen: Observation, status: SyncIntegrationStatus) -> tuple[SyncIntegrationStatus, tuple[Announce, ...]]:
    """The status with approvals that come too early, or name no run, as refused; an Event tells of each once."""
    before = status.handled.refused_approvals
    refused = dict(_refusals(seen, before))
    if tuple(refused) == before:
        return status, ()
    handled = status.handled.replace(partial(HandledRequests, refused_approvals=tuple(refused)))
    told = (Announce("ApprovalRefused", words, warning=True) for value, words in refused.items() if value not in before)
    return status.replace(partial(SyncIntegrationStatus, handled=handled)), tuple(told)


def words(seen: Observation, status: SyncIntegrationStatus) -> str:
    """What the message says of refused approvals; "" where there are none."""
    return "".join(f"; {words}" for _, words in _refusals(seen, status.handled.refused_approvals))


def _given(seen: Observation) -> Iterator[tuple[str, str]]:
    """The annotations that approve, with their values."""
    asked = seen.integration.requests
    if asked.approve is not None:
        yield names.APPROVE_ANNOTATION, asked.approve
    if asked.allow_deletes is not None:
        yield names.ALLOW_DELETES_ANNOTATION, asked.allow_deletes


def _refusals(seen: Observation, before: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Values that are refused, with the reason; one that was refused before stays refused."""
    # As stored: a halt that is recorded in this very pass has been seen by nobody.
    last = seen.integration.status.last_run
    newest = last.number if last is not None else 0
    for name, value in _given(seen):
        if not (value.isascii() and value.isdigit()) or len(value) > len(str(LARGEST_NUMBER)):
            yield value, f'the annotation {name} must be the number of a run that has halted, not "{inert(value)}"'
        elif int(value) > newest or value in before:
            yield (
                value,
                f"the annotation {name} was set before run {value} had halted, and approves nothing: remove it, and "
                "set it again when you have seen what that run has found",
            )
