"""docs/command-line.md: every command in it, run in order; what it prints is what the page shows, but for times."""

import importlib.metadata
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.command_line import CommandLine, Started
from cluster.namespace import Namespace
from cluster.operator_process import OperatorProcess
from cluster.played_logs import PlayedLogs
from cluster.played_node import PlayedNode
from devcluster.certificates import Authority
from devcluster.cluster import Cluster
from devcluster.paths import ROOT
from devcluster.toolchain import kubectl
from tidegate.cli.errors import EXIT_CODES

PAGE = (ROOT / "docs" / "command-line.md").read_text()

REPORT = json.dumps(
    {
        "read": {"crm": 3500, "billing": 3499},
        "changed": {"crm": 3500},
        "pushed": {"crm": {"create": 0}, "billing": {"create": 12}},
        "conflicts": 2,
        "reason": "1 waiting for a human: see the run's log",
    }
)
HALTED = '{"reason": "900 of 1000 contact records are gone from crm"}'
PARKED = {"type": "parked", "object": "contact", "connector": "crm", "id": 7, "field": "phone"}
WHY = "it was changed on both sides, to different values"


@dataclass(frozen=True)
class Shown:
    """A command of the page and what it prints there."""

    command: str
    printed: str


def shown() -> Iterator[Shown]:
    """All of them, in order."""
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE, re.M | re.S):
        for command, printed in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.M):
            yield Shown(command, printed)


def timeless(text: str) -> str:
    """Without times and durations, nor the width that they give to columns."""
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "<time>", text)
    text = re.sub(r"\b(\d+[dhms])+\b", "<duration>", text)
    return re.sub(r"  +", "  ", text)


@pytest.fixture
def sync(control_plane: Cluster, namespace: Namespace, tmp_path: Path) -> CommandLine:
    return CommandLine.open(control_plane.kubeconfig, namespace.name, tmp_path)


@pytest.fixture
def logs(control_plane: Cluster) -> Iterator[PlayedLogs]:
    with PlayedLogs(control_plane.kubeconfig, Authority(control_plane.directory / "pki")) as serving:
        yield serving


def test_the_page_s_commands_print_what_it_shows(
    namespace: Namespace, node: PlayedNode, operator: OperatorProcess, logs: PlayedLogs, sync: CommandLine
) -> None:
    namespace.create_integration(status="OFF", delay="5m")
    namespace.wait_phase("Off")
    logs.say(1, {**PARKED, "reason": WHY}, {"type": "end", "push": True, "outcome": "complete", "parked": 1})
    environment = sync.environment()
    environment["PATH"] = f"{kubectl().parent}{os.pathsep}{environment['PATH']}"

    def in_progress() -> None:
        namespace.wait_phase("Syncing")

    def pausable() -> None:
        in_progress()
        node.obeys_sigterm = False

    def obey() -> None:
        node.obeys_sigterm = True

    def halt_run_4() -> None:
        node.end(3)
        node.end(4, 3, HALTED)
        namespace.wait_condition("Stalled")

    def end_run_5() -> None:
        node.end(5)
        namespace.wait_ended(5)

    def let_argo_cd_have_it() -> None:
        tracking = "argocd.argoproj.io/tracking-id=shop:tidegate.dev/SyncIntegration:sales/contacts"
        subprocess.run([kubectl(), "annotate", "sync", "contacts", tracking], env=environment, check=True)

    # What happens in the cluster before a command, while it waits (after it has said this), and after it.
    before: dict[str, Callable[[], None]] = {
        "kubectl sync off contacts --pause --wait": pausable,
        "kubectl sync reset contacts": in_progress,
    }
    meanwhile: dict[str, tuple[str, Callable[[], None]]] = {
        "kubectl sync on contacts --wait": ("run 1 is in progress", lambda: node.end(1, message=REPORT)),
        "kubectl sync off contacts --wait": ("waiting for run 2 to finish", lambda: node.end(2)),
        "kubectl sync off contacts --pause --wait": ("waiting for run 3 to pause", obey),
    }
    after: dict[str, Callable[[], None]] = {
        "kubectl sync run contacts": in_progress,
        "kubectl sync reset contacts": halt_run_4,
        "kubectl sync confirm-deletes contacts --run 4": end_run_5,
        "kubectl sync off --all --wait --timeout 1h --output=name": let_argo_cd_have_it,
    }
    steps = list(shown())
    assert len(steps) == PAGE.count("\n$ ")
    for step in steps:
        before.get(step.command, nothing)()
        started = start(step.command, environment)
        word, act = meanwhile.pop(step.command, ("", nothing))
        heard = started.hear_out(word) if word else []
        act()
        printed = "".join(heard) + started.end().out
        assert timeless(printed.replace(namespace.name, "sales")) == timeless(step.printed), step.command
        after.get(step.command, nothing)()
    assert not meanwhile


def start(command: str, environment: dict[str, str]) -> Started:
    """As typed, with both streams on the same screen."""
    process = subprocess.Popen(
        ["bash", "-euc", command],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return Started(process)


def nothing() -> None:
    """Nothing happens."""


def test_its_exit_codes_are_those_of_the_help() -> None:
    told = re.findall(r"^  (\d+) +(.*)$", EXIT_CODES, re.M)
    assert re.findall(r"^\| (\d+) \| (.*) \|$", PAGE.replace("`", ""), re.M) == told


def test_what_it_says_to_install_exists() -> None:
    assert "pip install '.[cli]'" in PAGE
    assert "cli" in (importlib.metadata.metadata("tidegate").get_all("Provides-Extra") or ())


def test_commands_within_its_sentences_exist(sync: CommandLine) -> None:
    sentences = re.sub(r"^```.*?^```$", "", PAGE, flags=re.M | re.S)
    commands = set(re.findall(r"`kubectl sync ([a-z-]+)", sentences))
    assert commands == {"logs", "on", "watch"}
    for command in commands:
        assert sync(command, "--help").code == 0
