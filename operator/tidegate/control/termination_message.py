"""Termination message: what a worker has left behind, in its Pods and its Job → its exit code and its report. Pure.

What a worker says is untrusted: it comes from any image.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, TypeGuard, TypeVar

from tidegate.api.plans import PlannedSide
from tidegate.api.runs import Found, RunReport
from tidegate.control.observation import Job, Pod
from tidegate.control.untrusted import LARGEST_NUMBER, inert

_EXIT_CODE_IN_MESSAGE = re.compile(r"^Container \S+ for pod \S+ failed with exit code (\d+) ")


def exit_code_of(job: Job, pods: tuple[Pod, ...]) -> int | None:
    """The worker's exit code in a failed Job: from the Job's words if it was decisive, else from its newest Pod."""
    # The Job's words come first: its newest Pod may not have been shown by the watch yet.
    quoted = _EXIT_CODE_IN_MESSAGE.match(job.failure_message)
    if quoted:
        return int(quoted[1])
    return next((pod.exit_code for pod in pods if pod.exit_code is not None), None)


_Entry = TypeVar("_Entry")

_SIDES = 8
_SIDE_CHARACTERS = 63
_FOUND = 10
_PLANNED_SIDES = 32
_HALTS = 8


def report_of(pods: tuple[Pod, ...]) -> RunReport | None:
    """What the worker reported, in the termination message of the newest Pod whose worker has ended.

    The text is untrusted: it is bounded and stripped of control characters, and
        what does not look like the contract's JSON is shown as a reason (design section 6.1).
    """
    message = _message(pods)
    if not message:
        return None
    said = _read(message)
    if said is None:
        return RunReport(reason=inert(message))
    pushed, withheld = said.get("pushed"), said.get("withheld")
    reason = said.get("reason")
    return RunReport(
        reason=inert(reason) if isinstance(reason, str) and reason else None,
        read=_counts(said.get("read")),
        changed=_counts(said.get("changed")),
        pushed=_totals(pushed),
        created=_pushed(pushed, "create"),
        updated=_pushed(pushed, "update"),
        deleted=_pushed(pushed, "delete"),
        withheld=_totals(withheld),
        conflicts=_count(said.get("conflicts")),
        set_aside=_count(said.get("setAside")),
        waiting=_count(said.get("waiting")),
        found=_found(said.get("found")),
    )


def _message(pods: tuple[Pod, ...]) -> str:
    return next((pod.termination_message for pod in pods if not pod.live or pod.exit_code is not None), "")


def _read(message: str) -> dict[str, Any] | None:
    try:
        said = json.loads(message)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


@dataclass(frozen=True, slots=True)
class Planned:
    """What a plan's worker has found."""

    first: bool = False
    sides: tuple[PlannedSide, ...] = ()
    would_halt: tuple[str, ...] = ()


def planned_by(pods: tuple[Pod, ...]) -> Planned | None:
    """What a plan's worker has found, bounded as all that it says; None: it does not say."""
    said = (_read(_message(pods)) or {}).get("plan")
    if not isinstance(said, dict):
        return None
    sides, reasons = said.get("sides"), said.get("wouldHalt")
    return Planned(
        first=said.get("first") is True,
        sides=tuple(map(_planned_side, _of_type(sides, dict)[:_PLANNED_SIDES])),
        would_halt=tuple(inert(each) for each in _of_type(reasons, str)[:_HALTS]),
    )


def _of_type(said: object, type_: type[_Entry]) -> list[_Entry]:
    return [each for each in said if isinstance(each, type_)] if isinstance(said, list) else []


def _planned_side(said: dict[str, Any]) -> PlannedSide:
    return PlannedSide(
        object=inert(str(said.get("object", "")))[:_SIDE_CHARACTERS],
        connector=inert(str(said.get("connector", "")))[:_SIDE_CHARACTERS],
        create=_count(said.get("create")),
        update=_count(said.get("update")),
        delete=_count(said.get("delete")),
        set_aside=_count(said.get("setAside")),
    )


def _found(said: object) -> tuple[Found, ...] | None:
    """What halted the run; all or nothing, since a part of it must not be confirmed for the whole.

    Empty is a worker's word that there is nothing to confirm; None is a worker that does not say.
    """
    if not isinstance(said, list):
        return None
    entries = said
    texts = ("object", "connector", "what", "digest")
    fit = len(entries) <= _FOUND and all(
        isinstance(each, dict)
        and _is_count(each.get("count"))
        and all(_is_short(each.get(name)) for name in texts)
        and _is_short(each.get("field", ""))
        for each in entries
    )
    if not fit:
        return None
    return tuple(
        Found(count=each["count"], **{name: inert(each[name]) for name in (*texts, "field") if name in each})
        for each in entries
    )


def _is_short(said: object) -> bool:
    return isinstance(said, str) and len(said) <= _SIDE_CHARACTERS


def _total(count: object) -> object:
    return sum(n for n in count.values() if _is_count(n)) if isinstance(count, dict) else count


def _totals(said: object) -> dict[str, int]:
    return _counts({side: _total(count) for side, count in said.items()} if isinstance(said, dict) else {})


def _pushed(said: object, operation: str) -> dict[str, int]:
    by_side = said.items() if isinstance(said, dict) else ()
    return _counts({side: counts.get(operation) for side, counts in by_side if isinstance(counts, dict)})


def _counts(said: object) -> dict[str, int]:
    if not isinstance(said, dict):
        return {}
    counts = [(inert(side)[:_SIDE_CHARACTERS], n) for side, n in said.items() if _is_count(n)]
    return dict(counts[:_SIDES])


def _count(said: object) -> int:
    return said if _is_count(said) else 0


def _is_count(said: object) -> TypeGuard[int]:
    return isinstance(said, int) and not isinstance(said, bool) and 0 <= said <= LARGEST_NUMBER
