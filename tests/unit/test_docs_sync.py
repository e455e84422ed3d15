"""docs/sync.md: every configuration on it is one that the worker takes, and it speaks of all that can be configured."""

import importlib.metadata
import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from documentation.pages import Page
from tidegate.api.spec import SyncIntegrationSpec
from tidegate.worker.commands.schema import json_schema
from tidegate.worker.config.declared_form import spread
from tidegate.worker.config.models import AnyConnector, DeclaredField, DeclaredObject, Top
from tidegate.worker.config.parse import parse
from tidegate.worker.config.rules import Journal, MaxBlanked, MaxDeletes, MaxRekeyed, Pace, Safety
from tidegate.worker.connectors.registry import CONNECTORS
from tidegate.worker.main import main
from tidegate.worker.values.normal_form import Normalization

PAGE = Page.read("docs/sync.md")
BLOCKS: list[dict[str, Any]] = [yaml.safe_load(block) for block in PAGE.blocks("yaml")]
WHOLE = BLOCKS[0]

CONTACTS = """
apiVersion: tidegate.dev/v1alpha1
kind: SyncIntegration
metadata: {name: contacts}
spec:
  status: ON
  sync:
    connectors:
      crm: {type: sql, url: {env: CRM_URL}}
      erp: {type: file, url: {env: ERP_DIRECTORY}}
    objects:
    - name: contact
      sides:
        crm: {table: contact, id: id}
        erp: {path: erp.csv, id: nr}
      match: [email]
      fields:
      - {names: {crm: email, erp: mail}}
      - {names: {crm: name, erp: name}}
"""


def names(model: Any) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def completed(block: dict[str, Any]) -> dict[str, Any]:
    """A part of a configuration, laid over the whole one that the page begins with."""
    if block.keys() <= names(Top):
        return WHOLE | block
    assert block.keys() <= names(DeclaredObject)
    *others, last = WHOLE["objects"]
    return {**WHOLE, "objects": [*others, last | block]}


@pytest.mark.parametrize("block", BLOCKS, ids=[f"{n}: {', '.join(block)}" for n, block in enumerate(BLOCKS, 1)])
def test_its_examples_are_valid(block: dict[str, Any]) -> None:
    if "kind" in block:
        return  # applied by tests/cluster/test_docs.py
    if "template" in block:
        SyncIntegrationSpec.model_validate({"status": "ON", **block})
        assert block.keys() <= names(SyncIntegrationSpec)
    elif "acme" in str(block):  # a connector that another package offers
        acme = spread(block, [])["connectors"]["crm"]
        assert acme == {"type": "acme", "site": "https://acme.example", "token": {"env": "ACME_TOKEN"}}
    else:
        parse(json.dumps(completed(block)).encode())


@pytest.mark.parametrize(
    "model",
    [Top, AnyConnector, DeclaredObject, DeclaredField, Safety, MaxDeletes, MaxRekeyed, MaxBlanked, Pace, Journal],
)
def test_every_setting_is_shown(model: Any) -> None:
    shown = "\n".join(PAGE.blocks("yaml"))
    assert [name for name in names(model) if f"{name}:" not in shown] == []


def test_every_normalization_and_connector_is_shown() -> None:
    assert [
        how for how in get_args(Normalization) if f": [{how}]}}" not in PAGE.text and f": {how}}}" not in PAGE.text
    ] == []
    for connector in CONNECTORS:
        assert f"### `{connector}`: " in PAGE.text


def test_the_command_that_prints_the_schema_works(tmp_path: Path) -> None:
    (command,) = (command.text for command in PAGE.section("In an editor").commands())
    in_the_image = f"docker run --rm registry.example/tidegate-worker:{importlib.metadata.version('tidegate')}"
    assert command.startswith(in_the_image)
    typed = command.replace(in_the_image, f"{sys.executable} -m tidegate.worker.main")
    subprocess.run(["bash", "-euc", typed], cwd=tmp_path, check=True)
    assert json.loads((tmp_path / "sync.schema.json").read_text()) == json_schema()
    assert "\n# yaml-language-server: $schema=sync.schema.json\n" in PAGE.text


def test_the_commands_for_a_manifest_work_without_a_cluster(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "crm.db")) as crm:
        crm.execute("CREATE TABLE contact (id INTEGER PRIMARY KEY, email TEXT, name TEXT)")
        crm.execute("INSERT INTO contact (email, name) VALUES ('ada@example', 'Ada'), ('bob@example', NULL)")
        crm.commit()
    (tmp_path / "erp.csv").write_text("nr,mail,name\n7,cy@example,Cy\n")
    (tmp_path / "contacts.env").write_text(f"CRM_URL=sqlite:///{tmp_path}/crm.db\nERP_DIRECTORY={tmp_path}\n")
    (tmp_path / "contacts.yaml").write_text(CONTACTS)
    os.utime(tmp_path / "erp.csv", (0, 0))  # a file that was changed a moment ago may be still being written
    section = PAGE.section("Without a cluster")
    install, check, plan, run = (command.text for command in section.commands())
    assert install == "pip install '.[worker]'"
    checked, planned, ran = (
        subprocess.run(
            ["bash", "-euc", command.replace("tidegate-worker", f"{sys.executable} -m tidegate.worker.main", 1)],
            cwd=tmp_path, check=True, capture_output=True, text=True,
        ).stdout
        for command in (check, plan, run)
    )  # fmt: skip
    assert f"```\n{checked}```" in section.text
    assert f"```\n{planned}```" in section.text
    end = json.loads(ran.splitlines()[-1])
    assert (end["outcome"], end["push"], end["read"]) == ("complete", False, {"crm": 2, "erp": 1})
    assert (tmp_path / "erp.csv").read_text() == "nr,mail,name\n7,cy@example,Cy\n"


def test_the_worker_s_commands_exist(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    told = capsys.readouterr().out
    for command in ("check", "plan", "run", "conflicts", "schema", "conformance"):
        assert f"tidegate-worker {command}" in PAGE.text
        assert re.search(rf"^    {command}\b", told, re.M)
