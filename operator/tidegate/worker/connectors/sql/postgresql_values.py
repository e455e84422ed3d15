"""Makes psycopg read and write PostgreSQL's values that Python has no type, or the wrong type, for.

An interval is always read as months, days and time. Times outside Python's range make psycopg fail. Only a page that
holds one pays for that: it is read again, and from then on the connection uses slower loaders for times.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from psycopg import DataError
from psycopg.abc import Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.types.array import ListBinaryDumper
from psycopg.types.datetime import DateLoader, TimeLoader, TimestampLoader, TimestamptzLoader, TimetzLoader
from psycopg.types.string import TextLoader
from sqlalchemy import Column, ColumnElement, Connection, Engine, Executable, Table, cast
from sqlalchemy.dialects.postgresql import ARRAY, DOMAIN, MONEY
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.operators import OperatorClass
from sqlalchemy.types import CHAR, JSON, Text, TypeDecorator

from tidegate.worker.values.kinds import Duration, Kind, Spelling

_Found = TypeVar("_Found")

# SQLAlchemy does not declare that these can be compared, and is going to refuse what is not declared.
DOMAIN.operator_classes = OperatorClass.ANY  # as the type that it is of
MONEY.operator_classes = OperatorClass.BASE | OperatorClass.COMPARISON


class _DurationLoader(Loader):
    def load(self, data: Buffer) -> Duration:
        return Duration.parse(bytes(data).decode())


class _DurationDumper(Dumper):
    oid = 1186  # interval

    def dump(self, obj: Any) -> bytes:
        return str(obj).encode()


class _SpellingDumper(Dumper):
    """A text whose type the server infers."""

    oid = 0

    def dump(self, obj: Any) -> bytes:
        return str(obj).encode()


def _lenient(loads: type[Any], kind: Kind) -> type[Loader]:
    """A loader that returns the server's text for values outside Python's range."""

    class Lenient(Loader):
        def __init__(self, oid: int, context: Any = None) -> None:
            super().__init__(oid, context)
            self._strict = loads(oid, context)

        def load(self, data: Buffer) -> Any:
            try:
                return self._strict.load(data)
            except (DataError, ValueError, OverflowError):
                return Spelling(kind, bytes(data).decode())

    return Lenient


class _AnyTextLoader(TextLoader):
    """A text of a database with the encoding SQL_ASCII, which checks nothing: bytes that are no characters are kept."""

    def load(self, data: Buffer) -> str:
        return bytes(data).decode("utf-8", "surrogateescape")


_TEXTS = ("text", "varchar", "bpchar")

_LENIENT: dict[str, type[Loader]] = {
    "timestamptz": _lenient(TimestamptzLoader, Kind.INSTANT),
    "timestamp": _lenient(TimestampLoader, Kind.LOCAL),
    "date": _lenient(DateLoader, Kind.DATE),
    "time": _lenient(TimeLoader, Kind.TIME),
    "timetz": _lenient(TimetzLoader, Kind.ZONED_TIME),
    **dict.fromkeys(_TEXTS, _AnyTextLoader),
}


class _Padded(TypeDecorator[str]):
    """CHAR(n). Its padding spaces have no meaning, also in PostgreSQL's own comparisons, and are not read."""

    impl = CHAR
    cache_ok = True
    kind = Kind.TEXT

    @property
    def declared(self) -> str:
        """The name of the type."""
        return f"CHAR({self.length})"

    @property
    def length(self) -> int | None:
        """Its length in characters."""
        return getattr(self.impl_instance, "length", None)

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return cast(column, Text())


def read_exactly(engine: Engine, table: Table) -> None:
    """Replace column types with ones that read exactly what is stored."""
    with engine.connect() as connection:
        table.info["encoding"] = connection.exec_driver_sql("SHOW server_encoding").scalar()
    for column in table.columns:
        column.type = _exact(column)


def _exact(column: Column[Any]) -> Any:
    type_ = column.type
    if type(type_) is CHAR:
        return _Padded(type_.length)
    for each in (type_, type_.item_type if isinstance(type_, ARRAY) else None):
        if isinstance(each, JSON):
            each.none_as_null = True  # no value is NULL, and not the document `null`
    return type_


def prepare(connection: Any) -> None:
    """Set up a new connection for intervals and for values outside Python's range."""
    adapters = connection.adapters
    # In text format the server would have to quote and parse every element of an array.
    adapters.register_dumper(list, ListBinaryDumper)
    adapters.register_loader("interval", _DurationLoader)
    adapters.register_dumper(Duration, _DurationDumper)
    adapters.register_dumper(Spelling, _SpellingDumper)
    if connection.info.parameter_status("server_encoding") == "SQL_ASCII":
        # The server refuses to send text that is invalid in the client's encoding; with SQL_ASCII psycopg returns it as
        # bytes.
        connection.execute("SET client_encoding TO 'SQL_ASCII'")
        for name in (*_TEXTS, "name", '"char"', 0):
            adapters.register_loader(name, _AnyTextLoader)


def fetched(connection: Connection, query: Executable) -> Sequence[Any]:
    """All rows of a read-only query."""
    return read_leniently(connection, lambda: connection.execute(query).all())


def read_leniently(connection: Connection, read: Callable[[], _Found]) -> _Found:
    """Run a read; repeat it with lenient loaders when the driver cannot represent a value."""
    try:
        return read()
    except (DBAPIError, UnicodeDecodeError) as error:
        if connection.dialect.name == "sqlite" and "Could not decode to UTF-8" in str(error):
            return _read_undecoded(connection, read)
        if connection.dialect.name != "postgresql" or not _is_the_drivers(error):
            raise
    raw: Any = connection.connection.driver_connection
    for name, loader in _LENIENT.items():
        raw.adapters.register_loader(name, loader)
    return read()


def _read_undecoded(connection: Connection, read: Callable[[], _Found]) -> _Found:
    """The same for a file of SQLite, which stores any bytes as a text: bytes that are no characters are kept."""
    raw: Any = connection.connection.driver_connection
    raw.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
    try:
        return read()
    finally:
        raw.text_factory = str


def _is_the_drivers(error: Exception) -> bool:
    said = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(said, (DataError, UnicodeDecodeError)) and getattr(said, "sqlstate", None) is None
