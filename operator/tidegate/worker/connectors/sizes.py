"""Estimates how much memory records take: pages are limited by bytes as well as by records."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal

import orjson

from tidegate.worker.connectors import Record
from tidegate.worker.values.normal_form import Value, json_text

# The maximum size of a page's values. A run holds several copies of them: as read, as hashed and as written.
PAGE_BYTES = 8 << 20

# Python's overhead for each value, and its bytes per character of a JSON document.
_VALUE = 64
_DOCUMENT = 4

_TEXTS = frozenset((str, bytes))
_SMALL = frozenset((type(None), int, float, bool, Decimal, datetime, date, time))

# A page is read in parts, whose size follows from the records read so far. The growth is limited, because a whole part
# of large records may follow small ones and has to fit.
_FIRST, _MOST, _GROWTH = 5, 100, 5


def size_of(values: Iterable[Value]) -> int:
    """The approximate memory of these values in bytes."""
    return sum(map(_size_of_one, values))


def page_of(read: Callable[[int], Sequence[Record]], limit: int) -> tuple[list[Record], bool]:
    """Call `read` for the next records until a page is full; return them, and whether there may be more.

    The page has at least one record, if there is any.
    """
    records: list[Record] = []
    size, part = 0, _FIRST
    while len(records) < limit and size < PAGE_BYTES:
        asked = min(part, limit - len(records))
        some = read(asked)
        records += some
        if len(some) < asked:
            return records, False
        size += _size_of_all(some)
        room = (PAGE_BYTES - size) * len(records) // max(size, 1)
        part = max(1, min(part * _GROWTH, _MOST, room))
    return records, True


def _size_of_all(records: Sequence[Record]) -> int:
    return sum(map(_size_of_column, zip(*(record.values for record in records), strict=True)))


def _size_of_column(values: Sequence[Value]) -> int:
    kinds = {*map(type, values)}
    size = _VALUE * len(values)
    if kinds <= _SMALL:
        return size
    if kinds <= _TEXTS:
        return size + sum(map(len, values))
    return sum(map(_size_of_one, values))


def _size_of_one(value: Value) -> int:
    if type(value) in _SMALL:
        return _VALUE
    if isinstance(value, (str, bytes, bytearray, memoryview)):
        return _VALUE + len(value)
    if not isinstance(value, (dict, list, tuple)):
        return _VALUE
    try:
        return _VALUE + _DOCUMENT * len(orjson.dumps(value, default=str))
    except TypeError:  # a number beyond 64 bits, or a deeply nested document
        return _VALUE + _DOCUMENT * len(json_text(value))
