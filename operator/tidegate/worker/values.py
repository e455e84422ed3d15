"""The one value space in which two systems are compared: a normal form per value, and keyed hashes of it.

`scan`, `push` and `recover` hash what they read; `merge` sees hashes only. No value is ever written to the cache.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import Enum
from hashlib import blake2b
from typing import Any, Literal

import orjson

Value = Any
Hash = bytes

HASH_BYTES = 8

# The hash of what has not been seen. It is not the hash of any value: that would be a coincidence of 1 in 2^64.
UNKNOWN: Hash = bytes(HASH_BYTES)


class Missing(Enum):
    """The value of a field that a system leaves out of its answer: nobody knows what it holds."""

    MISSING = "\0missing"


MISSING = Missing.MISSING


def normal(value: Value) -> str | None:
    """A value as text that is the same whichever system holds it; None for no value.

    Systems disagree on how they keep the same thing: 5 is 5.0 and Decimal("5"), an instant is the same in any time
    zone (one without a zone is taken as UTC), and an empty text is no value (CSV and many forms know no other).
    """
    kind = type(value)
    if kind is str:
        return value or None
    if value is None:
        return None
    form = _FORM_OF.get(kind) or next((form for base, form in _FORMS if isinstance(value, base)), str)
    return form(value)


def _number(value: Decimal) -> str:
    if not value.is_finite():
        return str(value)
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _instant(value: datetime) -> str:
    utc = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return utc.replace(tzinfo=None).isoformat() + "Z"


_FORMS: tuple[tuple[type | tuple[type, ...], Callable[[Any], str | None]], ...] = (
    (int, lambda value: str(int(value))),  # bool too: not every system has one
    (float, lambda value: _number(Decimal(repr(value)))),
    (Decimal, _number),
    (datetime, _instant),
    ((date, time), lambda value: value.isoformat()),
    ((bytes, bytearray, memoryview), lambda value: bytes(value).hex() or None),
    ((dict, list, tuple), lambda value: orjson.dumps(value, default=str, option=orjson.OPT_SORT_KEYS).decode()),
    (str, lambda value: str(value) or None),
    (Missing, lambda _: None),
)

# What has no subtypes in use is found at once.
_FORM_OF: Mapping[type, Callable[[Any], str | None]] = {int: str, **{b: f for b, f in _FORMS if isinstance(b, type)}}

_PLAIN = frozenset((str, int, type(None)))


def are_identical(values: Sequence[Value], others: Sequence[Value]) -> bool:
    """Whether all hashes of these are certain to be the same. That they are equal is not enough: so are True and 1."""
    return values == others and _PLAIN.issuperset(map(type, values)) and _PLAIN.issuperset(map(type, others))


Normalization = Literal["casefold", "trim", "digits", "number", "time"]


def normalized(text: str | None, how: Sequence[Normalization]) -> str | None:
    """A normal form without what does not matter to the field, such as how a system writes telephone numbers."""
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


_NORMALIZED: Mapping[Normalization, Callable[[str], str]] = {
    "casefold": str.casefold,
    "trim": lambda text: " ".join(text.split()),
    "digits": lambda text: "".join(character for character in text if character.isdigit()),
    "number": _as_number,  # however it is written
    "time": _as_time,  # however it is written, to the second
}


class Hasher:
    """Hashes of 64 bits, salted so that two caches cannot be compared with each other."""

    def __init__(self, salt: bytes) -> None:
        # Copying a salted state is far cheaper than making one.
        self._fresh = blake2b(salt=salt, digest_size=HASH_BYTES)
        (self.blank,) = self.of_texts([None])

    def of_bytes(self, data: bytes) -> Hash:
        """The hash of these bytes."""
        return self._of_all([data])[0]

    def of_texts(self, texts: Collection[str | None]) -> list[Hash]:
        """The hash of each of these normal forms. No value is hashed as the empty text, which no normal form is."""
        distinct = set(texts)
        if 2 * len(distinct) > len(texts):
            return self._of_all(map(_encoded, texts))
        # Many a field has few values: each of them is hashed once.
        of = dict(zip(distinct, self._of_all(map(_encoded, distinct)), strict=True))
        return [of[text] for text in texts]

    def of_records(self, records: Iterable[Sequence[Value]]) -> list[Hash]:
        """One hash over each one's raw values, far cheaper than one per field: equal means that nothing has changed."""
        return self._of_all(map(_serialized, records))

    def _of_all(self, all_data: Iterable[bytes]) -> list[Hash]:
        # Most of a first scan's time is spent here: no call is made that can be spared.
        copy = self._fresh.copy
        hashes = []
        for data in all_data:
            state = copy()
            state.update(data)
            hashes.append(state.digest())
        return hashes


def _encoded(text: str | None) -> bytes:
    return text.encode("utf-8", "surrogatepass") if text else b""


def _serialized(values: Sequence[Value]) -> bytes:
    try:
        return orjson.dumps(values, default=_raw, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # such as a number beyond 64 bits
        return repr(values).encode("utf-8", "surrogatepass")


def _raw(value: object) -> object:
    return bytes(value).hex() if isinstance(value, (bytes, bytearray, memoryview)) else str(value)
