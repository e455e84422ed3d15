"""What is particular about PostgreSQL in the `sql` connector; the rest is in test_connector_contract."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from tidegate.worker.connectors import Collection, Description, FieldUse, Record, Rejected, sql
from tidegate.worker.connectors.sql.settings import Settings, TableSettings
from tidegate.worker.errors import ConfigurationError

from .postgresql import Database, PostgreSQL


@contextmanager
def opened(database: Database, *fields: str, casefold: Sequence[str] = ()) -> Iterator[Collection]:
    database.sql("GRANT ALL ON ALL TABLES IN SCHEMA public TO worker")
    uses = tuple(FieldUse(name, True, name in casefold) for name in fields)
    connector = sql.TYPE.connect(Settings(type="sql", url=database.worker_url), {}, "erp")
    try:
        place = TableSettings(table="contact", id="id")
        yield connector.open(Description("object contact, connector erp", place, uses, (0,), True))
    finally:
        connector.close()


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_letters_beyond_ascii_are_found_in_any_case_whatever_the_databases_locale(
    postgresql_server: PostgreSQL, locale: str
) -> None:
    with Database(postgresql_server, "postgres") as maintenance:
        name = f"locale_{locale.lower().replace('.', '_').replace('-', '_')}"
        maintenance.sql(f"CREATE DATABASE {name} LOCALE '{locale}' TEMPLATE template0")
    with Database(postgresql_server, name) as database:
        database.sql("CREATE TABLE contact (id SERIAL PRIMARY KEY, email TEXT, name TEXT)")
        database.sql("INSERT INTO contact VALUES (1, 'ÉVA@x', 'A'), (2, 'Ann@X', 'B'), (3, 'bob@x', 'C')")
        with opened(database, "email", "name", casefold=["email"]) as collection:
            assert {record.key for record in collection.find([("éva@X",), ("ann@x",)])} == {1, 2}


def test_the_databases_words_do_not_quote_the_value(postgresql_database: Database) -> None:
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


def test_a_privilege_that_is_missing_is_a_configuration_error(postgresql_database: Database) -> None:
    postgresql_database.sql("CREATE TABLE contact (id SERIAL PRIMARY KEY, email TEXT)")
    with opened(postgresql_database, "email") as collection:
        postgresql_database.sql("REVOKE INSERT ON contact FROM worker")
        postgresql_database.sql("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO worker")
        with pytest.raises(ConfigurationError, match="connector erp: the database says: permission denied for table"):
            collection.create([["a@x"]])
