"""Plan log: the log of a plan's Pod → the single records that it names, and whether any are missing. Pure.

With a key the worker seals these lines; whoever has the private key opens them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.cli.display.log_lines import message_of

Opens = Callable[[str], Iterable[str] | None]  # the lines in a sealed box; None: it was sealed with another key


def _opens_none(_box: str) -> None:
    return None


@dataclass
class PlanLog:
    """What one Pod's log says; complete once `details` has come to the log's end."""

    opens: Opens = _opens_none
    _received: int = 0
    _unopened: int = 0
    _told: int | None = None  # by the worker's last line: how many details there are

    def details(self, lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
        """One after the other, as they come."""
        for message in self._messages(lines):
            match message.get("type"):
                case "planned" | "waiting" | "written":
                    self._received += 1
                    yield message
                case "left":  # by an undo, as it went: none of the lines that are counted
                    yield message
                case "plan":
                    self._told = message["lines"] if isinstance(message.get("lines"), int) else None

    def _messages(self, lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
        for message in filter(None, map(message_of, lines)):
            if message.get("type") != "sealed":
                yield message
            elif (held := self.opens(str(message.get("data")))) is None:
                self._unopened += 1
            else:
                yield from filter(None, map(message_of, held))

    @property
    def missing(self) -> str | None:
        """What is missing, in words; None: nothing is."""
        if self._told is None:
            return "the log ends before the plan's last line: records may be missing here"
        if self._received >= self._told:
            return None
        counted = f"{self._told - self._received:,} of {self._told:,} records are missing here"
        if self._unopened:
            return f"{counted}: their values were sealed with another key; request the plan again"
        return (
            f"{counted}: the node keeps only the end of a long log (containerLogMaxSize of its kubelet); the counts "
            "above are complete"
        )
