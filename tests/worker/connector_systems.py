"""Systems with contacts in them, of each kind that a connector is built in for.

A contact has an email, a name, a score and a birthday, and a version that grows with every change where the system can
have one. `add`, `edit` and `remove` are what somebody else does there.
"""

import csv
import json
import math
import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from tidegate.worker.connectors import Key

from . import mariadb, postgresql
from .rest_server import Api

FIELDS = ("email", "name", "score", "born")

# A name that the system refuses, where it can refuse anything.
REFUSED = "refused"


class System(Protocol):
    """A system with contacts."""

    connector: dict[str, Any]
    place: dict[str, Any]
    longest_sought: float  # letters of a match field by which a record can be found

    def add(self, **values: Any) -> Key:
        """A new contact."""

    def edit(self, key: Key, **values: Any) -> None:
        """Other values of some fields."""

    def remove(self, key: Key) -> None:
        """A contact is gone."""

    def contacts(self) -> dict[Key, tuple[Any, ...]]:
        """All contacts' fields."""


class Sql:
    """A table."""

    longest_sought: float = math.inf

    id: str | list[str] = "id"

    def __init__(
        self,
        url: str,
        run: Callable[..., list[tuple[Any, ...]]],
        mark: str,
        usual: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        self._usual = usual
        self.connector = {"type": "sql", "url": url}
        self.place = {"table": "contact", "id": self.id, "cursor": "version"}
        self._run = run
        self._mark = mark

    def add(self, **values: Any) -> Key:
        marks = ", ".join([self._mark] * len(values))
        self._run(f"INSERT INTO contact ({', '.join(values)}) VALUES ({marks})", *map(self._usual, values.values()))  # noqa: S608
        return int(self._run("SELECT max(id) FROM contact")[0][0])

    def edit(self, key: Key, **values: Any) -> None:
        new = ", ".join(f"{name} = {self._mark}" for name in values)
        self._run(f"UPDATE contact SET {new} WHERE id = {self._mark}", *map(self._usual, values.values()), key)  # noqa: S608

    def remove(self, key: Key) -> None:
        self._run(f"DELETE FROM contact WHERE id = {self._mark}", key)  # noqa: S608

    def contacts(self) -> dict[Key, tuple[Any, ...]]:
        rows = self._run(f"SELECT id, {', '.join(FIELDS)} FROM contact")  # noqa: S608
        return {key: (*values, _moment(born)) for key, *values, born in rows}


class SqlOfTwo(Sql):
    """A table whose rows are identified by two columns together; either alone is not unique."""

    id = ["tenant", "nr"]

    def add(self, **values: Any) -> Key:
        values["tenant"] = "eu" if self._run("SELECT count(*) FROM contact")[0][0] % 2 else "us"
        named = ", ".join(values)
        marks = ", ".join([self._mark] * len(values))
        self._run(
            f"INSERT INTO contact (nr, {named}) SELECT coalesce(max(nr), 0) + 1, {marks} FROM contact",  # noqa: S608
            *map(self._usual, values.values()),
        )
        ((tenant, nr),) = self._run("SELECT tenant, nr FROM contact ORDER BY nr DESC LIMIT 1")
        return _together(tenant, nr)

    def edit(self, key: Key, **values: Any) -> None:
        new = ", ".join(f"{name} = {self._mark}" for name in values)
        where = f"tenant = {self._mark} AND nr = {self._mark}"
        self._run(f"UPDATE contact SET {new} WHERE {where}", *map(self._usual, values.values()), *json.loads(str(key)))  # noqa: S608

    def remove(self, key: Key) -> None:
        self._run(f"DELETE FROM contact WHERE tenant = {self._mark} AND nr = {self._mark}", *json.loads(str(key)))  # noqa: S608

    def contacts(self) -> dict[Key, tuple[Any, ...]]:
        rows = self._run(f"SELECT tenant, nr, {', '.join(FIELDS)} FROM contact")  # noqa: S608
        return {_together(tenant, nr): (*values, _moment(born)) for tenant, nr, *values, born in rows}


def _together(tenant: str, nr: int) -> Key:
    return json.dumps([tenant, nr], separators=(",", ":"))


def _moment(value: Any) -> Any:
    return datetime.fromisoformat(value) if isinstance(value, str) else value  # SQLite has texts


# Numbers that a database gives are far from those that `add` gives.
_RANDOM = "DEFAULT (abs(random() >> 2) + 1000000)"


def sqlite(directory: Path, kind: type[Sql] = Sql) -> Sql:
    path = directory / "contacts.db"
    ids = {
        Sql: ("id INTEGER PRIMARY KEY", ""),
        SqlOfTwo: (f"tenant TEXT DEFAULT 'new', nr INTEGER {_RANDOM}", ", PRIMARY KEY (tenant, nr)"),
    }
    columns, key = ids[kind]

    def run(statement: str, *values: Any) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            return connection.execute(statement, values).fetchall()
        finally:
            connection.close()

    for statement in (
        f"CREATE TABLE contact ({columns}, email TEXT, name TEXT CHECK (name <> 'refused'), score, "
        f"born DATETIME, version INTEGER{key})",
        "CREATE TABLE clock (now INTEGER)",
        "INSERT INTO clock VALUES (0)",
    ):
        run(statement)
    for event in ("INSERT", f"UPDATE OF {', '.join(FIELDS)}"):
        run(
            f"CREATE TRIGGER on_{event[:6]} AFTER {event} ON contact BEGIN UPDATE clock SET now = now + 1; "  # noqa: S608
            "UPDATE contact SET version = (SELECT now FROM clock) WHERE rowid = NEW.rowid; END"
        )
    return kind(
        f"sqlite:///{path}", run, "?", lambda value: value if not isinstance(value, datetime) else f"{value:%F %T}"
    )


def on_mariadb(database: mariadb.Database, kind: type[Sql] = Sql) -> Sql:
    ids = {
        Sql: ("id INT AUTO_INCREMENT PRIMARY KEY", ""),
        SqlOfTwo: (
            "tenant VARCHAR(20) DEFAULT 'new', nr INT AUTO_INCREMENT",
            ", PRIMARY KEY (tenant, nr), KEY (nr)",
        ),
    }
    columns, key = ids[kind]
    for statement in (
        f"CREATE TABLE contact ({columns}, email LONGTEXT, name LONGTEXT CHECK (name <> 'refused'), "
        f"score DECIMAL(65, 30), born DATETIME(6), version BIGINT{key}) AUTO_INCREMENT = 1000000",
        "CREATE SEQUENCE clock",
        "CREATE TRIGGER on_insert BEFORE INSERT ON contact FOR EACH ROW SET NEW.version = nextval(clock)",
        "CREATE TRIGGER on_update BEFORE UPDATE ON contact FOR EACH ROW SET NEW.version = nextval(clock)",
    ):
        database.sql(statement)
    return kind(database.url, database.sql, "%s")


def on_postgresql(database: postgresql.Database, kind: type[Sql] = Sql) -> Sql:
    ids = {
        Sql: ("id SERIAL PRIMARY KEY", ""),
        SqlOfTwo: (
            "tenant TEXT DEFAULT 'new', nr INT GENERATED BY DEFAULT AS IDENTITY (START WITH 1000000)",
            ", PRIMARY KEY (tenant, nr)",
        ),
    }
    columns, key = ids[kind]
    for statement in (
        f"CREATE TABLE contact ({columns}, email TEXT, name TEXT CHECK (name <> 'refused'), score NUMERIC, "
        f"born TIMESTAMPTZ, version BIGINT{key})",
        "CREATE SEQUENCE clock",
        "CREATE FUNCTION tick() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.version := nextval('clock'); RETURN NEW; END $$",
        "CREATE TRIGGER tick BEFORE INSERT OR UPDATE ON contact FOR EACH ROW EXECUTE FUNCTION tick()",
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO worker",
        "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO worker",
    ):
        database.sql(statement)
    return kind(database.worker_url, database.sql, "%s")


class Rest:
    """An API."""

    longest_sought: float = 2000

    def __init__(self, api: Api) -> None:
        api.paging, api.page_size, api.etags, api.totals = "link", 50, "strong", "header"
        api.refuses = lambda document: "no such name" if document.get("name") == REFUSED else None
        api.stores = lambda document: {**dict.fromkeys(FIELDS), **document}  # it shows what is empty as null
        self._api = api
        self.connector: dict[str, Any] = {"type": "http", "baseUrl": api.url}
        self.place: dict[str, Any] = {
            "path": "/contacts", "id": "id", "cursor": "version", "since": "version", "newest": {"sort": "-version"},
            "find": {"email": "{email}"}, "pageSize": {"parameter": "limit", "records": 50},
        }  # fmt: skip

    def add(self, **values: Any) -> Key:
        key: Key = self._api.add(**_in_text(values))
        return key

    def edit(self, key: Key, **values: Any) -> None:
        self._api.edit(key, **_in_text(values))

    def remove(self, key: Key) -> None:
        with self._api.lock:
            del self._api.contacts[key]

    def contacts(self) -> dict[Key, tuple[Any, ...]]:
        with self._api.lock:
            return {key: tuple(map(document.get, FIELDS)) for key, document in self._api.contacts.items()}


def _in_text(values: dict[str, Any]) -> dict[str, Any]:
    """Times as they are written where there is no type for them."""
    return {name: f"{value:%FT%TZ}" if isinstance(value, datetime) else value for name, value in values.items()}


class Csv:
    """A CSV file, as a spreadsheet saves it."""

    longest_sought: float = math.inf

    def __init__(self, directory: Path) -> None:
        self.connector: dict[str, Any] = {"type": "file", "url": str(directory)}
        self.place: dict[str, Any] = {"path": "contacts.csv", "id": "id", "newId": "number", "settled": "0s"}
        self._path = directory / "contacts.csv"
        self._save([])

    def _load(self) -> list[dict[str, str]]:
        with self._path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def _save(self, rows: list[dict[str, str]]) -> None:
        with self._path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["id", *FIELDS])
            writer.writeheader()
            writer.writerows(rows)

    def add(self, **values: Any) -> Key:
        rows = self._load()
        key = str(1 + max((int(row["id"]) for row in rows), default=0))
        self._save([*rows, {"id": key, **_in_text(values)}])
        return key

    def edit(self, key: Key, **values: Any) -> None:
        self._save([{**row, **_in_text(values)} if row["id"] == key else row for row in self._load()])

    def remove(self, key: Key) -> None:
        self._save([row for row in self._load() if row["id"] != key])

    def contacts(self) -> dict[Key, tuple[Any, ...]]:
        return {row["id"]: tuple(row[name] for name in FIELDS) for row in self._load()}


class Lines:
    """A file of JSON Lines."""

    longest_sought: float = math.inf

    def __init__(self, directory: Path) -> None:
        self.connector: dict[str, Any] = {"type": "file", "url": str(directory)}
        self.place: dict[str, Any] = {"path": "contacts.jsonl", "id": "id", "newId": "number", "settled": "0s"}
        self._path = directory / "contacts.jsonl"
        self._save([])

    def _load(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._path.read_text().splitlines()]

    def _save(self, documents: list[dict[str, Any]]) -> None:
        self._path.write_text("".join(f"{json.dumps(document)}\n" for document in documents))

    def add(self, **values: Any) -> Key:
        documents = self._load()
        key = 1 + max((document["id"] for document in documents), default=0)
        self._save([*documents, {"id": key, **_in_text(values)}])
        return key

    def edit(self, key: Key, **values: Any) -> None:
        self._save([document | _in_text(values) if document["id"] == key else document for document in self._load()])

    def remove(self, key: Key) -> None:
        self._save([document for document in self._load() if document["id"] != key])

    def contacts(self) -> dict[Key, tuple[Any, ...]]:
        return {document["id"]: tuple(map(document.get, FIELDS)) for document in self._load()}
