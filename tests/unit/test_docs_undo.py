"""docs/undo.md: its commands, typed in order on two systems, do and print what it says."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from documentation.pages import Page
from tidegate.worker.config.parse import parse

PAGE = Page.read("docs/undo.md")

CONTACTS = """
apiVersion: tidegate.dev/v1alpha1
kind: SyncIntegration
metadata: {name: contacts}
spec:
  status: ON
  sync:
    connectors:
      crm: {type: sql, url: {env: CRM_URL}}
      erp: {type: sql, url: {env: ERP_URL}}
    objects:
    - name: contact
      sides:
        crm: {table: contact, id: id}
        erp: {table: contact, id: id}
      match: [email]
      fields:
      - {names: {crm: email, erp: email}}
      - {names: {crm: name, erp: name}}
    journal: {}
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two systems, of which run 1 has created the contacts in erp, and run 2 has updated one."""
    (tmp_path / "contacts.yaml").write_text(CONTACTS)
    for side in ("crm", "erp"):
        monkeypatch.setenv(f"{side.upper()}_URL", f"sqlite:///{tmp_path}/{side}.db")
        sql(tmp_path, side, "CREATE TABLE contact (id INTEGER PRIMARY KEY, email TEXT, name TEXT)")
    sql(tmp_path, "crm", "INSERT INTO contact (email, name) VALUES ('ada@example', 'Ada'), ('bob@example', 'Bob')")
    shell(tmp_path, "tidegate-worker run contacts.yaml --cache contacts-cache")
    sql(tmp_path, "crm", "UPDATE contact SET name = 'Ada Lovelace' WHERE id = 1")
    shell(tmp_path, "tidegate-worker run contacts.yaml --cache contacts-cache")
    return tmp_path


def sql(directory: Path, side: str, statement: str) -> list[Any]:
    with closing(sqlite3.connect(directory / f"{side}.db", isolation_level=None)) as connection:
        return connection.execute(statement).fetchall()


def shell(directory: Path, command: str) -> str:
    typed = command.replace("tidegate-worker", f"{sys.executable} -m tidegate.worker.main", 1)
    return subprocess.run(
        ["bash", "-euc", typed], cwd=directory, check=True, capture_output=True, text=True
    ).stdout  # fmt: skip


def test_its_settings_are_ones_that_the_worker_takes() -> None:
    (block,) = PAGE.blocks("yaml")
    whole = yaml.safe_load(CONTACTS)["spec"]["sync"] | yaml.safe_load(block)["spec"]["sync"]
    journal = parse(json.dumps(whole).encode()).journal
    assert journal is not None
    assert (journal.most_bytes, journal.keep.days) == (256 << 20, 7)


def test_the_commands_to_inspect_and_undo_a_run_work(directory: Path) -> None:
    look, plan, undo = (command.text for command in PAGE.section("Without a cluster").commands())
    assert f"```\n{shell(directory, look)}```" in PAGE.text
    assert f"```\n{shell(directory, plan)}```" in PAGE.text
    assert sql(directory, "erp", "SELECT name FROM contact ORDER BY id") == [("Ada Lovelace",), ("Bob",)]
    shell(directory, undo)
    assert sql(directory, "erp", "SELECT name FROM contact ORDER BY id") == [("Ada",), ("Bob",)]
    shell(directory, "tidegate-worker run contacts.yaml --cache contacts-cache")
    assert sql(directory, "erp", "SELECT name FROM contact ORDER BY id") == [("Ada",), ("Bob",)]
    assert sql(directory, "crm", "SELECT name FROM contact ORDER BY id") == [("Ada Lovelace",), ("Bob",)]
