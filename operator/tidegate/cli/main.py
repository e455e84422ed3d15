"""`kubectl sync`: the commands. Each reads its options and calls the modules that do the work."""

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import click
from click.shell_completion import ShellComplete

from tidegate.api.spec import Mode, OffPolicy
from tidegate.cli import ask, complete, options, plan_commands, run_log, watching
from tidegate.cli.apply import carry_out
from tidegate.cli.decisions import settle
from tidegate.cli.decisions.change import Approve, Reset, RunNow, TurnOff, TurnOn, halted_run
from tidegate.cli.decisions.integration import Integration
from tidegate.cli.decisions.object_reset import ResetObjects
from tidegate.cli.display import activity as recent
from tidegate.cli.display import conflicts, overview, show
from tidegate.cli.display.conflicts import Conflicts
from tidegate.cli.display.log_lines import readable
from tidegate.cli.display.screen import Format
from tidegate.cli.errors import EXIT_CODES, CommandError, ExitCode
from tidegate.cli.hints import HintingGroup
from tidegate.cli.invocation import Invocation
from tidegate.cli.selection import Chosen, choose, choose_one

_OBJECTS = (Format.JSON, Format.YAML, Format.NAME)
_DATA = (Format.JSON, Format.YAML)


@click.group(cls=HintingGroup, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES)
@options.connection
@click.version_option(package_name="tidegate", message="%(version)s")
@click.pass_context
def sync(context: click.Context, /, **connection: object) -> None:
    """Turn data syncs (SyncIntegrations) ON and OFF, and see how they are."""
    given = {name: value for name, value in connection.items() if value}
    context.default_map = dict.fromkeys(sync.commands, given)


@sync.command()
@options.output(Format.WIDE, *_OBJECTS)
@options.several
def status(call: Invocation, names: tuple[str, ...]) -> ExitCode:
    """Show the status of syncs.

    With one NAME, show all details, and how far its running run has come.
    """
    chosen = choose(call.cluster, call.scope, names)
    now = datetime.now(UTC)
    if call.output in _OBJECTS:
        call.screen.objects(chosen.found, call.output, chosen.single)
    elif chosen.single and call.output is Format.TEXT:
        for seen in chosen.found:
            call.screen.show(show.details(seen, now, run_log.counts(call.cluster, seen)), wrapped=True)
    elif chosen.found:
        wide = call.output is Format.WIDE
        call.screen.show(overview.overview(chosen.found, now, wide=wide, namespaces=call.scope.all_namespaces))
    elif not names:
        call.screen.note(call.scope.emptiness(call.cluster))
    for error in chosen.errors:
        call.screen.error(error.message)
    return max((ExitCode(error.exit_code) for error in chosen.errors), default=ExitCode.DONE)


@sync.command()
@options.either(
    "mode",
    {
        "--past-and-future": (Mode.PAST_AND_FUTURE, "Push the changes made while OFF. The default in a script."),
        "--future-only": (Mode.FUTURE_ONLY, "Skip the changes made while OFF; push only later ones."),
    },
)
@click.option("--reset", is_flag=True, help="Delete all cached data first: records are read as if for the first time.")
@click.option("--delay", type=options.DURATION, help="From the end of one run to the start of the next, such as 5m.")
@options.patience("the full sync has caught up")
@options.output(*_OBJECTS)
@options.several_to_change
def on(call: Invocation, names: tuple[str, ...], mode: Mode | None, reset: bool, delay: timedelta | None) -> ExitCode:
    """Turn syncs ON.

    A sync that is paused, or still turning OFF, continues what it was doing. On a terminal it asks what to do with the
    changes made while OFF, unless a flag says so.
    """
    chosen = choose(call.cluster, call.scope, names)
    if not ask.consent(call, "This turns ON {}", chosen):
        return ExitCode.FAILED
    wish = TurnOn(_now(), mode, reset=reset, delay=delay)
    asked = [seen for seen in chosen.found if wish.begins_anew(seen)]
    if asked and wish.mode is None and call.screen.asks:
        wish = replace(wish, default_mode=ask.mode(asked, ask.plan(call, wish, asked)))
    return carry_out(call, chosen, wish)


@sync.command()
@options.either(
    "policy",
    {
        "--pause": (OffPolicy.PAUSE_RUN, "Pause the running run; the next ON resumes it. For this OFF only."),
        "--finish": (OffPolicy.FINISH_RUN, "Let the running run finish. For this OFF only; default: spec.offPolicy."),
    },
)
@options.patience("OFF is honoured: no sync is running")
@options.output(*_OBJECTS)
@options.several_to_change
def off(call: Invocation, names: tuple[str, ...], policy: OffPolicy | None) -> ExitCode:
    """Turn syncs OFF when the running run has finished.

    The running run is never killed; --wait returns when no sync is running.
    """
    chosen = choose(call.cluster, call.scope, names)
    if not ask.consent(call, "This turns OFF {}", chosen):
        return ExitCode.FAILED
    return carry_out(call, chosen, TurnOff(policy))


@sync.command()
@click.option("--full", is_flag=True, help="Read all records again, and push the changes that were missed.")
@options.patience("that run has ended")
@options.output(*_OBJECTS)
@options.several_to_change
def run(call: Invocation, names: tuple[str, ...], full: bool) -> ExitCode:
    """Start a run now instead of after the delay.

    With --full it is a full sync with the cache that is there. What FutureOnly left alone is left alone again.
    """
    chosen = choose(call.cluster, call.scope, names)
    if not ask.consent(call, "This starts a full sync of {}" if full else "This starts a run of {}", chosen):
        return ExitCode.FAILED
    return carry_out(call, chosen, RunNow(_now(), full=full))


@sync.command()
@click.option(
    "--object", "objects", metavar="NAME", multiple=True, help="Only this object of spec.sync; repeatable. Also OFF."
)
@options.patience("the full sync after it has caught up, or with --object the run that reads the objects has ended")
@options.output(*_OBJECTS)
@options.several_to_change
def reset(call: Invocation, names: tuple[str, ...], objects: tuple[str, ...]) -> ExitCode:
    """Delete all cached data and start over.

    For syncs that are ON: when the running run has finished, the cache is deleted, and a full sync reads all records
    as if for the first time. For a sync that is OFF, use `on --reset`.

    With --object, only what is cached of that object is deleted, and the others keep theirs.
    """
    chosen = choose(call.cluster, call.scope, names)
    what = f"what is cached of {', '.join(objects)} in" if objects else "all cached data of"
    then = "the next run reads these records" if objects else "the next full sync reads all records"
    if not ask.consent(call, f"This deletes {what} {{}}; {then} as if for the first time", chosen, always=True):
        return ExitCode.FAILED
    return carry_out(call, chosen, ResetObjects(_now(), objects) if objects else Reset(_now()))


@sync.command()
@click.option("--run", "number", type=int, shell_complete=complete.runs, help="The halted run.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@options.patience("the run that does what was approved has ended")
@options.output(*_OBJECTS)
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


@sync.command()
@options.output(*_DATA)
@options.one_name
@options.one
def activity(call: Invocation, name: str) -> None:
    """List recent runs and what they did.

    Newest first, with the records that each has read, changed and pushed.
    """
    seen = choose_one(call.cluster, call.scope, name)
    entries = seen.status.recent_activity
    if call.output in _DATA:
        call.screen.data([entry.to_wire() for entry in entries], call.output)
    elif entries:
        call.screen.show(recent.activity(entries, datetime.now(UTC)), wrapped=True)
    else:
        call.screen.note(f"{name} has not run yet.")


@sync.command()
@click.option("-f", "--follow", is_flag=True, help="Follow the log until the run has ended.")
@click.option(
    "--run", "number", type=int, shell_complete=complete.runs, help="Number of the run [default: the newest]."
)
@options.output(Format.TEXT, Format.JSON, default=None)
@options.one_name
@options.one
def logs(call: Invocation, name: str, follow: bool, number: int | None) -> None:
    """Print the log of a run.

    On a terminal a line for each step, with its time of day. Elsewhere, or with -o json, as the worker prints it.
    """
    seen = choose_one(call.cluster, call.scope, name)
    run = run_log.newest_run(seen) if number is None else number
    for_people = call.output is Format.TEXT
    read = run_log.follow if follow else run_log.read
    for log in read(call.cluster, seen, run, timestamps=for_people):
        if for_people:
            call.screen.note(f"run {log.run}, attempt {log.attempt} (Pod {log.pod})")
            for line in run_log.lines(log.pieces):
                call.screen.say(readable(line))
        else:
            call.screen.raw(log.pieces)


@sync.command("conflicts")
@click.option(
    "--values", is_flag=True, help="With match keys and what both systems hold now: only this command can read them."
)
@options.timeout("the values")
@options.output(*_DATA)
@options.one_name
@options.one
def conflicts_(call: Invocation, name: str, values: bool) -> ExitCode:
    """List what waits for a decision.

    These are the records and fields that the built-in worker has set aside, read from the logs that are left; a run
    names up to 5,000. How many there are in all is what the worker counted last.

    With --values a plan of a full sync reads both systems and lists all that would wait, with values.
    """
    seen = choose_one(call.cluster, call.scope, name)
    if values:
        return plan_commands.waiting(call, seen)
    found = conflicts.read(run_log.read_all(call.cluster, seen))
    if call.output in _DATA:
        call.screen.data(conflicts.to_wire(found), call.output)
        return ExitCode.DONE
    if found.named:
        call.screen.show(show.conflicts(found.named), wrapped=True)
    call.screen.note(conflicts.summary(found))
    return ExitCode.DONE


@sync.command()
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
@options.output(*_OBJECTS)
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
    at = _now()
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


@sync.command()
@options.output(*_OBJECTS)
@options.several
def watch(call: Invocation, names: tuple[str, ...]) -> None:
    """Show the status of syncs as it changes.

    Until Ctrl-C. On a terminal those that need attention come first.
    """
    watching.watch(call.cluster, call.scope, names, call.screen, call.output)


for _command in (plan_commands.check, plan_commands.plan, plan_commands.changes, plan_commands.undo):
    sync.add_command(_command)


def main() -> None:
    """Entry point of `kubectl-sync`."""
    try:
        code = sync.main(prog_name="kubectl sync", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort:  # by Ctrl-C
        code = ExitCode.INTERRUPTED
    sys.exit(code)


def complete_for_kubectl() -> None:
    """Entry point of `kubectl_complete-sync`: kubectl passes the words so far, the last of which is unfinished.

    It answers as kubectl's own completion does: a suggestion per line, and a directive last.
    """
    *words, incomplete = sys.argv[1:] or [""]
    found = ShellComplete(sync, {}, "kubectl sync", "").get_completions(words, incomplete)
    for item in found:
        if item.type == "plain":
            print(f"{item.value}\t{item.help}" if item.help else item.value)
    # Files where click asks for them, and nowhere else.
    print(":0" if any(item.type == "file" for item in found) else ":4")


def _now() -> str:
    """The value of a request: any new one would do, and a time is informative."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
