"""JSON Schema, as pydantic makes it, turned into the structural schema that Kubernetes takes.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema:
references are inlined, titles and nulls dropped. A value that may be of more than one type has no type there.
"""

from collections.abc import Callable
from typing import Any

Schema = dict[str, Any]

UNTYPED = "x-kubernetes-preserve-unknown-fields"

_DROPPED = {"title", "$defs", "$schema", "propertyNames"}


def structural(schema: Schema, definitions: Schema | None = None) -> Schema:
    """The structural schema of a JSON Schema; `definitions` are its own unless they are given."""
    known = schema.get("$defs", {}) if definitions is None else definitions
    return _converted(schema, known)


def walk(schema: Schema, change: Callable[[Schema], None]) -> None:
    """Change every schema within a structural schema, the innermost first."""
    for inner in _within(schema):
        walk(inner, change)
    change(schema)


def drop(schema: Schema, *keys: str) -> None:
    """Remove keywords from a schema and from all within it."""

    def without(node: Schema) -> None:
        for key in keys:
            node.pop(key, None)

    walk(schema, without)


def is_seen_by_rules(schema: Schema) -> bool:
    """Whether CEL rules can reach a field: those without a type, and lists and mappings of such, do not exist there."""
    if "items" in schema:
        return is_seen_by_rules(schema["items"])
    if isinstance(schema.get("additionalProperties"), dict):
        return is_seen_by_rules(schema["additionalProperties"])
    return "type" in schema


def _within(schema: Schema) -> list[Schema]:
    inner = [*schema.get("properties", {}).values()]
    return inner + [schema[key] for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)]


def _converted(node: Schema, definitions: Schema) -> Schema:
    if "$ref" in node:
        target = definitions[node["$ref"].removeprefix("#/$defs/")]
        return _converted({**target, **{key: value for key, value in node.items() if key != "$ref"}}, definitions)
    if "anyOf" in node:
        rest = {key: value for key, value in node.items() if key != "anyOf"}
        is_null_meant = {"type": "null"} in node["anyOf"] and "default" not in node
        nullable = {"nullable": True} if is_null_meant else {}
        return _converted({**_one_of(node["anyOf"]), **rest, **nullable}, definitions)
    converted: Schema = {}
    for key, value in node.items():
        if key in _DROPPED or (key == "default" and value is None):
            continue
        # The API server does not keep what is empty, and a second server-side apply would conflict with the first.
        if key in ("properties", "required") and not value:
            continue
        if key == "properties":
            converted[key] = {name: _converted(inner, definitions) for name, inner in value.items()}
        elif key == "items" or (key == "additionalProperties" and isinstance(value, dict)):
            converted[key] = _converted(value, definitions)
        elif key == "additionalProperties":
            converted |= {UNTYPED: True} if value else {}
        elif key == "default" and isinstance(value, dict):
            converted[key] = {name: default for name, default in value.items() if default is not None}
        elif key == "const":
            converted |= {"type": "string", "enum": [value]}
        else:
            converted[key] = value
    if converted.get("type") == "integer":
        converted["format"] = "int64"
    if "type" not in converted:
        converted[UNTYPED] = True
    return converted


def _one_of(options: list[Schema]) -> Schema:
    """The option that stands for all: absence is what Kubernetes has for null, and a list may have one entry."""
    options = [option for option in options if option.get("type") != "null"]
    lists = [option for option in options if option.get("type") == "array"]
    if len(options) == 1 or (len(options) == 2 and len(lists) == 1 and lists[0]["items"] in options):
        return (lists or options)[0]
    return {UNTYPED: True}
