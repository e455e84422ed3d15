"""Requests for a reset, in the form of the annotation tidegate.dev/reset-requested-at.

Any new value asks for a reset of the whole sync. A time with names after it asks for a reset of these objects alone:
`2026-11-27T10:00:00Z contact, account`.
"""

import re
from collections.abc import Sequence

# What `date` prints without options begins with the day of the week, and names no object.
_OF_OBJECTS = re.compile(r"\d{4}-\d\d-\d\dT\S+\s+(?P<names>.+)", re.DOTALL)


def objects_of(request: str) -> tuple[str, ...]:
    """The objects that a request names; none where it asks for a reset of the whole sync."""
    found = _OF_OBJECTS.fullmatch(request.strip())
    names = found["names"].split(",") if found else ()
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


def request(at: str, objects: Sequence[str]) -> str:
    """The annotation's value; `at` is a time in the form of RFC 3339."""
    return " ".join(filter(None, (at, ",".join(objects))))


def obstacle(request: str, objects: Sequence[str], known: Sequence[str] | None) -> str | None:
    """Why a request cannot be carried out.

    `objects` are those that it names, and `known` those of spec.sync; None without spec.sync.
    """
    if not objects:
        # Without a time, the name of an object, or a misspelt one, would delete the memory of all of them.
        words = re.split(r"[\s,]+", request.strip())
        meant = [word for word in words if word in (known or ())]
        if meant:
            return f"name objects after a time, such as 2026-11-27T10:00:00Z {','.join(meant)}"
        if len(words) > 1 and not any(map(str.isdigit, request)):
            return (
                "it has several words and no time: for single objects name them after one, such as 2026-11-27T10:00:00Z"
            )
        return None
    if known is None:
        return "only spec.sync has objects that can be reset one by one; reset the whole sync"
    unknown = [name for name in objects if name not in known]
    if unknown:
        return f"spec.sync has no object {', '.join(unknown)}; it has {', '.join(known)}"
    return None
