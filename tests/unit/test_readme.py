"""What README.md says of files in this repository is so; tests/e2e/test_readme.py runs its commands."""

import re

import yaml

from devcluster.paths import ROOT
from e2e import readme
from tidegate.api.spec import SyncIntegrationSpec


def test_its_manifest_is_the_one_that_the_demo_plays_with() -> None:
    assert readme.manifest() == (ROOT / "tests" / "demo" / "contacts.yaml").read_text()


def test_its_field_table_has_every_field_and_its_default() -> None:
    crd = yaml.safe_load((ROOT / "crds" / "tidegate.dev_syncintegrations.yaml").read_text())
    fields = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    section = (ROOT / "README.md").read_text().split("## Fields of `spec`")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", section, re.M))
    assert rows.keys() == fields.keys()
    for name, said in rows.items():
        default = fields[name].get("default")
        if isinstance(default, str | int | bool):
            assert said == f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_its_manifest_s_fields_exist() -> None:
    _, integration = yaml.safe_load_all(readme.manifest())
    SyncIntegrationSpec.model_validate(integration["spec"])


def test_make_and_docker_know_the_targets_that_it_names() -> None:
    makefile = (ROOT / "Makefile").read_text()
    dockerfile = (ROOT / "Dockerfile").read_text()
    for command in readme.commands():
        if command.startswith("make "):
            assert f"\n{command.removeprefix('make ')}: " in makefile
        if command.startswith("docker build "):
            (target,) = re.findall(r"--target (\w+)", command)
            assert f" AS {target}\n" in dockerfile
