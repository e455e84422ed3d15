"""`tidegate-worker plan`: find out what the next full run of a manifest would do, and write nothing. `main` runs it.

It works on a copy of the cache; without one it plans a first run.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

from tidegate.api.contract import ExitCode
from tidegate.worker.cache.file import FILE, copy_cache
from tidegate.worker.commands.local_run import environment_of_a_run
from tidegate.worker.commands.shown import inert, shown
from tidegate.worker.config.parse import parse
from tidegate.worker.errors import ConfigurationError
from tidegate.worker.journal.store import FILE as JOURNAL
from tidegate.worker.journal.store import Journal
from tidegate.worker.run import environment
from tidegate.worker.run.details import Detail
from tidegate.worker.run.planning import PlannedSide, planned_run
from tidegate.worker.run.report import Report, warnings_go_to

_MODES = "PastAndFuture pushes this, and FutureOnly skips it"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do, and each reason for which it would halt before it does anything; `details` if asked for."""

    first: bool
    sides: Sequence[PlannedSide]
    details: Sequence[Detail]
    would_halt: Sequence[str]
    remarks: Sequence[str]


def plan(
    text: bytes,
    environ: Mapping[str, str],
    cache: Path | None,
    interrupted: Callable[[], bool],
    *,
    details: bool = False,
    values: bool = False,
    undo: int | None = None,
) -> Plan:
    """Plan the next full run that pushes, with the cache of a directory; `values` shows the records' values too.

    With `undo` the run undoes that one.
    Raises RunEnded where a run would end before it comes to its guard: it cannot be planned.
    """
    sync = parse(text)
    if cache is not None and not (cache / FILE).exists():
        raise ConfigurationError(f"there is no cache in {cache}: leave out --cache to plan a first run")
    with TemporaryDirectory(prefix="tidegate-plan-") as temporary:
        directory = Path(temporary)
        if cache is not None:
            copy_cache(cache, directory)
            if undo is not None and (cache / JOURNAL).exists():
                with closing(Journal(cache)) as journal:
                    journal.copy_to(directory)
        order = environment.read(environment_of_a_run(text, directory, push=True, undo=undo))
        said = StringIO()
        report = Report(Path(os.devnull), said)
        with warnings_go_to(report), planned_run(order, sync, environ, report, interrupted) as found:
            records = list(found.records(values)) if details or values else []
    lines = [*map(json.loads, said.getvalue().splitlines())]
    warnings = [line["reason"] for line in lines if line["type"] == "warning"]
    left = [_left_alone(line) for line in lines if line["type"] == "left"]
    remarks = [*warnings, *left, *filter(None, [found.remark])]
    return Plan(cache is None, found.sides, records, found.would_halt, remarks)


def _left_alone(line: Mapping[str, Any]) -> str:
    field = f", field {line['field']}" if "field" in line else ""
    return f"{line['object']} {line['id']} of {line['connector']}{field} is left as it is: {line['reason']}"


def print_plan(planned: Plan, out: TextIO, *, as_json: bool, then: str = _MODES) -> int:
    """Print a plan, and `then` what it is of; returns the exit code that the run would end with."""
    if as_json:
        print(json.dumps(asdict(planned), ensure_ascii=False, default=str), file=out)
    else:
        print(*_lines(planned, then), sep="\n", file=out)
    return int(ExitCode.HALTED if planned.would_halt else ExitCode.COMPLETE)


def _lines(planned: Plan, then: str) -> Iterator[str]:
    for side in planned.sides:
        counts = f"{side.create} created, {side.update} updated, {side.delete} deleted"
        aside = f", {side.set_aside} set aside" if side.set_aside else ""
        yield f"{side.object} in {side.connector}: {counts}{aside}"
        its = (each for each in planned.details if (each["object"], each["connector"]) == (side.object, side.connector))
        yield from (f"    {inert(_line(detail))}" for detail in its)
    yield from (f"! {inert(remark)}" for remark in planned.remarks)
    yield from (f"✗ the run would halt: {inert(reason)}" for reason in planned.would_halt)
    if planned.first:
        yield "this is a first run: without --cache nothing is known of earlier ones"
    yield f"✓ nothing was written; {then}"


def _line(detail: Detail) -> str:
    match = ", ".join(f"{name} {shown(value)}" for name, value in detail.get("match", {}).items())
    record = f"{detail['id']}" + (f" ({match})" if match else "")
    if detail["type"] == "waiting":
        field = f", field {detail['field']}" if "field" in detail else ""
        held = ", ".join(f"{side} {shown(value)}" for side, value in detail.get("held", {}).items())
        return f"set aside {record}{field}: {detail['reason']}" + (f" ({held})" if held else "")
    fields = detail["fields"]
    if isinstance(fields, Mapping):
        fields = [f"{name} {_values(detail['what'], *held)}" for name, held in fields.items()]
    return f"{detail['what']} {record}" + (f": {', '.join(fields)}" if fields else "")


def _values(what: str, before: Any, after: Any) -> str:
    if what == "update":
        return f"{shown(before)} → {shown(after)}"
    return shown(after if what == "create" else before)
