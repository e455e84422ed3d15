"""What is said about settings of `file` and `http` that do not fit: the object, the connector, the setting, and how."""

from typing import Any

import orjson
import pytest

from tidegate.api.contract import ExitCode
from tidegate.worker.config.parse import parse
from tidegate.worker.errors import ConfigurationError

from ..databases import Databases

SYSTEMS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "http": ({"baseUrl": "https://crm.example"}, {"path": "/contacts", "id": "id"}),
    "file": ({"url": "/data"}, {"path": "contacts.csv", "id": "id"}),
}
CONNECTOR = "connector crm: "
OBJECT = "object contact, crm: "


def complaints(kind: str, connector: dict[str, Any], place: dict[str, Any]) -> str:
    """All that is said of a configuration; nothing when it fits."""
    usual_connector, usual_place = SYSTEMS[kind]
    config = {
        "connectors": {
            "crm": {"type": kind, **usual_connector, **connector},
            "erp": {"type": "sql", "url": "sqlite:////erp.db"},
        },
        "objects": [
            {
                "name": "contact",
                "crm": {**usual_place, **place},
                "erp": {"table": "contact", "id": "id"},
                "match": ["email"],
                "fields": [{"crm": "email", "erp": "email"}],
            }
        ],
    }
    try:
        parse(orjson.dumps(config))
    except ConfigurationError as error:
        return str(error)
    return ""


OF_CONNECTORS = [
    ("http", {"baseUrl": 5}, "baseUrl: write a text, or {env: NAME} for one that is in an environment variable"),
    ("http", {"auth": {}}, "auth: write one of bearer, basic, header"),
    ("http", {"auth": {"bearer": None}}, "auth: write one of bearer, basic, header"),
    (
        "http",
        {"auth": {"bearer": "s3cret"}},
        "auth.bearer: write {env: NAME}: a secret comes from an environment variable",
    ),
    ("http", {"requestsPerSecond": 0}, "requestsPerSecond must be at least 0.01, not 0"),
    ("http", {"rate": 5}, "rate is not known; known are type, baseUrl, auth, headers, requestsPerSecond, concurrency"),
    ("file", {"storageOptions": [1]}, "storageOptions must be a mapping, not a list"),
]

OF_OBJECTS = [
    ("http", {"find": "scn"}, 'find: write query parameters such as {email: "{email}"}, a search such as'),
    ("http", {"paging": {"lnik": {}}}, "paging.lnik is not known; known are cursor, after, page, link"),
    ("http", {"paging": {"page": {}, "link": {}}}, "paging: write one of cursor, after, page, link"),
    ("http", {"paging": {"page": {"first": "1"}}}, "paging.page.first must be a whole number, not '1'"),
    ("http", {"since": "updated_after"}, "since needs cursor: the field that says when a record was changed"),
    ("http", {"update": "MERGE"}, "update must be 'PATCH', 'PUT' or 'POST', not 'MERGE'"),
    ("http", {"path": "/contacts?all=1"}, "path: write query parameters as query: {name: value}"),
    ("http", {"recordPath": "/contacts/7"}, "recordPath: write where the id comes, such as /contacts/{id}"),
    ("file", {"format": "xml"}, "format must be 'csv' or 'jsonl', not 'xml'"),
    ("file", {"path": "contacts"}, "format must be csv or jsonl, which the path's ending does not tell"),
    ("file", {"path": "c.xlsx"}, "path: c.xlsx is a spreadsheet; save the sheet as CSV in UTF-8, and name that file"),
    ("file", {"encoding": "utf-16"}, "encoding: 'utf-16' is not supported; write utf-8, or another in which"),
    ("file", {"path": "c.jsonl", "encoding": "latin-1"}, "encoding: JSON Lines are UTF-8"),
    ("file", {"newId": "int"}, "newId must be 'number' or 'uuid', not 'int'"),
]


@pytest.mark.parametrize(("kind", "settings", "said"), OF_CONNECTORS, ids=[said[:30] for _, _, said in OF_CONNECTORS])
def test_an_invalid_connector_setting_is_refused(kind: str, settings: dict[str, Any], said: str) -> None:
    found = complaints(kind, settings, {})
    assert found.startswith(CONNECTOR + said)
    assert "s3cret" not in found, "a secret that was written there by mistake is not repeated"


@pytest.mark.parametrize(("kind", "settings", "said"), OF_OBJECTS, ids=[said[:30] for _, _, said in OF_OBJECTS])
def test_an_invalid_object_setting_is_refused(kind: str, settings: dict[str, Any], said: str) -> None:
    assert complaints(kind, {}, settings).startswith(OBJECT + said)


@pytest.mark.parametrize("kind", SYSTEMS)
def test_only_the_necessary_settings_are_required(kind: str) -> None:
    assert complaints(kind, {}, {}) == ""


def test_only_settings_that_determine_the_records_need_a_reset(databases: Databases) -> None:
    (databases.directory / "contacts.csv").write_text("id,email,name,phone\n1,ann@x,Ann,1\n")
    (databases.directory / "others.csv").write_text("id,email,name,phone\n1,ann@x,Ann,1\n")
    files = {"type": "file", "url": str(databases.directory)}

    def run(**place: Any) -> int:
        config = databases.config(crm={"path": "contacts.csv", "id": "id", **place})
        config["connectors"]["crm"] = files
        return databases.run(config=config).code

    assert run() == 0
    assert run(newId="uuid", encoding="ascii", create=True) == 0
    assert run(path="others.csv") == ExitCode.CACHE_UNUSABLE
