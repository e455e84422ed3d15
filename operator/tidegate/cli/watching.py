"""Watching: the syncs and every change until Ctrl-C: a live table on a terminal, a line per change elsewhere."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from tidegate.cli.cluster.client import Cluster
from tidegate.cli.cluster.list_watch import Gone, Interrupted
from tidegate.cli.decisions.integration import Integration, Key
from tidegate.cli.display import overview, show
from tidegate.cli.display.screen import Format, Screen
from tidegate.cli.selection import Scope, choose

Change = Integration | Gone


def watch(cluster: Cluster, scope: Scope, names: Sequence[str], screen: Screen, output: Format) -> None:
    """Show them until interrupted. Raises NotFoundError when one that is named does not exist."""
    chosen = choose(cluster, scope, names)
    if chosen.errors:
        raise chosen.errors[0]
    changes = _changes(cluster, scope, names, screen)
    try:
        if output is not Format.TEXT:
            for change in changes:
                if isinstance(change, Integration):
                    screen.objects([change], output, single=True)
        elif screen.out.is_terminal:
            _live(changes, scope, screen)
        else:
            _lines(changes, scope, screen)
    except KeyboardInterrupt:  # is how it ends
        return


def _changes(cluster: Cluster, scope: Scope, names: Sequence[str], screen: Screen) -> Iterator[Change]:
    only = names[0] if len(names) == 1 else ""
    for change in cluster.follow(scope.where(cluster), scope.selector, only):
        if isinstance(change, Interrupted):
            screen.note(f"{change.reason}; retrying")
        elif not names or change.key.name in names:
            yield change


def _lines(changes: Iterator[Change], scope: Scope, screen: Screen) -> None:
    shown: dict[Key, str] = {}
    for change in changes:
        line = "deleted" if isinstance(change, Gone) else show.line(change)
        if shown.get(change.key) != line:
            shown[change.key] = line
            now = datetime.now(UTC).astimezone().strftime("%H:%M:%S")
            screen.say(f"{now}  {scope.title(change.key)}: {line}")


def _live(changes: Iterator[Change], scope: Scope, screen: Screen) -> None:
    present: dict[Key, Integration] = {}

    def table() -> RenderableType:
        of, now = list(present.values()), datetime.now(UTC)
        shown, left_out = overview.fitting(of, now, screen.out, namespaces=scope.all_namespaces)
        return Group(shown, Text(f"… and {left_out} more that are less urgent", "dim")) if left_out else shown

    # Drawn again each second, so that ages and what is left of a delay are true.
    with Live(get_renderable=table, console=screen.out, refresh_per_second=1) as live:
        for change in changes:
            if isinstance(change, Gone):
                present.pop(change.key, None)
            else:
                present[change.key] = change
            live.refresh()
