"""What is reported: one line per figure, with its target, and the opponents' figures and the ratio beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from .measured import Measured

MIB = 1024 * 1024


@dataclass(frozen=True)
class Speed:
    """Things done per second, by the clock and by the processor time that the program itself has used."""

    done: int
    took: Measured

    @property
    def per_second(self) -> float:
        return self.done / self.took.seconds

    @property
    def per_processor_second(self) -> float:
        return self.done / (self.took.user_seconds + self.took.system_seconds)


@dataclass(frozen=True)
class Case:
    """A case's speed, the least that it should be, and the others' speed in theirs by name."""

    title: str
    unit: str
    ours: Speed
    target: int
    others: dict[str, Speed] = field(default_factory=dict)


@dataclass(frozen=True)
class Memory:
    """The most memory that a case took, and should take."""

    title: str
    bytes: int
    target: int


def show(cases: Sequence[Case], memory: Sequence[Memory], console: Console) -> None:
    """Print both tables."""
    table = Table("case", "ours", "per CPU second", "target", "", "others", "ratio", box=None, pad_edge=False)
    for case in cases:
        met = "✓" if case.ours.per_second >= case.target else "✗"
        ours = (case.title, f"{_count(case.ours.per_second)} {case.unit}", _count(case.ours.per_processor_second))
        others = [(f"{name}: {_count(s.per_second)}", f"{_ratio(case.ours, s)}") for name, s in case.others.items()]
        for n, other in enumerate(others or [("", "")]):
            first = (*ours, f"≥ {case.target:,}", met) if n == 0 else ("",) * 5
            table.add_row(*first, *other)
    console.print(table)
    console.print()
    table = Table("memory", "peak", "target", "", box=None, pad_edge=False)
    for line in memory:
        met = "✓" if line.bytes <= line.target else "✗"
        table.add_row(line.title, f"{line.bytes / MIB:.0f} MiB", f"≤ {line.target / MIB:.0f} MiB", met)
    console.print(table)


def _count(number: float) -> str:
    return f"{number:,.0f}"


def _ratio(ours: Speed, theirs: Speed) -> str:
    return f"{ours.per_second / theirs.per_second:.1f} ×"
