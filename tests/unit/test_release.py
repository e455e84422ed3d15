"""What a release is made of fits together; tests/cluster/test_linters.py checks the workflow that makes it."""

import re
import tomllib
from typing import Any

import yaml

from devcluster.paths import ROOT

WORKFLOW = (ROOT / ".github" / "workflows" / "release.yaml").read_text()
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def yaml_of(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def test_there_is_one_version() -> None:
    chart = yaml_of("charts/tidegate/Chart.yaml")
    assert (chart["version"], chart["appVersion"]) == (VERSION, VERSION)
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        shown = set(re.findall(r"tidegate-(?:operator|worker):(\d\S*\d)", page.read_text()))
        assert shown <= {VERSION}, page.name


def test_the_workflow_builds_the_images_that_the_chart_names() -> None:
    values = yaml_of("charts/tidegate/values.yaml")
    dockerfile = (ROOT / "Dockerfile").read_text()
    (images,) = re.findall(r"for image in (.*); do", WORKFLOW)
    for image in images.split():
        assert f" AS {image}\n" in dockerfile
        assert values[image]["image"]["repository"] == f"tidegate-{image}"
        assert (ROOT / "requirements" / f"{image}.txt").exists(), "its SBOM is made of it"


def test_actions_are_pinned_to_full_versions() -> None:
    for workflow in (ROOT / ".github" / "workflows").glob("*.yaml"):
        for action in re.findall(r"uses: (\S+)", workflow.read_text()):
            assert action.startswith("./") or re.search(r"@(v\d+\.\d+\.\d+|[0-9a-f]{40})$", action), action


def test_make_has_the_workflow_s_targets() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for targets in re.findall(r"run: make (.+)$", WORKFLOW, re.M):
        assert all(f"\n{target}: " in makefile for target in targets.split())
