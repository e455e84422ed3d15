"""Show: status → tables and lines for people. Pure: the time is given, and nothing is printed here."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from rich.table import Table
from rich.text import Text

from tidegate.api.base import format_duration
from tidegate.api.status import ActivityEntry, Phase, RunReport
from tidegate.cli.conflicts import Conflict
from tidegate.cli.integration import Integration
from tidegate.cli.screen import inert

_STYLE_OF_PHASE = {
    Phase.OFF: "dim",
    Phase.SYNCING: "cyan",
    Phase.WAITING: "green",
    Phase.TURNING_OFF: "yellow",
    Phase.PAUSED: "yellow",
}
_STYLE_OF_MARK = {"✓": "green", "✗": "red", "⏸": "yellow", "▶": "cyan"}
_NEEDS_A_HUMAN = "bold red"
_NOTHING = "-"


def overview(of: Sequence[Integration], now: datetime, *, wide: bool = False, namespaces: bool = False) -> Table:
    """One row for each."""
    headings = ["NAME", "STATUS", "PHASE", "MODE", "ACTIVITY", "LAST-SYNC", "NEXT-RUN"]
    table = _table(
        *(["NAMESPACE"] if namespaces else []),
        *headings,
        *(["DELAY", "AGE", "MESSAGE"] if wide else []),
    )
    for seen in of:
        status = seen.status
        created = datetime.fromisoformat(seen.body["metadata"]["creationTimestamp"])
        cells: list[str | Text] = [seen.key.namespace] if namespaces else []
        cells += [
            seen.name,
            str(seen.spec.status),
            phase(seen),
            str(status.activation.mode if status.activation else seen.spec.mode),
            activity_mark(status.activity),
            _ago(status.last_synced_at, now),
            _ahead(status.next_run_at, now),
        ]
        if wide:
            cells += [format_duration(seen.spec.delay), age(now - created), inert(status.message or "")]
        table.add_row(*cells)
    return table


def details(seen: Integration, now: datetime) -> Table:
    """All that there is to know of one, by its headings."""
    status = seen.status
    table = Table.grid(padding=(0, 2), pad_edge=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    table.add_row("Name", str(seen.key))
    table.add_row("Status", str(seen.spec.status))
    table.add_row("Phase", phase(seen))
    table.add_row("Message", inert(status.message or "the operator has not seen it yet: is it running?"))
    if status.message and not seen.observed:
        table.add_row("", "(the operator has not taken notice of the newest change yet)")
    if status.activation:
        reset = ", after a reset" if status.activation.reset else ""
        caught_up = "caught up" if status.activation.caught_up else "not caught up yet"
        since = _ago(status.activation.started_at, now)
        table.add_row("Mode", f"{status.activation.mode}{reset}; {caught_up}; turned ON {since} ago")
    else:
        table.add_row("Mode", f"{seen.spec.mode}, when it is turned ON")
    if seen.reset_pending:
        when = "when the running run has ended" if seen.on else "when it is turned ON"
        table.add_row("Reset", f"requested: all cached data is deleted {when}")
    table.add_row("Delay", format_duration(seen.spec.delay))
    if status.run:
        push = "" if status.run.push else ", read-only"
        table.add_row(
            "Run", f"▶ run {status.run.number}  {status.run.kind}{push}  {_ago(status.run.started_at, now)} ago"
        )
    if status.next_run_at:
        table.add_row("Next run", f"in {_ahead(status.next_run_at, now)}")
    if status.recent_activity:
        _add_last_run(table, status.recent_activity[0], now)
    if status.consecutive_failures:
        table.add_row("Failures", f"{status.consecutive_failures} in a row")
    table.add_row("Last sync", f"{_ago(status.last_synced_at, now)} ago" if status.last_synced_at else "never")
    return table


def _add_last_run(table: Table, entry: ActivityEntry, now: datetime) -> None:
    text = activity_mark(entry.summary)
    text.append(
        f"  {entry.kind}  {entry.outcome}  {format_duration(entry.duration)}  {_ago(entry.finished_at, now)} ago"
    )
    table.add_row("Last run", text)
    report = entry.report or RunReport()
    for heading, counts in (("read", report.read), ("changed", report.changed), ("pushed", report.pushed)):
        if counts:
            table.add_row(f"  {heading}", counted(counts))
    if report.conflicts:
        table.add_row("  conflicts", f"{report.conflicts:,}; what waits for a human: kubectl sync conflicts")
    if report.reason:
        table.add_row("  remark", inert(report.reason))


def activity(entries: Iterable[ActivityEntry], now: datetime) -> Table:
    """The last runs, newest first."""
    table = _table("RUN", "KIND", "OUTCOME", "ENDED", "TOOK", "READ", "CHANGED", "PUSHED", "CONFLICTS", "REMARK")
    for entry in entries:
        report = entry.report or RunReport()
        table.add_row(
            activity_mark(entry.summary),
            str(entry.kind),
            str(entry.outcome),
            f"{_ago(entry.finished_at, now)} ago",
            format_duration(entry.duration),
            counted(report.read),
            counted(report.changed),
            counted(report.pushed),
            f"{report.conflicts:,}" if report.conflicts else _NOTHING,
            inert(report.reason or ""),
        )
    return table


def conflicts(of: Iterable[Conflict]) -> Table:
    """What waits for a human."""
    table = _table("OBJECT", "SYSTEM", "ID", "FIELD", "RUN", "REASON")
    for conflict in of:
        cells = (conflict.object, conflict.connector, conflict.id, conflict.field or "(whole record)")
        table.add_row(*map(inert, cells), str(conflict.run), inert(conflict.reason))
    return table


def line(seen: Integration) -> str:
    """What is happening, in one line that changes only when something does."""
    if seen.status.phase is None:
        return "not seen by the operator yet"
    return f"{seen.status.phase}: {seen.status.message or ''}"


def phase(seen: Integration) -> Text:
    """The phase, in red where it needs a human."""
    status = seen.status
    if status.phase is None:
        return Text("not seen yet", "dim")
    if seen.holds("Stalled"):
        return Text(f"{status.phase} (stalled)", _NEEDS_A_HUMAN)
    return Text(status.phase, _STYLE_OF_PHASE[status.phase])


def activity_mark(text: str | None) -> Text:
    """A run's summary, in the colour of its mark."""
    return Text(inert(text), _STYLE_OF_MARK.get(text[:1], "")) if text else Text(_NOTHING)


def counted(counts: dict[str, int]) -> str:
    """Records per system."""
    return ", ".join(f"{inert(side)} {count:,}" for side, count in counts.items()) or _NOTHING


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _ago(time: datetime | None, now: datetime) -> str:
    return age(now - time) if time else _NOTHING


def _ahead(time: datetime | None, now: datetime) -> str:
    return age(max(time - now, timedelta(0))) if time else _NOTHING


def age(duration: timedelta) -> str:
    """In the one or two units that matter, as kubectl tells ages."""
    seconds = max(int(duration.total_seconds()), 0)
    if seconds < 120:
        return f"{seconds}s"
    minutes = seconds // 60
    if minutes < 10:
        return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    hours = minutes // 60
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    return f"{hours}h" if hours < 48 else f"{hours // 24}d"
