"""Plan run: a run that is asked for a plan (SYNC_PLAN), of a full run that pushes or of an undo (SYNC_UNDO beside it).

It looks at the cache and the journal, works on copies, and writes nothing. What it finds goes to its log, a line for
each record, and to its termination message, as much as has a place there.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tidegate.worker.cache.file import FILE, copy_at_rest, refuse_lost
from tidegate.worker.config.rules import Sync
from tidegate.worker.epoch import belongs, epoch_of
from tidegate.worker.errors import ConfigurationError, RunEnded
from tidegate.worker.journal.store import FILE as JOURNAL
from tidegate.worker.run.details import Detail
from tidegate.worker.run.environment import Order
from tidegate.worker.run.planning import Planned, PlannedSide, planned_run
from tidegate.worker.run.report import Report, fitting, shortened
from tidegate.worker.run.sealed import Seal

# Together with the reason and the counts the plan stays below the contract's TERMINATION_MESSAGE_BYTES.
_SIDES_BYTES = 1900
_HALTS_BYTES = 800
_HALT_BYTES = 300
_SIDES, _HALTS = 32, 8

ALL_OBJECTS = "*"


def plan_run(
    order: Order, sync: Sync, environ: Mapping[str, str], report: Report, interrupted: Callable[[], bool]
) -> str:
    """Plan what the run would do. Returns what a person should know of the plan; raises RunEnded."""
    seal = Seal(order.plan_key) if order.plan_key else None
    with TemporaryDirectory(prefix="tidegate-plan-") as temporary:
        own = replace(order, cache_dir=Path(temporary), scope=order.scope if order.undo else "full", push=True)
        first, remark = _copy_cache(order, own.cache_dir)
        with planned_run(own, sync, environ, report, interrupted) as found:
            lines = _print_records(found, report, seal)
            whole = {"first": first, "sides": list(map(_told, found.sides)), "wouldHalt": list(found.would_halt)}
            report.line({"type": "plan", **whole, "lines": lines})
            plan, cut = _bounded(found, first=first)
            report.plan(plan)
            return "; ".join(filter(None, (remark, found.remark, cut)))


def _print_records(found: Planned, report: Report, seal: Seal | None) -> int:
    """Print a line for each record; with a key, in its place the sealed boxes that hold them. Returns how many."""
    count = 0

    def counted() -> Iterator[Detail]:
        nonlocal count
        for record in chain(found.written(seal is not None), found.records(seal is not None)):
            count += 1
            yield record

    for line in seal.boxes(counted()) if seal else counted():
        report.line(line)
    return count


def _copy_cache(order: Order, directory: Path) -> tuple[bool, str]:
    """Copy the cache unless the next run would delete it; whether the plan is one of a first run, and why."""
    epoch = epoch_of(order.cache_dir)
    if epoch is not None and not belongs(epoch, order.cache_epoch, order.oldest_cache_epoch):
        if order.undo is not None:
            raise ConfigurationError(
                f"run {order.undo} cannot be undone: the next full run deletes the cache and its journal, which are of "
                f"epoch {epoch}"
            )
        return True, f"the next full run deletes the cache, which is of epoch {epoch}: this is the plan of a first run"
    refuse_lost(order.cache_dir)
    if not (order.cache_dir / FILE).exists():
        return True, ""
    try:
        for file in (FILE, JOURNAL) if order.undo is not None else (FILE,):
            copy_at_rest(file, order.cache_dir, directory)
    except OSError as error:
        raise RunEnded(
            f"the cache cannot be copied to {directory.parent}, where the plan works on it: {error}"
        ) from error
    return False, ""


def _bounded(found: Planned, *, first: bool) -> tuple[Mapping[str, Any], str]:
    """The plan as the termination message has it, and what a reader should know that it leaves out."""
    sides = list(map(_told, found.sides))
    cut = []
    if len(sides) > _SIDES or len(fitting(sides, _SIDES_BYTES)) < len(sides):
        cut.append(f"{len(sides) // 2} objects: their counts are added up per connector, and the log has each")
        sides = list(map(_told, _totals(found.sides)))
    halts = bounded_reasons(found.would_halt)
    if len(halts) < len(found.would_halt):
        cut.append(f"it would halt for {len(found.would_halt)} reasons, and the log has each")
    return {"first": first, "sides": sides, "wouldHalt": halts}, "; ".join(cut)


def bounded_reasons(reasons: Sequence[str]) -> list[str]:
    """As many of the reasons for which a run would halt as the termination message has a place for."""
    return fitting([shortened(reason, _HALT_BYTES) for reason in reasons[:_HALTS]], _HALTS_BYTES)


def _totals(sides: Sequence[PlannedSide]) -> list[PlannedSide]:
    totals: dict[str, PlannedSide] = {}
    for side in sides:
        sum_ = totals.get(side.connector, PlannedSide(ALL_OBJECTS, side.connector, 0, 0, 0, 0))
        totals[side.connector] = PlannedSide(
            ALL_OBJECTS,
            side.connector,
            sum_.create + side.create,
            sum_.update + side.update,
            sum_.delete + side.delete,
            sum_.set_aside + side.set_aside,
        )
    return list(totals.values())


def _told(side: PlannedSide) -> Mapping[str, Any]:
    return {
        "object": side.object,
        "connector": side.connector,
        "create": side.create,
        "update": side.update,
        "delete": side.delete,
        "setAside": side.set_aside,
    }
