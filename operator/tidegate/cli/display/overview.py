"""Overview: several integrations → a table with a row for each. Pure: the time and the room are given."""

from collections.abc import Callable, Sequence
from datetime import datetime

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from tidegate.api.base import format_duration
from tidegate.cli.decisions.integration import Integration
from tidegate.cli.display import show
from tidegate.cli.display.screen import inert

_Cell = Callable[[Integration, datetime], str | Text]

_CELLS: dict[str, _Cell] = {
    "NAMESPACE": lambda seen, now: seen.key.namespace,
    "NAME": lambda seen, now: seen.name,
    "STATUS": lambda seen, now: str(seen.spec.status),
    "PHASE": lambda seen, now: show.phase(seen),
    "READY": lambda seen, now: show.ready(seen),
    "REASON": lambda seen, now: show.reason(seen),
    "ACTIVITY": lambda seen, now: show.activity_mark(seen.status.activity),
    "UNRESOLVED": lambda seen, now: show.unresolved(seen),
    "LAST-SYNC": lambda seen, now: show.ago(seen.status.last_synced_at, now),
    "NEXT-RUN": lambda seen, now: show.ahead(seen.status.next_run_at, now),
    "MODE": lambda seen, now: str(seen.status.activation.mode if seen.status.activation else seen.spec.mode),
    "DELAY": lambda seen, now: format_duration(seen.spec.delay),
    "AGE": lambda seen, now: show.age(now - datetime.fromisoformat(seen.body["metadata"]["creationTimestamp"])),
    "MESSAGE": lambda seen, now: inert(seen.status.message or ""),
}
_USUAL = ("NAME", "STATUS", "PHASE", "READY", "REASON", "ACTIVITY", "UNRESOLVED", "LAST-SYNC", "NEXT-RUN")
_WIDE = (*_USUAL, "MODE", "DELAY", "AGE", "MESSAGE")

# What a screen that is too narrow does without, first to last.
_DISPENSABLE = ("NEXT-RUN", "LAST-SYNC", "REASON", "UNRESOLVED", "STATUS", "READY")
_READABLE_MESSAGE = 30
_GAP = 2  # between two columns


def overview(of: Sequence[Integration], now: datetime, *, wide: bool = False, namespaces: bool = False) -> Table:
    """As wide as it is."""
    return _table(of, now, _columns(_WIDE if wide else _USUAL, namespaces))


def fitting(
    of: Sequence[Integration], now: datetime, console: Console, *, namespaces: bool = False
) -> tuple[Table, int]:
    """What fits on a screen, what needs attention first, and how many did not fit. Only a message is cut off."""
    ordered = sorted(of, key=lambda seen: (show.urgency(seen), seen.key))
    shown = ordered[: max(console.height - _LINES_BESIDE, 1)]
    columns = _columns(_USUAL, namespaces)
    for dispensable in _DISPENSABLE:
        if _width(_table(shown, now, columns), console) <= console.width:
            break
        columns.remove(dispensable)
    room = console.width - _width(_table(shown, now, columns), console)
    if room >= _READABLE_MESSAGE:
        columns.append("MESSAGE")
    return _table(shown, now, columns, message_width=room - _GAP), len(ordered) - len(shown)


# The headings, the line that counts what did not fit, and the one that the cursor stands on.
_LINES_BESIDE = 3


def _columns(usual: Sequence[str], namespaces: bool) -> list[str]:
    return [*(["NAMESPACE"] if namespaces else []), *usual]


def _table(of: Sequence[Integration], now: datetime, columns: Sequence[str], message_width: int | None = None) -> Table:
    table = show.table()
    for column in columns:
        table.add_column(column, no_wrap=True, max_width=message_width if column == "MESSAGE" else None)
    for seen in of:
        table.add_row(*(_CELLS[column](seen, now) for column in columns))
    return table


def _width(table: Table, console: Console) -> int:
    options = console.options.update(width=_ANY_WIDTH)
    return Measurement.get(console, options, table).maximum


_ANY_WIDTH = 100_000
