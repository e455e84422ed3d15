"""docs/sync.md and the pages of the connectors: their configurations are valid, and no setting is left out."""

import importlib.metadata
import json
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
CONNECTOR_PAGES = {"sql": "docs/databases.md", "file": "docs/files.md", "http": "docs/http.md"}
PAGES = [PAGE, *map(Page.read, CONNECTOR_PAGES.values())]
BLOCKS = [(page.name, n, block) for page in PAGES for n, block in enumerate(page.blocks("yaml"), 1)]
CONTACTS, *_ = PAGE.blocks("yaml")
WHOLE: dict[str, Any] = yaml.safe_load(*PAGE.section("An API and a table").blocks("yaml"))


def names(model: Any) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def completed(block: dict[str, Any]) -> dict[str, Any]:
    """A part of a configuration, laid over a whole one."""
    if block.keys() <= names(Top):
        return WHOLE | block
    assert block.keys() <= names(DeclaredObject)
    *others, last = WHOLE["objects"]
    return {**WHOLE, "objects": [*others, last | block]}


@pytest.mark.parametrize("text", [text for *_, text in BLOCKS], ids=[f"{page} {n}" for page, n, _ in BLOCKS])
def test_the_examples_are_valid(text: str) -> None:
    block = yaml.safe_load(text)
    if block.get("kind") == "SyncIntegration":
        spec = SyncIntegrationSpec.model_validate(block["spec"])
        assert spec.sync is not None
        parse(json.dumps(spec.sync).encode())
    elif "kind" in block:
        return  # applied by tests/cluster/test_docs.py
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
    shown = "\n".join(text for *_, text in BLOCKS)
    assert [name for name in names(model) if f"{name}:" not in shown] == []


def test_every_normalization_and_connector_is_shown() -> None:
    assert [
        how for how in get_args(Normalization) if f": [{how}]}}" not in PAGE.text and f": {how}}}" not in PAGE.text
    ] == []
    for connector in CONNECTORS:
        page = CONNECTOR_PAGES[connector]
        assert f"| [`{connector}`]({Path(page).name}) | " in PAGE.text
        assert f"The connector `{connector}` syncs " in Page.read(page).text


def test_the_command_that_prints_the_schema_works(tmp_path: Path) -> None:
    (command,) = (command.text for command in PAGE.section("In an editor").commands())
    in_the_image = f"docker run --rm registry.example/tidegate-worker:{importlib.metadata.version('tidegate')}"
    assert command.startswith(in_the_image)
    typed = command.replace(in_the_image, f"{sys.executable} -m tidegate.worker.main")
    subprocess.run(["bash", "-euc", typed], cwd=tmp_path, check=True)
    assert json.loads((tmp_path / "sync.schema.json").read_text()) == json_schema()
    assert "\n# yaml-language-server: $schema=sync.schema.json\n" in PAGE.text


def test_the_commands_for_a_manifest_work_without_a_cluster(tmp_path: Path) -> None:
    for name, schema, rows in (
        (
            "crm",
            "contact (id INTEGER PRIMARY KEY, email TEXT, name TEXT)",
            [(1, "ada@example", "Ada"), (2, "bob@example", None)],
        ),
        ("erp", "person (nr INTEGER PRIMARY KEY, mail TEXT, full_name TEXT)", [(7, "cy@example", "Cy")]),
    ):
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as database, database:
            database.execute(f"CREATE TABLE {schema}")
            database.executemany(f"INSERT INTO {schema.split()[0]} VALUES (?, ?, ?)", rows)  # noqa: S608 - of this test
    (tmp_path / "contacts.env").write_text(
        f"CRM_URL=sqlite:///{tmp_path}/crm.db\nERP_URL=sqlite:///{tmp_path}/erp.db\n"
    )
    (tmp_path / "contacts.yaml").write_text(CONTACTS)
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
    with closing(sqlite3.connect(tmp_path / "erp.db")) as erp:
        assert erp.execute("SELECT * FROM person").fetchall() == [(7, "cy@example", "Cy")]


def test_the_worker_s_commands_exist(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    told = capsys.readouterr().out
    for command in ("check", "plan", "run", "conflicts", "schema", "conformance"):
        assert f"tidegate-worker {command}" in PAGE.text
        assert re.search(rf"^    {command}\b", told, re.M)
