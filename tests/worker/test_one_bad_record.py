"""One record that a database cannot take does not keep the others of its batch from being written."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from tidegate.worker.connectors import (
    Blocked,
    Collection,
    Description,
    FieldUse,
    Interruptible,
    Postponed,
    Record,
    Rejected,
    Write,
    sql,
)
from tidegate.worker.connectors.sql.settings import Settings, TableSettings
from tidegate.worker.errors import ConfigurationError, Paused, SystemFailed

from . import mariadb
from .postgresql import Database, PostgreSQL


@contextmanager
def opened(url: str, *fields: str) -> Iterator[Collection]:
    uses = tuple(FieldUse(name, True) for name in fields)
    connector = sql.TYPE.connect(Settings(type="sql", url=url), {}, "erp")
    try:
        place = TableSettings(table="contact", id="id")
        yield connector.open(Description("object contact, connector erp", place, uses, (0,), True))
    finally:
        connector.close()


@pytest.fixture
def contacts(postgresql_database: Database) -> Database:
    postgresql_database.sql(
        "CREATE TABLE contact (id SERIAL PRIMARY KEY, email TEXT, tenant TEXT); "
        "GRANT ALL ON contact TO worker; GRANT ALL ON SEQUENCE contact_id_seq TO worker"
    )
    return postgresql_database


def only(database: Database, tenant: str) -> None:
    database.sql(
        "ALTER TABLE contact ENABLE ROW LEVEL SECURITY; CREATE POLICY readers ON contact FOR SELECT USING (true); "
        f"CREATE POLICY writers ON contact FOR INSERT WITH CHECK (tenant = '{tenant}')"
    )


def test_a_row_that_a_policy_refuses_is_set_aside_alone(contacts: Database) -> None:
    only(contacts, "ours")
    with opened(contacts.worker_url, "email", "tenant") as collection:
        first, refused, last = collection.create([["a@x", "ours"], ["b@x", "theirs"], ["c@x", "ours"]])
    assert isinstance(first, Record)
    assert isinstance(last, Record)
    assert refused == Rejected('new row violates row-level security policy for table "contact"')


def test_many_rows_that_a_policy_refuses_are_a_configuration_error(contacts: Database) -> None:
    only(contacts, "ours")
    with (
        opened(contacts.worker_url, "email", "tenant") as collection,
        pytest.raises(ConfigurationError, match="row-level security"),
    ):
        collection.create([[f"p{n}@x", "theirs"] for n in range(12)])
    assert contacts.sql("SELECT count(*) FROM contact") == [(0,)]


def test_a_write_that_times_out_sets_its_record_aside(contacts: Database) -> None:
    contacts.sql(
        """
        CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN IF NEW.email = 'slow@x' THEN PERFORM pg_sleep(60); END IF; RETURN NEW; END $$;
        CREATE TRIGGER slow BEFORE INSERT ON contact FOR EACH ROW EXECUTE FUNCTION slow();
        ALTER ROLE worker SET statement_timeout = '500ms';
        """
    )
    try:
        with opened(contacts.worker_url, "email", "tenant") as collection:
            first, slow, last = collection.create([["a@x", None], ["slow@x", None], ["c@x", None]])
    finally:
        contacts.sql("ALTER ROLE worker RESET statement_timeout")
    assert isinstance(first, Record)
    assert isinstance(last, Record)
    assert isinstance(slow, Rejected)
    assert slow.reason.startswith("canceling statement due to statement timeout")


def test_writes_that_all_time_out_fail_the_run(contacts: Database) -> None:
    contacts.sql(
        """
        CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$;
        CREATE TRIGGER slow BEFORE INSERT ON contact FOR EACH ROW EXECUTE FUNCTION slow();
        ALTER ROLE worker SET statement_timeout = '50ms';
        """
    )
    try:
        with (
            opened(contacts.worker_url, "email", "tenant") as collection,
            pytest.raises(SystemFailed, match="statement timeout"),
        ):
            collection.create([[f"p{n}@x", None] for n in range(12)])
    finally:
        contacts.sql("ALTER ROLE worker RESET statement_timeout")


def test_a_locked_row_sets_its_record_aside(contacts: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidegate.worker.connectors.sql.engine._POSTGRESQL_SESSION", "SET lock_timeout TO '300ms'")
    contacts.sql("INSERT INTO contact (email) VALUES ('a@x'), ('b@x'), ('c@x')")
    with opened(contacts.worker_url, "email", "tenant") as collection:
        records = collection.scan(None, 10, None).records
        with psycopg.connect(contacts.server.url(contacts.name)) as other:
            other.execute("SELECT 1 FROM contact WHERE email = 'b@x' FOR UPDATE")
            first, locked, last = collection.update([Write(record, {1: "ours"}) for record in records])
            other.rollback()
    assert isinstance(first, Record)
    assert isinstance(last, Record)
    assert locked == Rejected("canceling statement due to lock timeout")


def test_a_value_that_the_driver_cannot_write_sets_its_record_aside(mariadb_database: mariadb.Database) -> None:
    mariadb_database.sql("CREATE TABLE contact (id INT AUTO_INCREMENT PRIMARY KEY, email TEXT, place POINT)")
    with opened(mariadb_database.url, "email", "place") as collection:
        first, refused, last = collection.create([["a@x", None], ["b@x", "nowhere"], ["c@x", None]])
    assert isinstance(first, Record)
    assert isinstance(refused, Rejected)
    assert isinstance(last, Record)


def test_values_beyond_python_s_dates_are_read_and_do_not_stop_the_others(contacts: Database) -> None:
    contacts.sql(
        "ALTER TABLE contact ADD day date, ADD moment timestamptz; INSERT INTO contact (email, day, moment) VALUES "
        "('a@x', 'infinity', '9999-12-31 23:59:59-05'), ('b@x', '2024-02-29', '0044-03-15 00:00:00+00 BC')"
    )
    with opened(contacts.worker_url, "email", "day", "moment") as collection:
        records = collection.scan(None, 10, None).records
        assert [[str(value) for value in record.values] for record in records] == [
            ["a@x", "infinity", "10000-01-01 04:59:59+00"],
            ["b@x", "2024-02-29", "0044-03-15 00:00:00+00 BC"],
        ]
        (created,) = collection.create([["c@x", *records[0].values[1:]]])
        assert isinstance(created, Record)
        assert created.values[1:] == records[0].values[1:], "PostgreSQL itself can hold them"


def test_a_sequence_behind_the_ids_is_reported_and_catches_up(contacts: Database) -> None:
    contacts.sql("INSERT INTO contact (id, email) VALUES (1, 'x'), (2, 'y'), (3, 'z')")
    with opened(contacts.worker_url, "email", "tenant") as collection:
        (refused,) = collection.create([["a@x", None]])
        assert refused == Blocked(
            'duplicate key value violates unique constraint "contact_pkey": the database has given it an id that '
            "another record has, as after a restore; set the sequence of column id to the largest id, with setval()"
        )
        while not isinstance(answer := collection.create([["a@x", None]])[0], Record):
            pass
    assert answer.key == 4


def test_invalid_bytes_are_read_from_sqlite_and_do_not_stop_the_others(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "erp.db")) as connection:
        connection.execute("CREATE TABLE contact (id INTEGER PRIMARY KEY, email TEXT, tenant TEXT)")
        connection.execute("INSERT INTO contact (email, tenant) VALUES ('a@x', CAST(X'ff61' AS TEXT)), ('b@x', 'ours')")
        connection.commit()
    with opened(f"sqlite:///{tmp_path}/erp.db", "email", "tenant") as collection:
        bad, good = collection.scan(None, 10, None).records
        assert good.values == ("b@x", "ours")
        refused, written = collection.create([["c@x", bad.values[1]], ["d@x", "ours"]])
        assert isinstance(refused, Rejected)
        assert refused.reason.startswith("column tenant is of type TEXT: the text has the byte 0xff")
        assert isinstance(written, Record)
        (stored,) = collection.update([Write(bad, {0: "new@x"})])
        assert isinstance(stored, Record)
    with closing(sqlite3.connect(tmp_path / "erp.db")) as connection:
        assert connection.execute("SELECT hex(tenant) FROM contact WHERE email = 'new@x'").fetchall() == [("FF61",)]


def test_an_ending_run_postpones_the_records_that_it_writes_one_by_one(contacts: Database) -> None:
    only(contacts, "ours")
    asked = iter([False, False, True])
    connector = sql.TYPE.connect(Settings(type="sql", url=contacts.worker_url), {}, "erp")
    assert isinstance(connector, Interruptible)
    connector.stop_when(lambda: next(asked))
    try:
        uses = tuple(FieldUse(name, True) for name in ("email", "tenant"))
        collection = connector.open(Description("contact", TableSettings(table="contact", id="id"), uses, (0,), True))
        rows = [[f"{n}@x", "theirs" if n == 1 else "ours"] for n in range(4)]
        written, refused, third, last = collection.create(rows)
    finally:
        connector.close()
    assert isinstance(written, Record)
    assert isinstance(refused, Rejected)
    assert isinstance(third, Postponed)
    assert third == last
    assert isinstance(third.because, Paused)
    assert contacts.sql("SELECT email FROM contact") == [("0@x",)]


def test_a_character_that_the_database_s_encoding_lacks_is_refused_by_name(
    postgresql_server: PostgreSQL, contacts: Database
) -> None:
    contacts.sql("CREATE DATABASE western TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")
    url = postgresql_server.url("western")
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE contact (id SERIAL PRIMARY KEY, email TEXT, tenant VARCHAR(9))")
        with opened(url, "email", "tenant") as collection:
            refused, written = collection.create([["ł@x", "ours"], ["a@x", "Zoë"]])
            assert refused == Rejected("column email is of type TEXT: its character set LATIN1 has no 'ł'")
            assert isinstance(written, Record)
            assert written.values == ("a@x", "Zoë")
            assert collection.find([("ł@x",)]) == []
    finally:
        contacts.sql("DROP DATABASE western WITH (FORCE)")


def test_a_sql_ascii_database_is_read_as_utf8(postgresql_server: PostgreSQL, contacts: Database) -> None:
    contacts.sql("CREATE DATABASE unchecked TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'")
    url = postgresql_server.url("unchecked")
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE contact (id SERIAL PRIMARY KEY, email TEXT, tenant TEXT)")
            connection.execute(r"INSERT INTO contact (email, tenant) VALUES ('a@x', E'\xff\x61'), ('b@x', 'ours')")
        with opened(url, "email", "tenant") as collection:
            bad, good = collection.scan(None, 10, None).records
            assert good.values == ("b@x", "ours")
            (new,) = collection.create([["c@x", "Zoë"]])
            assert isinstance(new, Record)
            assert collection.get([new.key])[new.key].values == ("c@x", "Zoë")
            (refused,) = collection.create([["d@x", bad.values[1]]])
            assert isinstance(refused, Rejected)
            assert "the byte 0xff" in refused.reason
    finally:
        contacts.sql("DROP DATABASE unchecked WITH (FORCE)")
