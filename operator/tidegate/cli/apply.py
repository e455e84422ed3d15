"""Apply: for each chosen integration decide, patch, report, wait if asked to, and print the result.

The flow of all commands that act. A failure of one integration does not stop the others.
"""

from collections.abc import Sequence

from tidegate.cli.cluster.client import ChangedMeanwhileError, Cluster
from tidegate.cli.decisions import gitops
from tidegate.cli.decisions.change import Change, Wish
from tidegate.cli.decisions.integration import Integration, Key
from tidegate.cli.display.screen import Format, Screen
from tidegate.cli.errors import CommandError, ExitCode
from tidegate.cli.invocation import Invocation
from tidegate.cli.selection import Chosen
from tidegate.cli.wait import Awaited, wait
from tidegate.cli.wait_progress import display


def carry_out(call: Invocation, chosen: Chosen, wish: Wish) -> ExitCode:
    """Do it; return the highest exit code."""
    scope, screen = call.scope, call.screen
    if not chosen.found and not chosen.errors:
        screen.note(scope.emptiness(call.cluster))
    codes = [ExitCode.DONE, *(_fail(screen, error) for error in chosen.errors)]
    awaited: list[Awaited] = []
    latest: dict[Key, Integration] = {}
    for seen in chosen.found:
        title = scope.title(seen.key)
        try:
            patched, change = write(call.cluster, seen, wish)
        except CommandError as error:
            codes.append(_fail(screen, error, title))
            continue
        screen.result(f"{title}: {change.sentence}", call.output)
        warning = gitops.warning(patched, change)
        if warning:
            screen.warn(f"{title}: {warning}")
        latest[patched.key] = patched
        awaited.append(Awaited(patched, wish.goal(patched)))
    if call.patience.wait:
        codes += _wait(call, awaited, latest)
    if call.output is not Format.TEXT:
        changed = [latest[seen.key] for seen in chosen.found if seen.key in latest]
        screen.objects(changed, call.output, chosen.single)
    return max(codes)


def write(cluster: Cluster, seen: Integration, wish: Wish) -> tuple[Integration, Change]:
    """Decide and patch, again and again until what was decided on is what is patched. Raises CommandError."""
    while True:
        change = wish.change(seen)
        if change.empty:
            return seen, change
        try:
            return cluster.patch(seen, change), change
        except ChangedMeanwhileError:
            seen = cluster.get(seen.key)


def _wait(call: Invocation, awaited: Sequence[Awaited], latest: dict[Key, Integration]) -> list[ExitCode]:
    screen = call.screen
    try:
        with display(call.cluster, call.scope, screen) as shown:
            verdicts = wait(call.cluster, awaited, call.patience.timeout, shown, latest)
    except KeyboardInterrupt:
        screen.note("Stopped waiting; the operation continues in the cluster.")
        return [ExitCode.INTERRUPTED]
    for key, verdict in verdicts.items():
        sentence = f"{call.scope.title(key)}: {verdict.sentence}"
        if verdict.code is ExitCode.DONE:
            screen.result(sentence, call.output)
        else:
            screen.error(sentence)
    return [verdict.code for verdict in verdicts.values()]


def _fail(screen: Screen, error: CommandError, title: str = "") -> ExitCode:
    screen.error(f"{title}: {error.message}" if title else error.message)
    return ExitCode(error.exit_code)
