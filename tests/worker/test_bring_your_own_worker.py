"""docs/bring-your-own-worker.md: what it says of the contract is the contract, and its workers keep it.

tests/cluster/test_bring_your_own_worker.py applies its manifests.
"""

import importlib.metadata
import json
import os
import shlex
import sys
from pathlib import Path

import pytest
import yaml

from devcluster.paths import ROOT
from documentation.pages import Page, Shell, play
from tidegate.api.contract import TERMINATION_MESSAGE_BYTES, Environment, ExitCode

from .foreign_workers import conformance, installed, passed

PAGE = Page.read("docs/bring-your-own-worker.md")


def test_its_commands_print_what_it_shows(tmp_path: Path) -> None:
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    path = [str(installed("rclone")), str(Path(sys.executable).parent), os.environ["PATH"]]
    shell = Shell(tmp_path, {**os.environ, "PATH": os.pathsep.join(path)})
    typed = [command for command, _ in play(PAGE, shell, typed=but_for_what_is_installed)]
    assert [command.split()[0] for command in typed] == ["pip", "echo", "tidegate-worker"]


def but_for_what_is_installed(command: str) -> str:
    if not command.startswith("pip "):
        return command
    assert command == "pip install '.[worker]'"
    assert "worker" in (importlib.metadata.metadata("tidegate").get_all("Provides-Extra") or ())
    return "true"


def test_its_smallest_worker_keeps_the_contract(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (manifest,) = (block for block in PAGE.blocks("yaml") if "kind: SyncIntegration" in block)
    (container,) = yaml.safe_load(manifest)["spec"]["template"]["spec"]["containers"]
    assert len(container["args"][0].splitlines()) <= 10
    places = {entry["name"]: tmp_path / Path(entry["value"]).name for entry in container["env"]}
    for name, place in places.items():
        monkeypatch.setenv(name, str(place))
    outbox, inbox = (shlex.quote(str(places[name])) for name in ("FROM", "TO"))
    systems = (
        f"rm -rf {outbox} {inbox}; mkdir {outbox} {inbox}; for n in $(seq 100); do echo $n > {outbox}/$n; done",
        f"cd {inbox}; grep -r . | sort",
        f"date +%N >> {outbox}/7",
    )
    conformance(systems, [*container["command"], *container["args"]])
    said = capsys.readouterr().out.splitlines()
    warning = "            warning: there is none: the run is shown without counts"
    assert [line for line in said if line != warning] == passed()


def test_it_shows_all_checks() -> None:
    (shown,) = (command.printed for command in PAGE.commands() if command.printed)
    assert shown.splitlines() == passed()


def test_its_variables_are_those_of_the_contract() -> None:
    named = {name.strip("`") for first, _ in PAGE.section("What it is asked for").rows(2) for name in first.split(", ")}
    contract = {value for name, value in vars(Environment).items() if name.isupper()}
    assert named == contract


def test_its_exit_codes_are_those_of_the_contract() -> None:
    *codes, other = (first for first, _, _ in PAGE.section("How it ends").rows(3))
    assert [int(code) for code in codes] == [code.value for code in ExitCode]
    assert other == "other"


def test_its_termination_message_is_valid() -> None:
    section = PAGE.section("What it says")
    for message in section.blocks("json"):
        assert isinstance(json.loads(message), dict)
    assert f"less than {TERMINATION_MESSAGE_BYTES} bytes" in section.sentences()
