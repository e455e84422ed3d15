"""Columns of ids: their values to and from the form in which the cache keeps them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, Column, Enum, String
from sqlalchemy.types import NullType

from tidegate.worker.connectors import Key


def python_type(column: Column[Any]) -> type | None:
    """The type of Python that the column's values have; None where anything may be in it."""
    if isinstance(column.type, NullType):
        return None
    try:
        return column.type.python_type
    except NotImplementedError:
        return None


@dataclass(frozen=True, slots=True)
class KeyCodec:
    """A record's id in the database and in the cache, which knows whole numbers and texts."""

    to_cache: Callable[[Any], Key] | None
    from_cache: Callable[[Any], Any] | None


_AS_IT_IS = KeyCodec(None, None)
_KEY_CODECS: dict[type | None, KeyCodec] = {
    int: _AS_IT_IS,
    str: _AS_IT_IS,
    None: _AS_IT_IS,
    UUID: KeyCodec(str, UUID),
    Decimal: KeyCodec(str, Decimal),
    bytes: KeyCodec(bytes.hex, bytes.fromhex),
}

# MySQL's BIGINT UNSIGNED goes beyond the whole numbers that the cache can hold.
_UNSIGNED = KeyCodec(lambda key: key if key < 1 << 63 else str(key), int)

_UUID_BYTES = 16

_OF_UNICODE = re.compile(r"_(unicode(_520)?(_nopad)?|uca1400(_nopad)?_ai|0900_ai)_ci$")


def key_codec(column: Column[Any]) -> KeyCodec | None:
    """How ids in this column are kept; None when they cannot be."""
    if isinstance(column.type, BigInteger) and getattr(column.type, "unsigned", False):
        return _UNSIGNED
    return _KEY_CODECS.get(python_type(column))


def makes_key(column: Column[Any]) -> bool:
    """Whether ids of new records are made here: UUIDs, where the database makes none."""
    if column.server_default is not None:
        return False
    kind = python_type(column)
    return kind is UUID or (kind is bytes and getattr(column.type, "length", None) == _UUID_BYTES)


def new_key(column: Column[Any]) -> UUID | bytes:
    """A new record's id, where ids are made here."""
    return uuid4() if python_type(column) is UUID else uuid4().bytes


def ignores_case(column: Column[Any]) -> bool:
    """Whether the column's own equality is that of letters in any case, as by most of MySQL's collations."""
    return _collation(column).endswith("_ci")


def ignores_accents(column: Column[Any]) -> bool:
    """Whether the column's own equality is that of letters in any case and without their accents.

    So it is by Unicode's own order; others know some letters only, and no accent that is a character of its own.
    """
    return _OF_UNICODE.search(_collation(column)) is not None


def _collation(column: Column[Any]) -> str:
    return str(getattr(column.type, "collation", None) or column.table.kwargs.get("mysql_collate"))


def needs_text(column: Column[Any]) -> bool:
    """Whether the column holds texts and not NULL: no value is an empty text there."""
    is_text = isinstance(column.type, String) and not isinstance(column.type, Enum)
    return is_text and not column.nullable and not column.primary_key
