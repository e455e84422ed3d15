"""A unique key that is wider than `match` is found at the start, and the setting that makes them alike is named."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tidegate.worker.connectors import Description, FieldUse, sql
from tidegate.worker.connectors.sql.settings import Settings, TableSettings
from tidegate.worker.errors import ConfigurationError

from . import mariadb, postgresql


def check(url: str, *, casefold: Sequence[str] = (), match: Sequence[int] = (0,), creates: bool = True) -> str:
    """What is complained of; nothing where the table can be synced."""
    uses = tuple(FieldUse(name, True, name in casefold) for name in ("email", "name"))
    connector = sql.TYPE.connect(Settings(type="sql", url=url), {}, "erp")
    try:
        place = TableSettings(table="contact", id="id")
        connector.open(Description("object contact, connector erp", place, uses, tuple(match), creates))
    except ConfigurationError as error:
        return str(error)
    finally:
        connector.close()
    return ""


ON_MARIADB = [
    ("email VARCHAR(40) COLLATE utf8mb4_general_ci UNIQUE, name VARCHAR(40)", True),
    ("email VARCHAR(40) COLLATE utf8mb4_general_ci, name VARCHAR(40), UNIQUE (email, name)", False),
    ("email VARCHAR(40) COLLATE utf8mb4_bin UNIQUE, name VARCHAR(40)", False),
    ("email VARCHAR(40) COLLATE utf8mb4_general_ci, name VARCHAR(40)", False),
]


@pytest.mark.parametrize(("columns", "wider"), ON_MARIADB)
def test_of_mariadb_by_the_collation(mariadb_database: mariadb.Database, columns: str, wider: bool) -> None:
    mariadb_database.sql(f"CREATE TABLE contact (id INT AUTO_INCREMENT PRIMARY KEY, {columns})")
    assert ("write match: casefold for field email" in check(mariadb_database.url)) is wider
    assert check(mariadb_database.url, casefold=["email"]) == ""
    assert check(mariadb_database.url, creates=False) == ""


ON_POSTGRESQL = [
    ("email TEXT, name TEXT", "CREATE UNIQUE INDEX one_each ON contact (lower(email))", True),
    ("email VARCHAR(9), name TEXT", "CREATE UNIQUE INDEX one_each ON contact (lower(email))", True),
    ("email TEXT COLLATE any_case UNIQUE, name TEXT", "SELECT", True),
    ("email TEXT UNIQUE, name TEXT", "CREATE INDEX found_by ON contact (lower(email))", False),
    ("email TEXT, name TEXT", "CREATE UNIQUE INDEX one_each ON contact (lower(email), name)", False),
]


@pytest.mark.parametrize(("columns", "index", "wider"), ON_POSTGRESQL)
def test_of_postgresql_by_index_and_collation(
    postgresql_database: postgresql.Database, columns: str, index: str, wider: bool
) -> None:
    postgresql_database.sql(
        "CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false); "
        f"CREATE TABLE contact (id SERIAL PRIMARY KEY, {columns}); {index}; GRANT ALL ON contact TO worker"
    )
    assert ("write match: casefold for field email" in check(postgresql_database.worker_url)) is wider
    assert check(postgresql_database.worker_url, casefold=["email"]) == ""


@pytest.mark.parametrize(("collation", "wider"), [("NOCASE", True), ("BINARY", False)])
def test_of_sqlite_by_the_collation(tmp_path: Path, collation: str, wider: bool) -> None:
    with closing(sqlite3.connect(tmp_path / "erp.db")) as connection:
        connection.execute(f"CREATE TABLE contact (id INTEGER PRIMARY KEY, email TEXT COLLATE {collation}, name TEXT)")
        connection.execute("CREATE UNIQUE INDEX one_each ON contact (email)")
    assert ("unique key one_each" in check(f"sqlite:///{tmp_path}/erp.db")) is wider
