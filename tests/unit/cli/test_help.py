"""What `--help` shows on a narrow terminal."""

import re

import pytest
from click.testing import CliRunner

from tidegate.cli.main import sync


def shown(*arguments: str) -> str:
    done = CliRunner(env={"COLUMNS": "80"}).invoke(sync, [*arguments, "--help"], terminal_width=80)
    assert done.exit_code == 0
    return done.stdout


def test_each_command_is_described_on_one_line_without_truncation() -> None:
    listed = re.findall(r"^  ([a-z-]+)  +(\S.*)$", shown().partition("Commands:")[2].partition("Exit codes:")[0], re.M)
    assert [name for name, _ in listed] == sorted(sync.commands)
    for name, description in listed:
        assert description == (sync.commands[name].help or "").splitlines()[0].removesuffix(".")


@pytest.mark.parametrize("command", ["", *sync.commands])
def test_exit_codes_are_listed_once(command: str) -> None:
    assert ("Exit codes:" in shown(*command.split())) == (command == "")
