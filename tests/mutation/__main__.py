"""Seed the bugs of a table, one after the other, into a copy of the tree, and run the tests that must catch them.

Every table is a module beside this one with a list `BUGS`. Exits with 1 when a bug survives.
"""

import argparse
import re
import sys
import time
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from mutation.seeded_bug import SeededBug
from mutation.tree import FAILED, PASSED, copy_of_the_tree, run_tests

TABLES = ("controller", "worker")


def main() -> int:
    """Run the tables that are named."""
    parser = argparse.ArgumentParser(prog="python -m mutation", description="See that the tests catch seeded bugs.")
    parser.add_argument("tables", nargs="+", choices=TABLES)
    parser.add_argument("--only", metavar="TEXT", default="", help="those bugs whose name has this in it")
    arguments = parser.parse_args()
    bugs: list[SeededBug] = [bug for table in arguments.tables for bug in import_module(f"mutation.{table}").BUGS]
    chosen = [bug for bug in bugs if arguments.only in bug.name]
    with copy_of_the_tree() as tree:
        _expect_sound(tree, chosen)
        survivors = [bug.name for bug in chosen if not _is_caught(bug, tree)]
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} seeded bugs caught", flush=True)
    return 1 if survivors else 0


def _expect_sound(tree: Path, bugs: Iterable[SeededBug]) -> None:
    """Without a bug the tests pass: else nothing would be shown by their failing."""
    tests = sorted({test for bug in bugs for test in bug.tests})
    done = run_tests(tree, tests)
    if done.returncode != PASSED:
        sys.exit(f"the tests fail without any bug:\n{done.stdout[-3000:]}")


def _is_caught(bug: SeededBug, tree: Path) -> bool:
    started = time.monotonic()
    try:
        with bug.seeded(tree):
            done = run_tests(tree, bug.tests)
    except ValueError as error:
        print(f"OUTDATED  {error}", flush=True)
        return False
    seconds = f"{time.monotonic() - started:.0f} s"
    if done.returncode == FAILED:
        by = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
        print(f"caught    {bug.name} ({seconds}, by {by.group(1) if by else 'a test'})", flush=True)
        return True
    print(f"SURVIVED  {bug.name} ({seconds})", flush=True)
    if done.returncode != PASSED:
        print(done.stdout[-3000:], flush=True)
    return False


if __name__ == "__main__":
    sys.exit(main())
