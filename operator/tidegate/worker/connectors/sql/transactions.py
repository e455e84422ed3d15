"""The open transactions of a database, and the database's clock.

Rows that an open transaction has written are not visible yet, and will appear with an earlier cursor: the time at which
the transaction began, if it uses the database's now(), or a number that it drew.
"""

import sqlite3
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import Engine, Table, text
from sqlalchemy.exc import DBAPIError

from tidegate.worker.connectors.sql.postgresql import quoted_name

_CLOCKS = {
    "postgresql": "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
    "mysql": "SELECT CAST(UTC_TIMESTAMP(6) AS CHAR)",
    "sqlite": "SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')",
}


@dataclass(frozen=True, slots=True)
class Open:
    """The other sessions' transactions that were open at one moment.

    `writers` are those that may have written to the table, by identifiers that are never reused; None when the database
    does not tell. `since` is the start of the oldest transaction whose start is known; `writers` omits a transaction
    with a known start where the cursor holds times. `remark` says which privilege would let the worker see more.
    """

    writers: frozenset[str] | None
    since: datetime | None = None
    remark: str = ""


def clock_of(engine: Engine) -> datetime:
    """The database's clock, to the microsecond or millisecond."""
    with engine.connect() as connection:
        said: str = connection.execute(text(_CLOCKS[engine.dialect.name])).scalar_one()
    return datetime.fromisoformat(said).replace(tzinfo=UTC)


def open_transactions(engine: Engine, table: Table, *, times: bool) -> Open:
    """The transactions that are open now, as they matter for a cursor of times (`times`), or else of numbers."""
    if engine.dialect.name == "postgresql":
        return _in_postgresql(engine, table, times=times)
    return _in_mysql(engine) if engine.dialect.name == "mysql" else _in_sqlite(engine)


# Every user sees the locks of other users' sessions, but only one who may read all statistics sees their transactions'
# start.
_BEGUN = text("""
    SELECT min(xact_start), count(*) FILTER (WHERE xact_start IS NULL AND (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL))
    FROM pg_stat_activity
    WHERE datid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()
      AND backend_type IS DISTINCT FROM 'autovacuum worker'
""")  # noqa: E501

# The locks of writers, including prepared transactions. Partitions and inherited tables have locks of their own; behind
# a view or a foreign table may be any table.
_WRITERS = text("""
    WITH RECURSIVE own AS (
        SELECT CAST(CAST(:name AS regclass) AS oid) AS oid
        UNION SELECT inhrelid FROM pg_inherits JOIN own ON inhparent = own.oid)
    SELECT DISTINCT virtualtransaction, xact_start IS NOT NULL
    FROM pg_locks LEFT JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'relation' AND pid IS DISTINCT FROM pg_backend_pid()
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
      AND (relation IN (SELECT oid FROM own)
           OR (SELECT relkind NOT IN ('r', 'p') FROM pg_class WHERE oid = CAST(:name AS regclass)))
""")

_MAY_NOT_SEE = (
    "the role may not see when other users' transactions began, so a change made in one that takes longer than overlap "
    "may be read by the next whole scan only; to avoid it: GRANT pg_read_all_stats TO the worker's role"
)


def _in_postgresql(engine: Engine, table: Table, *, times: bool) -> Open:
    name = quoted_name(engine.dialect, table)
    with engine.connect() as connection:
        since, hidden = connection.execute(_BEGUN).one()
        found = connection.execute(_WRITERS, {"name": name}).all()
    if not times:
        return Open(frozenset(writer for writer, _ in found))
    writers = frozenset(writer for writer, is_known in found if not is_known)
    return Open(writers, since, _MAY_NOT_SEE if hidden else "")


# MySQL's NOW() is the start of the statement, so only transactions that have already written matter. The start tells
# the transactions of one connection apart.
_IN_INNODB = text("""
    SELECT CONCAT(trx_mysql_thread_id, ' ', trx_started) FROM information_schema.innodb_trx
    WHERE trx_mysql_thread_id <> CONNECTION_ID()
      AND (trx_rows_modified > 0 OR trx_lock_structs > 0 OR trx_tables_in_use > 0)
""")

_NO_PROCESS = 1227

# How long InnoDB keeps returning a cached list.
_STALE_SECONDS = 0.11

_NEEDS_PROCESS = (
    "the user may not see which transactions are open, so a change made in one that takes longer than overlap may be "
    "read by the next whole scan only; to avoid it: GRANT PROCESS ON *.* TO the worker's user"
)


def _in_mysql(engine: Engine) -> Open:
    time.sleep(_STALE_SECONDS)
    try:
        with engine.connect() as connection:
            return Open(frozenset(connection.execute(_IN_INNODB).scalars()))
    except DBAPIError as error:
        if error.orig is None or error.orig.args[:1] != (_NO_PROCESS,):
            raise
        return Open(None, remark=_NEEDS_PROCESS)


def _in_sqlite(engine: Engine) -> Open:
    """SQLite has one writer at a time, and only shows whether there is one."""
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)  # noqa: S101
        (patience,) = driver.execute("PRAGMA busy_timeout").fetchone()
        driver.execute("PRAGMA busy_timeout = 0")
        try:
            driver.execute("BEGIN IMMEDIATE")
            driver.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            # Otherwise the file is read-only, and another writer cannot be detected.
            is_busy = str(error.sqlite_errorname).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
            return Open(frozenset({"the writer"}) if is_busy else frozenset())
        finally:
            driver.execute(f"PRAGMA busy_timeout = {patience}")
    return Open(frozenset())


def still_open(before: Open, now: Open) -> Open:
    """The earlier transactions that have not ended."""
    both = None if before.writers is None or now.writers is None else before.writers & now.writers
    return replace(before, writers=both)
