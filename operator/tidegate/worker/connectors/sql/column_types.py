"""What a column can hold, and what a value of another system becomes in it.

The declared types of PostgreSQL, MySQL and MariaDB are reliable. A SQLite column holds any value: see `sqlite`.
"""

from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Dialect
from sqlalchemy.dialects.mysql import BIT, TIMESTAMP, YEAR
from sqlalchemy.dialects.postgresql import ARRAY, DOMAIN, HSTORE, OID
from sqlalchemy.types import JSON, REAL, DateTime, Enum, NullType, Time, TypeEngine

from tidegate.worker.connectors.sql.mysql import clock
from tidegate.worker.connectors.sql.sqlite import in_sqlite, strict_kind
from tidegate.worker.values.conversions import convert
from tidegate.worker.values.kinds import Duration, Kind, Spelling, Unfit, in_words, kind_of, no_character
from tidegate.worker.values.normal_form import Value, json_text

Adapt = Callable[[Value], Value]
Check = Callable[[Any], Value]

_KINDS: dict[type, Kind] = {
    str: Kind.TEXT, int: Kind.WHOLE, bool: Kind.BOOLEAN, float: Kind.FLOAT, Decimal: Kind.DECIMAL, date: Kind.DATE,
    timedelta: Kind.DURATION, dict: Kind.DOCUMENT, list: Kind.LIST, bytes: Kind.BYTES, UUID: Kind.UUID,
}  # fmt: skip

# The types of Python of which every value is of that kind.
_OWN: dict[Kind, type] = {Kind.TEXT: str, Kind.WHOLE: int}

# The size of integer types in bits, by type name.
_BITS = {"TINYINT": 8, "SMALLINT": 16, "MEDIUMINT": 24, "INTEGER": 32, "BIGINT": 64}

# Python's names of the databases' character sets and encodings. With any other one, every text fits or the database
# refuses it.
_CODECS = {
    "ascii": "ascii", "latin1": "cp1252", "latin2": "iso8859_2", "latin5": "iso8859_9", "cp1250": "cp1250",
    "LATIN1": "iso8859_1", "LATIN2": "iso8859_2", "LATIN5": "iso8859_9", "LATIN9": "iso8859_15", "WIN1250": "cp1250",
    "WIN1251": "cp1251", "WIN1252": "cp1252", "KOI8R": "koi8_r", "utf8mb3": "utf8mb3", "utf8": "utf8mb3",
}  # fmt: skip

# The range of MySQL's TIME, on either side of zero.
_LONGEST_TIME = timedelta(hours=838, minutes=59, seconds=59)


def kind_of_type(type_: TypeEngine[Any]) -> Kind:
    """The kind of values that a column of this type holds."""
    if isinstance(kind := getattr(type_, "kind", None), Kind):
        return kind
    if isinstance(type_, DOMAIN):
        return kind_of_type(type_.data_type)
    if isinstance(type_, DateTime):
        return Kind.INSTANT if type_.timezone else Kind.LOCAL
    if isinstance(type_, Time):
        return Kind.ZONED_TIME if type_.timezone else Kind.TIME
    if isinstance(type_, (BIT, YEAR, OID)):
        return Kind.WHOLE
    if isinstance(type_, (JSON, HSTORE)):
        return Kind.DOCUMENT
    if isinstance(type_, NullType):
        return Kind.OTHER
    try:
        return _KINDS.get(type_.python_type, Kind.OTHER)
    except NotImplementedError:
        return Kind.OTHER


@dataclass(frozen=True, slots=True)
class ColumnType:
    """The FieldType of one column."""

    name: str
    kind: Kind | None
    stored: Adapt
    zoned: bool = True
    is_json: bool = False


def column_type(column: Column[Any], dialect: Dialect) -> ColumnType:
    """The type of a column."""
    type_ = column.type
    if dialect.name == "sqlite":
        return ColumnType(str(column.info["declared"]), strict_kind(column), in_sqlite(column))
    kind = kind_of_type(type_)
    stored = _adapter(type_, kind, dialect, _charset(column, dialect))
    # MySQL's BOOLEAN is an integer type.
    return ColumnType(_name(type_, dialect), None if _is_truth(type_) else kind, stored, _is_zoned(type_, kind))


def adapter(column: Column[Any], dialect: Dialect) -> Adapt:
    """Converts a value of another system to the column's type; it raises Unfit for a value that cannot be converted."""
    return column_type(column, dialect).stored


def _name(type_: TypeEngine[Any], dialect: Dialect) -> str:
    if isinstance(type_, NullType):
        return "a type of the database's own"
    return str(getattr(type_, "declared", None) or type_.compile(dialect))


def _adapter(type_: TypeEngine[Any], kind: Kind, dialect: Dialect, charset: str | None) -> Adapt:
    check = _CHECKS[kind](type_, dialect, charset) if kind in _CHECKS else _unchecked
    convert_and_check = _converting(type_, kind, dialect, charset, check)
    own = _OWN.get(kind)
    # Most values have the column's own type: they need no conversion.
    return lambda value: check(value) if type(value) is own else convert_and_check(value)


def _converting(type_: TypeEngine[Any], kind: Kind, dialect: Dialect, charset: str | None, check: Check) -> Adapt:
    def check_any(value: Value) -> Value:
        return _spelled(dialect, value) if isinstance(value, Spelling) else check(value)

    if kind is Kind.TEXT:
        return lambda value: value if value is None else check_any(convert(_usual(value), kind))
    if isinstance(type_, ARRAY):
        element = _adapter(type_.item_type, kind_of_type(type_.item_type), dialect, charset)
        return lambda value: _each(element, convert(value, kind))
    if _is_truth(type_):
        return lambda value: _one(kind, check_any, _truth(value) if isinstance(value, str) else value)
    return lambda value: _one(kind, check_any, value)


def _one(kind: Kind, check: Check, value: Value) -> Value:
    return None if (converted := convert(value, kind)) is None else check(converted)


def _is_zoned(type_: TypeEngine[Any], kind: Kind) -> bool:
    # MySQL's TIMESTAMP is an instant, which the session returns in UTC.
    return kind not in (Kind.LOCAL, Kind.DATE) or isinstance(type_, TIMESTAMP)


def _is_truth(type_: TypeEngine[Any]) -> bool:
    return getattr(type_, "display_width", None) == 1


def _truth(value: str) -> Value:
    return convert(value, Kind.BOOLEAN) if value.lower() in ("true", "false") else value


def _usual(value: Value) -> Value:
    return str(value) if isinstance(value, str) and kind_of(value) is Kind.TEXT else value


def _each(element: Adapt, values: Value) -> Value:
    if values is None:
        return None
    return [_each(element, value) if isinstance(value, list) else element(value) for value in values]


def _spelled(dialect: Dialect, value: Spelling) -> Spelling:
    """A value that Python cannot represent, which only a database of the same kind can hold."""
    if (value.title == "a zero date") is not (dialect.name == "mysql"):
        raise Unfit(f"it is {value.title}")
    return value


def _text_check(type_: TypeEngine[Any], dialect: Dialect, charset: str | None) -> Check:
    length = getattr(type_, "length", None)
    choices = frozenset(type_.enums) if isinstance(type_, Enum) else None
    codec = _CODECS.get(charset or "")
    zero = dialect.name == "postgresql"

    def check(value: str) -> str:
        if length is not None and len(value) > length and len(value.rstrip(" ")) > length and choices is None:
            raise Unfit(f"the text is longer than {length} characters")
        if choices is not None and value not in choices:
            raise Unfit("the text is none of the values of the type")
        if zero and "\0" in value:
            raise Unfit("the text has a zero character, which PostgreSQL cannot hold")
        if not value.isascii():
            _check_characters(value, codec, charset)
        return value

    return check


def _check_characters(text: str, codec: str | None, charset: str | None = None) -> None:
    try:
        text.encode()
        if codec == "utf8mb3":
            if over := [character for character in text if character > "\uffff"]:
                raise Unfit(f"its character set {charset} has no {over[0]!r}")
        elif codec:
            text.encode(codec)
    except UnicodeEncodeError as error:
        if error.encoding == "utf-8":
            raise Unfit(no_character(text, error.start)) from None
        raise Unfit(f"its character set {charset} has no {text[error.start]!r}") from None


def _whole_check(type_: TypeEngine[Any], _: Dialect, __: str | None) -> Check:
    bounds = _bounds(type_)

    def check(value: int) -> int:
        if value not in bounds:
            raise Unfit("the number is too large or too small")
        return value

    return check


def _bounds(type_: TypeEngine[Any]) -> Container[int]:
    bits = _BITS.get(type_.__visit_name__, 64)
    if isinstance(type_, BIT):
        return range(1 << (type_.length or 1))
    if isinstance(type_, YEAR):
        return {0, *range(1901, 2156)}
    return range(1 << bits) if getattr(type_, "unsigned", False) else range(-(1 << bits - 1), 1 << bits - 1)


def _decimal_check(type_: TypeEngine[Any], dialect: Dialect, _: str | None) -> Check:
    precision, scale = getattr(type_, "precision", None), getattr(type_, "scale", None) or 0
    finite_only = dialect.name == "mysql"

    def check(value: Decimal) -> Decimal:
        if not value.is_finite():
            if finite_only or (precision is not None and not value.is_nan()):
                raise Unfit(f"it is {in_words(value)}")
        elif precision is not None and value and value.adjusted() >= precision - scale:
            raise Unfit("the number has too many digits")
        return value

    return check


def _float_check(type_: TypeEngine[Any], dialect: Dialect, _: str | None) -> Check:
    single = getattr(type_, "declared", "") == "FLOAT" or (dialect.name == "postgresql" and isinstance(type_, REAL))

    def check(value: float) -> float:
        if dialect.name == "mysql" and not isfinite(value):
            raise Unfit(f"it is {in_words(value)}")
        if single and value and isfinite(value) and not _SMALLEST_SINGLE <= abs(value) <= _LARGEST_SINGLE:
            raise Unfit("the number is too large or too small")
        return value

    return check


# The range and precision of a 4-byte float.
_SMALLEST_SINGLE, _LARGEST_SINGLE = 1.1754944e-38, 3.4028234e38


def _document_check(_: TypeEngine[Any], dialect: Dialect, __: str | None) -> Check:
    def check(value: Value) -> Value:
        text = json_text(value)
        if not text.isascii():
            _check_characters(text, None)
        if dialect.name == "postgresql" and "\\u0000" in text:
            raise Unfit("a text in it has a zero character, which PostgreSQL cannot hold")
        return value

    return check


def _bytes_check(type_: TypeEngine[Any], _: Dialect, __: str | None) -> Check:
    length = getattr(type_, "length", None)
    is_fixed = type_.__visit_name__ == "BINARY"

    def check(value: bytes) -> bytes:
        if length is not None and (len(value) > length or (is_fixed and len(value) < length)):
            raise Unfit(f"it is {len(value)} bytes, and not {length}")
        return bytes(value)

    return check


def _duration_check(type_: TypeEngine[Any], dialect: Dialect, _: str | None) -> Check:
    def check(value: Duration) -> Value:
        if dialect.name != "mysql":
            return value
        length = timedelta(microseconds=value.microseconds)
        if value.months or value.days or abs(length) > _LONGEST_TIME:
            raise Unfit("a TIME of MySQL has hours only, up to 838")
        return clock(length)

    return check


# The limits of a type beyond its kind, such as a length; a check may also change the form of a value.
_CHECKS: dict[Kind, Callable[[TypeEngine[Any], Dialect, str | None], Check]] = {
    Kind.TEXT: _text_check,
    Kind.WHOLE: _whole_check,
    Kind.DECIMAL: _decimal_check,
    Kind.FLOAT: _float_check,
    Kind.DOCUMENT: _document_check,
    Kind.BYTES: _bytes_check,
    Kind.DURATION: _duration_check,
}


def _unchecked(value: Value) -> Value:
    return value


def _charset(column: Column[Any], dialect: Dialect) -> str | None:
    """The character set of the column, its table, or the database."""
    if dialect.name == "postgresql":
        return column.table.info.get("encoding")
    charset = getattr(column.type, "charset", None) or column.table.kwargs.get("mysql_default charset")
    return charset if isinstance(charset, str) else None
