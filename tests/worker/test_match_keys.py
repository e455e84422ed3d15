"""Match keys are compared as the systems compare them: padding, trailing spaces and accents make no second record."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from . import mariadb, postgresql
from .in_process import NOTHING, run

PEOPLE = ("ada", "bob", "éva")


def synced(directory: Path, crm: str, erp: str, number: int = 1, **match: Any) -> dict[str, Any]:
    """What one run between two tables of codes and names writes."""
    place = {"table": "part", "id": "id"}
    config = {
        "connectors": {"crm": {"type": "sql", "url": crm}, "erp": {"type": "sql", "url": erp}},
        "objects": [
            {
                "name": "part", "crm": place, "erp": place, "match": ["code"],
                "fields": [{"crm": "code", "erp": "code", **match}, {"crm": "name", "erp": "name"}],
            }
        ],
    }  # fmt: skip
    code, message, said = run(directory, config, number)
    assert code == 0, said
    pushed: dict[str, Any] = message["pushed"]
    return pushed


def on_sqlite(directory: Path, codes: tuple[str, ...], declared: str = "TEXT") -> str:
    path = directory / "parts.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"CREATE TABLE part (id INTEGER PRIMARY KEY, code {declared}, name TEXT)")
        connection.executemany("INSERT INTO part (code, name) VALUES (?, 'N')", [(code,) for code in codes])
    return f"sqlite:///{path}"


def on_postgresql(database: postgresql.Database, declared: str) -> str:
    database.sql(f"CREATE TABLE part (id serial PRIMARY KEY, code {declared}, name text)")
    database.sql("GRANT ALL ON part, part_id_seq TO worker")
    for code in PEOPLE:
        database.sql("INSERT INTO part (code, name) VALUES (%s, 'N')", code)
    return database.worker_url


def on_mariadb(database: mariadb.Database, declared: str) -> str:
    database.sql(f"CREATE TABLE part (id INT AUTO_INCREMENT PRIMARY KEY, code {declared}, name TEXT)")
    for code in PEOPLE:
        database.sql("INSERT INTO part (code, name) VALUES (%s, 'N')", code)
    return database.url


@pytest.mark.parametrize("declared", ["char(10)", "varchar(10)"])
@pytest.mark.parametrize("other", ["CHAR(10)", "VARCHAR(10)", "VARCHAR(10) UNIQUE COLLATE utf8mb4_bin"])
def test_a_column_that_pads_its_texts_causes_no_duplicates(
    postgresql_database: postgresql.Database,
    mariadb_database: mariadb.Database,
    tmp_path: Path,
    declared: str,
    other: str,
) -> None:
    crm, erp = on_postgresql(postgresql_database, declared), on_mariadb(mariadb_database, other)
    assert synced(tmp_path, crm, erp) == NOTHING
    postgresql_database.sql("INSERT INTO part (code, name) VALUES ('new', 'N')")
    mariadb_database.sql("INSERT INTO part (code, name) VALUES ('new', 'N')")
    assert synced(tmp_path, crm, erp, 2) == NOTHING


def test_char_padding_is_not_read_even_from_a_server_that_shows_it(
    mariadb_database: mariadb.Database, tmp_path: Path
) -> None:
    (mode,) = mariadb_database.sql("SELECT @@GLOBAL.sql_mode")[0]
    mariadb_database.sql("SET GLOBAL sql_mode = 'ANSI_QUOTES,PAD_CHAR_TO_FULL_LENGTH'")
    try:
        erp = on_mariadb(mariadb_database, "CHAR(10)")
        assert synced(tmp_path, on_sqlite(tmp_path, PEOPLE), erp) == NOTHING
    finally:
        mariadb_database.sql("SET GLOBAL sql_mode = %s", mode)


def test_texts_with_padding_from_an_old_program_are_matched_by_trim(
    postgresql_database: postgresql.Database, tmp_path: Path
) -> None:
    crm = on_postgresql(postgresql_database, "varchar(10)")
    erp = on_sqlite(tmp_path, tuple(f"{code:10}" for code in PEOPLE), "CHAR(10)")
    assert synced(tmp_path, crm, erp, normalize="trim") == NOTHING


@pytest.mark.parametrize("there", ["JOSE", "  josé", "Jose\u0301 "])
def test_two_new_records_that_differ_in_accents_and_spaces_are_one_where_configured(
    postgresql_database: postgresql.Database, mariadb_database: mariadb.Database, tmp_path: Path, there: str
) -> None:
    crm, erp = on_postgresql(postgresql_database, "text"), on_mariadb(mariadb_database, "VARCHAR(20)")
    how: dict[str, Any] = {"normalize": ["trim", "accents", "casefold"]}
    assert synced(tmp_path, crm, erp, **how) == NOTHING
    postgresql_database.sql("INSERT INTO part (code, name) VALUES ('José', 'N')")
    mariadb_database.sql("INSERT INTO part (code, name) VALUES (%s, 'N')", there)
    assert synced(tmp_path, crm, erp, 2, **how) == NOTHING
