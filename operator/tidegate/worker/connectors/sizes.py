"""How much memory records take: a page ends at a number of bytes as well as at a number of records."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal

import orjson

from tidegate.worker.connectors import Record
from tidegate.worker.values.normal_form import Value, json_text

# Of the values of a page. A run holds several copies of them: as they are read, hashed and written.
PAGE_BYTES = 8 << 20

# What Python takes for a value beside its text, and for each character of a document beside its own.
_VALUE = 64
_DOCUMENT = 4

_TEXTS = frozenset((str, bytes))
_SMALL = frozenset((type(None), int, float, bool, Decimal, datetime, date, time))

# A page is read in parts, each as large as what was read so far suggests; where small records are followed by large
# ones, a whole part of these has to fit.
_FIRST, _MOST, _GROWTH = 5, 100, 5


def size_of(values: Iterable[Value]) -> int:
    """About how many bytes of memory these values take."""
    return sum(map(_size_of_one, values))


def page_of(read: Callable[[int], Sequence[Record]], limit: int) -> tuple[list[Record], bool]:
    """Read records, of which `read` gives the next ones, until a page is full; and whether there may be more of them.

    The page has one record at least, if there is any.
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
    except TypeError:  # a number beyond 64 bits, or a document that nests deep
        return _VALUE + _DOCUMENT * len(json_text(value))
