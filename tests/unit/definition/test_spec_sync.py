"""`spec.sync` in the definition: all that the worker reads, described and bounded, in one form for all connectors."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tidegate.definition.any_type import fits_type, of_any_type
from tidegate.definition.crd import custom_resource_definition
from tidegate.definition.spec_sync import spec_sync
from tidegate.definition.structural import UNTYPED, is_seen_by_rules
from tidegate.worker.commands.schema import json_schema

SYNC = spec_sync()
CONNECTOR = SYNC["properties"]["connectors"]["additionalProperties"]
OBJECT = SYNC["properties"]["objects"]["items"]
SIDE = OBJECT["properties"]["sides"]["additionalProperties"]


def nodes(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from nodes(schema[key], f"{path}[]")


NODES = [pytest.param(path, node, id=path) for path, node in nodes(SYNC, "sync")]


@pytest.mark.parametrize(("path", "node"), NODES)
def test_every_setting_is_explained_and_none_has_a_default(path: str, node: dict[str, Any]) -> None:
    """A default would be filled in where another type's settings stand."""
    assert "default" not in node
    assert path.endswith("[]") or path == "sync" or node["description"]


@pytest.mark.parametrize(("path", "node"), NODES)
def test_everything_has_a_limit_so_that_rule_costs_can_be_estimated(path: str, node: dict[str, Any]) -> None:
    if node.get("type") == "string":
        assert "maxLength" in node or "enum" in node
    if node.get("type") == "array":
        assert "maxItems" in node
    if isinstance(node.get("additionalProperties"), dict):
        assert "maxProperties" in node


@pytest.mark.parametrize("number", range(3))
def test_all_settings_of_every_connector_type_are_in_it(number: int) -> None:
    described = json_schema()["properties"]
    system = described["connectors"]["additionalProperties"]["oneOf"][number]
    place = described["objects"]["items"]["properties"]["sides"]["additionalProperties"]["anyOf"][number]
    assert system["properties"].keys() <= CONNECTOR["properties"].keys()
    assert place["properties"].keys() <= SIDE["properties"].keys()


def test_defaults_are_described_in_the_text() -> None:
    assert SYNC["properties"]["overlap"]["description"].endswith(" Default: 30s.")
    assert "Default: 0s." in SIDE["properties"]["staleFor"]["description"]
    assert "Default: 30s." in SIDE["properties"]["staleFor"]["description"]


def test_a_setting_of_only_some_types_names_these() -> None:
    assert SIDE["properties"]["table"]["description"].startswith("sql: ")
    assert not SIDE["properties"]["id"]["description"].startswith("id")


def test_third_party_connectors_have_free_form_settings() -> None:
    for schema in (CONNECTOR, SIDE):
        assert schema["properties"]["settings"][UNTYPED] is True


def test_a_setting_with_two_forms_is_left_to_the_worker() -> None:
    """No schema takes a text here and a mapping there; rules cannot see such a setting, and do not speak of it."""
    text, mapping = {"type": "string"}, {"type": "object", "properties": {}}
    types = {
        "a": {"properties": {"where": text, "own": text}, "required": ["where"]},
        "b": {"properties": {"where": mapping, "other": text}, "required": ["where", "other"]},
    }
    either = of_any_type(types, "")
    assert either["properties"]["where"] == {UNTYPED: True, "description": ""}
    assert not is_seen_by_rules(either["properties"]["where"])
    assert fits_type("x", types["a"], either) == "!has(x.other) && !has(x.settings)"
    assert fits_type("x", types["b"], either) == "has(x.other) && !has(x.own) && !has(x.settings)"


def test_the_definition_fits_into_one_request() -> None:
    """`kubectl apply` without --server-side keeps a copy in an annotation, which may have 256 KiB."""
    assert len(json.dumps(custom_resource_definition())) < 200_000
