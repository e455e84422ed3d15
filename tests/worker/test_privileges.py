"""A right that the database's user lacks is found before anything is written, with all others that are missing."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .declared import DeclaredSync
from .mariadb import Database as MariaDB
from .postgresql import Database as PostgreSQL

Sql = Callable[[str], list[tuple[Any, ...]]]


def sync_of(url: str, directory: Path, **contact: Any) -> DeclaredSync:
    """A table and a file that has a record more, so that there is something to write."""
    (directory / "contacts.csv").write_text("id,email,name\n7,eve@x,Eve\n")
    item = {
        "name": "contact",
        "db": {"table": "contact", "id": "id"},
        "file": {"path": "contacts.csv", "id": "id"},
        "match": ["email"],
        "fields": [{"db": name, "file": name} for name in ("email", "name")],
        **contact,
    }
    connectors = {"db": {"type": "sql", "url": {"env": "URL"}}, "file": {"type": "file", "url": str(directory)}}
    return DeclaredSync(directory / "sync", {"connectors": connectors, "objects": [item]}, {"URL": url})


class User:
    """A user of the sync's own, who has been granted what the test says."""

    def __init__(self, name: str, sql: Sql, url: str, grantee: str) -> None:
        self.name = name
        self.sql = sql
        self.url = url
        self._grantee = grantee

    def grant(self, *rights: str) -> None:
        for right in rights:
            self.sql(f"GRANT {right} TO {self._grantee}")


@pytest.fixture
def on_postgresql(postgresql_database: PostgreSQL) -> Iterator[User]:
    database = postgresql_database
    role = f"reader_{database.name}"
    database.sql("CREATE TABLE contact (id serial PRIMARY KEY, email text, name text)")
    database.sql(f"CREATE ROLE {role} LOGIN PASSWORD 'change-me'")
    yield User(role, database.sql, database.server.url(database.name, role), role)
    database.sql(f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.fixture
def on_mariadb(mariadb_database: MariaDB) -> Iterator[User]:
    database = mariadb_database
    name = f"reader_{database.name}"
    database.sql("CREATE TABLE contact (id BIGINT AUTO_INCREMENT PRIMARY KEY, email VARCHAR(99), name VARCHAR(99))")
    database.sql(f"CREATE USER {name} IDENTIFIED BY 'change-me'")
    yield User(name, database.sql, database.server.url(database.name, name, "change-me"), name)
    database.sql(f"DROP USER {name}")


@pytest.fixture(params=["postgresql", "mariadb"])
def user(request: pytest.FixtureRequest) -> User:
    found: User = request.getfixturevalue(f"on_{request.param}")
    return found


ALL = "SELECT, INSERT, UPDATE, DELETE ON contact"
SEQUENCE = "USAGE ON SEQUENCE contact_id_seq"


def test_all_missing_privileges_are_reported_at_once_and_nothing_is_written(user: User, tmp_path: Path) -> None:
    user.grant("SELECT ON contact")
    ended = sync_of(user.url, tmp_path, deletes="propagate").run()
    assert ended.code == 2
    assert f"the user {user.name}" in ended.message["reason"]
    assert (
        "has no right to INSERT, UPDATE, DELETE on table contact: GRANT INSERT, UPDATE, DELETE on it"
        in (ended.message["reason"])
    )
    assert user.sql("SELECT count(*) FROM contact") == [(0,)]
    assert (tmp_path / "contacts.csv").read_text() == "id,email,name\n7,eve@x,Eve\n"


@pytest.mark.parametrize("right", ["INSERT", "UPDATE", "DELETE"])
def test_a_missing_privilege_is_named(user: User, tmp_path: Path, right: str) -> None:
    user.grant(ALL.replace(f", {right}", ""))
    ended = sync_of(user.url, tmp_path, deletes="propagate").run()
    assert ended.code == 2
    assert f"has no right to {right} on table contact" in ended.message["reason"]
    assert user.sql("SELECT count(*) FROM contact") == [(0,)]


def test_the_sequence_of_ids_is_among_them(on_postgresql: User, tmp_path: Path) -> None:
    on_postgresql.grant(ALL)
    sync = sync_of(on_postgresql.url, tmp_path)
    assert "GRANT USAGE ON SEQUENCE public.contact_id_seq" in sync.run().message["reason"]
    on_postgresql.grant(SEQUENCE)
    assert sync.run().code == 0


def test_the_delete_privilege_is_needed_only_where_deletes_are_propagated(user: User, tmp_path: Path) -> None:
    user.grant("SELECT, INSERT, UPDATE ON contact", *([SEQUENCE] if user.url.startswith("postgresql") else []))
    assert sync_of(user.url, tmp_path).run().code == 0
    assert user.sql("SELECT name FROM contact") == [("Eve",)]


def test_privileges_on_the_used_columns_are_enough(on_postgresql: User, tmp_path: Path) -> None:
    on_postgresql.sql("ALTER TABLE contact ADD COLUMN salary int")
    rights = "SELECT (id, email, name), INSERT (email, name), UPDATE (email, name) ON contact"
    on_postgresql.grant(rights, SEQUENCE)
    ended = sync_of(on_postgresql.url, tmp_path).run()
    assert ended.code == 0, ended.log


def test_privileges_of_a_role_count(on_mariadb: User, tmp_path: Path) -> None:
    role = f"role_{on_mariadb.name}"[:80]
    on_mariadb.sql(f"CREATE ROLE {role}")
    on_mariadb.sql(f"GRANT {ALL} TO {role}")
    on_mariadb.grant(role)
    on_mariadb.sql(f"SET DEFAULT ROLE {role} FOR {on_mariadb.name}")
    ended = sync_of(on_mariadb.url, tmp_path, deletes="propagate").run()
    assert ended.code == 0, ended.log


def test_a_read_only_run_needs_the_select_privilege(user: User, tmp_path: Path) -> None:
    user.grant("SELECT ON contact")
    assert sync_of(user.url, tmp_path).run(push=False).code == 0
    (tmp_path / "other").mkdir()
    fields = [{"db": name, "file": name, "direction": "to-file"} for name in ("email", "name")]
    ended = sync_of(user.url, tmp_path / "other", fields=fields).run()
    assert ended.code == 0, ended.log
