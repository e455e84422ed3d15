"""Id columns: converts their values to and from the keys that the cache stores."""

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
    """The Python type of the column's values; None where it may hold any."""
    if isinstance(column.type, NullType):
        return None
    try:
        return column.type.python_type
    except NotImplementedError:
        return None


@dataclass(frozen=True, slots=True)
class KeyCodec:
    """Converts ids between the database and the cache, which stores integers and texts."""

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

# MySQL's BIGINT UNSIGNED exceeds the integers of the cache.
_UNSIGNED = KeyCodec(lambda key: key if key < 1 << 63 else str(key), int)

_UUID_BYTES = 16

_OF_UNICODE = re.compile(r"_(unicode(_520)?(_nopad)?|uca1400(_nopad)?_ai|0900_ai)_ci$")


def key_codec(column: Column[Any]) -> KeyCodec | None:
    """The codec for ids in this column; None when the cache cannot store them."""
    if isinstance(column.type, BigInteger) and getattr(column.type, "unsigned", False):
        return _UNSIGNED
    return _KEY_CODECS.get(python_type(column))


def makes_key(column: Column[Any]) -> bool:
    """Whether this connector generates the ids of new records: UUIDs, where the database has no default."""
    if column.server_default is not None:
        return False
    kind = python_type(column)
    return kind is UUID or (kind is bytes and getattr(column.type, "length", None) == _UUID_BYTES)


def new_key(column: Column[Any]) -> UUID | bytes:
    """The id of a new record, where this connector generates ids."""
    return uuid4() if python_type(column) is UUID else uuid4().bytes


def ignores_case(column: Column[Any]) -> bool:
    """Whether the column's collation ignores case, as most of MySQL's do."""
    return _collation(column).endswith("_ci")


def ignores_accents(column: Column[Any]) -> bool:
    """Whether the column's collation ignores both case and accents.

    Collations by Unicode's default order do. Others know only some letters, or treat accented letters as letters of
    their own.
    """
    return _OF_UNICODE.search(_collation(column)) is not None


def _collation(column: Column[Any]) -> str:
    return str(getattr(column.type, "collation", None) or column.table.kwargs.get("mysql_collate"))


def needs_text(column: Column[Any]) -> bool:
    """Whether the column is NOT NULL and of a text type: no value is stored as an empty text."""
    is_text = isinstance(column.type, String) and not isinstance(column.type, Enum)
    return is_text and not column.nullable and not column.primary_key
