"""What is reported: how late runs start beside CronJobs, what a run costs, and what the number of resources costs."""

from collections.abc import Callable, Mapping, Sequence

from rich.console import Console
from rich.table import Table

from .cases import Scale, Starts
from .cluster import percentile

_MIB = 1024 * 1024


def show(
    at_once: Mapping[str, Starts],
    steady: Starts,
    offs: Sequence[float],
    scales: Sequence[Scale],
    console: Console,
) -> None:
    """Print the tables; the first case of `at_once` is ours."""
    ours = next(iter(at_once.values()))
    columns = ("from due to Job seen", "p50", "p99", "", "CPU: controller", "API server, etcd")
    table = Table(*columns, box=None, pad_edge=False)
    for title, starts in at_once.items():
        p99 = percentile(starts.late, 0.99)
        beside = "" if starts is ours else f"ours: {percentile(ours.late, 0.99) / p99:.2f} ×"
        table.add_row(
            f"{len(starts.late):,} {title} at once",
            _seconds(percentile(starts.late, 0.5)),
            _seconds(p99),
            beside,
            f"{len(starts.late) * starts.cpu_seconds:.1f} s",
            f"{len(starts.late) * starts.servers_cpu_seconds:.1f} s",
        )
    table.add_row(
        "one after the other", _seconds(percentile(steady.late, 0.5)), _seconds(percentile(steady.late, 0.99)), ""
    )
    table.add_row("OFF honoured", _seconds(percentile(offs, 0.5)), _seconds(percentile(offs, 0.99)), "")
    console.print(table)
    start, run = 1000 * ours.cpu_seconds, 1000 * steady.cpu_seconds
    console.print(f"\nCPU of the operator: {start:.1f} ms per start, {run:.1f} ms per run")
    console.print(f"requests per run: {_requests(steady.requests)}\n")
    table = Table(
        *(
            "idle",
            "first start",
            "its CPU",
            "restart: ready",
            "due run",
            "its CPU",
            "RSS",
            "idle CPU",
            "requests a minute",
        ),
        box=None,
        pad_edge=False,
    )
    for scale in scales:
        table.add_row(
            f"{scale.resources:,}",
            f"{scale.first_start:.1f} s",
            f"{scale.first_cpu:.1f} s",
            f"{scale.restart_ready:.1f} s",
            f"{scale.restart_due:.1f} s",
            f"{scale.restart_cpu:.1f} s",
            f"{scale.resident_bytes / _MIB:.0f} MiB",
            f"{100 * scale.idle_cpu:.1f} %",
            _requests(scale.idle_requests),
        )
    if len(scales) > 1:
        _add_growth(table, min(scales, key=lambda scale: scale.resources), max(scales, key=lambda s: s.resources))
    console.print(table)


_GROWING: Sequence[Callable[[Scale], float]] = (
    lambda scale: scale.first_start,
    lambda scale: scale.first_cpu,
    lambda scale: scale.restart_ready,
    lambda scale: scale.restart_due,
    lambda scale: scale.restart_cpu,
    lambda scale: scale.resident_bytes,
)


def _add_growth(table: Table, few: Scale, many: Scale) -> None:
    """How much more the largest number takes than the smallest: linear where no ratio is above that of the numbers."""
    table.add_row(f"× {many.resources / few.resources:.3g}", *(f"× {of(many) / of(few):.1f}" for of in _GROWING))


def _seconds(number: float) -> str:
    return f"{1000 * number:,.0f} ms"


def _requests(requests: Mapping[str, float] | None) -> str:
    said = ((f"{count:.2f}".rstrip("0").rstrip("."), verb) for verb, count in sorted((requests or {}).items()))
    return ", ".join(f"{count} {verb}" for count, verb in said if count != "0") or "none"
