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
_ONE_OF = ("volumes", "env")


def strategic_merge(
    base: Mapping[str, Any], patch: Mapping[str, Any], *, malformed_stays: bool = False
) -> dict[str, Any]:
    """`patch` laid over `base`, a Pod template: lists with a merge key are merged by it, null deletes a field.

    With `malformed_stays`, what is of another type in `base` is kept, for the API server to say what is wrong with it.
    """
    merged = dict(base)
    for key, value in patch.items():
        present = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(present, Mapping):
            merged[key] = strategic_merge(present, value, malformed_stays=malformed_stays)
        elif isinstance(value, list) and isinstance(present, list) and key in _MERGE_KEYS:
            merged[key] = _merge_lists(present, value, key, malformed_stays=malformed_stays)
        elif present is None or isinstance(present, type(value)) or not malformed_stays:
            merged[key] = value
    return merged


def _merge_lists(base: list[Any], patch: list[Any], field: str, *, malformed_stays: bool) -> list[Any]:
    merge_key = _MERGE_KEYS[field]
    if not all(_is_keyed(item, merge_key) for item in patch):
        return [*base, *patch]  # malformed: the API server will say so in its own words
    patches = {item[merge_key]: item for item in patch}
    merged = []
    for item in base:
        over = patches.pop(item[merge_key], None) if _is_keyed(item, merge_key) else None
        if over is None:
            merged.append(item)
        elif field in _ONE_OF:
            merged.append(over)
        else:
            merged.append(strategic_merge(item, over, malformed_stays=malformed_stays))
    return [*merged, *patches.values()]


def _is_keyed(item: object, merge_key: str) -> bool:
    return isinstance(item, Mapping) and isinstance(item.get(merge_key), str | int)


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
