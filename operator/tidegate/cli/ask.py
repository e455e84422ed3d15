"""Ask: the questions put to a person on a terminal; a script answers them by options."""

from collections.abc import Sequence

import click

from tidegate.api.spec import Mode
from tidegate.cli import planning
from tidegate.cli.decisions.change import TurnOn
from tidegate.cli.decisions.integration import Integration
from tidegate.cli.display import planned, show
from tidegate.cli.display.screen import inert
from tidegate.cli.errors import ExitCode
from tidegate.cli.invocation import Invocation
from tidegate.cli.planning import Made
from tidegate.cli.selection import Chosen

_CONSEQUENCE = {
    Mode.PAST_AND_FUTURE: "a full sync reads both sides and pushes what has changed",
    Mode.FUTURE_ONLY: "a read-only full sync pushes nothing; only later changes are pushed",
}

_NAMED = 5  # SyncIntegrations; more are only counted
_SHOWN = 10  # records


def plan(call: Invocation, wish: TurnOn, of: Sequence[Integration]) -> Made | None:
    """What turning ON would do, if a plan can say so and its user wants to see it first. Raises Abort on Ctrl-C."""
    if call.yes or len(of) != 1 or not wish.can_be_planned(of[0]):
        return None
    if not click.confirm("See what it would do first?", default=True, err=True):
        return None
    made = planning.make(call, of[0])
    if isinstance(made, Made):
        planning.show_counts(call, made)
        return made
    call.screen.warn(made.sentence)
    if made.code is ExitCode.INTERRUPTED:
        raise click.Abort
    return None


def mode(of: Sequence[Integration], made: Made | None = None) -> Mode:
    """The article's question: what turning ON does with the changes made while OFF; with a plan, in numbers."""
    were = f"{_names(of)} {'was' if len(of) == 1 else 'were'}"
    question, consequence = f"What about the changes that were made while {were} OFF?", _CONSEQUENCE
    if made is not None:
        question = planned.found(made.plan, made.of)
        consequence = {each: planned.consequence(made.plan, made.of, each) for each in Mode}
    click.echo(question, err=True)
    for number, each in enumerate(Mode, 1):
        click.echo(f"  {number}  {planned.TITLE[each]}: {consequence[each]}.", err=True)
    answer = click.prompt("Choose", type=click.Choice(["1", "2"]), default="1", show_choices=True, err=True)
    return list(Mode)[int(answer) - 1]


def consent(call: Invocation, deed: str, chosen: Chosen, *, always: bool = False) -> bool:
    """Whether to go ahead; `deed` takes the integrations in place of `{}`.

    Asked when every namespace is concerned, or with `always` in any case. Raises UsageError without a terminal and
    without `--yes`.
    """
    everywhere = call.scope.everything and call.scope.all_namespaces
    if call.yes or not chosen.found or not (always or everywhere):
        return True
    if not call.screen.asks:
        raise click.UsageError(f"{deed.format(_names(chosen.found))}: without a terminal, confirm with --yes")
    if click.confirm(f"{deed.format(_names(chosen.found))}. Continue?", err=True):
        return True
    call.screen.note("Nothing was changed.")
    return False


def approval(call: Invocation, seen: Integration, run: int, named: Sequence[str]) -> bool:
    """Whether what a halted run has found is approved; `named`: the records that its log names.

    It is shown in any case. Raises UsageError without a terminal and without `--yes`.
    """
    click.echo(inert(seen.status.message or ""), err=True)
    last = seen.status.last_run
    for found in (last.found if last else None) or ():
        click.echo(f"  {inert(show.found(found))}", err=True)
    for record in named[:_SHOWN]:
        click.echo(f"    {inert(record)}", err=True)
    if len(named) > _SHOWN:
        click.echo(f"    and more: {seen.command('logs', '--run', str(run))}", err=True)
    if not named:
        click.echo("    the log of that run names no record", err=True)
    if call.yes:
        return True
    if not call.screen.asks:
        raise click.UsageError(f"this approves run {run}: without a terminal, confirm with --yes")
    if click.confirm(
        f"Approve run {run}? The next run then does this, and what spec.sync.safety allows anyway.", err=True
    ):
        return True
    call.screen.note("Nothing was changed.")
    return False


def _names(of: Sequence[Integration]) -> str:
    namespaces = len({seen.key.namespace for seen in of})
    if len(of) <= _NAMED:
        return ", ".join(str(seen.key) if namespaces > 1 else seen.name for seen in of)
    where = "" if namespaces == 1 else f" in {namespaces} namespaces"
    return f"{len(of)} SyncIntegrations{where}"
