"""Two SQLite files to be synced, and runs of the worker in this process: what the tests of whole runs are made of."""

import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from tidegate.worker.main import work

from .ended import RunEnd

SIDES = ("crm", "erp")

TABLE = """
CREATE TABLE contact (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT, name TEXT, phone TEXT, version INTEGER);
CREATE INDEX by_version ON contact (version);
CREATE TABLE clock (now INTEGER); INSERT INTO clock VALUES (0);
CREATE TRIGGER inserted AFTER INSERT ON contact BEGIN
  UPDATE clock SET now = now + 1; UPDATE contact SET version = (SELECT now FROM clock) WHERE id = NEW.id; END;
CREATE TRIGGER updated AFTER UPDATE OF email, name, phone ON contact BEGIN
  UPDATE clock SET now = now + 1; UPDATE contact SET version = (SELECT now FROM clock) WHERE id = NEW.id; END;
"""

PLACE = {"table": "contact", "id": "id"}
WITH_CURSOR = {**PLACE, "cursor": "version"}

FIELDS = [
    {"crm": "email", "erp": "email", "match": "casefold"},
    {"crm": "name", "erp": "name"},
    {"crm": "phone", "erp": "phone"},
]


class Ended(RunEnd):
    """How a run of these two systems ended."""

    @property
    def parked(self) -> list[tuple[str, str, str]]:
        """(connector, field, reason) of what was parked."""
        lines = [line for line in self.lines if line["type"] == "parked"]
        return [(line["connector"], line.get("field", ""), line["reason"]) for line in lines]


class Databases:
    """Two systems, crm and erp, with a table of contacts each, and the worker's cache."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.cache = directory / "cache"
        self.cache.mkdir()
        self.runs = 0
        for side in SIDES:
            self.sql(side, TABLE)

    def url(self, side: str) -> str:
        return f"sqlite:///{self.directory / side}.db"

    def sql(self, side: str, script: str) -> None:
        with closing(sqlite3.connect(self.directory / f"{side}.db")) as connection:
            connection.executescript(script)

    def query(self, side: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.directory / f"{side}.db", isolation_level=None)) as connection:
            return connection.execute(query, values).fetchall()

    def add(self, side: str, *contacts: tuple[str | None, ...]) -> None:
        """Contacts as (email, name, phone)."""
        with closing(sqlite3.connect(self.directory / f"{side}.db")) as connection, connection:
            rows = [(*contact, None, None)[:3] for contact in contacts]
            connection.executemany("INSERT INTO contact (email, name, phone) VALUES (?, ?, ?)", rows)

    def link(self, *contacts: tuple[str | None, ...]) -> None:
        """The same contacts on both sides, with notes in erp that are not synced."""
        self.sql("erp", "ALTER TABLE contact ADD COLUMN notes TEXT")
        self.add("crm", *contacts)
        self.run()
        self.sql("erp", "UPDATE contact SET notes = 'notes on ' || name")

    def edit(self, side: str, email: str, /, **values: str | None) -> None:
        for name, value in values.items():
            self.query(side, f"UPDATE contact SET {name} = ? WHERE email = ?", value, email)  # noqa: S608

    def delete(self, side: str, *emails: str) -> None:
        for email in emails:
            self.query(side, "DELETE FROM contact WHERE email = ?", email)

    def contacts(self, side: str) -> list[tuple[Any, ...]]:
        """All contacts as (email, name, phone), by e-mail."""
        return self.query(side, "SELECT email, name, phone FROM contact ORDER BY lower(email), id")

    def everything(self) -> list[list[tuple[Any, ...]]]:
        return [self.query(side, "SELECT * FROM contact ORDER BY id") for side in SIDES]

    def config(self, **changes: Any) -> dict[str, Any]:
        """The usual configuration; keywords replace what is in the object, or beside it."""
        beside = ("safety", "pace", "fullScanEvery", "overlap", "connectors")
        top: dict[str, Any] = {key: changes.pop(key) for key in beside if key in changes}
        contact = {
            "name": "contact", "crm": PLACE, "erp": PLACE, "match": ["email"], "fields": FIELDS,
            "conflict": "erp", "deletes": "unlink",
        }  # fmt: skip
        connectors = {side: {"type": "sql", "url": self.url(side)} for side in SIDES}
        return {"connectors": connectors, "objects": [{**contact, **changes}], **top}

    def environment(self, run: int, scope: str = "full", *, push: bool = True, **more: str) -> dict[str, str]:
        return {
            "SYNC_PROTOCOL": "1", "SYNC_RUN": str(run), "SYNC_SCOPE": scope, "SYNC_PUSH": str(push).lower(),
            "SYNC_CACHE_DIR": str(self.cache), "SYNC_CACHE_EPOCH": "1",
            "SYNC_CONFIG": str(self.directory / "sync.json"),
            "SYNC_TERMINATION_LOG": str(self.directory / "message"),
            **more,
        }  # fmt: skip

    def write_config(self, config: Any) -> None:
        (self.directory / "sync.json").write_text(json.dumps(config))

    def run(
        self,
        scope: str = "full",
        *,
        push: bool = True,
        run: int | None = None,
        config: Any = None,
        interrupted: Callable[[], bool] = lambda: False,
        environment: dict[str, str] | None = None,
        **changes: Any,
    ) -> Ended:
        """The next run, or the run with this number again."""
        self.runs = self.runs + 1 if run is None else run
        self.write_config(self.config(**changes) if config is None else config)
        out = io.StringIO()
        values = {**self.environment(self.runs, scope, push=push), **(environment or {})}
        code = work({key: value for key, value in values.items() if value}, out, interrupted)
        message = (self.directory / "message").read_text()
        assert len(message.encode()) < 4096
        return Ended(code, json.loads(message), [json.loads(line) for line in out.getvalue().splitlines()])
