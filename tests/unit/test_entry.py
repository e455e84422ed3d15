"""The console scripts, where another extra than theirs is installed."""

import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint

import pytest

from devcluster.paths import ROOT

SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
NEEDS = {
    "tidegate-operator": ("kopf", "operator"),
    "tidegate-worker": ("orjson", "worker"),
    "kubectl-sync": ("click", "cli"),
    "kubectl_complete-sync": ("click", "cli"),
}


def test_every_console_script_is_tested() -> None:
    assert SCRIPTS.keys() == NEEDS.keys()


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_without_its_extra_names_the_extra(script: str) -> None:
    library, extra = NEEDS[script]
    module, _, function = SCRIPTS[script].partition(":")
    program = f"import sys; sys.modules[{library!r}] = None; from {module} import {function}; {function}()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"{library} is not installed: this command needs the extra '{extra}': pip install 'tidegate[{extra}]'\n"
    )


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_starts(script: str) -> None:
    EntryPoint(script, SCRIPTS[script], "console_scripts").load()
    started = subprocess.run([f"{sys.exec_prefix}/bin/{script}", "--help"], capture_output=True, text=True)
    assert started.returncode == 0, started.stderr
