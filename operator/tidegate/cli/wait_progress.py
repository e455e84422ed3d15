"""Progress: how a wait is followed: a live display with the run's own counts on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from tidegate.cli import run_log
from tidegate.cli.cluster.client import Cluster
from tidegate.cli.cluster.reader_thread import Stop, reading
from tidegate.cli.decisions.integration import Integration, Key
from tidegate.cli.display import show
from tidegate.cli.display.log_lines import counts_of
from tidegate.cli.display.screen import Screen, inert
from tidegate.cli.errors import CommandError
from tidegate.cli.selection import Scope
from tidegate.cli.wait import Display

_FRAMES_PER_SECOND = 8


@contextmanager
def display(cluster: Cluster, scope: Scope, screen: Screen) -> Iterator[Display]:
    """The one that suits where stderr goes."""
    if not screen.err.is_terminal:
        yield Lines(scope, screen)
        return
    with ExitStack() as threads:
        living = LiveDisplay(cluster, scope, screen, threads)
        with Live(
            get_renderable=living.render, console=screen.err, transient=True, refresh_per_second=_FRAMES_PER_SECOND
        ):
            yield living


@dataclass
class Lines:
    """A line for each change."""

    scope: Scope
    screen: Screen
    _said: dict[Key, str] = field(default_factory=dict)

    def show(self, seen: Integration, *, answered: bool) -> None:
        """Say what is happening, unless it is what was said last, or what was before."""
        line = show.line(seen)
        if answered and self._said.get(seen.key) != line:
            self._said[seen.key] = line
            self.screen.note(f"{self.scope.title(seen.key)}: {line}")

    def end(self, key: Key) -> None:
        """Nothing: the caller of the wait prints its verdict."""

    def note(self, text: str) -> None:
        """Say it."""
        self.screen.note(text)


@dataclass
class LiveDisplay:
    """One row for each integration that is waited for, redrawn by rich."""

    cluster: Cluster
    scope: Scope
    screen: Screen
    threads: ExitStack
    _rows: dict[Key, Integration] = field(default_factory=dict)
    _counts: dict[tuple[Key, int], str] = field(default_factory=dict)
    _spinner: Spinner = field(default_factory=lambda: Spinner("dots"))
    _began: float = field(default_factory=time.monotonic)

    def show(self, seen: Integration, *, answered: bool) -> None:
        """Have its row changed."""
        self._rows[seen.key] = seen
        run = seen.status.run
        if run is not None and (seen.key, run.number) not in self._counts:
            self._counts[seen.key, run.number] = ""
            self.threads.enter_context(reading(partial(self._count, seen, run.number)))

    def end(self, key: Key) -> None:
        """Take its row away."""
        self._rows.pop(key, None)

    def note(self, text: str) -> None:
        """Say it above the rows."""
        self.screen.note(text)

    def render(self) -> Table:
        """The rows as of now; called from rich's own thread."""
        elapsed = show.age(timedelta(seconds=time.monotonic() - self._began))
        table = Table.grid(padding=(0, 1))
        for key, seen in sorted(self._rows.items()):
            row = Text.assemble(
                (self.scope.title(key), "bold"), " ", show.phase(seen), f" {inert(seen.status.message or '')} "
            )
            row.append(f"({elapsed})", "dim")
            table.add_row(self._spinner, row)
            counts = self._counts.get((key, seen.status.run.number)) if seen.status.run else None
            if counts:
                table.add_row("", Text(inert(counts), "dim"))
        return table

    def _count(self, seen: Integration, run: int, stop: Stop) -> None:
        """Read along in the run's log; a user who may not read it sees no counts."""
        try:
            for log in run_log.follow(self.cluster, seen, run, stop):
                for line in run_log.lines(log.pieces):
                    counts = counts_of(line)
                    if counts:
                        self._counts[seen.key, run] = counts
        except CommandError:
            return
