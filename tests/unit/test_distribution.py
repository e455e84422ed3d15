"""Several processes share the tests file by file: what the fixtures of a file start is started once."""

import os
import re
import subprocess
import sys

import distribution
from devcluster.paths import ROOT

FILES = {"tests/unit/api/test_names.py", "tests/unit/control/test_due.py", "tests/unit/control/test_records.py"}


def test_the_tests_of_a_file_run_in_one_process() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-n", "2", "--no-loadscope-reorder", "-v", *FILES]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    ran = set(re.findall(r"^\[(gw\d)\] .* PASSED (\S+?\.py)::", done.stdout, re.MULTILINE))
    assert len({process for process, _ in ran}) == 2
    assert sorted(file for _, file in ran) == sorted(FILES)


def test_what_takes_longest_is_begun_first_and_what_waits_beside_what_computes() -> None:
    names = ("unit/test_a", "worker/test_a", "worker/test_b", "cluster/test_a", "cluster/test_b", "e2e/test_a")
    files = [*(f"tests/{name}.py" for name in names), distribution.LONG[0]]
    turns = distribution.turns(f"{file}::test" for file in files)
    begun = [file.removeprefix("tests/").removesuffix(".py") for file in sorted(files, key=lambda file: turns[file])]
    assert begun == [
        "e2e/test_a", "cluster/test_crashes", "worker/test_a", "cluster/test_a", "worker/test_b", "cluster/test_b",
        "unit/test_a",
    ]  # fmt: skip


def test_what_takes_longest_is_there() -> None:
    assert [file for file in distribution.LONG if not (ROOT / file).is_file()] == []
