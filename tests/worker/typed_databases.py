"""Databases with a table of columns of given types, and how others than the sync work in them."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .column_values import Column
from .mariadb import Database as MariaDBDatabase
from .postgresql import Database as PostgreSQLDatabase
from .postgresql import PostgreSQL


@dataclass
class Database:
    """A database of one of the systems, and how others than the sync work in it."""

    system: str
    url: str
    sql: Callable[..., list[tuple[Any, ...]]]

    def make(self, table: str, columns: Sequence[Column]) -> None:
        key = {"postgresql": "serial", "mariadb": "int auto_increment", "sqlite": "integer"}[self.system]
        declared = ", ".join(f"f{n} {column.type}{_nullable(column)}" for n, column in enumerate(columns))
        self.sql(f"CREATE TABLE {table} (id {key} PRIMARY KEY, k varchar(40), {declared})")
        if self.system == "postgresql":
            self.sql(f"GRANT ALL ON {table} TO worker")
            self.sql(f"GRANT ALL ON SEQUENCE {table}_id_seq TO worker")

    def insert(self, table: str, key: str, values: Sequence[str]) -> None:
        names = ", ".join(f"f{n}" for n in range(len(values)))
        self.sql(f"INSERT INTO {table} (k, {names}) VALUES ('{key}', {', '.join(values)})")  # noqa: S608

    def edit(self, table: str, key: str, field: int, value: str) -> None:
        self.sql(f"UPDATE {table} SET f{field} = {value} WHERE k = '{key}'")  # noqa: S608

    def rows(self, table: str, columns: Sequence[Column]) -> dict[str, tuple[Any, ...]]:
        cast = {"postgresql": "CAST({} AS text)", "mariadb": "CAST({} AS CHAR)", "sqlite": "{}"}[self.system]
        fields = ", ".join(cast.format(column.readable.format(f"f{n}")) for n, column in enumerate(columns))
        return {row[0]: row[1:] for row in self.sql(f"SELECT k, {fields} FROM {table}")}  # noqa: S608


def _nullable(column: Column) -> str:
    return " NULL" if column.system == "mariadb" else ""


def on_postgresql(server: PostgreSQL) -> Database:
    database: PostgreSQLDatabase = server.database()
    database.sql("SET timezone TO 'UTC'; SET intervalstyle TO 'iso_8601'")
    return Database("postgresql", database.worker_url, database.sql)


def on_mariadb(database: MariaDBDatabase) -> Database:
    database.sql("SET time_zone = '+00:00'")
    return Database("mariadb", database.url, database.sql)


def on_sqlite(path: Path) -> Database:
    connection = sqlite3.connect(path, isolation_level=None)
    return Database("sqlite", f"sqlite:///{path}", lambda statement: connection.execute(statement).fetchall())
