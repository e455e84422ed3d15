"""A database as SQLAlchemy connects it, and what its errors mean for the run. Serves `sql`.

PostgreSQL (psycopg 3) and SQLite. Two things are made the same: times are in UTC, and a transaction begins when we
say so.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError

from tidegate.worker.errors import ConfigurationError, SystemFailed

_CONNECT_SECONDS = 10

# A row that somebody else keeps locked for longer fails the run, which is tried again.
_LOCK_WAIT = "30s"

# Errors of PostgreSQL that these values would meet again: data, constraints, views' checks, triggers' own
# exceptions, and types that do not convert.
_REFUSALS = ("22", "23", "44", "P0", "42804", "42846")
_NO_PRIVILEGE = "42501"


def open_engine(connector: str, url_text: str) -> Engine:
    """An engine for the URL; nothing is connected yet. Raises ConfigurationError."""
    try:
        url = make_url(url_text)
    except (ArgumentError, ValueError):
        # The text is not repeated: it may hold a password.
        raise ConfigurationError(
            f"connector {connector}: url is not a database URL such as postgresql://user:password@host/database"
        ) from None
    system, _, driver = url.drivername.partition("+")
    if system in ("postgresql", "postgres") and driver in ("", "psycopg"):
        return _postgresql(url.set(drivername="postgresql+psycopg"))
    if system == "sqlite" and driver in ("", "pysqlite"):
        return _sqlite(connector, url)
    raise ConfigurationError(
        f"connector {connector}: url begins with {url.drivername}://, and what is supported is postgresql:// and "
        "sqlite:///"
    )


def _postgresql(url: URL) -> Engine:
    engine = create_engine(url, pool_size=1, max_overflow=1, connect_args={"connect_timeout": _CONNECT_SECONDS})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.execute(f"SET timezone TO 'UTC'; SET lock_timeout TO '{_LOCK_WAIT}'")
        connection.commit()

    return engine


def _sqlite(connector: str, url: URL) -> Engine:
    path = url.database
    if not path or path == ":memory:":
        raise ConfigurationError(f"connector {connector}: url names no file; write sqlite:////path/of/the/file")

    def connect() -> sqlite3.Connection:
        # SQLite would make a file that is not there; a mistyped path must not become an empty system.
        uri = path if path.startswith("file:") else f"file:{path.replace('%', '%25').replace('?', '%3f')}?mode=rw"
        return sqlite3.connect(uri, uri=True, timeout=30, isolation_level=None)

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=1, max_overflow=1)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: object) -> None:
        # SQLite's own lower() knows ASCII only, and may serve an index: it is left as it is.
        connection.create_function("unicode_lower", 1, _lower, deterministic=True)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get("writing")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


@contextmanager
def speaking_of(connector: str) -> Iterator[None]:
    """Turn what the database says into what it means for the run; a refusal of values passes through."""
    try:
        yield
    except DBAPIError as error:
        if is_refusal(error):
            raise
        if _sqlstate(error) == _NO_PRIVILEGE:
            raise ConfigurationError(f"connector {connector}: the database says: {words(error)}") from error
        raise SystemFailed(f"connector {connector}: the database says: {words(error)}") from error
    except SQLAlchemyError as error:
        raise SystemFailed(f"connector {connector}: {words(error)}") from error


def is_refusal(error: DBAPIError) -> bool:
    """True when the database refuses the values, and would again."""
    if error.connection_invalidated:
        return False
    return isinstance(error, (IntegrityError, DataError)) or _sqlstate(error).startswith(_REFUSALS)


def _sqlstate(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")


def words(error: SQLAlchemyError) -> str:
    """The database's own words in one line. Its DETAIL is left out: that quotes the record's values."""
    said = error.orig if isinstance(error, DBAPIError) else error
    lines = [line.strip() for line in str(said).splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith(("DETAIL:", "CONTEXT:", "HINT:", "(Background", "LINE "))]
    return "; ".join(kept[:3]) or type(error).__name__
