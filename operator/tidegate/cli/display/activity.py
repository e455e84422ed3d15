"""Activity: recent runs → a line for each, and under it what it read, changed and pushed. Pure.

The counts stand under their run rather than beside it: with them a table is too wide for a terminal.
"""

from collections.abc import Iterable
from datetime import datetime

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from tidegate.api.runs import ActivityEntry, RunReport
from tidegate.cli.display import show
from tidegate.cli.display.log_lines import counted, unresolved
from tidegate.cli.display.screen import inert

_HEADINGS = ("RUN", "KIND", "OUTCOME", "ENDED", "TOOK")
_INDENT = 4


def activity(entries: Iterable[ActivityEntry], now: datetime) -> RenderableType:
    """The runs, in the order that they are given in."""
    runs = list(entries)
    rows = [_cells(entry, now) for entry in runs]
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *rows, strict=True)]
    lines: list[RenderableType] = [Text(_aligned(_HEADINGS, widths), "bold")]
    for entry, cells in zip(runs, rows, strict=True):
        line = Text(_aligned(cells, widths))
        line.stylize(show.style_of_mark(entry.summary), 0, len(entry.summary))
        lines.append(line)
        lines += [Padding(Text(inert(text)), (0, 0, 0, _INDENT)) for text in what_it_did(entry.report or RunReport())]
    return Group(*lines)


def what_it_did(report: RunReport) -> list[str]:
    """The counts on one line, what it left unresolved, and the worker's own words; without what is nothing."""
    counts = [
        f"{verb} {counted(records)}"
        for verb, records in (("read", report.read), ("changed", report.changed), ("pushed", report.pushed))
        if records
    ]
    open_ = []
    if report.conflicts:
        open_.append("1 field in conflict" if report.conflicts == 1 else f"{report.conflicts:,} fields in conflict")
    if report.set_aside:
        open_.append(f"{report.set_aside:,} set aside")
    if report.waiting:
        open_.append(f"{unresolved(report.waiting)} in all")
    lines = ("; ".join(counts), "; ".join(open_), report.reason or "")
    return [line for line in lines if line]


def _cells(entry: ActivityEntry, now: datetime) -> tuple[str, ...]:
    ended = f"{show.ago(entry.finished_at, now)} ago"
    return inert(entry.summary), str(entry.kind), str(entry.outcome), ended, show.took(entry.duration)


def _aligned(cells: Iterable[str], widths: Iterable[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
