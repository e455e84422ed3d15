"""Two ways to change a JSON value by another one: a merge patch (RFC 7386) and Kubernetes' strategic merge. Pure."""

from collections.abc import Mapping
from typing import Any

# The merge keys of a Pod template's lists, as the API reference gives them (`patch merge key`); other lists are
# replaced as a whole.
_MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ports": "containerPort",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
}

# Setting one member of these takes the place of another one, so the two must not stand side by side.
_ONE_OF = {"volumes": "name", "env": "name"}


def strategic_merge(base: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """`patch` laid over `base`, a Pod template: lists with a merge key are merged by it, null deletes a field."""
    merged = dict(base)
    for key, value in patch.items():
        present = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(present, Mapping):
            merged[key] = strategic_merge(present, value)
        elif isinstance(value, list) and isinstance(present, list) and key in _MERGE_KEYS:
            merged[key] = _merge_lists(present, value, _MERGE_KEYS[key], whole=key in _ONE_OF)
        else:
            merged[key] = value
    return merged


def _merge_lists(base: list[Any], patch: list[Any], merge_key: str, *, whole: bool) -> list[Any]:
    if not all(isinstance(item, Mapping) and merge_key in item for item in patch):
        return [*base, *patch]  # malformed: the API server will say so in its own words
    patches = {item[merge_key]: item for item in patch}
    merged = []
    for item in base:
        over = patches.pop(item.get(merge_key), None)
        if over is None:
            merged.append(item)
        else:
            merged.append(over if whole else strategic_merge(item, over))
    return [*merged, *patches.values()]


def merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON merge patch (RFC 7386) that turns `old` into `new`; empty when they are equal."""
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        present = old.get(key)
        if isinstance(value, Mapping) and isinstance(present, Mapping):
            nested = merge_patch(present, value)
            if nested:
                patch[key] = nested
        elif key not in old or present != value:
            patch[key] = value
    return patch
