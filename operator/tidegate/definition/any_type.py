"""One form for connectors of every type, and the rules that say which settings belong to which type."""

import json
from collections.abc import Iterable, Mapping, Sequence

from tidegate.definition.structural import UNTYPED, Schema, is_seen_by_rules
from tidegate.worker.config.declared_form import SETTINGS

_OWN_SETTINGS = {
    "type": "object",
    UNTYPED: True,
    "description": "The settings of a connector that another package offers, in that one's form.",
}


def of_any_type(types: Mapping[str, Schema], description: str, required: Sequence[str] = ()) -> Schema:
    """A schema that takes the settings of each type."""
    names = dict.fromkeys(name for schema in types.values() for name in schema["properties"])
    return {
        "type": "object",
        "description": description,
        "properties": {name: _merged(name, types) for name in names} | {SETTINGS: _OWN_SETTINGS},
        **({"required": list(required)} if required else {}),
    }


def fits_type(place: str, schema: Schema, of_any: Schema) -> str:
    """The CEL condition that a place has what a type requires, and nothing of other types."""
    required = [
        f"has({place}.{name})" for name in _seen(schema["required"], of_any) if name not in of_any.get("required", ())
    ]
    others = [
        f"!has({place}.{name})" for name in _seen(of_any["properties"], of_any) if name not in schema["properties"]
    ]
    return " && ".join(required + others)


def requires_unseen(types: Mapping[str, Schema], of_any: Schema) -> list[Schema]:
    """The schemas by which each type has what it requires, where no rule can see that: a text, or a variable's name."""
    return [
        {"anyOf": [{"required": [name]}, {"not": {"properties": {"type": {"enum": [type_]}}}}]}
        for type_, schema in types.items()
        for name in schema["required"]
        if not is_seen_by_rules(of_any["properties"][name])
    ]


def takes(type_: str, schema: Schema) -> str:
    """In words, what a type requires and what it may have."""
    required = [name for name in schema.get("required", ()) if name != "type"]
    optional = [name for name in schema["properties"] if name not in required and name != "type"]
    return f"type {type_} needs {', '.join(required)}, and may have {', '.join(optional)}"


def _seen(names: Iterable[str], schema: Schema) -> list[str]:
    return [name for name in names if is_seen_by_rules(schema["properties"][name])]


def _merged(name: str, types: Mapping[str, Schema]) -> Schema:
    having = {type_: schema["properties"][name] for type_, schema in types.items() if name in schema["properties"]}
    forms = [{key: value for key, value in form.items() if key != "description"} for form in having.values()]
    words = [form.get("description", "") for form in having.values()]
    if len(having) < len(types) or len(set(words)) > 1:
        words = [f"{type_}: {said}" for type_, said in zip(having, words, strict=True)]
    return {**_form_of_all(forms), "description": " ".join(dict.fromkeys(words))}


def _form_of_all(forms: list[Schema]) -> Schema:
    if len({json.dumps(form, sort_keys=True) for form in forms}) == 1:
        return forms[0]
    (type_, *others) = {form.get("type") for form in forms}
    # What one type takes and another does not is left to the worker.
    return {UNTYPED: True} if others or type_ in ("object", "array", None) else {"type": type_}
