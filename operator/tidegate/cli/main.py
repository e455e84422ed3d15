"""`kubectl sync`: the commands. Each reads its options, and hands over to where the work is done."""

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import click
from click.shell_completion import ShellComplete

from tidegate.api.spec import Mode, OffPolicy
from tidegate.cli import ask, complete, conflicts, options, run_log, show, watching
from tidegate.cli.carry_out import Patience, carry_out
from tidegate.cli.change import ConfirmDeletes, Reset, RunNow, TurnOff, TurnOn, halted_run
from tidegate.cli.choose import Chosen, Scope, choose, choose_one
from tidegate.cli.cluster import Cluster
from tidegate.cli.errors import EXIT_CODES, ExitCode
from tidegate.cli.hints import HintingGroup
from tidegate.cli.screen import Format, Screen

_OBJECTS = (Format.JSON, Format.YAML, Format.NAME)
_DATA = (Format.JSON, Format.YAML)


@click.group(cls=HintingGroup, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES)
@options.connection
@click.version_option(package_name="tidegate", message="%(version)s")
@click.pass_context
def sync(context: click.Context, /, **connection: object) -> None:
    """The ON/OFF toggle of data syncs (SyncIntegrations)."""
    given = {name: value for name, value in connection.items() if value}
    context.default_map = dict.fromkeys(sync.commands, given)


@sync.command(epilog=EXIT_CODES)
@options.output(Format.WIDE, *_OBJECTS)
@options.several
def status(names: tuple[str, ...], cluster: Cluster, scope: Scope, screen: Screen, output: Format) -> ExitCode:
    """Tell how the syncs are; of one that is named, everything."""
    chosen = choose(cluster, scope, names)
    now = datetime.now(UTC)
    if output in _OBJECTS:
        screen.objects(chosen.found, output, chosen.single)
    elif chosen.single and output is Format.TEXT:
        for seen in chosen.found:
            screen.show(show.details(seen, now))
    elif chosen.found:
        wide = output is Format.WIDE
        screen.show(show.overview(chosen.found, now, wide=wide, namespaces=scope.all_namespaces))
    elif not names:
        screen.note(scope.emptiness(cluster))
    for error in chosen.errors:
        screen.error(error.message)
    return max((ExitCode(error.exit_code) for error in chosen.errors), default=ExitCode.DONE)


@sync.command(epilog=EXIT_CODES)
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
def on(
    names: tuple[str, ...],
    cluster: Cluster,
    scope: Scope,
    screen: Screen,
    output: Format,
    patience: Patience,
    yes: bool,
    mode: Mode | None,
    reset: bool,
    delay: timedelta | None,
) -> ExitCode:
    """Turn syncs ON.

    One that is paused, or still turning OFF, goes on with what it was doing.
    """
    chosen = choose(cluster, scope, names)
    if not ask.consent("This turns ON {}", chosen, scope, screen, yes=yes):
        return ExitCode.FAILED
    wish = TurnOn(_now(), mode, reset=reset, delay=delay)
    asked = [seen for seen in chosen.found if wish.begins_anew(seen)]
    if asked and wish.mode is None and screen.asks:
        wish = replace(wish, default_mode=ask.mode(asked))
    return carry_out(cluster, scope, chosen, wish, patience, screen, output)


@sync.command(epilog=EXIT_CODES)
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
def off(
    names: tuple[str, ...],
    cluster: Cluster,
    scope: Scope,
    screen: Screen,
    output: Format,
    patience: Patience,
    yes: bool,
    policy: OffPolicy | None,
) -> ExitCode:
    """Turn syncs OFF, once the running run has finished."""
    chosen = choose(cluster, scope, names)
    if not ask.consent("This turns OFF {}", chosen, scope, screen, yes=yes):
        return ExitCode.FAILED
    return carry_out(cluster, scope, chosen, TurnOff(policy), patience, screen, output)


@sync.command(epilog=EXIT_CODES)
@options.patience("that run has ended")
@options.output(*_OBJECTS)
@options.several_to_change
def run(
    names: tuple[str, ...],
    cluster: Cluster,
    scope: Scope,
    screen: Screen,
    output: Format,
    patience: Patience,
    yes: bool,
) -> ExitCode:
    """Start a run now, rather than after the rest of the delay."""
    chosen = choose(cluster, scope, names)
    if not ask.consent("This starts a run of {}", chosen, scope, screen, yes=yes):
        return ExitCode.FAILED
    return carry_out(cluster, scope, chosen, RunNow(_now()), patience, screen, output)


@sync.command(epilog=EXIT_CODES)
@options.patience("the full sync after it has caught up")
@options.output(*_OBJECTS)
@options.several_to_change
def reset(
    names: tuple[str, ...],
    cluster: Cluster,
    scope: Scope,
    screen: Screen,
    output: Format,
    patience: Patience,
    yes: bool,
) -> ExitCode:
    """Delete all cached data of syncs that are ON, and begin anew with a full sync.

    The running run finishes first. Of a sync that is OFF, a reset is part of turning it ON: `on --reset`.
    """
    chosen = choose(cluster, scope, names)
    deed = "This deletes all cached data of {}; the next full sync reads all records as if for the first time"
    if not ask.consent(deed, chosen, scope, screen, yes=yes, always=True):
        return ExitCode.FAILED
    return carry_out(cluster, scope, chosen, Reset(_now()), patience, screen, output)


@sync.command("confirm-deletes", epilog=EXIT_CODES)
@click.option("--run", "confirmed", type=int, shell_complete=complete.runs, help="The run that was halted.")
@options.patience("the run that may carry them out has ended")
@options.output(*_OBJECTS)
@options.one_name
@options.one
def confirm_deletes(
    name: str,
    cluster: Cluster,
    scope: Scope,
    screen: Screen,
    output: Format,
    patience: Patience,
    confirmed: int | None,
) -> ExitCode:
    """Confirm that the many deletes which halted a run were meant.

    On a terminal it shows them and asks. A script names the run with --run, so that it never confirms what nobody has
    looked at.
    """
    seen = choose_one(cluster, scope, name)
    run = confirmed
    if run is None:
        run = halted_run(seen)
        if not screen.asks:
            raise click.UsageError("without a terminal, --run must say which halted run is meant")
        if not ask.confirm_deletes(seen, run):
            return ExitCode.FAILED
    return carry_out(cluster, scope, Chosen([seen], single=True), ConfirmDeletes(run), patience, screen, output)


@sync.command(epilog=EXIT_CODES)
@options.output(*_DATA)
@options.one_name
@options.one
def activity(name: str, cluster: Cluster, scope: Scope, screen: Screen, output: Format) -> None:
    """List the last runs, newest first, with what they read, changed and pushed."""
    seen = choose_one(cluster, scope, name)
    entries = seen.status.recent_activity
    if output in _DATA:
        screen.data([entry.to_wire() for entry in entries], output)
    elif entries:
        screen.show(show.activity(entries, datetime.now(UTC)))
    else:
        screen.note(f"{name} has not run yet.")


@sync.command(epilog=EXIT_CODES)
@click.option("-f", "--follow", is_flag=True, help="Go on until the run has ended.")
@click.option("--run", "number", type=int, shell_complete=complete.runs, help="The newest by default.")
@options.one_name
@options.one
def logs(name: str, cluster: Cluster, scope: Scope, screen: Screen, follow: bool, number: int | None) -> None:
    """Print what the worker of a run says."""
    seen = choose_one(cluster, scope, name)
    read = run_log.follow if follow else run_log.read
    for piece in read(cluster, seen, number or run_log.newest_run(seen)):
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()


@sync.command("conflicts", epilog=EXIT_CODES)
@options.output(*_DATA)
@options.one_name
@options.one
def conflicts_(name: str, cluster: Cluster, scope: Scope, screen: Screen, output: Format) -> None:
    """List the records that the built-in worker has set aside for a human.

    They are read from the logs of the runs that still have one; the worker names at most a hundred in each. How many
    wait in all is what it counted last.
    """
    seen = choose_one(cluster, scope, name)
    found = conflicts.read(run_log.read_all(cluster, seen))
    if output in _DATA:
        screen.data(conflicts.to_wire(found), output)
        return
    if found.named:
        screen.show(show.conflicts(found.named))
    screen.note(conflicts.summary(found))


@sync.command(epilog=EXIT_CODES)
@options.output(*_OBJECTS)
@options.several
def watch(names: tuple[str, ...], cluster: Cluster, scope: Scope, screen: Screen, output: Format) -> None:
    """Show the syncs and every change, until Ctrl-C."""
    watching.watch(cluster, scope, names, screen, output)


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
    """Entry point of `kubectl_complete-sync`: kubectl hands it the words so far, the last of which is unfinished.

    It answers as kubectl's own completion does: a suggestion a line, and a directive last.
    """
    *words, incomplete = sys.argv[1:] or [""]
    found = ShellComplete(sync, {}, "kubectl sync", "").get_completions(words, incomplete)
    for item in found:
        if item.type == "plain":
            print(f"{item.value}\t{item.help}" if item.help else item.value)
    # Files where click asks for them, and nowhere else.
    print(":0" if any(item.type == "file" for item in found) else ":4")


def _now() -> str:
    """The value of a request: any new one does, and a time tells people something."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
