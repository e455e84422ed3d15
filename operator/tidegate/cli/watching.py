"""Watching: the syncs and all that changes, until Ctrl-C: a living table on a terminal, a line a change elsewhere."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from rich.live import Live
from rich.table import Table

from tidegate.cli import show
from tidegate.cli.choose import Scope, choose
from tidegate.cli.cluster import Cluster
from tidegate.cli.follow import Gone, Interrupted
from tidegate.cli.integration import Integration, Key
from tidegate.cli.screen import Format, Screen

Change = Integration | Gone

_ROOM_FOR_MESSAGES = 140  # columns


def watch(cluster: Cluster, scope: Scope, names: Sequence[str], screen: Screen, output: Format) -> None:
    """Show them for as long as its user likes. Raises NotFoundError when one that is named is not there."""
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
            screen.note(f"{change.reason}; trying again")
        elif not names or change.key.name in names:
            yield change


def _lines(changes: Iterator[Change], scope: Scope, screen: Screen) -> None:
    said: dict[Key, str] = {}
    for change in changes:
        line = "deleted" if isinstance(change, Gone) else show.line(change)
        if said.get(change.key) != line:
            said[change.key] = line
            now = datetime.now(UTC).astimezone().strftime("%H:%M:%S")
            screen.say(f"{now}  {scope.title(change.key)}: {line}")


def _live(changes: Iterator[Change], scope: Scope, screen: Screen) -> None:
    present: dict[Key, Integration] = {}

    def table() -> Table:
        of = [seen for _, seen in sorted(present.items())]
        wide = screen.out.width >= _ROOM_FOR_MESSAGES
        return show.overview(of, datetime.now(UTC), wide=wide, namespaces=scope.all_namespaces)

    # Drawn again each second, so that ages and what is left of a delay are true.
    with Live(get_renderable=table, console=screen.out, refresh_per_second=1) as live:
        for change in changes:
            if isinstance(change, Gone):
                present.pop(change.key, None)
            else:
                present[change.key] = change
            live.refresh()
