"""`tidegate-worker schema`: the JSON Schema of `spec.sync`, generated from the models, for editors. Called by `main`.

The connectors' names are the user's own keys, which a schema can only describe by their place: what it lets through
is still checked by `config`, in sentences. The CustomResourceDefinition is made of it.
"""

import json
from datetime import timedelta
from typing import Any, TextIO

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from tidegate.api.base import format_duration
from tidegate.worker.config import declared_form, models
from tidegate.worker.connectors import ConnectorType
from tidegate.worker.connectors.registry import CONNECTORS, is_built_in

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TWO = {"minProperties": 2, "maxProperties": 2}


def print_schema(out: TextIO) -> None:
    """Print it."""
    print(json.dumps(json_schema(), indent=2), file=out)


def json_schema() -> dict[str, Any]:
    """The schema of what `config.parse` reads."""
    definitions: dict[str, Any] = {}
    kinds = sorted(CONNECTORS.items())
    schema = _of(models.Top, definitions)
    schema["properties"]["connectors"] |= {
        **_TWO,
        "propertyNames": {"pattern": f"^{models.NAME}$", "not": {"enum": sorted(models.RESERVED)}},
        "additionalProperties": {"oneOf": [_connector(name, kind, definitions) for name, kind in kinds]},
    }
    fields = _of(models.DeclaredField, definitions)
    name = {"type": "string", "minLength": 1, "description": "The field's name there."}
    fields["properties"]["names"] |= {**_TWO, "minProperties": 1, "additionalProperties": name}
    # A field that only one side has needs a constant.
    fields["allOf"] = [{"anyOf": [{"required": ["constant"]}, {"properties": {"names": {"minProperties": 2}}}]}]
    objects = _of(models.DeclaredObject, definitions)
    objects["properties"]["fields"] |= {"items": fields, "minItems": 1}
    objects["properties"]["match"]["minItems"] = 1
    places = [_place(name, kind, definitions) for name, kind in kinds]
    objects["properties"]["sides"] |= {**_TWO, "additionalProperties": {"anyOf": places}}
    schema["properties"]["objects"] |= {"items": objects, "minItems": 1}
    return {"$schema": _DIALECT, "title": "spec.sync of a SyncIntegration", **schema, "$defs": definitions}


class _AsUsersWrite(GenerateJsonSchema):
    """Without titles, which would only repeat the fields' names; durations as they are written."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def encode_default(self, dft: Any) -> Any:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def _of(model: type[BaseModel], definitions: dict[str, Any]) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True, ref_template="#/$defs/{model}", schema_generator=_AsUsersWrite)
    definitions |= schema.pop("$defs", {})
    schema.pop("title", None)
    return schema


def _place(name: str, kind: ConnectorType, definitions: dict[str, Any]) -> dict[str, Any]:
    schema = _of(kind.object_settings, definitions)
    return schema if is_built_in(name) else _under_settings(schema)


def _under_settings(schema: dict[str, Any]) -> dict[str, Any]:
    """The settings of another package's connector, which the CustomResourceDefinition takes in a place of their own."""
    properties = {declared_form.SETTINGS: schema}
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def _connector(name: str, kind: ConnectorType, definitions: dict[str, Any]) -> dict[str, Any]:
    schema = _of(kind.settings, definitions)
    if not is_built_in(name):
        schema["properties"].pop("type", None)
        schema["required"] = [each for each in schema.get("required", ()) if each != "type"]
        schema = _under_settings(schema)
        schema["properties"] = {"type": {}, **schema["properties"]}
        schema["required"] = ["type", *schema["required"]]
    schema["properties"]["type"] = {"const": name, "description": schema["properties"]["type"].get("description", "")}
    schema["properties"] |= _of(models.AnyConnector, definitions)["properties"]
    return schema
