"""The JSON Schema of `spec.sync`: what an editor completes and underlines is what the worker reads and refuses."""

import json
import subprocess
import sys
from typing import Any

import jsonschema
import pytest

from tidegate.worker.commands.schema import json_schema
from tidegate.worker.main import main

from .declared_form import declared
from .test_config import COMPLAINTS, CONFIG, changed

# What a schema cannot know: which names users give to connectors, objects and fields, and what they do elsewhere.
BEYOND_A_SCHEMA: list[tuple[str, Any]] = [
    ("objects/1", CONFIG["objects"][0]),
    ("objects/0/match", ["name"]),
    ("objects/0/fields/0/direction", "up"),
    ("objects/0/fields/1/crm", "email"),
    ("objects/0/fields/2", {"crm": "fax", "erp": "phone"}),
    ("objects/0/fields/0/normalize", "digits"),
    ("objects/0/fields/0/ref", "contact"),
    ("objects/0/fields/1/ref", "firm"),
    ("objects/0/conflict", "sap"),
    ("objects/0/conflict", "newest"),
]


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


FULL: dict[str, Any] = {
    **CONFIG,
    "safety": {"maxDeletes": {"percent": 5, "min": 3}, "emptySide": "allow"},
    "pace": {"recordsPerSecond": 100},
    "fullScanEvery": "12h",
    "overlap": "1m30s",
}


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        FULL,
        changed("objects/0/fields/1/normalize", "digits"),
        changed("objects/0/fields/1/normalize", ["trim", "casefold"]),
        changed("objects/0/fields/1/direction", "to-erp"),
        changed("objects/0/conflict", "erp"),
        changed("connectors/crm", {"type": "http", "baseUrl": "https://crm.example"}),
    ],
)
def test_valid_configurations_match_the_schema(validator: Any, config: dict[str, Any]) -> None:
    assert [error.message for error in validator.iter_errors(declared(config))] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [(path, value) for path, value, _ in COMPLAINTS],
    ids=[f"{p}={v!r}"[:60] for p, v, _ in COMPLAINTS],
)
def test_refused_configurations_do_not_match_where_a_schema_can_tell(validator: Any, path: str, value: Any) -> None:
    fits = not list(validator.iter_errors(declared(changed(path, value))))
    assert fits == ((path, value) in BEYOND_A_SCHEMA)


def test_its_defaults_are_valid_values(validator: Any) -> None:
    properties = json_schema()["properties"]
    defaults = {name: declared["default"] for name, declared in properties.items() if declared.get("default")}
    assert (defaults["fullScanEvery"], defaults["overlap"]) == ("24h", "30s")
    validator.validate(declared({**CONFIG, **defaults}))


def test_the_schema_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json_schema()
    assert printed["$schema"].endswith("2020-12/schema")


def test_a_closed_pipe_causes_no_traceback() -> None:
    command = f"{sys.executable} -m tidegate.worker.main schema | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stderr == ""
