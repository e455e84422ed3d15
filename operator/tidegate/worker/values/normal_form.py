"""The value space in which two systems are compared: a normal form per value, and keyed hashes of it.

`scan`, `push` and `recover` hash what they read; `merge` compares hashes only. No value is ever written to the cache.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import Enum
from hashlib import blake2b
from json.encoder import encode_basestring
from typing import Any, Literal
from unicodedata import combining, normalize

import orjson

Value = Any
Hash = bytes

HASH_BYTES = 8

# The hash of an unseen value. It equals no value's hash, except by a coincidence of 1 in 2^64.
UNKNOWN: Hash = bytes(HASH_BYTES)


class Missing(Enum):
    """The value of a field that a system omits from its answer: it is unknown."""

    MISSING = "\0missing"


MISSING = Missing.MISSING


def normal(value: Value) -> str | None:
    """A value as text that does not depend on the system; None for no value.

    Systems represent the same value differently: 5 is 5.0 and Decimal("5"), an instant is the same in any time zone
    (one without a zone counts as UTC), and an empty text is no value (CSV and many forms know no other).
    """
    kind = type(value)
    if kind is str:
        return value or None
    if value is None:
        return None
    form = _FORM_OF.get(kind) or next((form for base, form in _FORMS if isinstance(value, base)), str)
    return form(value)


# A number with more digits than this on either side of its point is written with an exponent: eleven characters such as
# 1e999999999 must not become a gigabyte.
MOST_DIGITS = 1000


def _number(value: Decimal) -> str:
    if not value.is_finite():
        return str(value)
    if not -MOST_DIGITS <= value.adjusted() <= MOST_DIGITS:
        return _with_exponent(value)
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _with_exponent(value: Decimal) -> str:
    sign, digits, exponent = value.as_tuple()
    text = "".join(map(str, digits)).rstrip("0")
    return f"{'-' * sign}{text}E{int(exponent) + len(digits) - len(text)}" if text else "0"


def _instant(value: datetime) -> str:
    try:
        utc = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        return value.isoformat()  # in UTC it is in year 0 or 10000, which Python does not have
    return utc.replace(tzinfo=None).isoformat() + "Z"


class _Token(str):
    """A part of a JSON text that is complete."""

    __slots__ = ()


def json_text(value: Value) -> str:
    """A document as JSON with sorted keys, no spaces, and numbers in their normal form: 1.50 is 1.5, and 2.0 is 2.

    A value that JSON has no type for becomes the text of its normal form. Not recursive, so that the nesting depth of a
    document is unlimited.
    """
    parts: list[str] = []
    stack: list[Any] = [value]
    while stack:
        item = stack.pop()
        if type(item) is _Token:
            parts.append(item)
        elif isinstance(item, Mapping):
            parts.append("{")
            stack.append(_Token("}"))
            for place, key in enumerate(sorted(item, key=str, reverse=True), 1):
                stack += (item[key], _Token(("," if place < len(item) else "") + encode_basestring(str(key)) + ":"))
        elif isinstance(item, (list, tuple)):
            parts.append("[")
            stack.append(_Token("]"))
            for place, inner in enumerate(reversed(item), 1):
                stack += (inner, _Token("," if place < len(item) else ""))
        else:
            parts.append(_json_scalar(item))
    return "".join(parts)


def _json_scalar(value: Value) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, Decimal)):
        return str(normal(value))
    return encode_basestring(value if isinstance(value, str) else normal(value) or "")


_FORMS: tuple[tuple[type | tuple[type, ...], Callable[[Any], str | None]], ...] = (
    (int, lambda value: str(int(value))),  # bool too: not every system has one
    (float, lambda value: _number(Decimal(repr(value)))),
    (Decimal, _number),
    (datetime, _instant),
    ((date, time), lambda value: value.isoformat()),
    ((bytes, bytearray, memoryview), lambda value: bytes(value).hex() or None),
    ((dict, list, tuple), json_text),
    (str, lambda value: str(value) or None),
    (Missing, lambda _: None),
)

# A fast path for types that are hardly ever subclassed.
_FORM_OF: Mapping[type, Callable[[Any], str | None]] = {int: str, **{b: f for b, f in _FORMS if isinstance(b, type)}}

_PLAIN = frozenset((str, int, type(None)))


def are_identical(values: Sequence[Value], others: Sequence[Value]) -> bool:
    """Whether all these values certainly have equal hashes. Equality is not enough: True equals 1."""
    return values == others and _PLAIN.issuperset(map(type, values)) and _PLAIN.issuperset(map(type, others))


Normalization = Literal["casefold", "accents", "trim", "digits", "number", "time"]


def normalized(text: str | None, how: Sequence[Normalization]) -> str | None:
    """A normal form without the differences that the field ignores, such as the formatting of telephone numbers."""
    for each in how:
        if not text:
            return None
        text = _NORMALIZED[each](text)
    return text or None


def _as_number(text: str) -> str:
    try:
        return _number(Decimal(text.strip()))
    except InvalidOperation:
        return text


def _as_time(text: str) -> str:
    try:
        return _instant(datetime.fromisoformat(text.strip()).replace(microsecond=0))
    except ValueError:
        return text


def _without_accents(text: str) -> str:
    if text.isascii():
        return text
    return normalize("NFC", "".join(letter for letter in normalize("NFD", text) if not combining(letter)))


_NORMALIZED: Mapping[Normalization, Callable[[str], str]] = {
    "casefold": str.casefold,
    "accents": _without_accents,
    "trim": lambda text: " ".join(text.split()),
    "digits": lambda text: "".join(character for character in text if character.isdigit()),
    "number": _as_number,  # in any notation
    "time": _as_time,  # in any notation, to the second
}


class Hasher:
    """Hashes of 64 bits, salted so that two caches cannot be compared with each other."""

    def __init__(self, salt: bytes) -> None:
        # Copying a salted state is far cheaper than creating one.
        self._fresh = blake2b(salt=salt, digest_size=HASH_BYTES)
        # Of no value; and of a value that was seen and is only known not to be the present one.
        self.blank, self.something_else = self.of_texts([None, "\0something else"])

    def of_bytes(self, data: bytes) -> Hash:
        """The hash of these bytes."""
        return self._of_all([data])[0]

    def of_texts(self, texts: Collection[str | None]) -> list[Hash]:
        """The hash of each of these normal forms. None is hashed as the empty text, which no normal form is."""
        distinct = set(texts)
        if 2 * len(distinct) > len(texts):
            return self._of_all(map(_encoded, texts))
        # Many fields have few distinct values: each of these is hashed once.
        of = dict(zip(distinct, self._of_all(map(_encoded, distinct)), strict=True))
        return [of[text] for text in texts]

    def of_records(self, records: Iterable[Sequence[Value]], *, floats: bool = True) -> list[Hash]:
        """One hash over each record's raw values, far cheaper than one per field: if it is equal, nothing changed.

        `floats` is whether any of the values may be a floating-point number, even within a list or document.
        """
        return self._of_all(map(_serialized if floats else _serialized_fast, records))

    def _of_all(self, all_data: Iterable[bytes]) -> list[Hash]:
        # Most of a first scan's time is spent here: no call is made that can be avoided.
        copy = self._fresh.copy
        hashes = []
        for data in all_data:
            state = copy()
            state.update(data)
            hashes.append(state.digest())
        return hashes


def _encoded(text: str | None) -> bytes:
    return text.encode("utf-8", "surrogatepass") if text else b""


_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


def _serialized_fast(values: Sequence[Value]) -> bytes:
    try:
        return orjson.dumps(values, default=_told_apart, option=_OPTIONS)
    except TypeError:
        return _serialized_one_by_one(values)


def _serialized(values: Sequence[Value]) -> bytes:
    """Bytes that are equal for no two records whose normal forms differ."""
    try:
        data = orjson.dumps(values, default=_told_apart, option=_OPTIONS)
    except TypeError:  # a number beyond 64 bits, a lone surrogate, or a deeply nested document
        return _serialized_one_by_one(values)
    # JSON writes null for NaN and infinities too; most records have no null that is not a value of its own.
    nulls = data.count(b"null")
    return data if not nulls or nulls == values.count(None) else _serialized_one_by_one(values)


def _serialized_one_by_one(values: Sequence[Value]) -> bytes:
    texts = (f"{type(value).__name__} {normal(value) or ''}" for value in values)
    return b"\0".join(text.replace("\0", "\0\1").encode("utf-8", "surrogatepass") for text in texts)


def _told_apart(value: object) -> orjson.Fragment:
    """A value of a type that JSON does not have, in a form that no JSON value has."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return orjson.Fragment(b"b'" + bytes(value).hex().encode())
    return orjson.Fragment(b"(" + encode_basestring(str(normal(value))).encode("utf-8", "surrogatepass"))
