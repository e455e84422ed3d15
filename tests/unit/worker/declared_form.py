"""Configurations of tests as the CustomResourceDefinition takes them: what they say stays the same."""

import copy
from typing import Any


def declared(config: Any) -> Any:
    """A configuration in the shorter form, with the connectors' own names under `sides` and `names`."""
    if not isinstance(config, dict):
        return config
    changed = copy.deepcopy(config)
    names = list(changed["connectors"]) if isinstance(changed.get("connectors"), dict) else []
    for item in changed["objects"] if isinstance(changed.get("objects"), list) else []:
        if isinstance(item, dict):
            _put(item, names, "sides")
            for field in item["fields"] if isinstance(item.get("fields"), list) else []:
                _put(field, names, "names")
                if isinstance(field.get("normalize"), str):
                    field["normalize"] = [field["normalize"]]
    return changed


def _put(mapping: dict[str, Any], names: list[str], under: str) -> None:
    mapping[under] = {name: mapping.pop(name) for name in names if name in mapping}
