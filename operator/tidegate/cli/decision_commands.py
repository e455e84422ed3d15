"""The commands about what waits for a person: `approve`, of a halted run; `conflicts` and `decide`."""

import click

from tidegate.cli import ask, complete, options, plan_commands, run_log
from tidegate.cli.apply import carry_out
from tidegate.cli.decisions import settle
from tidegate.cli.decisions.approve import Approve, halted_run
from tidegate.cli.decisions.integration import Integration
from tidegate.cli.display import conflicts, show
from tidegate.cli.display.conflicts import Conflicts
from tidegate.cli.display.screen import DATA_FORMATS, OBJECT_FORMATS
from tidegate.cli.errors import CommandError, ExitCode
from tidegate.cli.hints import Command
from tidegate.cli.invocation import Invocation, now
from tidegate.cli.selection import Chosen, choose_one


@click.command(cls=Command)
@click.option("--run", "number", type=int, shell_complete=complete.runs, help="The halted run.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@options.patience("the run that does what was approved has ended")
@options.output(*OBJECT_FORMATS)
@options.one_name
@options.one
def approve(call: Invocation, name: str, number: int | None) -> ExitCode:
    """Approve what a halted run has found.

    It shows what that is, with the first ten of the records, and asks. A script names the run with --run, so that it
    never approves what was not shown, and adds --yes.
    """
    seen = choose_one(call.cluster, call.scope, name)
    run = halted_run(seen)
    if number is None and not call.screen.asks:
        raise click.UsageError(f"without a terminal, name the halted run: --run {run} --yes")
    wish = Approve(run if number is None else number)
    wish.change(seen)
    if not ask.approval(call, seen, wish.run, list(dict.fromkeys(run_log.named(call.cluster, seen, wish.run)))):
        return ExitCode.FAILED
    return carry_out(call, Chosen([seen], single=True), wish)


@click.command("conflicts", cls=Command)
@click.option(
    "--values", is_flag=True, help="With match keys and what both systems hold now: only this command can read them."
)
@options.timeout("the values")
@options.output(*DATA_FORMATS)
@options.one_name
@options.one
def list_conflicts(call: Invocation, name: str, values: bool) -> ExitCode:
    """List what waits for a decision.

    These are the records and fields that the built-in worker has set aside, read from the logs that are left; a run
    names up to 5,000. How many there are in all is what the worker counted last.

    With --values a plan of a full sync reads both systems and lists all that would wait, with values.
    """
    seen = choose_one(call.cluster, call.scope, name)
    if values:
        return plan_commands.waiting(call, seen)
    found = conflicts.read(run_log.read_all(call.cluster, seen))
    if call.output in DATA_FORMATS:
        call.screen.data(conflicts.to_wire(found), call.output)
        return ExitCode.DONE
    if found.named:
        call.screen.show(show.conflicts(found.named), wrapped=True)
    call.screen.note(conflicts.summary(found))
    return ExitCode.DONE


@click.command(cls=Command)
@click.option("--object", "object_", metavar="NAME", help="The object of spec.sync [default: what the log names].")
@click.option(
    "--id", "ids", metavar="ID", multiple=True, help="A record, by the id that `conflicts` shows; repeatable."
)
@click.option("--all", "everything", is_flag=True, help="All records that wait.")
@click.option("--connector", metavar="NAME", help="Whose ids these are [default: what the log names].")
@click.option("--field", metavar="NAME", help="Only this field [default: all that wait].")
@click.option("--take", metavar="SIDE", required=True, help="Whose value to take: a connector, or newest.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@options.patience("the run that carries it out has ended")
@options.output(*OBJECT_FORMATS)
@options.one_name
@options.one
def decide(
    call: Invocation,
    name: str,
    object_: str | None,
    ids: tuple[str, ...],
    everything: bool,
    connector: str | None,
    field: str | None,
    take: str,
) -> ExitCode:
    """Decide fields that were changed on both sides.

    The next run that pushes writes the value of the side that is taken to the other side, and asks for that run now.
    What has been edited since it was set aside is not overwritten: it waits again.
    """
    if bool(ids) == everything:
        raise click.UsageError("say which records: either --id, once for each, or --all")
    seen = choose_one(call.cluster, call.scope, name)
    settle.refuse_unknown_side(seen, take)
    found = _what_waits(call, seen)
    waiting = [settle.Waiting(each.object, each.connector, each.id, each.field) for each in found.named]
    at = now()
    asked = settle.Asked(take, ids, object_, connector, field)
    decisions = settle.decisions_about(asked, waiting, at, whole=found.whole)
    chosen = Chosen([seen], single=True)
    if not ask.consent(
        call, f"This takes the value of {take} in all conflicts of {{}} that it is about", chosen, always=everything
    ):
        return ExitCode.FAILED
    return carry_out(call, chosen, settle.Decide(at, decisions))


def _what_waits(call: Invocation, seen: Integration) -> Conflicts:
    try:
        return conflicts.read(run_log.read_all(call.cluster, seen))
    except CommandError as error:
        call.screen.warn(f"what waits is not known, because the logs cannot be read: {error.message}")
        return conflicts.read([])
