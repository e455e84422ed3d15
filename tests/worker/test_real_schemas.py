"""Schemas as well-known applications have them are synced between any two databases, both ways, and come to rest."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from tidegate.api.contract import ExitCode
from tidegate.worker.values.conversions import parse_json
from tidegate.worker.values.normal_form import normal

from . import mariadb, postgresql
from .in_process import NOTHING, run
from .real_schemas import SCHEMAS, WORDS, Schema, synced

PAIRS = [("postgresql", "mariadb"), ("mariadb", "sqlite"), ("sqlite", "postgresql")]


class Side:
    """One of the two databases, and the statements of its users."""

    def __init__(self, kind: str, request: pytest.FixtureRequest, directory: Path) -> None:
        self.kind = kind
        self._path = directory / f"{kind}.db"
        if kind == "sqlite":
            self._path.touch()
            self.url = f"sqlite:///{self._path}"
            return
        database = request.getfixturevalue(f"{kind}_database")
        assert isinstance(database, (mariadb.Database, postgresql.Database))
        self.url = database.worker_url if isinstance(database, postgresql.Database) else database.url
        self._database = database

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """A statement in the words of all databases."""
        mark = "`" if self.kind == "mariadb" else '"'
        said = statement.format_map(WORDS[self.kind]).replace("«", mark).replace("»", mark)
        if self.kind == "sqlite":
            with closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
                return connection.execute(said).fetchall()
        return self._database.sql(said.replace("%", "%%") if self.kind == "mariadb" else said)

    def make(self, schema: Schema) -> None:
        for statement in (WORDS[self.kind]["before"], *schema.tables, *schema.differs.get(self.kind, ())):
            if statement:
                self.sql(statement)
        if self.kind == "postgresql":
            self.sql("GRANT ALL ON ALL TABLES IN SCHEMA public TO worker")
            self.sql("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO worker")

    def do(self, statements: Sequence[str]) -> None:
        for statement in statements:
            self.sql(statement)

    def look(self, query: str) -> list[tuple[str | None, ...]]:
        return [tuple(map(plain, row)) for row in self.sql(query)]


def plain(value: Any) -> str | None:
    """A value as all databases have it: a CHAR without its padding, a time that is kept as a text, a document."""
    if isinstance(value, str):
        value = value.rstrip(" ")
        for read in (parse_json, datetime.fromisoformat):
            try:
                return normal(read(value))
            except ValueError:
                continue
    return normal(datetime(value.year, value.month, value.day) if type(value) is date else value)


@pytest.fixture(params=PAIRS, ids=" and ".join)
def sides(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Side, Side]:
    first, second = request.param
    return Side(first, request, tmp_path), Side(second, request, tmp_path)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_synced_both_ways_and_comes_to_rest(sides: tuple[Side, Side], tmp_path: Path, name: str) -> None:
    schema, (crm, erp) = SCHEMAS[name], sides
    for side in sides:
        side.make(schema)
    config = config_of(sides, schema.objects)
    runs = iter(range(1, 99))
    for users, statements in ((crm, schema.first), (erp, schema.second), (crm, schema.edits)):
        users.do(statements)
        code, message, said = run(tmp_path, config, next(runs))
        assert (code, message["parked"]) == (0, 0), said
        for query in schema.looks:
            assert crm.look(query) == erp.look(query), said
            assert crm.look(query), "there is something to be seen"
    assert run(tmp_path, config, next(runs))[1]["pushed"] == NOTHING


def config_of(sides: tuple[Side, Side], objects: Any) -> dict[str, Any]:
    connectors = {name: {"type": "sql", "url": side.url} for name, side in zip(("crm", "erp"), sides, strict=True)}
    return {"connectors": connectors, "objects": objects}


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "a key of two columns, of which one is named": (
        "CREATE TABLE film_actor (id {big} NOT NULL, actor_id {big} NOT NULL, name {name}, PRIMARY KEY (id, actor_id))",
        synced("film_actor", "film_actor", "name", "name"),
        "id: column id is not unique",
    ),
    "a generated column that would be written": (
        "CREATE TABLE film (id {key}, rate {money}, full_price {money} GENERATED ALWAYS AS (rate * 3) STORED)",
        synced("film", "film", "rate", "rate", "full_price"),
        "field full_price: the database computes this column, so that it cannot be written",
    ),
    "a column without a default that no field maps": (
        "CREATE TABLE post (id {key}, name {name}, status {name} NOT NULL)",
        synced("post", "post", "name", "name"),
        "column status must have a value, has no default, and no field maps it",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_impossible_sync_is_refused_with_a_message_before_anything_is_written(
    sides: tuple[Side, Side], tmp_path: Path, case: str
) -> None:
    table, item, words = REFUSED[case]
    for side in sides:
        side.sql(table)
        if side.kind == "postgresql":
            side.sql("GRANT ALL ON ALL TABLES IN SCHEMA public TO worker")
            side.sql("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO worker")
    code, message, said = run(tmp_path, config_of(sides, [item]), 1)
    assert code == ExitCode.CONFIGURATION_ERROR
    assert words in said + message["reason"]
