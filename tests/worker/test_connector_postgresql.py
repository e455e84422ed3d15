"""What is particular about PostgreSQL in the `sql` connector; the rest is in test_connector_contract."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from tidegate.worker.connectors import Collection, Description, FieldUse, Record, Rejected, sql
from tidegate.worker.connectors.sql.settings import Settings, TableSettings
from tidegate.worker.errors import ConfigurationError

from .postgresql import Database, PostgreSQL


@contextmanager
def opened(
    database: Database, *fields: str, casefold: Sequence[str] = (), match: Sequence[int] = (0,)
) -> Iterator[Collection]:
    database.sql(
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO worker; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO worker"
    )
    uses = tuple(FieldUse(name, True, ("casefold",) if name in casefold else ()) for name in fields)
    connector = sql.TYPE.connect(Settings(type="sql", url=database.worker_url), {}, "erp")
    try:
        place = TableSettings(table="contact", id="id")
        yield connector.open(Description("object contact, connector erp", place, uses, tuple(match), True))
    finally:
        connector.close()


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_letters_beyond_ascii_are_found_ignoring_case_in_any_locale(postgresql_server: PostgreSQL, locale: str) -> None:
    with Database(postgresql_server, "postgres") as maintenance:
        name = f"locale_{locale.lower().replace('.', '_').replace('-', '_')}"
        maintenance.sql(f"CREATE DATABASE {name} LOCALE '{locale}' TEMPLATE template0")
    with Database(postgresql_server, name) as database:
        database.sql("CREATE TABLE contact (id SERIAL PRIMARY KEY, email TEXT, name TEXT)")
        database.sql("INSERT INTO contact VALUES (1, 'ÉVA@x', 'A'), (2, 'Ann@X', 'B'), (3, 'bob@x', 'C')")
        with opened(database, "email", "name", casefold=["email"]) as collection:
            assert {record.key for record in collection.find([("éva@X",), ("ann@x",)])} == {1, 2}


@pytest.mark.parametrize("kind", ["TEXT", "CHAR(3)"])
def test_records_are_found_by_several_fields_with_letters_beyond_ascii(
    postgresql_database: Database, kind: str
) -> None:
    postgresql_database.sql(f"CREATE TABLE contact (id SERIAL PRIMARY KEY, email TEXT, name {kind})")
    postgresql_database.sql("INSERT INTO contact VALUES (1, 'ÉVA@x', 'Eva'), (2, 'ÉVA@x', 'Ann'), (3, 'bob@X', 'Bob')")
    with opened(postgresql_database, "email", "name", casefold=["email"], match=(0, 1)) as collection:
        assert {record.key for record in collection.find([("éva@X", "Eva"), ("BOB@x", "Bob")])} == {1, 3}


def test_the_database_s_error_text_does_not_quote_the_value(postgresql_database: Database) -> None:
    postgresql_database.sql("CREATE TYPE mood AS ENUM ('good')")
    postgresql_database.sql(
        "CREATE TABLE contact (id INT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email TEXT UNIQUE, mood mood, "
        "n SMALLINT, name VARCHAR(10))"
    )
    postgresql_database.sql("INSERT INTO contact (email) VALUES ('secret@x')")
    records: list[list[Any]] = [
        ["secret@x", None, None, None],
        ["b@x", "secret", None, None],
        ["c@x", None, 99999, None],
    ]
    with opened(postgresql_database, "email", "mood", "n", "name") as collection:
        answers = collection.create([*records, ["d@x", None, 1, "secret" * 9], ["e@x", "good", 1, "fine"]])
    reasons = [answer.reason for answer in answers if isinstance(answer, Rejected)]
    assert len(reasons) == 4
    assert isinstance(answers[4], Record)
    assert not [reason for reason in reasons if "secret" in reason or "99999" in reason], reasons
    assert reasons[0] == 'duplicate key value violates unique constraint "contact_email_key"'


def test_a_missing_privilege_is_a_configuration_error(postgresql_database: Database) -> None:
    postgresql_database.sql("CREATE TABLE contact (id SERIAL PRIMARY KEY, email TEXT)")
    with opened(postgresql_database, "email") as collection:
        postgresql_database.sql("REVOKE INSERT ON contact FROM worker")
        with pytest.raises(ConfigurationError, match="connector erp: database error: permission denied for table"):
            collection.create([["a@x"]])


@pytest.mark.parametrize("match", [(0,), (0, 1)])
def test_records_are_found_by_an_index_even_in_a_newly_filled_table(
    postgresql_database: Database, match: Sequence[int]
) -> None:
    postgresql_database.sql(
        "CREATE TABLE contact (id SERIAL PRIMARY KEY, email TEXT, name TEXT); "
        "CREATE INDEX by ON contact (lower(email)); "
        "INSERT INTO contact (email, name) SELECT n || '@x', n FROM generate_series(1, 5000) AS n"
    )
    with opened(postgresql_database, "email", "name", casefold=["email"], match=match) as collection:
        assert len(collection.find([(f"{n}@X", str(n))[: len(match)] for n in range(1, 501)])) == 500
    # What a session has done is counted at its end at the latest.
    while postgresql_database.sql("SELECT 1 FROM pg_stat_activity WHERE usename = 'worker'"):
        time.sleep(0.01)
    # It serves, and is not gone through from end to end.
    used = "SELECT idx_scan > 0, idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'by'"
    assert postgresql_database.sql(used) == [(True, 500)]


@pytest.mark.parametrize(
    "key",
    [
        "SERIAL",
        "INT GENERATED ALWAYS AS IDENTITY",
        "INT GENERATED BY DEFAULT AS IDENTITY (INCREMENT BY -1)",
        "INT GENERATED BY DEFAULT AS IDENTITY (MAXVALUE 3 CYCLE)",
    ],
)
@pytest.mark.parametrize("kind", ["TEXT", "CHAR(3)"])
def test_a_new_record_is_identified_by_its_id_for_any_id_generation(
    postgresql_database: Database, key: str, kind: str
) -> None:
    postgresql_database.sql(f"CREATE TABLE contact (id {key}, email TEXT, name {kind})")
    postgresql_database.sql("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO worker")
    if "CYCLE" in key:
        postgresql_database.sql("SELECT nextval('contact_id_seq')")
    with opened(postgresql_database, "email", "name") as collection:
        created = collection.create([["a@x", "A"], ["b@x", "B"], ["c@x", "C"]])
    emails = [record.values[0] for record in created if isinstance(record, Record)]
    assert emails == ["a@x", "b@x", "c@x"]


@pytest.mark.parametrize("moment", ["BEFORE", "AFTER"])
def test_a_new_record_is_returned_as_triggers_leave_it(postgresql_database: Database, moment: str) -> None:
    postgresql_database.sql(
        """
        CREATE TABLE contact (id SERIAL PRIMARY KEY, email TEXT, name TEXT);
        CREATE FUNCTION shout_before() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN NEW.name := upper(NEW.name); RETURN NEW; END $$;
        CREATE FUNCTION shout_after() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN UPDATE contact SET name = upper(name) WHERE id = NEW.id; RETURN NULL; END $$;
        GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO worker;
        """
    )
    postgresql_database.sql(
        f"CREATE TRIGGER shout {moment} INSERT ON contact FOR EACH ROW EXECUTE FUNCTION shout_{moment.lower()}()"
    )
    with opened(postgresql_database, "email", "name") as collection:
        assert collection.create([["a@x", "ann"], ["b@x", "bob"]]) == [
            Record(1, ("a@x", "ANN")),
            Record(2, ("b@x", "BOB")),
        ]


@pytest.mark.parametrize(
    ("user", "database", "words"),
    [
        ("closed:wrong-secret", "postgres", 'password authentication failed for user "closed"'),
        ("closed", "postgres", "no password supplied"),
        ("nobody", "postgres", 'role "nobody" does not exist'),
        ("worker", "nowhere", 'database "nowhere" does not exist'),
    ],
)
def test_a_user_without_the_right_to_log_in_is_a_configuration_error(
    postgresql_server: PostgreSQL, user: str, database: str, words: str
) -> None:
    postgresql_server.ask_for_password("closed", "right-secret")
    url = postgresql_server.url(database, user)
    connector = sql.TYPE.connect(Settings(type="sql", url=url), {}, "erp")
    place = TableSettings(table="contact", id="id")
    with pytest.raises(ConfigurationError, match=f"connector erp: database error: .*{words}") as caught:
        connector.open(Description("object contact, connector erp", place, (), (), False))
    assert "secret" not in str(caught.value)
    connector.close()
