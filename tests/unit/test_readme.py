"""What README.md says of files in this repository is so; tests/e2e/test_readme.py runs its commands."""

import re

import yaml

from devcluster.paths import ROOT
from documentation.pages import Page
from tidegate.api.spec import SyncIntegrationSpec

PAGE = Page.read("README.md")


def test_its_manifest_is_the_demo_s() -> None:
    assert PAGE.blocks("yaml") == [(ROOT / "tests" / "demo" / "contacts.yaml").read_text()]


def test_its_field_table_has_every_field_and_its_default() -> None:
    crd = yaml.safe_load((ROOT / "crds" / "tidegate.dev_syncintegrations.yaml").read_text())
    fields = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    rows = {name.strip("`"): said for name, said, _ in PAGE.section("Fields of `spec`").rows(3)}
    assert rows.keys() == fields.keys()
    for name, said in rows.items():
        default = fields[name].get("default")
        if isinstance(default, str | int | bool):
            assert said == f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_its_manifest_s_fields_exist() -> None:
    _, integration = yaml.safe_load_all(*PAGE.blocks("yaml"))
    SyncIntegrationSpec.model_validate(integration["spec"])


def test_make_and_docker_have_the_named_targets() -> None:
    makefile = (ROOT / "Makefile").read_text()
    dockerfile = (ROOT / "Dockerfile").read_text()
    for command in (command.text for command in PAGE.commands()):
        if command.startswith("make "):
            assert f"\n{command.removeprefix('make ')}: " in makefile
        if command.startswith("docker build "):
            (target,) = re.findall(r"--target (\w+)", command)
            assert f" AS {target}\n" in dockerfile
