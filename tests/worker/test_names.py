"""Tables and columns whose names need quoting, or that are reserved words, are synced as any other."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tidegate.worker.connectors import Collection, Description, FieldUse, Identified, Record, Window, Write, sql
from tidegate.worker.connectors.sql.settings import Settings, TableSettings
from tidegate.worker.errors import ConfigurationError
from tidegate.worker.values.normal_form import normal

from . import mariadb, postgresql

COLUMNS = [
    'say "yes"', "back`tick", "50%", "a:b", "order", "Größe", "with space", "a.b", "semi;colon", "(x)", "it's",
    "%(id)s",
]  # fmt: skip
TABLES = ["order", 'the "best"', "back`tick", "50%", "a:b", "Mixed Case", "it's"]


def quoted(system: str, name: str) -> str:
    mark = "`" if system == "mariadb" else '"'
    return mark + name.replace(mark, mark * 2) + mark


@contextmanager
def opened(url: str, table: str, key: str, fields: list[str], cursor: str | None = None) -> Iterator[Collection]:
    uses = tuple(FieldUse(name, True, ("casefold",) if n == 1 else ()) for n, name in enumerate(fields))
    connector = sql.TYPE.connect(Settings(type="sql", url=url), {}, "erp")
    try:
        place = TableSettings(table=table, id=key, cursor=cursor)
        yield connector.open(Description("object order, connector erp", place, uses, (0, 1), True))
    finally:
        connector.close()


def system(url: str, table: str) -> Mapping[str, str]:
    """What tells the system that a table is in."""
    connector = sql.TYPE.connect(Settings(type="sql", url=url), {}, "erp")
    assert isinstance(connector, Identified)
    try:
        return connector.system(Description("order", TableSettings(table=table, id="id"), (), (), False))
    finally:
        connector.close()


class Place:
    """A database in which tables are made, and the url by which the worker comes to it."""

    def __init__(self, system: str, request: pytest.FixtureRequest, directory: Path) -> None:
        self.system = system
        if system == "sqlite":
            self.url = f"sqlite:///{directory}/erp.db"
            return
        database = request.getfixturevalue(f"{system}_database")
        assert isinstance(database, (mariadb.Database, postgresql.Database))
        self.url = database.worker_url if isinstance(database, postgresql.Database) else database.url
        self._database = database

    def sql(self, statement: str) -> None:
        """Statements of whoever owns the database."""
        if self.system == "sqlite":
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as connection:
                connection.executescript(statement)
            return
        # psycopg is given no parameters, and takes a percent sign as it is.
        self._database.sql(statement.replace("%", "%%") if self.system == "mariadb" else statement)

    def make(self, table: str, key: str, columns: list[str]) -> None:
        """A table whose name is quoted already."""
        kind = {"mariadb": "INT AUTO_INCREMENT", "postgresql": "SERIAL", "sqlite": "INTEGER"}[self.system]
        fields = ", ".join(f"{quoted(self.system, name)} VARCHAR(40)" for name in columns)
        self.sql(f"CREATE TABLE {table} ({quoted(self.system, key)} {kind} PRIMARY KEY, {fields})")
        if self.system == "postgresql":
            self.sql(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO worker; GRANT ALL ON {table} TO worker")
            self.sql("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO worker")


@pytest.fixture(params=["postgresql", "mariadb", "sqlite"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(request.param, request, tmp_path)


def use(collection: Collection, width: int) -> None:
    """All six verbs."""
    first, second = collection.create([["Ä1", *["x"] * (width - 1)], ["a'2", *["%s"] * (width - 1)]])
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    assert [record.key for record in collection.scan(None, 10, None).records] == [first.key, second.key]
    assert [record.key for record in collection.find([("Ä1", "X")])] == [first.key]
    changed, _ = collection.update([Write(first, {width - 1: ":new"}), Write(second, {0: "b"})])
    assert isinstance(changed, Record)
    assert changed.values[width - 1] == ":new"
    assert collection.get([first.key]) == {first.key: changed}
    assert collection.delete([changed]) == [None]


@pytest.mark.parametrize("key", ["id", 'say "id"', "back`id", "a:id", "id%", "select"])
def test_columns_of_any_name(place: Place, key: str) -> None:
    place.make("contact", key, COLUMNS)
    with opened(place.url, "contact", key, COLUMNS) as collection:
        use(collection, len(COLUMNS))


@pytest.mark.parametrize("table", TABLES)
def test_tables_of_any_name(place: Place, table: str) -> None:
    place.make(quoted(place.system, table), "id", ["email", "name"])
    with opened(place.url, table, "id", ["email", "name"]) as collection:
        use(collection, 2)


def test_a_table_with_a_dot_in_its_name(place: Place) -> None:
    place.make(quoted(place.system, "crm.contact"), "id", ["email", "name"])
    with opened(place.url, "crm.contact", "id", ["email", "name"]) as collection:
        use(collection, 2)


@pytest.mark.parametrize("column", COLUMNS)
def test_a_cursor_of_any_name(place: Place, column: str) -> None:
    place.make("contact", "id", ["email", "name"])
    place.sql(f"ALTER TABLE contact ADD {quoted(place.system, column)} INTEGER")
    quoted_column = quoted(place.system, column)
    place.sql(f"INSERT INTO contact (email, {quoted_column}) VALUES ('a', 1), ('b', NULL), ('c', 3)")  # noqa: S608
    with opened(place.url, "contact", "id", ["email", "name"], column) as collection:
        until = collection.watermark()
        page = collection.scan(None, 10, Window(None, until, timedelta()))
        assert sorted(str(normal(record.values[0])) for record in page.records) == ["a", "b", "c"]


def test_a_table_in_a_schema_that_is_named(postgresql_database: postgresql.Database) -> None:
    postgresql_database.sql(
        'CREATE SCHEMA "My Shop"; CREATE TABLE "My Shop"."order" (id SERIAL PRIMARY KEY, email TEXT, name TEXT); '
        'GRANT ALL ON SCHEMA "My Shop" TO worker; GRANT ALL ON ALL TABLES IN SCHEMA "My Shop" TO worker; '
        'GRANT ALL ON ALL SEQUENCES IN SCHEMA "My Shop" TO worker'
    )
    with opened(postgresql_database.worker_url, "My Shop.order", "id", ["email", "name"]) as collection:
        use(collection, 2)


def test_a_dot_in_a_schema_or_table_name_does_not_change_the_system(postgresql_database: postgresql.Database) -> None:
    """What tells the system is the schema that the table is in, and not what stands before the last dot."""
    postgresql_database.sql(
        'CREATE SCHEMA "a.b"; CREATE TABLE "a.b"."c" (id SERIAL PRIMARY KEY, email TEXT, name TEXT); '
        'CREATE TABLE "d.e" (id SERIAL PRIMARY KEY, email TEXT, name TEXT); '
        'GRANT ALL ON "d.e", "d.e_id_seq" TO worker; '
        'GRANT ALL ON SCHEMA "a.b" TO worker; GRANT ALL ON ALL TABLES IN SCHEMA "a.b" TO worker; '
        'GRANT ALL ON ALL SEQUENCES IN SCHEMA "a.b" TO worker'
    )
    for table, schema in (("a.b.c", "a.b"), ("d.e", "public")):
        with opened(postgresql_database.worker_url, table, "id", ["email", "name"]) as collection:
            use(collection, 2)
        assert system(postgresql_database.worker_url, table)["schema"] == schema


def test_an_ambiguous_table_name_is_refused(postgresql_database: postgresql.Database) -> None:
    postgresql_database.sql(
        'CREATE SCHEMA a; CREATE TABLE a."b" (id SERIAL PRIMARY KEY, email TEXT, name TEXT); '
        'CREATE TABLE "a.b" (id SERIAL PRIMARY KEY, email TEXT, name TEXT); GRANT ALL ON SCHEMA a TO worker'
    )
    with (
        pytest.raises(
            ConfigurationError, match=r"connector erp: table a\.b may be table b of schema a and table a\.b: "
        ),
        opened(postgresql_database.worker_url, "a.b", "id", ["email", "name"]),
    ):
        pass


def test_a_missing_table_is_reported_with_the_tables_of_its_schema(place: Place) -> None:
    place.make("contact", "id", ["email", "name"])
    with (
        pytest.raises(ConfigurationError, match=r"there is no table nowhere\.contacts; the database has contact$"),
        opened(place.url, "nowhere.contacts", "id", ["email", "name"]),
    ):
        pass
