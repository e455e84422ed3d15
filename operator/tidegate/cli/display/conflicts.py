"""Conflicts: what the logs of an integration's runs say of parked records → what still waits for a decision. Pure.

The worker names what it parks in its log, and in its last line how many wait in all. Before a run is complete, it also
names what has waited since earlier runs, the oldest first and at most 5,000.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tidegate.cli.display.log_lines import message_of, unresolved


@dataclass(frozen=True, slots=True)
class Conflict:
    """A record, or one field of it, that was set aside."""

    run: int
    object: str
    connector: str
    id: str
    field: str  # empty: the whole record
    reason: str


@dataclass(frozen=True, slots=True)
class RunLog:
    """The lines that the worker of one run has printed."""

    run: int
    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class Conflicts:
    """All that the logs say about them."""

    named: tuple[Conflict, ...]
    waiting: int | None  # how many wait in all, as of that run; None: no log says
    as_of: int | None

    @property
    def whole(self) -> bool:
        """Whether all that waits is named."""
        return self.waiting is not None and len(self.named) >= self.waiting


def read(logs: Iterable[RunLog]) -> Conflicts:
    """What the remaining logs say together; in any order."""
    named: dict[tuple[str, str, str, str], Conflict] = {}
    waiting: int | None = None
    as_of: int | None = None
    for log in sorted(logs, key=lambda log: log.run):
        said = [message for message in map(message_of, log.lines) if message]
        if any(message.get("outcome") == "complete" for message in said):
            named = {}
        for message in said:
            if message.get("type") == "parked":
                conflict = _conflict(log.run, message)
                named[conflict.object, conflict.connector, conflict.id, conflict.field] = conflict
            elif isinstance(parked := message.get("parked"), int):
                waiting, as_of = parked, log.run
    if waiting == 0:
        named = {}
    return Conflicts(tuple(named.values()), waiting, as_of)


def to_wire(of: Conflicts) -> dict[str, Any]:
    """As plain data, with the counts that say how complete it is."""
    return {"waiting": of.waiting, "asOfRun": of.as_of, "named": [asdict(conflict) for conflict in of.named]}


def summary(of: Conflicts) -> str:
    """How complete the list is, in one sentence."""
    if of.waiting is None:
        return "no run log is left to read conflicts from"
    if of.waiting == 0:
        return f"as of run {of.as_of}, nothing waits for a decision"
    counted = f"as of run {of.as_of}, {unresolved(of.waiting)}"
    if len(of.named) > of.waiting:
        return f"{counted}; {len(of.named) - of.waiting:,} of those listed settled since, and the logs do not say which"
    if len(of.named) < of.waiting:
        return f"{counted}; {of.waiting - len(of.named):,} of them are not named in the remaining logs"
    return counted


def _conflict(run: int, message: dict[str, object]) -> Conflict:
    object_, connector, id_, field, reason = (
        str(message.get(key, "")) for key in ("object", "connector", "id", "field", "reason")
    )
    return Conflict(run, object_, connector, id_, field, reason)
