"""The CustomResourceDefinition: generated, up to date, and a structural schema as Kubernetes demands."""

import io
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from tidegate.api.spec import SyncIntegrationSpec
from tidegate.api.status import SyncIntegrationStatus
from tidegate.definition import crd

ROOT = Path(__file__).resolve().parents[3]
# The chart has a copy: Helm reads nothing outside a chart, and warns at every command of a symbolic link.
STORED = ["crds/tidegate.dev_syncintegrations.yaml", "charts/tidegate/files/syncintegrations.yaml"]

(VERSION,) = crd.custom_resource_definition()["spec"]["versions"]
SCHEMA: dict[str, Any] = VERSION["schema"]["openAPIV3Schema"]
SPEC: dict[str, Any] = SCHEMA["properties"]["spec"]
STATUS: dict[str, Any] = SCHEMA["properties"]["status"]


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema within a schema, with the path of its field."""
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from nodes(schema[key], f"{path}[]")


NODES = [pytest.param(path, node, id=path or "root") for path, node in nodes(SCHEMA)]


@pytest.mark.parametrize("stored", STORED)
def test_the_stored_definition_is_the_generated_one(stored: str) -> None:
    generated = io.StringIO()
    with redirect_stdout(generated):
        crd.main()
    assert (ROOT / stored).read_text() == generated.getvalue(), "run `make crds`"


@pytest.mark.parametrize("stored", STORED)
def test_the_stored_definition_is_a_regular_file(stored: str) -> None:
    assert not (ROOT / stored).is_symlink()


@pytest.mark.parametrize(("path", "node"), NODES)
def test_the_schema_is_structural(path: str, node: dict[str, Any]) -> None:
    assert not node.keys() & {"$ref", "$defs", "anyOf", "oneOf", "not", "title", "const", "prefixItems"}
    # What is in these may only be checked, and declares nothing.
    assert not [each for each in node.get("allOf", ()) if each.keys() & {"type", "default", "description", "items"}]
    assert "type" in node or node.get("x-kubernetes-preserve-unknown-fields")
    assert node.get("type") != "null"
    if node.get("type") == "array":
        assert "items" in node
    assert not ("properties" in node and "additionalProperties" in node)


@pytest.mark.parametrize(("path", "node"), NODES)
def test_fields_are_named_in_camel_case(path: str, node: dict[str, Any]) -> None:
    assert all(re.fullmatch(r"[a-z][a-zA-Z0-9]*", name) for name in node.get("properties", {}))


@pytest.mark.parametrize(("path", "node"), NODES)
def test_every_rule_has_a_message(path: str, node: dict[str, Any]) -> None:
    for rule in node.get("x-kubernetes-validations", ()):
        assert rule["message"]


@pytest.mark.parametrize("field", sorted(SPEC["properties"]))
def test_every_field_of_the_spec_is_explained(field: str) -> None:
    assert SPEC["properties"][field]["description"]


def test_only_the_toggle_is_required_and_a_yaml_boolean_is_accepted() -> None:
    assert SPEC["required"] == ["status"]
    assert SPEC["properties"]["status"]["enum"] == ["ON", "OFF", True, False]


def test_defaults_are_in_the_schema_so_that_they_are_visible() -> None:
    defaults = {name: field["default"] for name, field in SPEC["properties"].items() if "default" in field}
    assert defaults == {
        "mode": "PastAndFuture",
        "delay": "5m",
        "reset": False,
        "offPolicy": "FinishRun",
        "approval": "Unusual",
        "retries": 2,
        "activityLimit": 10,
        "cache": {"none": False},
    }


def test_the_models_have_the_same_defaults() -> None:
    written = SyncIntegrationSpec.model_validate({"status": "OFF"}).to_wire()
    assert {name: written[name] for name in SPEC["properties"] if "default" in SPEC["properties"][name]} == {
        name: field["default"] for name, field in SPEC["properties"].items() if "default" in field
    }


def test_enumerations_and_limits_are_in_the_schema() -> None:
    fields = SPEC["properties"]
    assert fields["mode"]["enum"] == ["PastAndFuture", "FutureOnly"]
    assert fields["offPolicy"]["enum"] == ["FinishRun", "PauseRun"]
    assert (fields["retries"]["minimum"], fields["retries"]["maximum"]) == (0, 100)
    assert (fields["activityLimit"]["minimum"], fields["activityLimit"]["maximum"]) == (1, 50)
    assert "duration" in str(fields["runTimeout"]["x-kubernetes-validations"])


def test_a_new_status_has_no_observed_generation() -> None:
    assert STATUS["default"] == {"observedGeneration": -1}


def test_the_status_has_neither_defaults_nor_required_fields() -> None:
    """An older or newer operator's status must be readable, and what was never written must not appear."""
    assert "required" not in STATUS
    fields = {"properties": STATUS["properties"]}
    assert not [path for path, node in nodes(fields) if "default" in node or "x-kubernetes-validations" in node]


def test_every_field_of_the_status_is_in_the_schema() -> None:
    fields = {field.alias for field in SyncIntegrationStatus.model_fields.values()}
    assert STATUS["properties"].keys() == fields


def test_the_status_is_a_subresource_with_conditions_by_type() -> None:
    assert VERSION["subresources"] == {"status": {}}
    assert STATUS["properties"]["conditions"]["x-kubernetes-list-map-keys"] == ["type"]


def test_the_printer_columns_show_the_state_of_the_sync() -> None:
    columns = {column["name"]: column for column in VERSION["additionalPrinterColumns"]}
    assert list(columns) == [
        "Status",
        "Phase",
        "Ready",
        "Mode",
        "Activity",
        "Last-Sync",
        "Delay",
        "Age",
        "Reason",
        "Message",
    ]
    assert [name for name, column in columns.items() if column.get("priority")] == ["Reason", "Message"]
    for column in columns.values():
        path = column["jsonPath"].split(".")[1:]
        if path[0] in ("spec", "status"):
            assert path[1].partition("[")[0] in SCHEMA["properties"][path[0]]["properties"]


def test_has_no_empty_properties_or_required_which_the_api_server_would_drop() -> None:
    def empty(node: object) -> bool:
        inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        dropped = isinstance(node, dict) and any(node.get(key) in ({}, []) for key in ("properties", "required"))
        return dropped or any(map(empty, inner))

    assert not empty(crd.custom_resource_definition())
