"""The command line: `python -m bench.worker [--records N] [--more-records N] [--no-opponents] …`."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from devcluster import packages
from devcluster.errors import DevclusterError
from devcluster.progress import Reporter, for_stderr

from . import floor, opponents, ours
from .report import MIB, Case, Memory, Speed, show

_PEAK = 150 * MIB
_GROWTH = 10 * MIB


def main() -> int:
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    reporter = for_stderr()
    try:
        packages.ensure({"postgresql": packages.SERVERS["postgresql"]}, reporter)
        with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as directory:
            _measure(arguments, Path(directory), reporter)
    except (DevclusterError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.worker", description=sys.modules["bench.worker"].__doc__)
    parser.add_argument("--records", type=int, default=1_000_000, help="on each side (default: %(default)s)")
    parser.add_argument(
        "--more-records", type=int, default=4_000_000, help="to see memory not grow; 0: not (default: %(default)s)"
    )
    parser.add_argument(
        "--waiting", type=int, default=100_000, help="parked, and as many unpaired (default: %(default)s)"
    )
    parser.add_argument("--files", type=int, default=20_000, help="for rclone (default: %(default)s)")
    parser.add_argument("--rows", type=int, default=200_000, help="for dlt (default: %(default)s)")
    parser.add_argument("--no-opponents", action="store_true", help="only our own worker")
    return parser


def _measure(arguments: argparse.Namespace, directory: Path, reporter: Reporter) -> None:
    records: int = arguments.records
    others = {} if arguments.no_opponents else _opponents(arguments, directory, reporter)
    with reporter.step(f"Unchanged and read-only: {records:,} + {records:,} records, SQLite and SQLite"):
        pair = ours.sqlite_and_sqlite(_new(directory, "ours"), records)
        read_only, unchanged = pair.sync(push=False), pair.sync(push=True)
    with (
        reporter.step(f"Read-write: {records:,} records, SQLite into empty PostgreSQL"),
        ours.sqlite_and_postgresql(_new(directory, "push"), records) as pushed_pair,
    ):
        pushed = pushed_pair.sync(push=True)
    with (
        reporter.step(f"Unchanged: {records:,} + {records:,} records, PostgreSQL and PostgreSQL"),
        ours.postgresql_and_postgresql(_new(directory, "postgresql"), records) as on_servers,
    ):
        on_servers.sync(push=False)
        unchanged_on_servers = on_servers.sync(push=True)
        read_from_servers = Speed(records, floor.read(directory, on_servers.urls))
    with reporter.step(f"The drivers alone: {records:,} + {records:,} records read, {records:,} written"):
        read = Speed(records, floor.read(directory, pair.urls))
        written = Speed(records, floor.copy(directory, directory / "push" / "crm.db"))
    waiting: int = arguments.waiting
    with reporter.step(f"Parked and unpaired: {waiting:,} + {waiting:,} records, SQLite and SQLite"):
        waited = ours.parked_and_unpaired(_new(directory, "waiting"), waiting).sync(push=True)
    _expect("parked and unpaired", (waited.read, waited.changed, waited.created), (2 * waiting, waiting, 0))
    _expect("read-only", (read_only.read, read_only.changed, read_only.created), (2 * records, 2 * records, 0))
    for each in (unchanged, unchanged_on_servers):
        _expect("unchanged", (each.read, each.changed, each.created), (2 * records, 0, 0))
    _expect("read-write", (pushed.read, pushed.changed, pushed.created), (records, records, records))
    cases = [
        Case(
            "unchanged full sync",
            "pairs/s",
            Speed(records, unchanged.took),
            80_000,
            {"the driver alone, which reads both sides": read, **others.get("again", {})},
        ),
        Case(
            "unchanged full sync, PostgreSQL",
            "pairs/s",
            Speed(records, unchanged_on_servers.took),
            50_000,
            {"the driver alone, which reads both sides": read_from_servers},
        ),
        Case("first read-only full sync", "records/s", Speed(2 * records, read_only.took), 60_000),
        Case(
            "first read-write full sync",
            "records/s",
            Speed(records, pushed.took),
            15_000,
            {"the drivers alone, with COPY": written, **others.get("first", {})},
        ),
        Case(f"{waiting:,} parked and {waiting:,} unpaired", "records/s", Speed(2 * waiting, waited.took), 5_000),
    ]
    memory = [
        Memory(f"unchanged full sync, {records:,} pairs", unchanged.took.peak_bytes, _PEAK),
        Memory(f"unchanged full sync, PostgreSQL, {records:,} pairs", unchanged_on_servers.took.peak_bytes, _PEAK),
        Memory(f"first read-only full sync, {records:,} pairs", read_only.took.peak_bytes, _PEAK),
        Memory(f"first read-write full sync, {records:,} records", pushed.took.peak_bytes, _PEAK),
    ]
    if more := arguments.more_records:
        with reporter.step(f"Memory: {more:,} + {more:,} records, SQLite and SQLite"):
            pair = ours.sqlite_and_sqlite(_new(directory, "more"), more)
            for title, before in (("first read-only", read_only), ("unchanged", unchanged)):
                synced = pair.sync(push=before is unchanged)
                target = before.took.peak_bytes + _GROWTH
                memory.append(Memory(f"{title} full sync, {more:,} pairs", synced.took.peak_bytes, target))
    console = Console(width=max(Console().width, 150), highlight=False)
    show(cases, memory, console)
    console.print(f"\ncache: {read_only.cache_bytes / (2 * records):.0f} bytes per record and side")


def _opponents(arguments: argparse.Namespace, directory: Path, reporter: Reporter) -> dict[str, dict[str, Speed]]:
    programs = opponents.install(reporter)
    files, rows = arguments.files, arguments.rows
    first: dict[str, Speed] = {}
    again: dict[str, Speed] = {}
    with reporter.step(f"rclone bisync: {files:,} files"):
        bisync = opponents.Bisync(programs, _new(directory, "rclone"), files)
        name = f"rclone bisync, {files:,} files"
        first[name], again[name] = Speed(files, bisync.first()), Speed(files, bisync.again())
    for backend, kind in (("sqlalchemy", "rows"), ("pyarrow", "Arrow")):
        with reporter.step(f"dlt merge by {kind}: {rows:,} rows, SQLite into PostgreSQL"):
            name = f"dlt merge by {kind}, {rows:,} rows, one way"
            merges = opponents.dlt(programs, _new(directory, backend), rows, backend)
        first[name], again[name] = (Speed(rows, took) for took in merges)
    return {"first": first, "again": again}


def _new(directory: Path, name: str) -> Path:
    place = directory / name
    place.mkdir()
    return place


def _expect(title: str, found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if found != expected:
        raise RuntimeError(f"{title}: the worker has read, changed and created {found}, and not {expected}")


if __name__ == "__main__":
    sys.exit(main())
