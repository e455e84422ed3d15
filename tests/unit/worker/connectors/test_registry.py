"""Connectors of other packages, found as an installed distribution is: by its metadata on the path."""

import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from tidegate.worker.commands.schema import json_schema
from tidegate.worker.connectors import file
from tidegate.worker.connectors.registry import Connectors
from tidegate.worker.errors import ConfigurationError

from ..databases import Databases
from ..declared_form import declared

# A connector of somebody else: directories on a disk of theirs.
ACME = """
from typing import Literal

from tidegate.worker.connectors import ConnectorType, Part, file


class Disk(Part):
    type: Literal["acme"]
    disk: str


def connect(settings, environ, name):
    return file.connect(file.Settings(type="file", url=settings.disk), environ, name)


TYPE = ConnectorType(settings=Disk, object_settings=file.FileSettings, connect=connect)
"""


class Site:
    """A directory of installed packages."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def install(self, package: str, entry: str, module: str = "", source: str = "") -> None:
        information = self.directory / f"{package.replace('-', '_')}-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (information / "entry_points.txt").write_text(f"[tidegate.connectors]\n{entry}\n")
        if module:
            (self.directory / f"{module}.py").write_text(source)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    directory = tmp_path / "site"
    directory.mkdir()
    monkeypatch.syspath_prepend(directory)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return Site(directory)


def test_the_built_in_connectors_are_known_by_their_names() -> None:
    assert list(Connectors()) == ["file", "http", "sql"]
    assert Connectors()["file"] is file.TYPE
    assert Connectors().get("ftp") is None


def test_a_run_imports_no_more_than_its_connectors_need() -> None:
    script = """
import sys
from tidegate.worker.connectors.registry import CONNECTORS
from tidegate.worker.main import work
list(CONNECTORS)
CONNECTORS["sql"]
print([name for name in ("sqlalchemy", "httpx", "fsspec") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "['sqlalchemy']\n"


def test_a_third_party_connector_syncs_like_the_built_in_ones(site: Site, databases: Databases) -> None:
    site.install("acme-sync", "acme = acme_disk:TYPE", "acme_disk", ACME)
    assert list(Connectors()) == ["acme", "file", "http", "sql"]
    (databases.directory / "contacts.csv").write_text("id,email,name,phone\n1,ann@x,Ann,1\n")
    databases.add("erp", ("bob@x", "Bob", "2"))
    config = databases.config(crm={"path": "contacts.csv", "id": "id"})
    config["connectors"]["crm"] = {"type": "acme", "disk": str(databases.directory)}
    ended = databases.run(config=config)
    assert (ended.code, ended.pushed) == (0, {"crm": "1 create", "erp": "1 create"}), ended.message
    assert (databases.directory / "contacts.csv").read_text() == "id,email,name,phone\n1,ann@x,Ann,1\n2,bob@x,Bob,2\n"


def test_in_a_manifest_its_settings_are_under_settings(site: Site, databases: Databases) -> None:
    site.install("acme-sync", "acme = acme_disk:TYPE", "acme_disk", ACME)
    (databases.directory / "contacts.csv").write_text("id,email,name,phone\n1,ann@x,Ann,1\n")
    config = declared(databases.config(crm={"settings": {"path": "contacts.csv", "id": "id"}}))
    config["connectors"]["crm"] = {"type": "acme", "settings": {"disk": str(databases.directory)}}
    jsonschema.validate(config, json_schema())
    ended = databases.run(config=config)
    assert (ended.code, ended.pushed) == (0, {"crm": "", "erp": "1 create"}), ended.message


def test_an_unknown_type_is_refused_with_the_known_ones(site: Site, databases: Databases) -> None:
    site.install("acme-sync", "acme = acme_disk:TYPE")
    config = databases.config()
    config["connectors"]["crm"]["type"] = "acne"
    ended = databases.run(config=config)
    assert ended.code == 2
    assert "connector crm: type 'acne' is not known; known are acme, file, http, sql" in ended.message["reason"]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("import no_such_module", "cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'"),
        ("TYPE = 1 / 0", "cannot be loaded: ZeroDivisionError: division by zero"),
        ("", "cannot be loaded: AttributeError: module 'broken_{}' has no attribute 'TYPE'"),
        ("TYPE = 5", "broken_{}:TYPE is not a ConnectorType"),
    ],
)
def test_a_connector_that_cannot_be_loaded_is_a_configuration_error_that_names_its_package(
    site: Site, databases: Databases, source: str, problem: str, request: pytest.FixtureRequest
) -> None:
    number = abs(hash(source))
    site.install("broken-sync", f"broken = broken_{number}:TYPE", f"broken_{number}", source)
    config = databases.config()
    config["connectors"]["crm"] = {"type": "broken"}
    ended = databases.run(config=config)
    assert ended.code == 2
    assert "type broken of the package broken-sync" in ended.message["reason"]
    assert problem.format(number) in ended.message["reason"]


def test_a_type_that_two_packages_offer_is_a_configuration_error(site: Site) -> None:
    site.install("acme-sync", "acme = acme_one:TYPE")
    site.install("acme-sync-fork", "acme = acme_two:TYPE")
    with pytest.raises(ConfigurationError, match="by more than one package: the package acme-sync and the package"):
        Connectors()["acme"]


def test_a_built_in_connector_cannot_be_replaced(site: Site) -> None:
    site.install("acme-sync", "file = acme_disk:TYPE")
    assert Connectors()["file"] is file.TYPE
    assert list(Connectors()) == ["file", "http", "sql"]
