"""`spec.sync` as the API server knows it: the worker's JSON Schema as a structural one, with rules for its names.

The limits are far beyond what a sync needs. The API server asks for them, to know what checking the rules may cost.
"""

import re
from typing import Any

from tidegate.api.base import DURATION_FIELD, DURATION_PATTERN
from tidegate.definition.any_type import fits_type, of_any_type, requires_unseen, takes
from tidegate.definition.structural import Schema, drop, structural, walk
from tidegate.worker.commands.schema import json_schema
from tidegate.worker.config.declared_form import SETTINGS
from tidegate.worker.config.models import NAME, RESERVED
from tidegate.worker.connectors.registry import is_built_in

_LONGEST_NAME = 253  # of what rules compare
_LONGEST_TEXT = 4096
_MOST_OBJECTS = 128
_MOST_FIELDS = 256
_MOST_ENTRIES = 1024


def spec_sync() -> Schema:
    """The structural schema of `spec.sync`."""
    described = json_schema()
    definitions = described["$defs"]
    connector_types = described["properties"]["connectors"]["additionalProperties"].pop("oneOf")
    place_types = described["properties"]["objects"]["items"]["properties"]["sides"]["additionalProperties"].pop(
        "anyOf"
    )
    systems, places = {}, {}
    for system, place in zip(connector_types, place_types, strict=True):
        type_ = system["properties"]["type"]["const"]
        if is_built_in(type_):  # whatever else is installed where the definition is generated
            systems[type_], places[type_] = _plain(system, definitions), _plain(place, definitions)
    types = list(systems)

    schema = _plain(described, definitions)
    connectors, objects = schema["properties"]["connectors"], schema["properties"]["objects"]
    connector = of_any_type(systems, "One of the two systems.", required=["type"])
    connector["properties"]["type"] = {
        "type": "string",
        "description": f"{_listed(types)}; or the type of a connector that another package offers.",
    }
    connector["x-kubernetes-validations"] = [
        _rule(
            f"self.type in {types} || has(self.settings)",
            f"type must be {_listed(types)}; a connector that another package offers has its settings under settings",
        ),
        *(
            _rule(f"self.type != '{type_}' || {fits_type('self', system, connector)}", takes(type_, system))
            for type_, system in systems.items()
        ),
    ]
    connector["allOf"] = requires_unseen(systems, connector)
    connectors["additionalProperties"] = connector
    side = of_any_type(places, "Where the connector of this name has these records.")
    # Every built-in type requires an id, in one form or another, which rules cannot see.
    side["allOf"] = [{"anyOf": [{"required": ["id"]}, {"required": [SETTINGS]}]}]
    item = objects["items"]
    item["properties"]["sides"]["additionalProperties"] = side
    item["x-kubernetes-validations"] = [_rule_of_match()]
    objects |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    schema["x-kubernetes-validations"] = [*_rules_of_names(), _rule_of_newest(types), *_rules_of_sides(places, side)]
    walk(schema, _bound)
    _bound_what_rules_compare(schema)
    return schema


def _rules_of_names() -> list[Schema]:
    """What the users' own names must fit."""
    reserved = sorted(RESERVED)
    return [
        _rule(
            f"self.connectors.all(name, name.matches('^{NAME}$') && !(name in {reserved}))",
            f"a connector's name begins with a letter, has letters, digits, - and _, and is not {_listed(reserved)}",
        ),
        _for_objects(
            "self.connectors.all(name, name in object.sides)",
            "sides of an object must have the names of the two connectors",
        ),
        _for_objects(
            "object.fields.all(field, field.names.all(name, name in self.connectors))",
            "names of a field must be under the names of the connectors",
        ),
        _for_objects(
            "!has(object.conflict) || object.conflict in ['newest', 'park'] || object.conflict in self.connectors",
            "conflict of an object must be newest, park or a connector's name",
        ),
        _for_objects(
            "!has(object.writes) || object.writes.all(name, name in self.connectors)",
            "writes of an object must be under the names of the connectors",
        ),
        _for_objects(
            "object.fields.all(field, !has(field.direction) || "
            "(field.direction.startsWith('to-') && field.direction.substring(3) in self.connectors))",
            "direction of a field must be to- and a connector's name",
        ),
        _rule(
            # A map, and made once: to compare each ref with each object would be priced as too costly.
            "[self.objects.transformMapEntry(number, object, {object.name: true})].all(names, "
            "self.objects.all(object, object.fields.all(field, !has(field.ref) || field.ref in names)))",
            "ref of a field must be the name of one of the objects",
        ),
    ]


def _rule_of_match() -> Schema:
    """Within an object: `match` names fields that both sides have."""
    # The lists are made once, and `in` is priced far below a comparison of texts.
    names = "self.fields.map(field, size(field.names) == 2 ? field.names.map(name, field.names[name]) : [])"
    rule = _rule(
        f"[{names}].all(fields, self.match.all(name, fields.exists_one(names, name in names)))",
        "each name in match must be the name of exactly one field of the object, and not of one with a constant",
    )
    return rule | {"fieldPath": ".match"}


def _rule_of_newest(types: list[str]) -> Schema:
    """What has no cursor has no newest record. A connector that another package offers may have one by itself."""
    return _for_objects(
        "!has(object.conflict) || object.conflict != 'newest' || object.sides.all(name, "
        f"!(name in self.connectors) || !(self.connectors[name].type in {types}) || has(object.sides[name].cursor))",
        "conflict newest of an object needs a cursor on both sides: set it, or choose another policy",
    )


def _rules_of_sides(places: dict[str, Schema], place: Schema) -> list[Schema]:
    """A side has what the type of its connector takes."""
    return [
        _for_objects(
            "object.sides.all(name, !(name in self.connectors) || "
            f"self.connectors[name].type != '{type_}' || ({fits_type('object.sides[name]', schema, place)}))",
            f"in objects, a side of {takes(type_, schema)}",
        )
        for type_, schema in places.items()
    ]


def _for_objects(condition: str, message: str) -> Schema:
    """A rule for each object that needs to know the connectors. To name the object would be priced as too costly."""
    return _rule(f"self.objects.all(object, {condition})", message)


def _rule(rule: str, message: str) -> Schema:
    return {"rule": rule, "message": message}


def _listed(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _plain(schema: Schema, definitions: Schema) -> Schema:
    """A structural schema without defaults, which would fill in what belongs to another type: they are in the words."""
    made = structural(schema, definitions)
    walk(made, _describe)
    drop(made, "default")
    return made


def _describe(node: Schema) -> None:
    default = node.get("default")
    words = re.sub(r"\s+", " ", node.get("description", "")).strip()
    if isinstance(default, str | int | float):
        words += f" Default: {str(default).lower() if isinstance(default, bool) else default}."
    if words:
        node["description"] = words


def _bound(node: Schema) -> None:
    kind = node.get("type")
    if node.get("pattern") == DURATION_PATTERN:
        del node["pattern"]
        node |= DURATION_FIELD
    elif kind == "string" and "enum" not in node:
        node.setdefault("maxLength", _LONGEST_TEXT)
    elif kind == "array":
        node.setdefault("maxItems", _MOST_ENTRIES)
    elif kind == "object" and "additionalProperties" in node:
        node.setdefault("maxProperties", _MOST_ENTRIES)


def _bound_what_rules_compare(schema: Schema) -> None:
    objects = schema["properties"]["objects"]
    item: dict[str, Any] = objects["items"]["properties"]
    field: dict[str, Any] = item["fields"]["items"]["properties"]
    objects["maxItems"], item["fields"]["maxItems"], item["match"]["maxItems"] = _MOST_OBJECTS, _MOST_FIELDS, 16
    for text in (
        schema["properties"]["connectors"]["additionalProperties"]["properties"]["type"],
        item["name"], item["conflict"], item["match"]["items"],
        field["direction"], field["ref"], field["names"]["additionalProperties"],
    ):  # fmt: skip
        text["maxLength"] = _LONGEST_NAME
