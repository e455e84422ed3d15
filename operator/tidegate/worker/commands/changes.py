"""`tidegate-worker changes`: list what runs have written, from the journal beside the cache. Called by `main`.

Values are shown on request; where they are encrypted, that needs the key that the runs had.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from tidegate.api.base import format_time
from tidegate.api.contract import Environment
from tidegate.worker.commands.shown import inert, shown
from tidegate.worker.config.parse import parse
from tidegate.worker.errors import ConfigurationError
from tidegate.worker.journal.changes import Change, Entry, JournalledRun, Told
from tidegate.worker.journal.store import FILE, Journal
from tidegate.worker.run.run_journal import secret_of


def list_changes(environ: Mapping[str, str], out: TextIO, *, run: int | None, values: bool) -> None:
    """Print the runs that can be undone, or what one of them has written. Raises RunEnded when it cannot be read."""
    with closing(Journal(_place(environ), _secret(environ) if values else None)) as journal:
        runs = journal.runs()
        if run is None:
            lines = map(_run, runs)
        else:
            journal.demand(run, readable=values)
            lines = map(_with_values, journal.entries(run)) if values else map(_without_values, journal.told(run))
        for line in lines:
            print(inert(line), file=out)
    if not runs:
        print("no run is journalled yet", file=out)


def _place(environ: Mapping[str, str]) -> Path:
    place = environ.get(Environment.CACHE_DIR)
    if not place:
        raise ConfigurationError(f"the environment variable {Environment.CACHE_DIR} is not set")
    if not (Path(place) / FILE).exists():
        raise ConfigurationError(
            f"there is no journal in {place}: set spec.sync.journal, and runs are kept from then on"
        )
    return Path(place)


def _secret(environ: Mapping[str, str]) -> str | None:
    place = environ.get(Environment.CONFIG)
    if not place:
        raise ConfigurationError(f"the environment variable {Environment.CONFIG} is not set: it has the journal's key")
    settings = parse(Path(place).read_bytes()).journal
    return None if settings is None else secret_of(settings, environ)


def _run(run: JournalledRun) -> str:
    when = format_time(datetime.fromtimestamp(run.began, UTC))
    undoes = f", which undid run {run.undoes}" if run.undoes is not None else ""
    if not run.whole:
        return f"run {run.run}, {when}: it wrote more than the journal may hold, and cannot be undone"
    counts = ", ".join(f"{run.counts.get(what, 0)} {what}d" for what in ("create", "update", "delete"))
    return f"run {run.run}, {when}{undoes}: {counts}"


def _without_values(told: Told) -> str:
    return f"{_record(told, done=told.done)}: {', '.join(told.fields)}"


def _with_values(entry: Entry) -> str:
    return f"{_record(entry.change, done=entry.done)}: {', '.join(_fields(entry.change))}"


def _fields(change: Change) -> Iterator[str]:
    for name in change.after or change.before:
        held = [shown(values[name]) for values in (change.before, change.after) if name in values]
        yield f"{name} {' → '.join(held)}"


def _record(told: Told | Change, *, done: bool) -> str:
    key = f" {shown(told.key)}" if told.key is not None else ""
    doubt = "" if done else " (unknown whether it was carried out)"
    return f"{told.what} {told.object}{key} of {told.connector}{doubt}"
