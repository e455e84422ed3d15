"""`kubectl sync`: the commands. Each reads its options and calls the modules that do the work."""

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import click
from click.shell_completion import ShellComplete

from tidegate.api.spec import Mode, OffPolicy
from tidegate.cli import ask, complete, decision_commands, options, plan_commands, run_log, watching
from tidegate.cli.apply import carry_out
from tidegate.cli.decisions.change import Reset, RunNow, TurnOff, TurnOn
from tidegate.cli.decisions.object_reset import ResetObjects
from tidegate.cli.display import activity as recent
from tidegate.cli.display import overview, show
from tidegate.cli.display.log_lines import readable
from tidegate.cli.display.screen import DATA_FORMATS, OBJECT_FORMATS, Format
from tidegate.cli.errors import EXIT_CODES, ExitCode
from tidegate.cli.hints import HintingGroup
from tidegate.cli.invocation import Invocation, now
from tidegate.cli.selection import choose, choose_one


@click.group(cls=HintingGroup, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES)
@options.connection
@click.version_option(package_name="tidegate", message="%(version)s")
@click.pass_context
def sync(context: click.Context, /, **connection: object) -> None:
    """Turn data syncs (SyncIntegrations) ON and OFF, and see how they are."""
    given = {name: value for name, value in connection.items() if value}
    context.default_map = dict.fromkeys(sync.commands, given)


@sync.command()
@options.output(Format.WIDE, *OBJECT_FORMATS)
@options.several
def status(call: Invocation, names: tuple[str, ...]) -> ExitCode:
    """Show the status of syncs.

    With one NAME, show all details, and how far its running run has come.
    """
    chosen = choose(call.cluster, call.scope, names)
    at = datetime.now(UTC)
    if call.output in OBJECT_FORMATS:
        call.screen.objects(chosen.found, call.output, chosen.single)
    elif chosen.single and call.output is Format.TEXT:
        for seen in chosen.found:
            call.screen.show(show.details(seen, at, run_log.counts(call.cluster, seen)), wrapped=True)
    elif chosen.found:
        wide = call.output is Format.WIDE
        call.screen.show(overview.overview(chosen.found, at, wide=wide, namespaces=call.scope.all_namespaces))
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
@options.output(*OBJECT_FORMATS)
@options.several_to_change
def on(call: Invocation, names: tuple[str, ...], mode: Mode | None, reset: bool, delay: timedelta | None) -> ExitCode:
    """Turn syncs ON.

    A sync that is paused, or still turning OFF, continues what it was doing. On a terminal it asks what to do with the
    changes made while OFF, unless a flag says so.
    """
    chosen = choose(call.cluster, call.scope, names)
    if not ask.consent(call, "This turns ON {}", chosen):
        return ExitCode.FAILED
    wish = TurnOn(now(), mode, reset=reset, delay=delay)
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
@options.output(*OBJECT_FORMATS)
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
@options.output(*OBJECT_FORMATS)
@options.several_to_change
def run(call: Invocation, names: tuple[str, ...], full: bool) -> ExitCode:
    """Start a run now instead of after the delay.

    With --full it is a full sync with the cache that is there. What FutureOnly left alone is left alone again.
    """
    chosen = choose(call.cluster, call.scope, names)
    if not ask.consent(call, "This starts a full sync of {}" if full else "This starts a run of {}", chosen):
        return ExitCode.FAILED
    return carry_out(call, chosen, RunNow(now(), full=full))


@sync.command()
@click.option(
    "--object", "objects", metavar="NAME", multiple=True, help="Only this object of spec.sync; repeatable. Also OFF."
)
@options.patience("the full sync after it has caught up, or with --object the run that reads the objects has ended")
@options.output(*OBJECT_FORMATS)
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
    return carry_out(call, chosen, ResetObjects(now(), objects) if objects else Reset(now()))


@sync.command()
@options.output(*DATA_FORMATS)
@options.one_name
@options.one
def activity(call: Invocation, name: str) -> None:
    """List recent runs and what they did.

    Newest first, with the records that each has read, changed and pushed.
    """
    seen = choose_one(call.cluster, call.scope, name)
    entries = seen.status.recent_activity
    if call.output in DATA_FORMATS:
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


@sync.command()
@options.output(*OBJECT_FORMATS)
@options.several
def watch(call: Invocation, names: tuple[str, ...]) -> None:
    """Show the status of syncs as it changes.

    Until Ctrl-C. On a terminal those that need attention come first.
    """
    watching.watch(call.cluster, call.scope, names, call.screen, call.output)


for _command in (
    *(decision_commands.approve, decision_commands.list_conflicts, decision_commands.decide),
    *(plan_commands.check, plan_commands.plan, plan_commands.changes, plan_commands.undo),
):
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
