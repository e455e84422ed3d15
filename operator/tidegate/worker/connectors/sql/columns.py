"""What a column of a database can hold: ids to and from the cache's form, values to what is stored.

Serves `sql`. Databases differ in how strictly they type: the columns of PostgreSQL, MySQL and MariaDB are taken at
their type; SQLite's hold whatever was put in, so that there a column is read and written as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, Column
from sqlalchemy.dialects.mysql import TIMESTAMP
from sqlalchemy.types import DateTime, NullType

from tidegate.worker.connectors import FieldKind, FieldType, Key
from tidegate.worker.values import Value, normal


def python_type(column: Column[Any]) -> type | None:
    """The type of Python that the column's values have; None where anything may be in it."""
    if isinstance(column.type, NullType):
        return None
    try:
        return column.type.python_type
    except NotImplementedError:
        return None


_KINDS: dict[type | None, FieldKind] = {
    str: "text", int: "number", float: "number", Decimal: "number", date: "time", datetime: "time", bool: "boolean",
    UUID: "uuid",
}  # fmt: skip


def field_type(column: Column[Any]) -> FieldType | None:
    """What the column can hold, where its type says so."""
    kind = _KINDS.get(python_type(column))
    if kind is None or getattr(column.type, "display_width", None) == 1:  # MySQL's BOOLEAN is a whole number
        return None
    zoned = isinstance(column.type, TIMESTAMP) or bool(getattr(column.type, "timezone", False))
    return FieldType(kind, str(column.type), kind != "time" or zoned)


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
    collation = getattr(column.type, "collation", None) or column.table.kwargs.get("mysql_collate")
    return str(collation).endswith("_ci")


# MySQL's names of character sets that hold less than Unicode, and Python's.
_CODECS = {"latin1": "cp1252", "latin2": "iso8859_2", "latin5": "iso8859_9", "cp1250": "cp1250", "ascii": "ascii"}


def _codec(column: Column[Any]) -> str | None:
    charset = getattr(column.type, "charset", None) or column.table.kwargs.get("mysql_default charset")
    return None if charset is None else _CODECS.get(charset)


Adapt = Callable[[Value], Value]


def adapter(column: Column[Any]) -> Adapt:
    """How a value of another system becomes what this column takes; it raises ValueError for what cannot be."""
    kind = python_type(column)
    if kind is None:
        return lambda value: None if value is None else _untyped(value)
    if kind is str:
        return lambda value: (
            value if value is None or (type(value) is str and value.isascii()) else _text_in_charset(column, value)
        )
    if kind is int:
        bounds = _bounds(column)
        return lambda value: value if type(value) is int and value in bounds else _typed(column, kind, value)
    return lambda value: _typed(column, kind, value)


def _typed(column: Column[Any], kind: type, value: Value) -> Value:
    if value is None:
        return None
    if kind is int and normal(value) is not None:
        return _whole(column, value)
    if isinstance(value, kind) and isinstance(value, bool) is (kind is bool):
        return _in_column_zone(column, value) if isinstance(value, datetime) else value
    if normal(value) is None:
        return None
    convert = _CONVERSIONS.get(kind)
    try:
        return convert(column, value) if convert else value
    except (ValueError, TypeError, ArithmeticError) as error:
        raise _unfit(column, value) from error


def _unfit(column: Column[Any], value: Value) -> ValueError:
    return ValueError(f"column {column.name} holds {column.type}, which {_type_name(value)} cannot be")


def _text_in_charset(column: Column[Any], value: Value) -> str | None:
    text: str | None = value if isinstance(value, str) else normal(value)
    if text is None or text.isascii() or (codec := _codec(column)) is None:
        return text
    try:
        text.encode(codec)
    except UnicodeEncodeError as error:
        raise ValueError(f"column {column.name} has a character set without {text[error.start]!r}") from None
    return text


def _type_name(value: Value) -> str:
    return "a text" if isinstance(value, str) else f"a value of type {type(value).__name__}"


def _untyped(value: Value) -> Value:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value if -(1 << 63) <= value < 1 << 63 else str(value)
    if isinstance(value, (str, float, bytes)):
        return value
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).replace(tzinfo=None).isoformat(sep=" ")
    return normal(value)


def _in_column_zone(column: Column[Any], value: datetime) -> datetime:
    # A time without a zone is UTC, as in the normal form.
    zoned = isinstance(column.type, DateTime) and column.type.timezone
    if zoned:
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value


def _whole(column: Column[Any], value: Value) -> int:
    # MySQL's BOOLEAN is a whole number of one digit.
    if getattr(column.type, "display_width", None) == 1 and str(value).lower() in ("true", "false"):
        return int(_truth(value))
    try:
        number = Decimal(int(value)) if isinstance(value, int) else Decimal(str(value).strip())
        if number == number.to_integral_value() and int(number) in _bounds(column):
            return int(number)
    except (ArithmeticError, ValueError):
        pass
    raise _unfit(column, value)


def _bounds(column: Column[Any]) -> range:
    # The bounds of smaller types are the database's to know; SQLite's driver fails at a number that is too large.
    return range(-(1 << 63), 1 << 64 if getattr(column.type, "unsigned", False) else 1 << 63)


def _truth(value: Value) -> bool:
    known = {"1": True, "0": False, "true": True, "false": False, "t": True, "f": False}
    try:
        return known[str(normal(value)).lower()]
    except KeyError:
        raise ValueError(value) from None


def _moment(column: Column[Any], value: Value) -> datetime:
    if isinstance(value, date):
        return _in_column_zone(column, datetime(value.year, value.month, value.day))
    return _in_column_zone(column, datetime.fromisoformat(value))


_CONVERSIONS: dict[type, Callable[[Column[Any], Value], Value]] = {
    bool: lambda _, value: _truth(value),
    float: lambda _, value: float(value),
    Decimal: lambda _, value: Decimal(str(normal(value))),
    datetime: _moment,
    date: lambda _, value: value.date() if isinstance(value, datetime) else date.fromisoformat(value),
    UUID: lambda _, value: UUID(str(value)),
    bytes: lambda _, value: bytes.fromhex(str(normal(value))),
}
