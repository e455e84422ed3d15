"""Check log: the log of a check's Pod → what each object was taken for, and what does not fit. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidegate.cli.display.log_lines import message_of


@dataclass(frozen=True, slots=True)
class CheckLog:
    """What one Pod's log says, in its order; a worker of one's own may say nothing."""

    read: Sequence[Mapping[str, Any]]
    complaints: Sequence[str]


def check_log(lines: Iterable[str]) -> CheckLog:
    """Read the whole log."""
    messages = list(filter(None, map(message_of, lines)))
    return CheckLog(
        read=[each for each in messages if each.get("type") == "checked"],
        complaints=[str(each.get("reason", "")) for each in messages if each.get("type") == "complaint"],
    )
