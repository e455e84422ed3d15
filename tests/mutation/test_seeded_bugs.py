"""The suite catches what it must: each seeded bug makes one of the tests fail that are named for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mutation import controller, worker
from mutation.seeded_bug import SeededBug
from mutation.tree import FAILED, copy_of_the_tree, run_tests

BUGS = [*controller.BUGS, *worker.BUGS]


@pytest.fixture(scope="module")
def tree() -> Iterator[Path]:
    with copy_of_the_tree() as copy:
        yield copy


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_seeded_bug_is_caught(bug: SeededBug, tree: Path) -> None:
    with bug.seeded(tree):
        done = run_tests(tree, bug.tests)
    assert done.returncode == FAILED, f"it survives {', '.join(bug.tests)}\n{done.stdout[-3000:]}"
