"""The commands that make a plan first: `plan`, of a full sync; `changes` and `undo`, of the undo of a run; `check`."""

import click

from tidegate.api.spec import Mode
from tidegate.cli import ask, complete, options, planning
from tidegate.cli.apply import carry_out
from tidegate.cli.decisions.goal import Verdict
from tidegate.cli.decisions.integration import Integration
from tidegate.cli.decisions.undo import Undo, last_that_wrote, require_that_it_may_have_written
from tidegate.cli.display.log_lines import unresolved
from tidegate.cli.display.screen import DATA_FORMATS, OBJECT_FORMATS
from tidegate.cli.errors import ExitCode
from tidegate.cli.hints import Command
from tidegate.cli.invocation import Invocation
from tidegate.cli.sealed import KeyPair
from tidegate.cli.selection import Chosen, choose_one


@click.command(cls=Command)
@click.option("--mode", type=click.Choice(list(map(str, Mode))), help="Say only what this mode does [default: both].")
@click.option("--details", is_flag=True, help="List the records, with the names of their fields.")
@click.option("--values", is_flag=True, help="List the records, with their values: only this command can read them.")
@options.timeout("the plan")
@options.output(*DATA_FORMATS)
@options.one_name
@options.one
def plan(call: Invocation, name: str, mode: str | None, details: bool, values: bool) -> ExitCode:
    """See what a full sync would do.

    It reads both systems and writes to neither, also while the sync is OFF. The exit code is 3 if the full sync would
    halt.
    """
    key = KeyPair() if values else None
    made = planning.make(call, choose_one(call.cluster, call.scope, name), key)
    if isinstance(made, Verdict):
        call.screen.error(f"{name}: {made.sentence}")
        return made.code
    if call.output in DATA_FORMATS:
        call.screen.data(planning.data(call, made, key, details=details or values), call.output)
        return planning.exit_code(made)
    planning.show_counts(call, made)
    planning.show_consequences(call, made, [Mode(mode)] if mode else list(Mode))
    if details or values:
        planning.show_details(call, made, key)
    return planning.exit_code(made)


@click.command(cls=Command)
@options.timeout("the check")
@options.output(*DATA_FORMATS)
@options.one_name
@options.one
def check(call: Invocation, name: str) -> ExitCode:
    """Check whether the configuration fits both systems.

    It logs in, looks at tables, columns, types and rights, reads the first records of each object, and writes nothing,
    also while the sync is OFF. The exit code is 3 if something does not fit.
    """
    made = planning.make(call, choose_one(call.cluster, call.scope, name), check=True)
    if isinstance(made, Verdict):
        call.screen.error(f"{name}: {made.sentence}")
        return made.code
    if call.output in DATA_FORMATS:
        call.screen.data(planning.check_data(call, made), call.output)
    else:
        planning.show_check(call, made)
    return planning.exit_code(made)


def waiting(call: Invocation, seen: Integration) -> ExitCode:
    """`conflicts --values`: what would wait for a decision after a full sync, with match keys and both values."""
    key = KeyPair()
    made = planning.make(call, seen, key)
    if isinstance(made, Verdict):
        call.screen.error(f"{seen.name}: {made.sentence}")
        return made.code
    if call.output in DATA_FORMATS:
        call.screen.data(planning.listed(call, made, key, planning.WAITING), call.output)
    else:
        planning.show_listed(call, made, key, planning.WAITING)
        call.screen.note(f"as of run {made.plan.run}, {unresolved(made.plan.set_aside)}")
    return ExitCode.DONE


@click.command(cls=Command)
@click.option(
    "--run", "number", type=int, shell_complete=complete.runs, help="The run [default: the newest that wrote anything]."
)
@click.option("--values", is_flag=True, help="With the values before and after: only this command can read them.")
@options.timeout("the list")
@options.output(*DATA_FORMATS)
@options.one_name
@options.one
def changes(call: Invocation, name: str, number: int | None, values: bool) -> ExitCode:
    """List what a run has written to both systems.

    By id and field name, from the journal (spec.sync.journal). The list comes with the plan of the undo of that run,
    which reads both systems and writes to neither.
    """
    seen = choose_one(call.cluster, call.scope, name)
    run = last_that_wrote(seen) if number is None else number
    require_that_it_may_have_written(seen, run)
    key = KeyPair() if values else None
    made = planning.make(call, seen, key, undo=run)
    if isinstance(made, Verdict):
        call.screen.error(f"{name}: {made.sentence}")
        return made.code
    if call.output in DATA_FORMATS:
        call.screen.data(planning.listed(call, made, key, planning.WRITTEN), call.output)
    else:
        planning.show_listed(call, made, key, planning.WRITTEN)
    return ExitCode.DONE


@click.command(cls=Command)
@click.option("--run", "number", type=int, required=True, shell_complete=complete.runs, help="The run to undo.")
@click.option("--plan", "only_plan", is_flag=True, help="Only list what the undo would write, and leave alone.")
@click.option("--values", is_flag=True, help="List it with values: only this command can read them.")
@click.option("-y", "--yes", is_flag=True, help="Do not plan first, and do not ask for confirmation.")
@options.patience("the undo has ended", plans=True)
@options.output(*OBJECT_FORMATS)
@options.one_name
@options.one
def undo(call: Invocation, name: str, number: int, only_plan: bool, values: bool) -> ExitCode:
    """Take a run back in both systems.

    A run of its own writes back what that run has replaced, deletes what it has created, and creates again what it has
    deleted. What was edited since is left alone. On a terminal it shows the plan first, and asks.
    """
    if values and not only_plan and (call.yes or not call.screen.asks):
        raise click.UsageError("--values lists a plan: add --plan")
    seen = choose_one(call.cluster, call.scope, name)
    if only_plan:
        require_that_it_may_have_written(seen, number)
    else:
        Undo(number).change(seen)
    deed = f"This undoes run {number} of {{}}"
    if only_plan or (call.screen.asks and not call.yes):
        key = KeyPair() if values else None
        made = planning.make(call, seen, key, undo=number)
        if isinstance(made, Verdict):
            call.screen.error(f"{name}: {made.sentence}")
            return made.code
        if only_plan and call.output in DATA_FORMATS:
            call.screen.data(planning.data(call, made, key, details=True), call.output)
            return planning.exit_code(made)
        planning.show_counts(call, made)
        planning.show_details(call, made, key)
        if only_plan:
            return planning.exit_code(made)
        seen = made.of
    chosen = Chosen([seen], single=True)
    if not ask.consent(call, deed, chosen, always=True):
        return ExitCode.FAILED
    return carry_out(call, chosen, Undo(number))
