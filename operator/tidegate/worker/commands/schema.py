"""`tidegate-worker schema`: the JSON Schema of `spec.sync`, generated from the models, for editors. Called by `main`.

The connectors' names are the user's own keys, which a schema can only describe by their place: what it lets through
is still checked by `config`, in sentences.
"""

import json
from datetime import timedelta
from typing import Any, TextIO

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from tidegate.api.base import format_duration
from tidegate.worker.config import models
from tidegate.worker.connectors import ConnectorType
from tidegate.worker.connectors.registry import CONNECTORS

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def print_schema(out: TextIO) -> None:
    """Print it."""
    print(json.dumps(json_schema(), indent=2), file=out)


def json_schema() -> dict[str, Any]:
    """The schema of what `config.parse` reads."""
    definitions: dict[str, Any] = {}
    kinds = sorted(CONNECTORS.items())
    schema = _of(models.Top, definitions)
    schema["properties"]["connectors"] |= {
        "minProperties": 2,
        "maxProperties": 2,
        "propertyNames": {"pattern": f"^{models.NAME}$", "not": {"enum": sorted(models.RESERVED)}},
        "additionalProperties": {"oneOf": [_connector(name, kind, definitions) for name, kind in kinds]},
    }
    fields = _of(models.FieldPair, definitions)
    fields["additionalProperties"] = {"type": "string", "minLength": 1, "description": "The field's name there."}
    objects = _of(models.Object, definitions)
    objects["properties"]["fields"] |= {"items": fields, "minItems": 1}
    objects["properties"]["match"]["minItems"] = 1
    objects["additionalProperties"] = {"anyOf": [_of(kind.object_settings, definitions) for _, kind in kinds]}
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


def _connector(name: str, kind: ConnectorType, definitions: dict[str, Any]) -> dict[str, Any]:
    schema = _of(kind.settings, definitions)
    schema["properties"]["type"] = {"const": name, "description": schema["properties"]["type"].get("description", "")}
    schema["properties"] |= _of(models.AnyConnector, definitions)["properties"]
    return schema
