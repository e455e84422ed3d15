"""Saying what is going on: a spinner or bar on a terminal, plain lines elsewhere, nothing where nobody reads."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

# Called with (done, total) while a step goes on; total is None when it is not known.
Advance = Callable[[int, int | None], None]


class Reporter(Protocol):
    """What long work reports to."""

    def step(self, title: str, cost: str = "") -> AbstractContextManager[Advance]:
        """Announce a step; `cost` says what it takes when it is slow, the first time at least."""

    def say(self, line: str) -> None:
        """Print one line of outcome."""


class Silent:
    """For callers that have their own output."""

    @contextmanager
    def step(self, title: str, cost: str = "") -> Iterator[Advance]:
        yield lambda done, total: None

    def say(self, line: str) -> None:
        pass


class Lines:
    """For logs: one line when a step starts and one when it ends."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)

    @contextmanager
    def step(self, title: str, cost: str = "") -> Iterator[Advance]:
        self.say(f"… {title}" + (f" ({cost})" if cost else ""))
        started = time.monotonic()
        yield lambda done, total: None
        self.say(f"✓ {title}: {_seconds(started)}")

    def say(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)


class Live:
    """For terminals: a spinner that becomes a bar when the total is known."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)

    @contextmanager
    def step(self, title: str, cost: str = "") -> Iterator[Advance]:
        started = time.monotonic()
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[cost]}"),
        )
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task(title, total=None, count="", cost=cost)

            def advance(done: int, total: int | None) -> None:
                count = f"{done}/{total}" if total else str(done)
                progress.update(task, completed=done, total=total, count=count)

            yield advance
        self._console.print(f"[green]✓[/] {title} [dim]{_seconds(started)}[/]")

    def say(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)


def for_stderr() -> Reporter:
    """The reporter that suits where standard error goes."""
    return Live() if sys.stderr.isatty() else Lines()


def _seconds(started: float) -> str:
    return f"{time.monotonic() - started:.1f} s"
