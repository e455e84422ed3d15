"""`spec.sync` as the CustomResourceDefinition has it, and the shorter form that `parse` checks.

A schema of the API server cannot have names of the user's choice beside names of its own. There, an object has its
connectors under `sides`, a field its names under `names`, and a connector of another package its settings under
`settings`; here they stand beside the rest.
"""

from typing import Any

from tidegate.worker.connectors.registry import is_built_in

SIDES = "sides"
NAMES = "names"
SETTINGS = "settings"


def spread(raw: Any, found: list[str]) -> Any:
    """A configuration in the shorter form. What does not fit is left for `parse` to complain of."""
    if not isinstance(raw, dict):
        return raw
    connectors, objects = raw.get("connectors"), raw.get("objects")
    changed = dict(raw)
    others: set[str] = set()
    if isinstance(connectors, dict):
        others = {
            name for name, each in connectors.items() if isinstance(each, dict) and not is_built_in(each.get("type"))
        }
        changed["connectors"] = {
            name: _without(each, SETTINGS, f"connector {name}", found) if name in others else each
            for name, each in connectors.items()
        }
    if isinstance(objects, list):
        changed["objects"] = [_object(each, number, others, found) for number, each in enumerate(objects, 1)]
    return changed


def shorter_form(raw: Any) -> list[str]:
    """The objects of a configuration that are written in the shorter form, which the API server does not take."""
    objects = raw.get("objects") if isinstance(raw, dict) else None
    return [
        _called(each, number)
        for number, each in enumerate(objects if isinstance(objects, list) else [], 1)
        if isinstance(each, dict) and not (SIDES in each and all(NAMES in field for field in _fields(each)))
    ]


def _object(raw: Any, number: int, others: set[str], found: list[str]) -> Any:
    if not isinstance(raw, dict):
        return raw
    where = _called(raw, number)
    changed = _without(raw, SIDES, where, found)
    for name in others & changed.keys():
        changed[name] = _without(changed[name], SETTINGS, f"{where}, {name}", found)
    if isinstance(raw.get("fields"), list):
        changed["fields"] = [
            _without(field, NAMES, f"{where}, field {n}", found) for n, field in enumerate(raw["fields"], 1)
        ]
    return changed


def _without(raw: Any, key: str, where: str, found: list[str]) -> Any:
    """A mapping with what stands under a key beside the rest."""
    if not isinstance(raw, dict) or key not in raw:
        return dict(raw) if isinstance(raw, dict) else raw
    inner, rest = raw[key], {name: value for name, value in raw.items() if name != key}
    if not isinstance(inner, dict):
        found.append(f"{where}: {key} must be a mapping")
        return rest
    found += [f"{where}: {name} is both under {key} and beside it" for name in inner if name in rest]
    return {**rest, **inner}


def _fields(raw: dict[str, Any]) -> list[dict[str, Any]]:
    fields = raw.get("fields")
    return [each for each in fields if isinstance(each, dict)] if isinstance(fields, list) else []


def _called(raw: dict[str, Any], number: int) -> str:
    return f"object {raw['name']}" if isinstance(raw.get("name"), str) else f"object {number}"
