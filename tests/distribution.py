"""Which tests share a process, and which are begun first, when several processes run them (`pytest -n`)."""

from collections import Counter
from collections.abc import Iterable

from xdist.scheduler import LoadScopeScheduling

# What takes longest, then what waits beside what computes. What is short fills the end.
_TURN = {"e2e": 0, "mutation": 0, "cluster": 2, "worker": 2, "unit": 3}
# Begun last, each of these would keep one process busy for minutes when the others have ended.
LONG = (
    "tests/cluster/test_crashes.py",
    "tests/cluster/test_failures.py",
    "tests/cluster/test_pause.py",
    "tests/cluster/test_plan.py",
    "tests/cluster/test_scale.py",
    "tests/cluster/test_watchdog.py",
    "tests/unit/worker/test_crash_points.py",
    "tests/unit/worker/test_histories.py",
    "tests/worker/test_conformance.py",
)


class TogetherByFile(LoadScopeScheduling):  # type: ignore[misc] # has no types
    """The tests of a file run in one process, since they share what their fixtures start; those of e2e a cluster.

    `--dist loadgroup` does not do this: pytest 9.2 ignores the names by which pytest-xdist 3.8 marks a group.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "e2e" if _level(nodeid) == "e2e" else file_of(nodeid)


def turns(nodeids: Iterable[str]) -> dict[str, tuple[int, int]]:
    """When each file is begun, as a sort key. Raises KeyError for a folder that is no level of the tests."""
    of_level: Counter[str] = Counter()
    turns: dict[str, tuple[int, int]] = {}
    for file in dict.fromkeys(map(file_of, nodeids)):
        level = _level(file)
        turns[file] = 1 if file in LONG else _TURN[level], of_level[level]
        of_level[level] += 1
    return turns


def file_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]


def _level(nodeid: str) -> str:
    return nodeid.split("/")[1]
