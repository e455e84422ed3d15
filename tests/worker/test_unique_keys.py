"""A unique key that is wider than `match` is found at the start, and the setting that makes them alike is named."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tidegate.worker.connectors import Description, FieldUse, sql
from tidegate.worker.connectors.sql.settings import Settings, TableSettings
from tidegate.worker.errors import ConfigurationError
from tidegate.worker.values.normal_form import Normalization

from . import mariadb, postgresql


def check(
    url: str, *, normalize: tuple[Normalization, ...] = (), match: Sequence[int] = (0,), creates: bool = True
) -> str:
    """What is complained of; nothing where the table can be synced."""
    uses = tuple(FieldUse(name, True, normalize if name == "email" else ()) for name in ("email", "name"))
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
    assert check(mariadb_database.url).count("write match: casefold for field email") == wider
    assert check(mariadb_database.url, normalize=("casefold",)) == ""
    assert check(mariadb_database.url, creates=False) == ""


def test_of_mariadb_accents_are_a_remark_because_most_of_its_collations_ignore_them(
    mariadb_database: mariadb.Database, caplog: pytest.LogCaptureFixture
) -> None:
    mariadb_database.sql("CREATE TABLE contact (id INT AUTO_INCREMENT PRIMARY KEY, email VARCHAR(9) UNIQUE, name TEXT)")
    assert check(mariadb_database.url, normalize=("casefold",)) == ""
    assert "differ only in accents or trailing spaces" in caplog.text
    assert "write normalize: [casefold, accents, trim] for field email" in caplog.text
    caplog.clear()
    assert check(mariadb_database.url, normalize=("casefold", "accents", "trim")) == caplog.text == ""


@pytest.mark.parametrize(
    ("collation", "normalize", "differences"),
    [
        ("utf8mb4_bin", (), "trailing spaces"),
        ("utf8mb4_bin", ("trim",), ""),
        ("utf8mb4_nopad_bin", (), ""),
        ("utf8mb4_unicode_ci", ("casefold", "accents"), "trailing spaces"),
        ("utf8mb4_unicode_nopad_ci", ("casefold", "accents"), ""),
        ("utf8mb4_unicode_nopad_ci", ("casefold", "trim"), "accents"),
    ],
)
def test_of_mariadb_a_collation_that_pads_is_remarked_where_match_does_not_trim(
    mariadb_database: mariadb.Database,
    caplog: pytest.LogCaptureFixture,
    collation: str,
    normalize: tuple[Normalization, ...],
    differences: str,
) -> None:
    mariadb_database.sql(
        "CREATE TABLE contact (id INT AUTO_INCREMENT PRIMARY KEY, "
        f"email VARCHAR(9) COLLATE {collation} UNIQUE, name TEXT)"
    )
    assert check(mariadb_database.url, normalize=normalize) == ""
    assert (f"differ only in {differences} for the same" in caplog.text) if differences else caplog.text == ""


ON_POSTGRESQL = [
    ("email TEXT, name TEXT", "CREATE UNIQUE INDEX one_each ON contact (lower(email))", True),
    ("email VARCHAR(9), name TEXT", "CREATE UNIQUE INDEX one_each ON contact (lower(email))", True),
    ("email TEXT COLLATE any_case UNIQUE, name TEXT", "SELECT", True),
    ("email any_text UNIQUE, name TEXT", "SELECT", True),
    ("email TEXT, name TEXT", "CREATE UNIQUE INDEX one_each ON contact (upper(btrim(email)))", True),
    ("email TEXT, name TEXT", "CREATE UNIQUE INDEX one_each ON contact (reverse(email))", False),
    ("email TEXT UNIQUE, name TEXT", "CREATE INDEX found_by ON contact (lower(email))", False),
    ("email TEXT, name TEXT", "CREATE UNIQUE INDEX one_each ON contact (lower(email), name)", False),
]


@pytest.mark.parametrize(("columns", "index", "wider"), ON_POSTGRESQL)
def test_of_postgresql_by_index_and_collation(
    postgresql_database: postgresql.Database, columns: str, index: str, wider: bool
) -> None:
    postgresql_database.sql(
        "CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false); "
        "CREATE DOMAIN any_text AS TEXT COLLATE any_case; "
        f"CREATE TABLE contact (id INT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {columns}); "
        f"{index}; GRANT ALL ON contact TO worker"
    )
    said = check(postgresql_database.worker_url)
    assert said.count("differ only in letter case") == said.count("for field email") == wider
    assert check(postgresql_database.worker_url, normalize=("casefold", "trim")) == ""


WIDER_THAN_CASE = [
    ("email TEXT COLLATE base_letters UNIQUE", "SELECT", "[casefold, accents]"),
    ("email TEXT", "CREATE UNIQUE INDEX one_each ON contact (lower(unaccent(email)))", "[casefold, accents]"),
    ("email TEXT", "CREATE UNIQUE INDEX one_each ON contact (lower(TRIM(email)))", "[casefold, trim]"),
]


@pytest.mark.parametrize(("column", "index", "setting"), WIDER_THAN_CASE)
def test_of_postgresql_accents_and_spaces_count_too(
    postgresql_database: postgresql.Database, column: str, index: str, setting: str
) -> None:
    postgresql_database.sql(
        "CREATE COLLATION base_letters (provider = icu, locale = 'und-u-ks-level1', deterministic = false); "
        "CREATE FUNCTION unaccent(text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT translate($1, 'é', 'e') $$; "
        f"CREATE TABLE contact (id INT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {column}, name TEXT); "
        f"{index}; GRANT ALL ON contact TO worker"
    )
    assert f"write normalize: {setting} for field email" in check(postgresql_database.worker_url)
    assert f"write normalize: {setting} for field email" in check(
        postgresql_database.worker_url, normalize=("casefold",)
    )
    assert check(postgresql_database.worker_url, normalize=("casefold", "accents", "trim")) == ""


@pytest.mark.parametrize(
    ("collation", "setting"), [("NOCASE", "match: casefold"), ("RTRIM", "normalize: [trim]"), ("BINARY", "")]
)
def test_of_sqlite_by_the_collation(tmp_path: Path, collation: str, setting: str) -> None:
    with closing(sqlite3.connect(tmp_path / "erp.db")) as connection:
        connection.execute(f"CREATE TABLE contact (id INTEGER PRIMARY KEY, email TEXT COLLATE {collation}, name TEXT)")
        connection.execute("CREATE UNIQUE INDEX one_each ON contact (email)")
    said = check(f"sqlite:///{tmp_path}/erp.db")
    assert ("unique key one_each takes texts" in said and f"write {setting} for" in said) if setting else said == ""


@pytest.mark.parametrize(
    "columns",
    [
        "id INTEGER PRIMARY KEY, email TEXT COLLATE NOCASE UNIQUE, name TEXT",
        "id INTEGER PRIMARY KEY, email TEXT COLLATE NOCASE, name TEXT, UNIQUE (email)",
        "id INTEGER UNIQUE, email TEXT COLLATE NOCASE PRIMARY KEY, name TEXT",
    ],
)
def test_of_sqlite_the_keys_of_the_table_itself_count_too(tmp_path: Path, columns: str) -> None:
    with closing(sqlite3.connect(tmp_path / "erp.db")) as connection:
        connection.execute(f"CREATE TABLE contact ({columns})")
    assert check(f"sqlite:///{tmp_path}/erp.db").count("write match: casefold for field email") == 1
    assert check(f"sqlite:///{tmp_path}/erp.db", normalize=("casefold",)) == ""


DOUBLED = "CREATE VIEW contact AS SELECT email AS id, name AS email, name FROM made"


def test_of_postgresql_a_view_with_doubled_ids_is_refused_by_name(postgresql_database: postgresql.Database) -> None:
    postgresql_database.sql(
        "CREATE TABLE made (email TEXT, name TEXT); INSERT INTO made VALUES ('a', 'x'), ('a', 'y'), ('A', 'z')"
    )
    postgresql_database.sql(DOUBLED)
    postgresql_database.sql("GRANT SELECT ON contact TO worker")
    assert "id: more than one row has the id a; " in check(postgresql_database.worker_url, creates=False)
    postgresql_database.sql("DELETE FROM made WHERE name = 'y'")
    assert "has the id" not in check(postgresql_database.worker_url, creates=False)


def test_of_mariadb_ids_are_doubled_where_the_collation_takes_them_for_the_same(
    mariadb_database: mariadb.Database,
) -> None:
    mariadb_database.sql("CREATE TABLE made (email VARCHAR(9) COLLATE utf8mb4_general_ci, name TEXT)")
    mariadb_database.sql("INSERT INTO made VALUES ('a', 'x'), ('A', 'y'), ('b', 'z')")
    mariadb_database.sql(DOUBLED)
    assert "id: more than one row has the id" in check(mariadb_database.url, creates=False)
    mariadb_database.sql("DELETE FROM made WHERE name = 'y'")
    assert "has the id" not in check(mariadb_database.url, creates=False)
