"""The command: what to check, and what was found. Called by `main`."""

import argparse
import json
import tempfile
from pathlib import Path
from typing import TextIO

from tidegate.worker.commands.conformance.checks import CHECKS, CHECKS_OF_APPROVALS, CHECKS_OF_PLANS
from tidegate.worker.commands.conformance.subject import Subject, Systems
from tidegate.worker.errors import ConfigurationError

_DESCRIPTION = """\
Check that a worker keeps Tidegate's contract. COMMAND is run many times, paused and killed, so give it systems of its
own, and at least a second of work."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command can be told."""
    parser.description = _DESCRIPTION
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="the file that SYNC_CONFIG names: spec.sync as JSON"
    )
    parser.add_argument(
        "--reset", metavar="SHELL", help="shell command that resets the systems, so that a first run has much to do"
    )
    parser.add_argument(
        "--state", metavar="SHELL", help="shell command that prints what the systems hold, deterministically"
    )
    parser.add_argument(
        "--edit", metavar="SHELL", help="shell command that edits something in one system, something else each time"
    )
    parser.add_argument(
        "--grace", type=float, default=60, metavar="SECONDS", help="seconds that the worker has after SIGTERM (60)"
    )
    parser.add_argument("--interruptions", type=int, default=5, metavar="N", help="interruptions per run (5)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only the checks whose name contains this")
    parser.add_argument("--plans", action="store_true", help="also check what a worker that can plan must keep")
    parser.add_argument("--approvals", action="store_true", help="also check a worker that knows approvals")
    parser.add_argument("worker", nargs="+", metavar="COMMAND", help="the worker and its arguments, after --")


def check(arguments: argparse.Namespace, out: TextIO) -> int:
    """Make all checks and print what was found; returns 1 when the contract is broken."""
    systems = Systems(arguments.reset, arguments.state, arguments.edit)
    broken = False
    with tempfile.TemporaryDirectory(prefix="conformance-") as directory:
        config = arguments.config or Path(directory) / "sync.json"
        if arguments.config is None:
            config.write_text(json.dumps({}))
        elif not config.exists():
            raise ConfigurationError(f"there is no file {config}")
        subject = Subject(arguments.worker, config.absolute(), systems, arguments.grace, arguments.interruptions)
        plans = CHECKS_OF_PLANS if arguments.plans else ()
        approvals = CHECKS_OF_APPROVALS if arguments.approvals else ()
        for each in (*CHECKS, *plans, *approvals):
            if arguments.only not in each.sentence:
                continue
            missing = [f"--{need}" for need in each.needs if getattr(systems, need) is None]
            problems = [] if missing else list(each.find(subject))
            failed = any(problem.failure for problem in problems)
            broken |= failed
            verdict = "not checked" if missing else "FAILED" if failed else "ok"
            print(f"{verdict:<12}{each.sentence}" + (f": give {' and '.join(missing)}" if missing else ""), file=out)
            for problem in problems:
                print(f"            {'' if problem.failure else 'warning: '}{problem.words}", file=out)
            out.flush()
    print("the contract is broken" if broken else "the contract is kept, as far as it was checked", file=out)
    return 1 if broken else 0
