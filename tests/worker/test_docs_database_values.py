"""docs/databases.md, on values and limits: each row of its table is synced, and what cannot work is refused."""

from pathlib import Path
from typing import Any

import pytest

from documentation.pages import Page

from .declared import DeclaredSync
from .mariadb import Database as MariaDB
from .postgresql import Database as PostgreSQL

PAGE = Page.read("docs/databases.md")
VALUES = [tuple(cell.strip("`") for cell in row) for row in PAGE.section("What becomes of values").rows(4)]


def sync_between(crm: PostgreSQL, billing: MariaDB, directory: Path, **contact: Any) -> DeclaredSync:
    place = {"table": "contact", "id": "id"}
    item = {
        "name": "contact",
        "crm": place,
        "billing": place,
        "match": ["email"],
        "fields": [{"crm": name, "billing": name} for name in ("email", "value")],
        **contact,
    }
    urls = {"CRM": crm.server.url(crm.name), "BILLING": billing.server.url(billing.name)}
    connectors = {name: {"type": "sql", "url": {"env": name.upper()}} for name in ("crm", "billing")}
    return DeclaredSync(directory / "sync", {"connectors": connectors, "objects": [item]}, urls)


def tables(crm: PostgreSQL, billing: MariaDB, crm_type: str, billing_type: str) -> None:
    crm.sql(f"CREATE TABLE contact (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text, value {crm_type})")
    billing.sql(
        f"CREATE TABLE contact (id BIGINT AUTO_INCREMENT PRIMARY KEY, email VARCHAR(40), value {billing_type}) "
        "CHARACTER SET utf8mb4"
    )


@pytest.mark.parametrize(("crm_type", "crm_value", "billing_type", "billing_value"), VALUES)
def test_a_postgresql_value_becomes_the_documented_mariadb_value(
    postgresql_database: PostgreSQL, mariadb_database: MariaDB, tmp_path: Path,
    crm_type: str, crm_value: str, billing_type: str, billing_value: str,
) -> None:  # fmt: skip
    crm, billing = postgresql_database, mariadb_database
    tables(crm, billing, crm_type, billing_type)
    crm.sql(f"INSERT INTO contact (email, value) VALUES ('ada@x', {crm_value})")  # noqa: S608
    ended = sync_between(crm, billing, tmp_path).run()
    assert ended.code == 0, ended.log
    if billing_value == "set aside":
        assert ended.message["setAside"] == 1
        billing_value = "NULL"
    held = billing.sql(f"SELECT value, value <=> {billing_value} FROM contact WHERE email = 'ada@x'")  # noqa: S608
    assert [row[1] for row in held] == [1], held


@pytest.mark.parametrize(
    ("crm_type", "crm_value", "billing_type", "billing_value"), [row for row in VALUES if row[3] != "set aside"]
)
def test_a_mariadb_value_becomes_the_documented_postgresql_value(
    postgresql_database: PostgreSQL, mariadb_database: MariaDB, tmp_path: Path,
    crm_type: str, crm_value: str, billing_type: str, billing_value: str,
) -> None:  # fmt: skip
    crm, billing = postgresql_database, mariadb_database
    tables(crm, billing, crm_type, billing_type)
    billing.sql(f"INSERT INTO contact (email, value) VALUES ('ada@x', {billing_value})")  # noqa: S608
    ended = sync_between(crm, billing, tmp_path).run()
    assert ended.code == 0, ended.log
    seconds = f"date_trunc('second', {crm_value}::{crm_type})"  # as many as the other side holds
    same = seconds if billing_type == "datetime" else f"{crm_value}::{crm_type}"
    held = crm.sql(f"SELECT value, value IS NOT DISTINCT FROM {same} FROM contact WHERE email = 'ada@x'")  # noqa: S608
    assert [row[1] for row in held] == [True], held


def test_null_and_the_empty_text_are_equal(
    postgresql_database: PostgreSQL, mariadb_database: MariaDB, tmp_path: Path
) -> None:
    crm, billing = postgresql_database, mariadb_database
    tables(crm, billing, "text", "varchar(40)")
    crm.sql("INSERT INTO contact (email, value) VALUES ('ada@x', ''), ('bob@x', 'Bob'), ('cy@x', 'Cy')")
    billing.sql("INSERT INTO contact (email, value) VALUES ('ada@x', NULL), ('bob@x', 'Bob'), ('cy@x', 'Cy')")
    sync = sync_between(crm, billing, tmp_path)
    assert not any(count for pushed in sync.run().message["pushed"].values() for count in pushed.values())
    crm.sql("UPDATE contact SET value = '' WHERE email = 'bob@x'")
    billing.sql("UPDATE contact SET value = '' WHERE email = 'cy@x'")
    assert sync.run().code == 0
    assert billing.sql("SELECT email, value FROM contact ORDER BY email") == [
        ("ada@x", None), ("bob@x", ""), ("cy@x", ""),
    ]  # fmt: skip
    assert crm.sql("SELECT email, value FROM contact ORDER BY email") == [("ada@x", ""), ("bob@x", ""), ("cy@x", "")]


def test_an_edit_of_letter_case_alone_is_an_edit(
    postgresql_database: PostgreSQL, mariadb_database: MariaDB, tmp_path: Path
) -> None:
    crm, billing = postgresql_database, mariadb_database
    tables(crm, billing, "text", "varchar(40) COLLATE utf8mb4_general_ci")
    crm.sql("INSERT INTO contact (email, value) VALUES ('ada@x', 'Ada')")
    sync = sync_between(crm, billing, tmp_path)
    assert sync.run().code == 0
    crm.sql("UPDATE contact SET value = 'ADA'")
    assert sync.run().code == 0
    assert billing.sql("SELECT CAST(value AS BINARY) FROM contact") == [(b"ADA",)]


def test_one_of_two_columns_that_identify_a_row_together_is_no_id(
    postgresql_database: PostgreSQL, mariadb_database: MariaDB, tmp_path: Path
) -> None:
    crm, billing = postgresql_database, mariadb_database
    tables(crm, billing, "text", "varchar(40)")
    crm.sql(
        "DROP TABLE contact; CREATE TABLE contact (id int, line int, email text, value text, PRIMARY KEY (id, line))"
    )
    ended = sync_between(crm, billing, tmp_path).run()
    assert (ended.code, "the primary key is id: [id, line]" in ended.message["reason"]) == (2, True)


def test_a_table_without_transactions_is_refused(
    postgresql_database: PostgreSQL, mariadb_database: MariaDB, tmp_path: Path
) -> None:
    crm, billing = postgresql_database, mariadb_database
    tables(crm, billing, "text", "varchar(40)")
    billing.sql("ALTER TABLE contact ENGINE = MyISAM")
    ended = sync_between(crm, billing, tmp_path).run()
    assert (ended.code, "has no transactions" in ended.message["reason"]) == (2, True)
