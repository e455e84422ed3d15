"""docs/databases.md: with its statements, run on real servers, a user of their own syncs, and needs each right."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from documentation.pages import Page

from .declared import DeclaredSync
from .mariadb import Database as MariaDB
from .postgresql import Database as PostgreSQL

PAGE = Page.read("docs/databases.md")
(PG_USER, PG_CURSOR) = PAGE.section("PostgreSQL").blocks("sql")
(MY_USER, MY_CURSOR) = PAGE.section("MySQL and MariaDB").blocks("sql")
(LITE_CURSOR,) = PAGE.section("SQLite").blocks("sql")

Sql = Callable[[str], list[tuple[Any, ...]]]


@dataclass
class Side:
    """A table `contact` of somebody's database, with the cursor and the user that the page makes; and an empty one."""

    sql: Sql  # as its owner
    sync: DeclaredSync


def synced_with_a_file(url: str, directory: Path) -> DeclaredSync:
    place = {"table": "contact", "id": "id", "cursor": "updated_at"}
    sync = {
        "connectors": {"db": {"type": "sql", "url": {"env": "URL"}}, "file": {"type": "file", "url": str(directory)}},
        "objects": [
            {
                "name": "contact",
                "db": place,
                "file": {"path": "contacts.csv", "id": "id", "newId": "number", "settled": "0s"},
                "match": ["email"],
                "deletes": "propagate",
                "fields": [{"db": "email", "file": "email", "match": "casefold"}, {"db": "name", "file": "name"}],
            }
        ],
        "overlap": "0s",
        "safety": {"maxDeletes": {"percent": 100, "min": 10}},
    }
    (directory / "contacts.csv").write_text("id,email,name\n1,Eve@x,Eve\n")
    return DeclaredSync(directory / "sync", sync, {"URL": url})


def statements(block: str) -> list[str]:
    return [part.strip() for part in block.split(";\n") if part.strip()]


@pytest.fixture
def on_postgresql(postgresql_database: PostgreSQL, tmp_path: Path) -> Iterator[Callable[[str], Side]]:
    database = postgresql_database
    role = f"sync_{database.name}"

    def make(left_out: str) -> Side:
        database.sql(
            f"REVOKE CONNECT ON DATABASE {database.name} FROM PUBLIC; REVOKE USAGE ON SCHEMA public FROM PUBLIC"
        )
        database.sql(
            "CREATE TABLE contact (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text, name text);"
            "INSERT INTO contact (email, name) VALUES ('ada@x', 'Ada'), ('bob@x', 'Bob'), ('kim@x', 'Kim')"
        )
        for statement in [*statements(PG_USER), PG_CURSOR]:
            here = statement.replace(" sync", f" {role}").replace("DATABASE crm", f"DATABASE {database.name}")
            if shortened := without(here, left_out):
                database.sql(shortened)
        return Side(database.sql, synced_with_a_file(database.server.url(database.name, role), tmp_path))

    yield make
    database.sql(f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.fixture
def on_mariadb(mariadb_database: MariaDB, tmp_path: Path) -> Iterator[Callable[[str], Side]]:
    database = mariadb_database
    user = f"sync_{database.name}"

    def make(left_out: str) -> Side:
        database.sql("CREATE TABLE contact (id BIGINT AUTO_INCREMENT PRIMARY KEY, email VARCHAR(99), name VARCHAR(99))")
        database.sql("INSERT INTO contact (email, name) VALUES ('ada@x', 'Ada'), ('bob@x', 'Bob'), ('kim@x', 'Kim')")
        for statement in [*statements(MY_USER), *statements(MY_CURSOR)]:
            here = statement.replace(" sync", f" {user}").replace("billing.", f"{database.name}.")
            if shortened := without(here, left_out):
                database.sql(shortened.replace("%", "%%"))
        url = database.server.url(database.name, user, "change-me")
        return Side(database.sql, synced_with_a_file(url, tmp_path))

    yield make
    database.sql(f"DROP USER {user}")


def without(statement: str, right: str) -> str:
    """A GRANT without one of its rights; empty when it had no other."""
    if not right or not statement.startswith("GRANT"):
        return statement
    rights, rest = statement.removeprefix("GRANT ").split(" TO ")[0], statement.split(" TO ")[1]
    names, _, on = rights.partition(" ON ")
    kept = [name for name in names.split(", ") if name != right]
    return f"GRANT {', '.join(kept)}{f' ON {on}' if on else ''} TO {rest}" if kept else ""


def life(side: Side) -> Iterator[str]:
    """What a sync of the table does, until something of it is not as it should be; yields what is not."""
    first = side.sync.run()
    if first.code != 0 or "to avoid it: GRANT" in first.log:
        yield first.log
    if side.sql("SELECT name FROM contact WHERE email = 'Eve@x'") != [("Eve",)]:
        yield "a record of the file is not created in the table"
    side.sync.run("changes")  # reads what the first run wrote
    side.sql("UPDATE contact SET name = 'Ada L.' WHERE email = 'ada@x'")
    second = side.sync.run("changes")
    read, changed = (second.message.get(name, {}).get("db") for name in ("read", "changed"))
    # What the sync wrote itself is read again until its transaction is known to have ended.
    if (second.code, changed) != (0, 1) or read not in (1, 2):
        yield f"an edit is not read by its cursor, and alone: {second.log}"
    file = side.sync.directory.parent / "contacts.csv"
    file.write_text("".join(line.replace("Bob", "Bobby") for line in file.open() if "kim@x" not in line))
    third = side.sync.run()
    if third.code != 0 or "parked" in third.log.replace('"parked": 0', ""):
        yield third.log
    if side.sql("SELECT name FROM contact ORDER BY id") != [("Ada L.",), ("Bobby",), ("Eve",)]:
        yield "an edit and a deletion in the file do not reach the table"


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_the_documented_user_can_run_a_sync_that_reads_only_changes(kind: str, request: pytest.FixtureRequest) -> None:
    make: Callable[[str], Side] = request.getfixturevalue(f"on_{kind}")
    assert list(life(make(""))) == []


@pytest.mark.parametrize("right", ["CONNECT", "USAGE", "SELECT", "INSERT", "UPDATE", "DELETE", "pg_read_all_stats"])
def test_postgresql_needs_each_right(
    on_postgresql: Callable[[str], Side], postgresql_database: PostgreSQL, right: str
) -> None:
    side = on_postgresql(right)
    with PostgreSQL(postgresql_database.server, postgresql_database.name) as other:
        other.sql("BEGIN; SELECT pg_current_xact_id()")  # another user's transaction, of which to know the beginning
        assert next(life(side), None) is not None


@pytest.mark.parametrize("right", ["SELECT", "INSERT", "UPDATE", "DELETE", "PROCESS"])
def test_mysql_needs_each_right(on_mariadb: Callable[[str], Side], right: str) -> None:
    assert next(life(on_mariadb(right)), None) is not None


def test_every_right_is_explained() -> None:
    for section, block in (("PostgreSQL", PG_USER), ("MySQL and MariaDB", MY_USER)):
        granted = {
            right
            for statement in statements(block)
            if statement.startswith("GRANT")
            for right in statement.removeprefix("GRANT ").split(" TO ")[0].partition(" ON ")[0].split(", ")
        }
        rows = {right.strip("` ") for first, _ in PAGE.section(section).rows(2) for right in first.split(", ")}
        assert rows == granted


def test_sqlite_s_triggers_move_the_cursor(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "contacts.db", isolation_level=None)) as connection:
        connection.executescript(
            "CREATE TABLE contact (id INTEGER PRIMARY KEY, email TEXT, name TEXT);"
            "INSERT INTO contact (email, name) VALUES ('ada@x', 'Ada'), ('bob@x', 'Bob'), ('kim@x', 'Kim')"
        )
        connection.executescript(LITE_CURSOR)
        url = f"sqlite:///{tmp_path / 'contacts.db'}"
        side = Side(lambda sql: connection.execute(sql).fetchall(), synced_with_a_file(url, tmp_path))
        assert list(life(side)) == []
