"""Creates the SQLAlchemy engine of a database.

PostgreSQL (psycopg 3), MySQL and MariaDB (pymysql), and SQLite. All of them are set up alike: times are in UTC, a value
that does not fit is an error and is never truncated, and transactions begin explicitly.
"""

import sqlite3
import warnings
from typing import Any

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SAWarning

from tidegate.worker.connectors.sql import postgresql_values
from tidegate.worker.connectors.sql.mysql import CONVERSIONS, read_document
from tidegate.worker.errors import ConfigurationError
from tidegate.worker.values.normal_form import json_text

_CONNECT_SECONDS = 10

# When another session holds a row lock for longer, the run fails and is retried.
_LOCK_WAIT_SECONDS = 30

_POSTGRESQL_SESSION = (
    f"SET timezone TO 'UTC'; SET lock_timeout TO '{_LOCK_WAIT_SECONDS}s'; SET client_encoding TO 'UTF8'; "
    "SET datestyle TO 'ISO'; SET intervalstyle TO 'iso_8601'"
)

_MYSQL_SESSION = (
    "SET SESSION time_zone = '+00:00', "
    # Without the strict mode MySQL truncates texts and numbers; with PAD_CHAR_TO_FULL_LENGTH it pads each CHAR that it
    # returns. The server's other modes stay.
    "sql_mode = CONCAT_WS(',', NULLIF(REPLACE(@@sql_mode, 'PAD_CHAR_TO_FULL_LENGTH', ''), ''), 'STRICT_ALL_TABLES'), "
    f"innodb_lock_wait_timeout = {_LOCK_WAIT_SECONDS}, lock_wait_timeout = {_LOCK_WAIT_SECONDS}"
)


def open_engine(connector: str, url_text: str) -> Engine:
    """An engine for the URL; it does not connect yet. Raises ConfigurationError."""
    # It would be printed among the log's lines for every such column, also for those that are not synced.
    warnings.filterwarnings("ignore", "Did not recognize type", SAWarning)
    try:
        url = make_url(url_text)
    except (ArgumentError, ValueError):
        # The URL is not repeated: it may hold a password.
        raise ConfigurationError(
            f"connector {connector}: url is not a database URL such as postgresql://user:password@host/database"
        ) from None
    system, _, driver = url.drivername.partition("+")
    if system in ("postgresql", "postgres") and driver in ("", "psycopg"):
        return _postgresql(url.set(drivername="postgresql+psycopg"))
    if system in ("mysql", "mariadb") and driver in ("", "pymysql"):
        return _mysql(connector, url.set(drivername="mysql+pymysql"))
    if system == "sqlite" and driver in ("", "pysqlite"):
        return _sqlite(connector, url)
    raise ConfigurationError(
        f"connector {connector}: url begins with {url.drivername}://, and what is supported is postgresql://, "
        "mysql:// and sqlite:///"
    )


def _postgresql(url: URL) -> Engine:
    # Not prepared: the plan of a prepared statement from when a table was empty would be kept after it has grown.
    options = {"connect_timeout": _CONNECT_SECONDS, "prepare_threshold": None}
    engine = create_engine(
        url,
        pool_size=1,
        max_overflow=1,
        connect_args=options,
        json_serializer=json_text,
        json_deserializer=read_document,
    )

    @event.listens_for(engine, "connect", insert=True)  # before SQLAlchemy asks for the server's version
    def prepare(connection: Any, _: object) -> None:
        connection.execute(_POSTGRESQL_SESSION)
        postgresql_values.prepare(connection)
        connection.commit()

    return engine


def _mysql(connector: str, url: URL) -> Engine:
    if not url.database:
        raise ConfigurationError(f"connector {connector}: url names no database; write mysql://user@host/database")
    return create_engine(
        url,
        pool_size=1,
        max_overflow=1,
        # The default, REPEATABLE READ, would also lock the gaps beside the rows, and block inserts by other sessions.
        isolation_level="READ COMMITTED",
        connect_args={
            "connect_timeout": _CONNECT_SECONDS,
            "charset": "utf8mb4",
            "init_command": _MYSQL_SESSION,
            "conv": CONVERSIONS,
        },
        json_serializer=json_text,
        json_deserializer=read_document,
    )


def _sqlite(connector: str, url: URL) -> Engine:
    path = url.database
    if not path or path == ":memory:":
        raise ConfigurationError(f"connector {connector}: url names no file; write sqlite:////path/of/the/file")

    def connect() -> sqlite3.Connection:
        # SQLite would create a missing file; a mistyped path must not become an empty system.
        uri = path if path.startswith("file:") else f"file:{path.replace('%', '%25').replace('?', '%3f')}?mode=rw"
        try:
            return sqlite3.connect(uri, uri=True, timeout=_LOCK_WAIT_SECONDS, isolation_level=None)
        except sqlite3.OperationalError as error:
            error.args = (f"{error} {path}",)  # SQLite does not say which
            raise

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=1, max_overflow=1)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: object) -> None:
        # SQLite's own lower() handles only ASCII, and an index may use it, so it is not replaced.
        connection.create_function("unicode_lower", 1, _lower, deterministic=True)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get("writing")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value
