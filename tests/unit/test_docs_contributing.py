"""What contributors are told works: tests are found by the commands, the files are where platforms look for them."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from devcluster.paths import ROOT
from documentation.pages import Page
from tidegate.api.contract import PROTOCOL
from tidegate.api.names import API_VERSION

CONTRIBUTING = Page.read(".github/CONTRIBUTING.md")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
COMMANDS = [
    command.text.removeprefix(".venv/bin/pytest ")
    for page in (CONTRIBUTING, Page.read("tests/README.md"))
    for command in page.commands()
    if command.text.startswith(".venv/bin/pytest ")
]

# GitHub reads config.yml by this name only; it is none.
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yaml"))


@pytest.mark.parametrize("arguments", sorted(set(COMMANDS)))
def test_each_pytest_command_selects_tests(arguments: str) -> None:
    command = f"{sys.executable} -m pytest {arguments} --collect-only"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+(/\d+)? tests? collected|\d+/\d+ tests collected", done.stdout), done.stdout


def test_each_pytest_command_runs() -> None:
    (one,) = {arguments for arguments in COMMANDS if "test_merge.py" in arguments}
    done = subprocess.run(["bash", "-c", f"{sys.executable} -m pytest {one}"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_pre_commit_checks_what_make_lint_checks() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    (hook,) = repository["hooks"]
    assert (hook["entry"], hook["language"], hook["pass_filenames"]) == ("make lint", "system", False)
    assert "\nlint: " in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_the_issue_form_is_valid(form: Path) -> None:
    body = yaml.safe_load(form.read_text())
    assert {"name", "description", "body"} <= body.keys()
    for part in body["body"]:
        assert part["type"] in {"markdown", "textarea", "input", "dropdown", "checkboxes"}
        assert ("value" if part["type"] == "markdown" else "label") in part["attributes"]
        assert part["type"] == "markdown" or re.fullmatch(r"[\w-]+", part["id"])


def test_the_package_is_marked_as_typed() -> None:
    assert (ROOT / "operator" / "tidegate" / "py.typed").exists()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["setuptools"]["package-data"] == {"tidegate": ["py.typed"]}


def test_the_changelog_has_the_version() -> None:
    assert VERSION in (ROOT / "docs" / "changelog.md").read_text()


def test_stability_promises_name_existing_things() -> None:
    promised = Page.read("docs/stability.md").text
    assert f"SYNC_PROTOCOL={PROTOCOL}" in promised
    assert f"`{API_VERSION.rpartition('/')[2]}`" in promised
