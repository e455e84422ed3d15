"""The transactions that are open in a database, and its own clock.

What an open transaction has written is not visible yet, and will be with a cursor from before: with the time at which
the transaction began, where the database's now() is that, or with a number that it drew.
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
    """The transactions of others that were open at one moment.

    `writers` are those that may have written to the table, by a name that no later one has; None when the database
    does not tell. `since` is when the oldest began of those whose beginning is known, and a writer among these is
    named only where its cursors need not be times. `remark` says what the worker would need to see more.
    """

    writers: frozenset[str] | None
    since: datetime | None = None
    remark: str = ""


def clock_of(engine: Engine) -> datetime:
    """The time by the database's own clock, to the microsecond or millisecond."""
    with engine.connect() as connection:
        said: str = connection.execute(text(_CLOCKS[engine.dialect.name])).scalar_one()
    return datetime.fromisoformat(said).replace(tzinfo=UTC)


def open_transactions(engine: Engine, table: Table, *, times: bool) -> Open:
    """The transactions that are open now, as they matter to a cursor that holds times, or else numbers."""
    if engine.dialect.name == "postgresql":
        return _in_postgresql(engine, table, times=times)
    return _in_mysql(engine) if engine.dialect.name == "mysql" else _in_sqlite(engine)


# Of other users' sessions everybody sees the locks, but when a transaction began only who may read all statistics.
_BEGUN = text("""
    SELECT min(xact_start), count(*) FILTER (WHERE xact_start IS NULL AND (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL))
    FROM pg_stat_activity
    WHERE datid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()
      AND backend_type IS DISTINCT FROM 'autovacuum worker'
""")  # noqa: E501

# Locks of those that write, prepared transactions included. Partitions and inherited tables are written by themselves;
# behind a view, or a foreign table, may be any.
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


# MySQL's NOW() is when the statement began: only who has written already matters. The start tells one transaction of a
# connection from its next.
_IN_INNODB = text("""
    SELECT CONCAT(trx_mysql_thread_id, ' ', trx_started) FROM information_schema.innodb_trx
    WHERE trx_mysql_thread_id <> CONNECTION_ID()
      AND (trx_rows_modified > 0 OR trx_lock_structs > 0 OR trx_tables_in_use > 0)
""")

_NO_PROCESS = 1227

# For so long InnoDB goes on showing what it has shown before.
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
    """SQLite has one writer at a time, and says only whether there is one."""
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)  # noqa: S101
        (patience,) = driver.execute("PRAGMA busy_timeout").fetchone()
        driver.execute("PRAGMA busy_timeout = 0")
        try:
            driver.execute("BEGIN IMMEDIATE")
            driver.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            # Else the file may not be written, and whoever else writes to it cannot be seen.
            is_busy = str(error.sqlite_errorname).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
            return Open(frozenset({"the writer"}) if is_busy else frozenset())
        finally:
            driver.execute(f"PRAGMA busy_timeout = {patience}")
    return Open(frozenset())


def still_open(before: Open, now: Open) -> Open:
    """Those of a moment that have not ended since."""
    both = None if before.writers is None or now.writers is None else before.writers & now.writers
    return replace(before, writers=both)
