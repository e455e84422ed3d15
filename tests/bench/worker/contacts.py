"""The data of all cases: contacts of eight mapped fields, made up by their number, in SQLite or PostgreSQL."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg

from worker.postgresql import Database, PostgreSQL

# How the URL of a SQLite database begins; its path follows.
SQLITE = "sqlite:///"

FIELDS = ("email", "first_name", "last_name", "phone", "company", "city", "score", "newsletter")

_COLUMNS = """
    email TEXT, first_name TEXT, last_name TEXT, phone TEXT, company TEXT, city TEXT, score INTEGER, newsletter INTEGER
"""

# What a table needs that is synced: an id, a column that every change moves on, and an index by what is matched.
_POSTGRESQL = f"""
CREATE TABLE contact (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {_COLUMNS},
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX ON contact (updated_at);
CREATE INDEX ON contact (lower(email));
GRANT SELECT, INSERT, UPDATE, DELETE ON contact TO worker;
"""
_SQLITE = f"""
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
CREATE TABLE contact (id INTEGER PRIMARY KEY, {_COLUMNS}, updated_at TEXT NOT NULL DEFAULT (datetime('now')));
CREATE INDEX by_change ON contact (updated_at);
CREATE INDEX by_email ON contact (email);
BEGIN;
"""


def write_sqlite(path: Path, records: int) -> None:
    """Make a database with so many contacts."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.executescript(_SQLITE)
        _insert(database, range(records))
        database.execute("COMMIT")
        database.execute("PRAGMA journal_mode = DELETE")


def in_postgresql(server: PostgreSQL, records: int) -> Database:
    """Make a database with so many contacts; with none it has an empty table."""
    database = server.database()
    database.sql(_POSTGRESQL)
    if records:
        names = ", ".join((*FIELDS, "updated_at"))
        statement = f"COPY contact ({names}) FROM STDIN".encode()
        with (
            psycopg.connect(server.url(database.name)) as connection,
            connection.cursor() as cursor,
            cursor.copy(statement) as into,
        ):
            for row in _contacts(range(records)):
                into.write_row(row)
        database.sql("ANALYZE contact")
    return database


def add_to_sqlite(path: Path, numbers: range) -> None:
    """Add contacts to a database."""
    with closing(sqlite3.connect(path)) as database, database:
        _insert(database, numbers)


def refuse_in_sqlite(path: Path) -> None:
    """Let a database refuse every new contact."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TRIGGER refuse BEFORE INSERT ON contact BEGIN SELECT RAISE(ABORT, 'refused'); END")


def _insert(database: sqlite3.Connection, numbers: range) -> None:
    names = ", ".join((*FIELDS, "updated_at"))
    marks = ", ".join("?" * (len(FIELDS) + 1))
    database.executemany(f"INSERT INTO contact ({names}) VALUES ({marks})", _contacts(numbers))  # noqa: S608


def _contacts(numbers: range) -> Iterator[tuple[str | int, ...]]:
    for n in numbers:
        yield (
            f"person{n}@company{n % 977}.example",
            f"First{n % 5003}",
            f"Last{n % 7919}",
            f"+44 20 {n:08}",
            f"Company {n % 977}",
            f"City {n % 503}",
            n % 101,
            n % 2,
            f"2026-{1 + n % 12:02}-{1 + n % 28:02} 12:{n // 60 % 60:02}:{n % 60:02}",
        )
