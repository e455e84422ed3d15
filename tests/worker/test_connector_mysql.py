"""What is particular about MySQL and MariaDB in the `sql` connector; the rest is in test_connector_contract."""

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tidegate.worker.cache.store import Cache
from tidegate.worker.config.parse import parse
from tidegate.worker.connectors import (
    Blocked,
    Changed,
    Collection,
    Description,
    FieldUse,
    Record,
    Rejected,
    Write,
    sql,
)
from tidegate.worker.connectors.sql import Database as Connected
from tidegate.worker.connectors.sql.settings import Settings, TableSettings
from tidegate.worker.errors import ConfigurationError, SystemFailed
from tidegate.worker.run.session import connect, open_pairs

from .mariadb import Database


def connected(url: str, *, returning: bool = True) -> Connected:
    database = sql.TYPE.connect(Settings(type="sql", url=url), {}, "erp")
    assert isinstance(database, Connected)
    if not returning:  # as MySQL is
        with database._engine.connect():
            database._engine.dialect.insert_returning = False
    return database


@contextmanager
def opened(
    url: str,
    *fields: str,
    table: str = "contact",
    id: str = "id",
    casefold: Sequence[str] = (),
    match: Sequence[int] = (0,),
    returning: bool = True,
    written: bool = True,
) -> Iterator[Collection]:
    uses = tuple(FieldUse(name, written, ("casefold",) if name in casefold else ()) for name in fields)
    description = Description(
        "object contact, connector erp", TableSettings(table=table, id=id), uses, tuple(match), written
    )
    database = connected(url, returning=returning)
    try:
        yield database.open(description)
    finally:
        database.close()


def status(database: Database, name: str) -> int:
    found = database.sql("SELECT variable_value FROM information_schema.global_status WHERE variable_name = %s", name)
    return int(found[0][0])


@pytest.fixture
def contacts(mariadb_database: Database) -> Database:
    mariadb_database.sql(
        "CREATE TABLE contact (id INT AUTO_INCREMENT PRIMARY KEY, email VARCHAR(100) COLLATE utf8mb4_bin UNIQUE, "
        "name VARCHAR(20))"
    )
    return mariadb_database


@pytest.mark.parametrize("returning", [True, False], ids=["mariadb", "mysql"])
def test_creates_return_records_in_the_given_order(contacts: Database, returning: bool) -> None:
    wanted = [(f"p{n}@x", None if n % 3 else f"name {n}") for n in range(50)]
    with opened(contacts.url, "email", "name", returning=returning) as collection:
        answers = collection.create(wanted)
    assert [answer.values for answer in answers if isinstance(answer, Record)] == wanted
    stored = {key: (email, name) for key, email, name in contacts.sql("SELECT id, email, name FROM contact")}
    assert {answer.key: answer.values for answer in answers if isinstance(answer, Record)} == stored


@pytest.mark.parametrize("returning", [True, False], ids=["mariadb", "mysql"])
def test_a_refused_record_does_not_stop_the_rest_of_a_batch(contacts: Database, returning: bool) -> None:
    contacts.sql("INSERT INTO contact (email) VALUES ('taken@x')")
    with opened(contacts.url, "email", "name", returning=returning) as collection:
        first, taken, long, last = collection.create(
            [("first@x", "F"), ("taken@x", "T"), ("long@x", "L" * 21), ("last@x", "L")]
        )
    assert isinstance(first, Record)
    assert isinstance(last, Record)
    assert taken == Blocked("Duplicate entry for key 'email' (error 1062)"), "the words do not quote the value"
    assert isinstance(long, Rejected), "and not cut to what fits"
    assert long.reason == "column name is of type VARCHAR(20): the text is longer than 20 characters"


def test_an_edit_of_letter_case_only_is_detected_by_compare_and_set(contacts: Database) -> None:
    contacts.sql("INSERT INTO contact (email, name) VALUES ('ann@x', 'ann')")
    with opened(contacts.url, "email", "name") as collection:
        (read,) = collection.scan(None, 10, None).records
        contacts.sql("UPDATE contact SET name = 'ANN'")
        assert collection.update([Write(read, {1: "Anna"})]) == [Changed()]
        assert collection.delete([read]) == [Changed()]
    assert contacts.sql("SELECT name FROM contact") == [("ANN",)]


@pytest.mark.parametrize("collation", ["utf8mb4_general_ci", "utf8mb4_bin"])
def test_records_are_found_ignoring_case_under_any_collation(mariadb_database: Database, collation: str) -> None:
    mariadb_database.sql(f"CREATE TABLE contact (id INT PRIMARY KEY, email VARCHAR(100) COLLATE {collation})")
    mariadb_database.sql("INSERT INTO contact VALUES (1, 'Ann@X'), (2, 'ÉVA@x'), (3, 'bob@x')")
    with opened(mariadb_database.url, "email", casefold=["email"], written=False) as collection:
        assert {record.key for record in collection.find([("aNN@x",), ("éva@X",)])} == {1, 2}


def test_a_value_that_the_column_s_character_set_lacks_is_not_found_there_and_refused(
    mariadb_database: Database,
) -> None:
    mariadb_database.sql(
        "CREATE TABLE contact (id INT AUTO_INCREMENT PRIMARY KEY, email VARCHAR(100)) CHARACTER SET latin1"
    )
    mariadb_database.sql("INSERT INTO contact (email) VALUES ('évá@x')")
    with opened(mariadb_database.url, "email") as collection:
        assert [record.values for record in collection.find([("évá@x",), ("😀@x",)])] == [("évá@x",)]
        created, refused = collection.create([("ünï@x",), ("😀@x",)])
    assert isinstance(created, Record)
    assert created.values == ("ünï@x",)
    assert refused == Rejected("column email is of type VARCHAR(100): its character set latin1 has no '😀'")


# The type, what somebody else has stored, and how it is read.
TYPES: list[tuple[str, str, Any]] = [
    ("BOOLEAN", "TRUE", 1),
    ("BIT(1)", "b'1'", 1),
    ("BIGINT UNSIGNED", "18446744073709551615", 18446744073709551615),
    ("DECIMAL(30,10)", "12345678901234567890.0123456789", Decimal("12345678901234567890.0123456789")),
    ("DOUBLE", "0.12345678901234568", 0.12345678901234568),
    ("DOUBLE", "1e-300", 1e-300),
    ("FLOAT", "0.5", 0.5),
    ("DATETIME(6)", "'2024-02-29 23:59:59.000001'", datetime(2024, 2, 29, 23, 59, 59, 1)),
    ("TIME", "'-26:00:01'", "-26:00:01"),
    ("TIME(6)", "'10:00:00.5'", "10:00:00.500000"),
    ("YEAR", "2024", 2024),
    ("SET('a','b','c')", "'c,a'", "a,c"),
    ("ENUM('new','old')", "'old'", "old"),
    ("JSON", """'{"b": 1}'""", {"b": 1}),
    ("UUID", "'550e8400-e29b-41d4-a716-446655440000'", UUID("550e8400-e29b-41d4-a716-446655440000")),
    ("VARBINARY(4)", "x'00ff'", b"\x00\xff"),
    ("LONGTEXT", "'a\\nb''c\\\\'", "a\nb'c\\"),
]


@pytest.mark.parametrize(("kind", "stored", "value"), TYPES, ids=[f"{kind} {stored}" for kind, stored, _ in TYPES])
def test_a_value_is_read_and_written_as_it_is_stored(
    mariadb_database: Database, kind: str, stored: str, value: Any
) -> None:
    mariadb_database.sql(f"CREATE TABLE contact (id INT AUTO_INCREMENT PRIMARY KEY, v {kind})")
    mariadb_database.sql(f"INSERT INTO contact (v) VALUES ({stored})")  # noqa: S608
    with opened(mariadb_database.url, "v") as collection:
        (read,) = collection.scan(None, 10, None).records
        assert read.values == (value,)
        (created,) = collection.create([read.values])
        assert isinstance(created, Record)
        assert created.values == (value,)
        (updated,) = collection.update([Write(read, {0: None})])
        assert isinstance(updated, Record)
        assert updated.values == (None,)
    assert mariadb_database.sql("SELECT COUNT(*), COUNT(DISTINCT v) FROM contact") == [(2, 1)]


def test_a_boolean_text_is_stored_as_mysql_s_number(mariadb_database: Database) -> None:
    mariadb_database.sql("CREATE TABLE contact (id INT AUTO_INCREMENT PRIMARY KEY, active BOOLEAN)")
    with opened(mariadb_database.url, "active") as collection:
        answers = collection.create([["true"], [False], ["1"], ["yes"]])
    assert [answer.values for answer in answers if isinstance(answer, Record)] == [(1,), (0,), (1,)]
    assert answers[3] == Rejected("column active is of type TINYINT(1): the text is not a number as one is written")


def test_times_are_stored_in_utc_for_any_server_time_zone(mariadb_database: Database) -> None:
    mariadb_database.sql("SET GLOBAL time_zone = '+05:00'")
    try:
        mariadb_database.sql("CREATE TABLE contact (id INT AUTO_INCREMENT PRIMARY KEY, d DATETIME, t TIMESTAMP NULL)")
        moment = datetime(2024, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))
        with opened(mariadb_database.url, "d", "t") as collection:
            (created,) = collection.create([(moment, moment)])
        assert isinstance(created, Record)
        utc = moment.astimezone(UTC).replace(tzinfo=None)
        assert created.values == (utc, utc)
        mariadb_database.sql("SET time_zone = '+00:00'")
        assert mariadb_database.sql("SELECT d, t FROM contact") == [(utc, utc)]
    finally:
        mariadb_database.sql("SET GLOBAL time_zone = 'SYSTEM'")


KEYS = {
    "BIGINT UNSIGNED": ["1", "18446744073709551615"],
    "BINARY(16)": ["x'550e8400e29b41d4a716446655440000'", "x'650e8400e29b41d4a716446655440000'"],
    "UUID": ["'550e8400-e29b-41d4-a716-446655440000'", "'650e8400-e29b-41d4-a716-446655440000'"],
    "VARCHAR(20)": ["'a'", "'é b/c'"],
    "DECIMAL(20,0)": ["1", "99999999999999999999"],
}


@pytest.mark.parametrize("kind", KEYS)
def test_ids_of_any_kind_survive_the_cache(mariadb_database: Database, kind: str) -> None:
    mariadb_database.sql(f"CREATE TABLE contact (id {kind} PRIMARY KEY, name VARCHAR(20))")
    for n, key in enumerate(KEYS[kind]):
        mariadb_database.sql(f"INSERT INTO contact VALUES ({key}, 'n{n}')")  # noqa: S608
    with opened(mariadb_database.url, "name", written=False) as collection:
        first = collection.scan(None, 1, None)
        (read,) = first.records
        (second,) = collection.scan(first.after, 10, None).records
        assert [read.values, second.values] == [("n0",), ("n1",)]
        assert collection.get([read.key, second.key]) == {read.key: read, second.key: second}
        for record in (read, second):
            assert isinstance(record.key, str) or record.key < 2**63, "the cache can hold it"
        assert collection.delete([read]) == [None]
    assert mariadb_database.sql("SELECT name FROM contact") == [("n1",)]


@pytest.mark.parametrize("kind", ["BINARY(16)", "UUID"])
def test_a_uuid_is_generated_where_the_database_has_no_default(mariadb_database: Database, kind: str) -> None:
    mariadb_database.sql(f"CREATE TABLE contact (id {kind} PRIMARY KEY, name VARCHAR(20))")
    with opened(mariadb_database.url, "name", returning=False) as collection:
        created = [answer for answer in collection.create([("A",), ("B",)]) if isinstance(answer, Record)]
        assert [record.values for record in created] == [("A",), ("B",)]
        assert len({UUID(str(record.key)) for record in created}) == 2


def test_an_id_default_that_mysql_does_not_return_is_a_configuration_error(
    mariadb_database: Database,
) -> None:
    mariadb_database.sql("CREATE TABLE contact (id VARCHAR(36) DEFAULT (uuid()) PRIMARY KEY, name VARCHAR(20))")
    with (
        pytest.raises(ConfigurationError, match="MySQL generates the id of column id and does not return it"),
        opened(mariadb_database.url, "name", returning=False),
    ):
        pass
    with opened(mariadb_database.url, "name") as collection:  # MariaDB does
        (created,) = collection.create([("A",)])
        assert isinstance(created, Record)
        assert UUID(str(created.key))


def test_a_table_without_transactions_can_be_read_and_not_written(mariadb_database: Database) -> None:
    mariadb_database.sql("CREATE TABLE contact (id INT AUTO_INCREMENT PRIMARY KEY, name TEXT) ENGINE = MyISAM")
    with opened(mariadb_database.url, "name", written=False) as collection:
        assert collection.scan(None, 10, None).records == []
    with (
        pytest.raises(ConfigurationError, match=r"table contact has no transactions.*MyISAM"),
        opened(mariadb_database.url, "name"),
    ):
        pass


def test_a_deadlock_with_another_session_is_retried_at_once(contacts: Database) -> None:
    contacts.sql("INSERT INTO contact (id, email, name) VALUES (1, 'a@x', 'A'), (2, 'b@x', 'B'), (3, 'c@x', 'C')")
    with opened(contacts.url, "email", "name") as collection:
        first, second, _ = collection.scan(None, 10, None).records
        deadlocks = status(contacts, "Innodb_deadlocks")
        # Who has written more is spared: we are to be the ones whose transaction is undone.
        contacts.sql("BEGIN")
        contacts.sql("INSERT INTO contact (name) SELECT 'bulk' FROM seq_1_to_500")
        contacts.sql("UPDATE contact SET name = 'C2' WHERE id = 3")
        contacts.sql("SELECT * FROM contact WHERE id = 2 FOR UPDATE")
        writes = [Write(first, {1: "A2"}), Write(second, {1: "B2"})]
        with ThreadPoolExecutor() as executor:
            ours = executor.submit(collection.update, writes)
            while status(contacts, "Innodb_row_lock_current_waits") == 0 and not ours.done():
                time.sleep(0.01)
            contacts.sql("SELECT * FROM contact WHERE id = 1 FOR UPDATE")
            contacts.sql("COMMIT")
            answers = ours.result()
    assert [answer.values for answer in answers if isinstance(answer, Record)] == [("a@x", "A2"), ("b@x", "B2")]
    assert status(contacts, "Innodb_deadlocks") == deadlocks + 1


def test_a_wrong_password_is_a_configuration_error(contacts: Database) -> None:
    url = contacts.server.url(contacts.name, "root", "wrong-secret")
    with pytest.raises(ConfigurationError, match="Access denied") as caught, opened(url, "email"):
        pass
    assert "wrong-secret" not in str(caught.value)


def test_a_missing_privilege_is_a_configuration_error_before_it_is_used(contacts: Database) -> None:
    contacts.sql("CREATE USER reader@localhost")
    contacts.sql(f"GRANT SELECT, LOCK TABLES ON {contacts.name}.* TO reader@localhost")
    with (
        pytest.raises(ConfigurationError, match="no right to INSERT, UPDATE on table contact"),
        opened(contacts.server.url(contacts.name, "reader"), "email", "name"),
    ):
        pass


def test_an_unreachable_server_fails_the_run() -> None:
    with (
        pytest.raises(SystemFailed, match="connector erp"),
        opened("mysql://localhost/x?unix_socket=/nowhere", "email"),
    ):
        pass


def test_a_broken_connection_fails_the_run_and_the_next_call_reconnects(contacts: Database) -> None:
    with opened(contacts.url, "email", "name") as collection:
        assert collection.scan(None, 10, None).records == []
        for (process,) in contacts.sql("SELECT id FROM information_schema.processlist WHERE id <> connection_id()"):
            contacts.sql(f"KILL {process}")
        with pytest.raises(SystemFailed):
            collection.scan(None, 10, None)
        assert collection.scan(None, 10, None).records == []


def test_a_time_without_a_zone_is_refused_for_newest_and_an_instant_is_not(contacts: Database, tmp_path: Path) -> None:
    contacts.sql("ALTER TABLE contact ADD COLUMN at DATETIME, ADD COLUMN moment TIMESTAMP DEFAULT CURRENT_TIMESTAMP")

    def sync(cursor: str, **settings: Any) -> None:
        connectors = {name: {"type": "sql", "url": contacts.url, **settings} for name in ("crm", "erp")}
        place = {"table": "contact", "id": "id", "cursor": cursor}
        config = {
            "connectors": connectors,
            "objects": [
                {
                    "name": "contact", "crm": place, "erp": place, "match": ["email"], "conflict": "newest",
                    "fields": [{"crm": "email", "erp": "email"}],
                }
            ],
        }  # fmt: skip
        parsed = parse(json.dumps(config).encode())
        opened = connect(parsed, {})
        cache = Cache(tmp_path, "1")
        try:
            open_pairs(parsed, opened, cache)
        finally:
            cache.close()
            for each in opened:
                each.close()

    with pytest.raises(
        ConfigurationError, match="the cursor of crm is a time without a zone; set timezone of"
    ) as caught:
        sync("at")
    assert len(caught.value.complaints) == 2
    sync("at", timezone="Europe/Berlin")
    sync("moment")
