"""How a run of the worker ended, as tests see it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RunEnd:
    """Its exit code, its termination message, and what it said meanwhile."""

    code: int
    message: dict[str, Any]
    lines: list[dict[str, Any]]

    @property
    def pushed(self) -> dict[str, str]:
        """What was written to each side, such as "1 create, 2 update"; "" for nothing."""
        return {
            side: ", ".join(f"{number} {what}" for what, number in counts.items() if number)
            for side, counts in self.message["pushed"].items()
        }
