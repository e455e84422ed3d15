"""Values of records as JSON that restores them with their types."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from tidegate.worker.values.normal_form import MISSING, Value

# Types of JSON itself. Subtypes, such as those of an enumeration, are excluded.
_PLAIN = (str, int, float, bool, type(None))

_TYPES: Mapping[str, tuple[type, Callable[[Any], str], Callable[[str], Value]]] = {
    "decimal": (Decimal, str, Decimal),
    "datetime": (datetime, datetime.isoformat, datetime.fromisoformat),
    "date": (date, date.isoformat, date.fromisoformat),
    "time": (time, time.isoformat, time.fromisoformat),
    "microseconds": (
        timedelta,
        lambda value: str(value // timedelta(microseconds=1)),
        lambda text: timedelta(microseconds=int(text)),
    ),
    "uuid": (UUID, str, UUID),
    "bytes": (bytes, lambda value: base64.b64encode(value).decode(), base64.b64decode),
}


def encoded(value: Value) -> Any:
    """A value as plain JSON data; for an unknown type, its text, which a system accepts for it."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if value is MISSING:
        return {"missing": True}
    if isinstance(value, Mapping):
        return {"map": [[str(name), encoded(inner)] for name, inner in value.items()]}
    if isinstance(value, (bytes, bytearray, memoryview)):
        value, kind = bytes(value), bytes
    elif isinstance(value, Sequence) and not isinstance(value, str):
        return [encoded(inner) for inner in value]
    for name, (type_, text, _) in _TYPES.items():
        if kind is type_:
            return {name: text(value)}
    return str(value)


def decoded(data: Any) -> Value:
    """The value from the result of `encoded`."""
    if isinstance(data, list):
        return [decoded(inner) for inner in data]
    if not isinstance(data, dict):
        return data
    ((name, inner),) = data.items()
    if name == "missing":
        return MISSING
    if name == "map":
        return {key: decoded(value) for key, value in inner}
    return _TYPES[name][2](inner)


def to_bytes(values: Mapping[str, Mapping[str, Value]]) -> bytes:
    """Several named sets of values by field name, as bytes to store."""
    plain = {part: {name: encoded(value) for name, value in each.items()} for part, each in values.items()}
    return json.dumps(plain, separators=(",", ":")).encode()


def from_bytes(data: bytes) -> dict[str, dict[str, Value]]:
    """The input of `to_bytes`."""
    return {part: {name: decoded(value) for name, value in each.items()} for part, each in json.loads(data).items()}
