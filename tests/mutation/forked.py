"""The process of a copy's tests. It imports nothing of this tree, which would be taken for the copy's."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path


def run_pytest(tree: Path, tests: Sequence[str], out: str) -> None:
    """Exit with pytest's exit code; what it prints goes to the file `out`."""
    with Path(out).open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    # The copy comes before the tree that is installed, also for the programs that tests start.
    places = [str(tree / "operator"), str(tree / "tests")]
    os.environ["PYTHONPATH"] = ":".join(places)
    os.environ["HYPOTHESIS_PROFILE"] = "unshrunk"
    os.environ.pop("PYTEST_ADDOPTS", None)
    sys.path[:0] = places
    sys.dont_write_bytecode = True  # the next bug may be in the same file, of the same length
    os.chdir(tree)
    import pytest

    # What a failed assertion compares is read by nobody, and can take minutes to print.
    sys.exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--assert=plain", "--tb=short", *tests]))
