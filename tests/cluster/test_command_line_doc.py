"""docs/command-line.md: every command in it, run in order; what it prints is what the page shows, but for times."""

import importlib.metadata
import json
import re
from pathlib import Path

from cluster.command_line import UNHURRIED, CommandLine
from cluster.namespace import Namespace
from cluster.operator_process import OperatorProcess
from cluster.played_logs import PlayedLogs
from cluster.played_node import PlayedNode
from devcluster.toolchain import kubectl
from documentation.pages import Page, Scene, Shell, play
from tidegate.cli.errors import EXIT_CODES

PAGE = Page.read("docs/command-line.md")

REPORT = json.dumps(
    {
        "read": {"crm": 3500, "billing": 3499},
        "changed": {"crm": 3500},
        "pushed": {"crm": {"create": 0}, "billing": {"create": 12}},
        "conflicts": 2,
        "setAside": 1,
        "waiting": 1,
    }
)
HALTED = '{"reason": "900 of 1000 contact records are gone from crm"}'
PARKED = {"type": "parked", "object": "contact", "connector": "crm", "id": 7, "field": "phone"}
WHY = "it was changed on both sides, to different values"


def timeless(text: str) -> str:
    """Without times, durations and names of Pods, nor the width that they give to columns."""
    text = UNHURRIED.sub("", text)
    text = re.sub(r"\b\d\d:\d\d:\d\d\b  ", "<clock>  ", re.sub(r"Pod contacts-[-a-z0-9]+", "Pod <name>", text))
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "<time>", text)
    text = re.sub(r"\b(\d+[dhms])+\b", "<duration>", text)
    return re.sub(r"  +", "  ", text)


def typed(command: str) -> str:
    """The tests' environment has it installed."""
    return ":" if command.startswith("pipx install ") else command


def test_the_page_s_commands_print_what_it_shows(
    namespace: Namespace,
    node: PlayedNode,
    operator: OperatorProcess,
    logs: PlayedLogs,
    sync: CommandLine,
    tmp_path: Path,
) -> None:
    namespace.create_integration(status="OFF", delay="5m")
    namespace.wait_phase("Off")
    logs.say(1, {**PARKED, "reason": WHY}, {"type": "end", "push": True, "outcome": "complete", "parked": 1})
    shell = Shell.open(sync.kubeconfig, tmp_path, kubectl())

    def in_progress() -> None:
        namespace.wait_phase("Syncing")

    def decide_and_end_run_2() -> None:
        node.end(2, message='{"waiting": 0}')

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
        assert shell.start(f"kubectl annotate sync contacts {tracking}").end().code == 0

    scenes = [
        Scene(
            "kubectl sync on contacts --wait",
            says="run 1 is in progress",
            meanwhile=lambda: node.end(1, message=REPORT),
        ),
        Scene("kubectl sync run contacts", after=in_progress),
        Scene("kubectl sync off contacts --wait", says="waiting for run 2 to finish", meanwhile=decide_and_end_run_2),
        Scene(
            "kubectl sync off contacts --pause --wait",
            before=pausable,
            says="waiting for run 3 to pause",
            meanwhile=obey,
        ),
        Scene("kubectl sync reset contacts --yes", before=in_progress, after=halt_run_4),
        Scene("kubectl sync approve contacts --run 4 --yes", after=end_run_5),
        Scene("kubectl sync off --all --wait --timeout 1h --output=name", after=let_argo_cd_have_it),
    ]

    def shown(text: str) -> str:
        return timeless(text.replace(namespace.name, "sales"))

    list(play(PAGE, shell, scenes, typed=typed, shown=shown))


def test_its_exit_codes_are_those_of_the_help() -> None:
    told = re.findall(r"^  (\d+) +(.*)$", EXIT_CODES, re.M)
    assert re.findall(r"^\| (\d+) \| (.*) \|$", PAGE.text.replace("`", ""), re.M) == told


def test_the_packages_to_install_exist() -> None:
    assert "pipx install '.[cli]'" in PAGE.text
    assert "cli" in (importlib.metadata.metadata("tidegate").get_all("Provides-Extra") or ())


def test_commands_in_its_sentences_exist(sync: CommandLine) -> None:
    commands = set(re.findall(r"`kubectl sync ([a-z-]+)", PAGE.sentences()))
    assert commands == {"changes", "check", "logs", "on", "plan", "undo", "watch"}
    for command in commands:
        assert sync(command, "--help").code == 0
