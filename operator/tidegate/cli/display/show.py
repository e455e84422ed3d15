"""Show: one integration → the words, cells and details that people read. Pure: the time is given."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from rich.table import Table
from rich.text import Text

from tidegate.api.base import format_duration
from tidegate.api.plans import PlanStatus
from tidegate.api.runs import ActivityEntry, Found, Outcome, RunReport, newest_of_sync
from tidegate.api.status import Phase
from tidegate.cli.decisions.integration import NOT_PICKED_UP, Integration
from tidegate.cli.display import log_lines
from tidegate.cli.display.conflicts import Conflict
from tidegate.cli.display.log_lines import NOTHING, counted
from tidegate.cli.display.screen import inert

_STYLE_OF_PHASE = {
    Phase.OFF: "dim",
    Phase.SYNCING: "cyan",
    Phase.WAITING: "green",
    Phase.TURNING_OFF: "yellow",
    Phase.PAUSED: "yellow",
}
_STYLE_OF_MARK = {"✓": "green", "✗": "red", "⏸": "yellow", "▶": "cyan", "▷": "yellow"}
_NEEDS_ATTENTION = "bold red"
_MAY_RECOVER = "yellow"

# The reason of Ready while failed runs are repeated.
_RETRYING = "Retrying"


def details(seen: Integration, now: datetime, progress: str | None = None) -> Table:
    """All details of one integration, by headings; `progress`: the counts of its running run."""
    status = seen.status
    table = Table.grid(padding=(0, 2), pad_edge=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    table.add_row("Name", str(seen.key))
    table.add_row("Status", str(seen.spec.status))
    table.add_row("Phase", phase(seen))
    if seen.condition("Ready"):
        table.add_row("Ready", Text.assemble(ready(seen), f"  {reason(seen)}"))
    table.add_row("Message", inert(status.message or NOT_PICKED_UP))
    if status.message and not seen.observed:
        table.add_row("", "(the operator has not picked up the latest change yet)")
    if status.activation:
        reset = ", after a reset" if status.activation.reset else ""
        caught_up = "caught up" if status.activation.caught_up else "not caught up yet"
        since = ago(status.activation.started_at, now)
        table.add_row("Mode", f"{status.activation.mode}{reset}; {caught_up}; turned ON {since} ago")
    else:
        table.add_row("Mode", f"{seen.spec.mode}, from the next ON")
    if seen.reset_pending:
        when = "when the running run has ended" if seen.on else "at the next ON"
        table.add_row("Reset", f"requested: all cached data is deleted {when}")
    table.add_row("Delay", format_duration(seen.spec.delay))
    if status.run:
        table.add_row("Run", _run(seen, now))
        if progress:
            table.add_row("  progress", inert(progress))
    if status.next_run_at:
        table.add_row("Next run", f"in {ahead(status.next_run_at, now)}")
    last = newest_of_sync(status.recent_activity)
    if last is not None:
        _add_last_run(table, seen, last, now)
    if status.plan:
        table.add_row("Last check" if status.plan.check else "Last plan", _plan(status.plan, now))
    if seen.status.waiting_records:
        hint = f"{log_lines.unresolved(seen.status.waiting_records)}: {seen.command('conflicts')}"
        table.add_row("Unresolved", Text(hint, _MAY_RECOVER))
    if status.consecutive_failures:
        table.add_row("Failures", f"{status.consecutive_failures} in a row")
    table.add_row("Last sync", f"{ago(status.last_synced_at, now)} ago" if status.last_synced_at else "never")
    return table


def _run(seen: Integration, now: datetime) -> Text:
    run = seen.status.run
    assert run is not None  # noqa: S101
    label = f"run {run.number}"
    activity = seen.status.activity or ""
    mark, _, _ = activity.partition(" (")  # without the count of what a paused run has set aside
    text = activity_mark(mark if mark.endswith(f" {label}") else f"▶ {label}")
    push = "" if run.push else ", read-only"
    text.append(f"  {run.kind}{push}  started {ago(run.started_at, now)} ago")
    return text


def _plan(plan: PlanStatus, now: datetime) -> str:
    run = "refused" if plan.run is None else f"run {plan.run}  {plan.outcome}"
    found = None
    if plan.outcome is Outcome.SUCCEEDED:
        found = f"{plan.pushed:,} to push, {plan.set_aside:,} to set aside"
        if plan.check:
            found = None if plan.would_halt else "the configuration fits both systems"
        elif plan.undo is not None:
            found = f"the undo of run {plan.undo} would write {plan.pushed:,}"
    said = (f"{run}  {ago(plan.finished_at, now)} ago", found, plan.reason, *plan.would_halt)
    return inert("; ".join(filter(None, said)))


def _add_last_run(table: Table, seen: Integration, entry: ActivityEntry, now: datetime) -> None:
    text = activity_mark(entry.summary)
    text.append(f"  {entry.kind}  {entry.outcome}  {took(entry.duration)}  {ago(entry.finished_at, now)} ago")
    table.add_row("Last run", text)
    report = entry.report or RunReport()
    for heading, counts in (("read", report.read), ("changed", report.changed), ("pushed", report.pushed)):
        if counts:
            table.add_row(f"  {heading}", inert(counted(counts)))
    if report.conflicts:
        table.add_row("  conflicts", f"{report.conflicts:,}")
    if any(report.withheld.values()):
        table.add_row("  withheld", inert(counted(report.withheld)))
    if report.set_aside:
        table.add_row("  set aside", f"{report.set_aside:,}")
    if report.reason and report.reason not in (seen.status.message or ""):
        table.add_row("  remark", inert(report.reason))


def conflicts(of: Iterable[Conflict]) -> Table:
    """What waits for a decision."""
    shown = table()
    for heading in ("OBJECT", "SYSTEM", "ID", "FIELD", "RUN", "REASON"):
        shown.add_column(heading, overflow="fold")
    for conflict in of:
        cells = (conflict.object, conflict.connector, conflict.id, conflict.field or "(whole record)")
        shown.add_row(*map(inert, cells), str(conflict.run), inert(conflict.reason))
    return shown


def found(of: Found) -> str:
    """One thing that halted a run."""
    records = f"{of.count:,} {of.object} record{'' if of.count == 1 else 's'}"
    match of.what:
        case "creates" | "updates":
            return f"{of.what} {records} in {of.connector}"
        case "undo":
            return f"the undo deletes {records} in {of.connector}"
        case "deletes" | "empty":
            return f"{records} gone from {of.connector}"
        case "blanked":
            return f"{of.field or 'a field'} blank in {records} of {of.connector}"
        case _:
            return f"{of.what}: {records} of {of.connector}"


def line(seen: Integration) -> str:
    """What is happening, in one line that changes only when something does."""
    if seen.status.phase is None:
        return NOT_PICKED_UP
    return f"{seen.status.phase}: {seen.status.message or ''}"


def phase(seen: Integration) -> Text:
    """The phase, and in a word and colour of its own what keeps it there: retrying and stalled are not waiting."""
    status = seen.status
    if status.phase is None:
        return Text("not seen yet", "dim")
    if seen.holds("Stalled"):
        return Text(f"{status.phase} (stalled)", _NEEDS_ATTENTION)
    if seen.cannot_start:
        return Text(f"{status.phase} (cannot start)", _NEEDS_ATTENTION)
    if reason(seen) == _RETRYING:
        return Text(f"{status.phase} (retrying)", _MAY_RECOVER)
    return Text(status.phase, _STYLE_OF_PHASE[status.phase])


def urgency(seen: Integration) -> int:
    """What needs attention first: the lower, the sooner."""
    troubles = (seen.holds("Stalled"), seen.cannot_start, reason(seen) == _RETRYING, bool(seen.status.waiting_records))
    return next((rank for rank, holds in enumerate(troubles) if holds), len(troubles))


def ready(seen: Integration) -> Text:
    """The status of the condition Ready."""
    condition = seen.condition("Ready")
    if condition is None:
        return Text(NOTHING)
    return Text(condition.status, "green" if condition.status == "True" else "yellow")


def reason(seen: Integration) -> str:
    """The reason of the condition Ready."""
    condition = seen.condition("Ready")
    return inert(condition.reason) if condition else NOTHING


def unresolved(seen: Integration) -> Text:
    """How many records wait for a decision."""
    return Text(f"{seen.status.waiting_records:,}", _MAY_RECOVER) if seen.status.waiting_records else Text(NOTHING)


def activity_mark(text: str | None) -> Text:
    """A run's summary, in the colour of its mark."""
    return Text(inert(text), style_of_mark(text)) if text else Text(NOTHING)


def style_of_mark(text: str) -> str:
    """The colour of the mark that a summary begins with."""
    return _STYLE_OF_MARK.get(text[:1], "")


def table() -> Table:
    """One as kubectl prints them, without columns."""
    return Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")


def ago(time: datetime | None, now: datetime) -> str:
    """How long ago."""
    return age(now - time) if time else NOTHING


def ahead(time: datetime | None, now: datetime) -> str:
    """How long until then; of what is due: nothing."""
    return age(max(time - now, timedelta(0))) if time else NOTHING


def took(duration: timedelta) -> str:
    """A duration without needless fractions: milliseconds only below a second."""
    if duration < timedelta(seconds=1):
        return format_duration(duration)
    return format_duration(timedelta(seconds=round(duration.total_seconds())))


def age(duration: timedelta) -> str:
    """In the one or two units that matter, as kubectl prints ages."""
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
