"""How far a run has come: the checkpoint and the counts, which are committed together with their data."""

from dataclasses import dataclass, field, fields
from typing import Any, Literal

from tidegate.worker.connectors import Token
from tidegate.worker.run.environment import Order, Scope

Phase = Literal["scan", "guard", "accepted", "push", "undo", "complete"]


@dataclass(slots=True)
class Progress:
    """One run's progress; the same over retries, pauses and resumptions. The only thing that changes in a run."""

    run: int
    scope: Scope
    push: bool
    phase: Phase = "scan"
    # Scan: how many sources are done, and where the present one stands.
    sources_done: int = 0
    scanning: bool = False
    whole: bool = True
    until: Token | None = None
    after: Token | None = None
    # Read everything, whatever the scope: a create is in doubt.
    in_doubt: bool = False
    # The sources whose scan may have left out records, each with the reason.
    doubts: dict[str, str] = field(default_factory=dict)
    read: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    pushed: dict[str, dict[str, int]] = field(default_factory=dict)
    conflicts: int = 0
    # Fields that were settled as a person has decided, and decisions that could not be carried out.
    decided: int = 0
    undecided: int = 0
    # A person has approved what the run before it has listed.
    approved: bool = False
    # Records that cannot be read, and how many of them the scan before did not have.
    unreadable: int = 0
    newly_unreadable: int = 0
    # Records that were answered as they were before our last write, and wait for the next run.
    stale: int = 0
    # By source, how many creates, updates and deletes were due there that are not allowed.
    withheld: dict[str, dict[str, int]] = field(default_factory=dict)
    # By source, how many records were known and are outside their side's filter now.
    left: dict[str, int] = field(default_factory=dict)
    # Of an undo: the run that is undone, and how many records and fields are not as that run has left them.
    undo: int | None = None
    left_alone: int = 0
    seconds: float = 0.0

    @classmethod
    def start(cls, order: Order, names: tuple[str, str]) -> "Progress":
        """The progress of a run that has not begun."""
        return cls(
            run=order.run,
            scope=order.scope,
            push=order.push,
            undo=order.undo,
            read=dict.fromkeys(names, 0),
            changed=dict.fromkeys(names, 0),
            pushed={name: {"create": 0, "update": 0, "delete": 0} for name in names},
        )

    @classmethod
    def resume(cls, remembered: Any, order: Order) -> "Progress | None":
        """The progress that was committed, if it is this run's."""
        if not isinstance(remembered, dict) or remembered.keys() != {item.name for item in fields(cls)}:
            return None
        progress = cls(**remembered)
        ordered = order.run, order.scope, order.push, order.undo
        same = (progress.run, progress.scope, progress.push, progress.undo) == ordered
        return progress if same else None

    def scan_again(self) -> None:
        """Restart the scan, reading everything."""
        self.phase, self.sources_done, self.scanning, self.after, self.in_doubt = "scan", 0, False, None, True
        self.doubts, self.unreadable, self.newly_unreadable = {}, 0, 0

    def plain(self) -> dict[str, Any]:
        """Plain data, to be remembered."""
        return {item.name: getattr(self, item.name) for item in fields(self)}
