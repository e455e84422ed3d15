"""`tidegate-worker`: one run, as a process. Environment in; exit code, termination message and progress lines out.

The outermost layer: it knows of signals and exit codes, `run` knows of neither. SIGTERM lets the batch in flight
finish (design section 6.1); a second one ends the process at once, which loses nothing either.

Beside the run, which needs no argument, there are commands for people: check, plan or run a manifest without a cluster,
list what needs a decision or what runs have written, print the configuration's schema, and check that another worker
keeps the contract.
"""

import argparse
import os
import signal
import sqlite3
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

from tidegate.api.contract import Environment, ExitCode
from tidegate.worker.commands.changes import list_changes
from tidegate.worker.commands.check import print_check
from tidegate.worker.commands.conflicts import list_conflicts
from tidegate.worker.commands.conformance import command as conformance
from tidegate.worker.commands.local_run import environment_of_a_run
from tidegate.worker.commands.manifest import read_sync, read_variables
from tidegate.worker.commands.plan import plan, print_plan
from tidegate.worker.commands.schema import print_schema
from tidegate.worker.config.parse import parse
from tidegate.worker.connectors.settings import CREDENTIALS_DIRECTORY
from tidegate.worker.epoch import CREDENTIALS
from tidegate.worker.errors import ConfigurationError, RunEnded
from tidegate.worker.garbage import collect_seldom
from tidegate.worker.run import environment
from tidegate.worker.run.check import check_run
from tidegate.worker.run.plan_run import plan_run
from tidegate.worker.run.report import Report, warnings_go_to
from tidegate.worker.run.steps import complete, opened
from tidegate.worker.sqlite_errors import meaning_of

_DEFECT = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="tidegate-worker", description="Without a command, do one run of a sync.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    conflicts = commands.add_parser("conflicts", help="list what needs a decision, from the cache")
    conflicts.add_argument("--values", action="store_true", help="with what both systems hold now")
    changed = commands.add_parser("changes", help="list what runs have written, from the journal")
    changed.add_argument("--run", type=int, metavar="N", help="what this run has written; without it, the runs")
    changed.add_argument("--values", action="store_true", help="with the values before and after")
    commands.add_parser("schema", help="print the JSON Schema of spec.sync")
    conformance.add_arguments(commands.add_parser("conformance", help="check that a worker keeps the contract"))
    checked = commands.add_parser("check", help="try a manifest on its systems, and write nothing")
    _add_manifest(checked)
    checked.add_argument("--json", action="store_true", help="print what was found as JSON")
    local = commands.add_parser("run", help="do one full run of a manifest, without a cluster")
    _add_manifest(local)
    local.add_argument("--read-only", action="store_true", help="read both systems, and push nothing")
    local.add_argument(
        "--cache", type=Path, metavar="DIR", help="directory for the cache; without it, the cache is deleted afterwards"
    )
    undone = commands.add_parser("undo", help="write back what a run has replaced, without a cluster")
    _add_manifest(undone)
    undone.add_argument("--cache", type=Path, metavar="DIR", required=True, help="the cache that the run was made with")
    undone.add_argument("--run", type=int, metavar="N", required=True, help="the run: see changes")
    undone.add_argument("--plan", action="store_true", help="list what would be written, and write nothing")
    planned = commands.add_parser("plan", help="find out what the next full run of a manifest would do")
    _add_manifest(planned)
    planned.add_argument("--cache", type=Path, metavar="DIR", help="the cache of earlier runs; without it, a first run")
    planned.add_argument("--details", action="store_true", help="list the records, with the names of their fields")
    planned.add_argument("--values", action="store_true", help="list the records, with their values")
    planned.add_argument("--json", action="store_true", help="print the plan as JSON")
    parsed = parser.parse_args(arguments)
    if parsed.command == "check":
        return _for_a_human(lambda: _check(parsed), as_a_run=True)
    if parsed.command == "plan":
        return _for_a_human(lambda: _plan(parsed), as_a_run=True)
    if parsed.command == "undo":
        return _for_a_human(lambda: _undo(parsed), as_a_run=True)
    if parsed.command == "run":
        return _for_a_human(lambda: _run_locally(parsed), as_a_run=True)
    if parsed.command == "conflicts":
        return _for_a_human(lambda: list_conflicts(os.environ, sys.stdout, values=parsed.values))
    if parsed.command == "changes":
        return _for_a_human(lambda: list_changes(os.environ, sys.stdout, run=parsed.run, values=parsed.values))
    if parsed.command == "schema":
        return _for_a_human(lambda: print_schema(sys.stdout))
    if parsed.command == "conformance":
        return _for_a_human(lambda: conformance.check(parsed, sys.stdout))
    return _run_as_a_process(os.environ)


def _add_manifest(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("manifest", type=Path, help="a file with a SyncIntegration, as you would apply it")
    parser.add_argument("--name", help="which of the file's SyncIntegrations")
    parser.add_argument(
        "--env-file", type=Path, help="environment variables for the connectors, one NAME=VALUE per line"
    )


def _manifest(parsed: argparse.Namespace) -> tuple[bytes, Mapping[str, str]]:
    """The configuration, and the variables that it may refer to."""
    more = read_variables(parsed.env_file) if parsed.env_file else {}
    return read_sync(parsed.manifest, parsed.name), {**os.environ, **more}


def _check(parsed: argparse.Namespace) -> int:
    return print_check(*_manifest(parsed), sys.stdout, _until_sigterm(), as_json=parsed.json)


def _run_locally(parsed: argparse.Namespace) -> int:
    text, environ = _manifest(parsed)
    with TemporaryDirectory(prefix="tidegate-run-") as temporary:
        directory = parsed.cache or Path(temporary)
        kept = {} if parsed.cache else {CREDENTIALS_DIRECTORY: environ.get(CREDENTIALS_DIRECTORY, "")}
        ordered = environment_of_a_run(text, directory, push=not parsed.read_only)
        return _run_as_a_process({**environ, **kept, **ordered})


def _undo(parsed: argparse.Namespace) -> int:
    text, environ = _manifest(parsed)
    if parsed.plan:
        planned = plan(text, environ, parsed.cache, _until_sigterm(), details=True, undo=parsed.run)
        return print_plan(planned, sys.stdout, as_json=False, then=f"the undo of run {parsed.run} writes this")
    ordered = environment_of_a_run(text, parsed.cache, push=True, undo=parsed.run)
    return _run_as_a_process({**environ, **ordered})


def _plan(parsed: argparse.Namespace) -> int:
    text, environ = _manifest(parsed)
    planned = plan(text, environ, parsed.cache, _until_sigterm(), details=parsed.details, values=parsed.values)
    return print_plan(planned, sys.stdout, as_json=parsed.json)


def _for_a_human(command: Callable[[], int | None], *, as_a_run: bool = False) -> int:
    try:
        code = command() or 0
        sys.stdout.flush()
    except RunEnded as error:
        print(error, file=sys.stderr)
        return int(error.exit_code) if as_a_run else 1
    except BrokenPipeError:  # who reads has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _run_as_a_process(environ: Mapping[str, str]) -> int:
    interrupted = _until_sigterm()
    collect_seldom()
    code = work(environ, sys.stdout, interrupted)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the run has ended: the code that says how is to be heard
    return code


def _until_sigterm() -> Callable[[], bool]:
    """Whether there has been a SIGTERM from now on; a second one ends the process."""
    terminated = False

    def terminate(_signal: int, _frame: object) -> None:
        nonlocal terminated
        terminated = True
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    signal.signal(signal.SIGTERM, terminate)
    return lambda: terminated


def work(environ: Mapping[str, str], out: TextIO, interrupted: Callable[[], bool]) -> int:
    """Do the run that the environment asks for; returns the exit code."""
    report = Report(Path(environ.get(Environment.TERMINATION_LOG) or environment.TERMINATION_LOG), out)
    try:
        with warnings_go_to(report):
            remark = _run(environ, report, interrupted)
    except RunEnded as end:
        report.end(end.outcome, str(end))
        return int(end.exit_code)
    except sqlite3.Error as error:  # the connectors' errors come wrapped: this is the cache
        meaning = meaning_of(error)
        report.end(meaning.outcome, str(meaning))
        return int(meaning.exit_code)
    except Exception as error:
        report.end("failed", f"defect of the worker: {type(error).__name__}: {error}")
        traceback.print_exc()
        return _DEFECT
    report.end("complete", remark)
    return int(ExitCode.COMPLETE)


def _run(environ: Mapping[str, str], report: Report, interrupted: Callable[[], bool]) -> str:
    order = environment.read(environ)
    report.begin(order.run, order.scope, push=order.push, plan=order.plan)
    try:
        text = order.config.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"the configuration cannot be read: {error}") from error
    # A run whose cache is thrown away keeps no credentials either: `run` without --cache says so by an empty value.
    environ = {CREDENTIALS_DIRECTORY: str(order.cache_dir / CREDENTIALS), **environ}
    if order.check:
        return check_run(text, environ, report, interrupted)
    if order.plan:
        return plan_run(order, parse(text), environ, report, interrupted)
    with opened(order, parse(text), environ, report, interrupted) as session:
        return complete(session)


if __name__ == "__main__":
    sys.exit(main())
