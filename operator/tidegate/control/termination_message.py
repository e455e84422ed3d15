"""Termination message: what a worker has left behind, in its Pods and its Job → its exit code and its report. Pure.

What a worker says is untrusted: it comes from any image.
"""

import json
import re
from typing import TypeGuard

from tidegate.api.status import Found, RunReport
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


_SIDES = 8
_SIDE_CHARACTERS = 63
_FOUND = 10


def report_of(pods: tuple[Pod, ...]) -> RunReport | None:
    """What the worker reported, in the termination message of the newest Pod whose worker has ended.

    The text is untrusted: it is bounded and stripped of control characters, and
        what does not look like the contract's JSON is shown as a reason (design section 6.1).
    """
    message = next((pod.termination_message for pod in pods if not pod.live or pod.exit_code is not None), "")
    if not message:
        return None
    try:
        said = json.loads(message)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        return RunReport(reason=inert(message))
    pushed = said.get("pushed")
    reason = said.get("reason")
    return RunReport(
        reason=inert(reason) if isinstance(reason, str) and reason else None,
        read=_counts(said.get("read")),
        changed=_counts(said.get("changed")),
        pushed=_counts({side: _total(count) for side, count in pushed.items()} if isinstance(pushed, dict) else {}),
        created=_pushed(pushed, "create"),
        updated=_pushed(pushed, "update"),
        deleted=_pushed(pushed, "delete"),
        conflicts=_count(said.get("conflicts")),
        set_aside=_count(said.get("setAside")),
        waiting=_count(said.get("waiting")),
        found=_found(said.get("found")),
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
