"""Records as JSON documents: numbers keep all digits, fields have dotted names, and values keep their kind.

JSON has few types. Times and exact numbers are written in their normal form (see `values`), so that both sides compare
as equal afterwards.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from math import isfinite
from typing import Any, Literal
from uuid import UUID

import orjson

from tidegate.worker.connectors import Key
from tidegate.worker.values.normal_form import MISSING, MOST_DIGITS, Value, normal

Document = dict[str, Any]

# Numbers with more digits may exceed a float or 64 bits, and orjson would round them. Searching a text in which only
# digits are kept is twenty times as fast as a regular expression.
_LONG_NUMBER = b"0" * 17
_ONLY_DIGITS = bytes(ord("0") if chr(byte) in "0123456789." else ord(" ") for byte in range(256))
_ONLY_DIGITS_OF_TEXT = {**dict.fromkeys(map(ord, "123456789."), "0"), **dict.fromkeys(map(ord, "eE+-"), " ")}
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_TRUTHS = {"1": True, "0": False, "true": True, "false": False}
_SMALLEST, _LARGEST = -(1 << 63), (1 << 64) - 1
_KEYS = 1 << 63

# Of fewer documents nothing follows from a field that none of them has.
ENOUGH = 20

# No real data exceeds these limits; beyond them, a document could exhaust the process's memory or stack.
_DEEPEST = 100
_LONGEST_INDEX = 6
_SURROGATE = re.compile("[\ud800-\udfff]")


def parse(text: bytes) -> Any:
    """Parse JSON; numbers keep all digits. Raises ValueError.

    A number has the same type and value regardless of the rest of the text.
    """
    if _LONG_NUMBER not in text.translate(_ONLY_DIGITS):
        return orjson.loads(text)
    return _loads(text, parse_float=_number, parse_constant=_refuse)


def parse_exactly(text: bytes) -> Any:
    """Parse JSON so that `dump` writes numbers as they were, 1.10 as 1.10. Raises ValueError."""
    return _loads(text, parse_float=Decimal, parse_constant=_refuse)


def parse_all(text: bytes) -> Any:
    """Like `parse`, but with values for which a strict parser refuses the text: see `unusable`. Raises ValueError.

    These are half of a surrogate pair, NaN and infinities, and numbers beyond the range of a float.
    """
    try:
        return parse(text)
    except ValueError:
        return _loads(text, parse_float=_number, parse_int=_integer, parse_constant=Decimal)


def _loads(text: bytes, **hooks: Any) -> Any:
    try:
        return json.loads(text, **hooks)
    except RecursionError:
        raise ValueError("its lists and objects nest too deeply") from None


def _number(text: str) -> float | Decimal:
    if _LONG_NUMBER.decode() in text.translate(_ONLY_DIGITS_OF_TEXT):
        return Decimal(text)
    value = float(text)
    return value if isfinite(value) else Decimal(text)


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= MOST_DIGITS else Decimal(text)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def unusable(value: Any) -> str:
    """Why a value cannot be stored, compared or written elsewhere, as the end of a sentence; "" for a usable value."""
    stack = [(value, 0)]
    while stack:
        item, depth = stack.pop()
        if isinstance(item, (dict, list)):
            if depth >= _DEEPEST:
                return f"nests more than {_DEEPEST} levels deep"
            inner = [*item, *item.values()] if isinstance(item, dict) else item
            stack += ((each, depth + 1) for each in inner)
        elif isinstance(item, str):
            if not item.isascii() and _SURROGATE.search(item):
                return "has half of a character, as a text has that was cut within an emoji"
        elif isinstance(item, Decimal) and not item.is_finite():
            return f"is {item}, which is not a number"
        elif isinstance(item, Decimal) and not -MOST_DIGITS <= item.adjusted() <= MOST_DIGITS:
            return f"is a number of more than {MOST_DIGITS} digits"
    return ""


def key_of(document: Document, name: str) -> Key | None:
    """The id of a record as the cache stores it: one beyond 64 bits is a text. None where the document has no id."""
    value = value_at(document, name)
    if isinstance(value, int) and not isinstance(value, bool):
        return value if -_KEYS <= value < _KEYS else str(value)
    return value if isinstance(value, str) and value else None


def dump(value: Any) -> bytes:
    """A value as JSON text. Raises ValueError when JSON cannot hold it."""
    try:
        return orjson.dumps(_printable(value))
    except (TypeError, RecursionError) as error:
        raise ValueError(f"JSON cannot hold it: {error}") from None


def _printable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _printable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_printable(inner) for inner in value]
    if isinstance(value, Decimal) or (isinstance(value, int) and not _SMALLEST <= value <= _LARGEST):
        return orjson.Fragment(str(value).encode())
    return value


def value_at(document: Mapping[str, Any], name: str) -> Value:
    """The value of a field; `address.city` is looked up in `address`, and `phones.0` is the first element of a list.

    None where the field is missing.
    """
    return document[name] if name in document else _found(document, name)[1]


def has(document: Mapping[str, Any], name: str) -> bool:
    """Whether a field is present, even as null. An element beyond the end of its list counts as present."""
    return name in document or _found(document, name)[0]


def _found(document: Mapping[str, Any], name: str) -> tuple[bool, Any]:
    inner: Any = document
    for part in name.split("."):
        if isinstance(inner, list) and (index := _index(part)) is not None:
            if index >= len(inner):
                return True, None
            inner = inner[index]
        elif isinstance(inner, Mapping) and part in inner:
            inner = inner[part]
        else:
            return False, None
    return True, inner


def _index(part: str) -> int | None:
    return int(part) if part.isascii() and part.isdecimal() and len(part) <= _LONGEST_INDEX else None


def shown_at(document: Mapping[str, Any], name: str) -> Value:
    """The value of a field; MISSING where it is absent, which is not the same as null."""
    return value_at(document, name) if has(document, name) else MISSING


def names_of_nothing(documents: Sequence[Document], names: Sequence[str]) -> list[str]:
    """The fields that no document of many has: more likely a mistyped name than a field that is always omitted."""
    if len(documents) < ENOUGH:
        return []
    return [name for name in names if not any(has(document, name) for document in documents)]


def put(document: Document, name: str, value: Any) -> None:
    """Set a field, creating the objects and lists that contain it.

    Raises ValueError where another value is in their place, or where preceding elements of a list are missing.
    """
    if name in document or "." not in name:
        document[name] = value
        return
    _put(document, name.split("."), value, name)


def _put(inside: Any, path: Sequence[str], value: Any, name: str) -> None:
    first, *rest = path
    place: Any = _index(first) if isinstance(inside, list) else first
    if isinstance(inside, list):
        if value is None and place == len(inside):
            return  # a missing element counts as empty
        if place > len(inside):
            raise ValueError(f"{name} cannot be written: its list has {len(inside)} elements")
        if place == len(inside):
            inside.append(None)
    if not rest:
        inside[place] = value
        return
    inner = inside[place] if isinstance(inside, list) else inside.get(place)
    if inner is None:
        inner = inside[place] = [] if _index(rest[0]) is not None else {}
    if not isinstance(inner, dict) and not (isinstance(inner, list) and _index(rest[0]) is not None):
        raise ValueError(f"{name} cannot be written: {first} holds {_named(inner)}, which has no {'.'.join(rest)}")
    _put(inner, rest, value, name)


def part_of(document: Document, names: Sequence[str]) -> Document:
    """The part of a merge patch for these fields: only these members of objects, and lists whole."""
    part: Document = {}
    for name in names:
        if name in document:
            part[name] = document[name]
            continue
        inner: Any = document
        path = name.split(".")
        for depth, each in enumerate(path):
            if isinstance(inner, list):
                path = path[:depth]
                break
            inner = inner.get(each)
        put(part, ".".join(path), inner)
    return part


def _named(value: Any) -> str:
    if isinstance(value, list):
        return "a list"
    return "a text" if isinstance(value, str) else "true or false" if isinstance(value, bool) else "a number"


Kind = Literal["number", "boolean", "text", "mixed"]


class Kinds:
    """The kinds of JSON values that each field has had, so that values written to it get the same kind.

    Otherwise a system of texts, such as CSV, or one without booleans would change the type of the values that it edits.
    """

    def __init__(self, fields: int) -> None:
        self._kinds: list[Kind | None] = [None] * fields

    def see(self, values: Sequence[Value]) -> None:
        """Learn from a record that was read."""
        for i, value in enumerate(values):
            kind = _kind(value)
            if kind is not None and kind != self._kinds[i]:
                self._kinds[i] = kind if self._kinds[i] is None else "mixed"

    def in_json(self, field: int, value: Value) -> Any:
        """The JSON value to write to this field. Raises ValueError when JSON has none."""
        kind = self._kinds[field]
        if isinstance(value, (float, Decimal)) and normal(value) in ("NaN", "Infinity", "-Infinity", "sNaN"):
            raise ValueError(f"JSON has no {normal(value)}")
        if kind == "boolean":
            return _TRUTHS.get(str(normal(value)).lower(), _plain(value))
        if kind == "number" and isinstance(value, bool):
            return int(value)
        if kind == "number" and isinstance(value, str) and _NUMBER.fullmatch(value):
            return Decimal(value) if re.search("[.eE]", value) else int(value)
        if kind == "text" and not isinstance(value, (str, list, dict)):
            return normal(value)
        return _plain(value)

    def stored(self, field: int, value: Value) -> Any:
        """Like `in_json`; the ValueError says why JSON cannot hold the value."""
        if value is None:
            return None
        written = self.in_json(field, value)
        if problem := unusable(written):
            raise ValueError(f"its value {problem}")
        return written


def _kind(value: Value) -> Kind | None:
    if value is None or value is MISSING:
        return None
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float, Decimal)):
        return "number"
    return "text" if isinstance(value, str) else "mixed"


def _plain(value: Value) -> Any:
    if isinstance(value, (datetime, date, time, bytes, bytearray, memoryview, UUID)):
        return normal(value)
    return value
