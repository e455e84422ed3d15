"""Carry out: for each chosen integration decide, patch, report, wait if asked to, and print the result.

The flow of all commands that act. A failure of one integration does not stop the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from tidegate.cli import gitops
from tidegate.cli.change import Change, Wish
from tidegate.cli.choose import Chosen, Scope
from tidegate.cli.cluster import ChangedMeanwhileError, Cluster
from tidegate.cli.errors import CommandError, ExitCode
from tidegate.cli.integration import Integration, Key
from tidegate.cli.progress import display
from tidegate.cli.screen import Format, Screen
from tidegate.cli.wait import Awaited, wait


@dataclass(frozen=True, slots=True)
class Patience:
    """Whether to wait for what was asked, and for how long."""

    wait: bool = False
    timeout: timedelta | None = None  # None: as long as it takes


def carry_out(
    cluster: Cluster, scope: Scope, chosen: Chosen, wish: Wish, patience: Patience, screen: Screen, output: Format
) -> ExitCode:
    """Do it; return the highest exit code."""
    if not chosen.found and not chosen.errors:
        screen.note(scope.emptiness(cluster))
    codes = [ExitCode.DONE, *(_fail(screen, error) for error in chosen.errors)]
    awaited: list[Awaited] = []
    latest: dict[Key, Integration] = {}
    for seen in chosen.found:
        title = scope.title(seen.key)
        try:
            patched, change = _apply(cluster, seen, wish)
        except CommandError as error:
            codes.append(_fail(screen, error, title))
            continue
        screen.result(f"{title}: {change.sentence}", output)
        warning = gitops.warning(patched, change)
        if warning:
            screen.warn(f"{title}: {warning}")
        latest[patched.key] = patched
        awaited.append(Awaited(patched, wish.goal(patched)))
    if patience.wait:
        codes += _wait(cluster, scope, awaited, latest, patience, screen, output)
    _show(latest, chosen, screen, output)
    return max(codes)


def _apply(cluster: Cluster, seen: Integration, wish: Wish) -> tuple[Integration, Change]:
    """Decide and patch, again and again until what was decided on is what is patched."""
    while True:
        change = wish.change(seen)
        if change.empty:
            return seen, change
        try:
            return cluster.patch(seen, change), change
        except ChangedMeanwhileError:
            seen = cluster.get(seen.key)


def _wait(
    cluster: Cluster,
    scope: Scope,
    awaited: Sequence[Awaited],
    latest: dict[Key, Integration],
    patience: Patience,
    screen: Screen,
    output: Format,
) -> list[ExitCode]:
    try:
        with display(cluster, scope, screen) as shown:
            verdicts = wait(cluster, awaited, patience.timeout, shown, latest)
    except KeyboardInterrupt:
        screen.note("Stopped waiting; the operation continues in the cluster.")
        return [ExitCode.INTERRUPTED]
    for key, verdict in verdicts.items():
        sentence = f"{scope.title(key)}: {verdict.sentence}"
        if verdict.code is ExitCode.DONE:
            screen.result(sentence, output)
        else:
            screen.error(sentence)
    return [verdict.code for verdict in verdicts.values()]


def _show(latest: dict[Key, Integration], chosen: Chosen, screen: Screen, output: Format) -> None:
    if output is not Format.TEXT:
        screen.objects([latest[seen.key] for seen in chosen.found if seen.key in latest], output, chosen.single)


def _fail(screen: Screen, error: CommandError, title: str = "") -> ExitCode:
    screen.error(f"{title}: {error.message}" if title else error.message)
    return ExitCode(error.exit_code)
