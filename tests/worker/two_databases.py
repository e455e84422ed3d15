"""Two PostgreSQL databases of contacts, and the worker as a process between them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tidegate

from .postgresql import Database, PostgreSQL

# What the worker writes is counted by the database itself.
_TABLE = """
CREATE TABLE contact (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text, name text, phone text,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX ON contact (updated_at);
CREATE INDEX ON contact (email);
CREATE TABLE written (what text NOT NULL, email text NOT NULL);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF session_user = 'worker' THEN INSERT INTO written VALUES (lower(TG_OP), coalesce(NEW.email, OLD.email)); END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON contact FOR EACH ROW EXECUTE FUNCTION note();
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    NEW.updated_at := clock_timestamp(); RETURN NEW;
END $$;
CREATE TRIGGER touch BEFORE UPDATE ON contact FOR EACH ROW EXECUTE FUNCTION touch();
GRANT SELECT, INSERT, UPDATE, DELETE ON contact TO worker;
GRANT INSERT ON written TO worker;
"""

# E-mail address, name, phone number.
Contact = tuple[str, str | None, str | None]


@dataclass(frozen=True)
class Ended:
    """How a process of the worker has ended."""

    code: int
    message: dict[str, Any]


class TwoDatabases:
    """crm and erp, and the worker's cache."""

    def __init__(self, server: PostgreSQL, directory: Path) -> None:
        self.databases = {name: server.database() for name in ("crm", "erp")}
        self._directory = directory
        self._message = directory / "message"
        (directory / "cache").mkdir()
        for database in self.databases.values():
            database.sql(_TABLE)

    def close(self) -> None:
        for database in self.databases.values():
            database.close()

    def __getitem__(self, name: str) -> Database:
        return self.databases[name]

    def add(self, database: str, *contacts: Contact) -> None:
        rows = json.dumps([{"email": email, "name": name, "phone": phone} for email, name, phone in contacts])
        columns = "email text, name text, phone text"
        self[database].sql(
            "INSERT INTO contact (email, name, phone) "  # noqa: S608
            f"SELECT email, name, phone FROM json_to_recordset(%s::json) AS r({columns})",
            rows,
        )

    def contacts(self, name: str) -> list[Contact]:
        rows = self[name].sql('SELECT email, name, phone FROM contact ORDER BY email COLLATE "C"')
        return [(row[0], row[1], row[2]) for row in rows]

    def written(self, name: str) -> dict[str, int]:
        """How many rows the worker has inserted, updated and deleted; what it has not done is left out."""
        rows = self[name].sql("SELECT what, count(*) FROM written GROUP BY what")
        return {str(row[0]): int(row[1]) for row in rows}

    def configure(self, **changes: Any) -> None:
        """Write the configuration; keywords replace what is in the object, or beside it."""
        beside: dict[str, Any] = {key: changes.pop(key) for key in ("pace", "safety", "journal") if key in changes}
        place = {"table": "contact", "id": "id", "cursor": "updated_at"}
        contact = {
            "name": "contact", "crm": place, "erp": place, "match": ["email"], "conflict": "park",
            "fields": [{"crm": name, "erp": name} for name in ("email", "name", "phone")],
        }  # fmt: skip
        urls = {name: {"env": f"{name.upper()}_URL"} for name in self.databases}
        connectors = {name: {"type": "sql", "url": url} for name, url in urls.items()}
        config = {"connectors": connectors, "objects": [{**contact, **changes}], **beside}
        (self._directory / "sync.json").write_text(json.dumps(config))

    @contextmanager
    def process(
        self, run: int, scope: str = "full", *, push: bool = True, told: Mapping[str, str] | None = None
    ) -> Iterator["subprocess.Popen[bytes]"]:
        """A process of the worker, which does not outlive the context; `told`: what else the operator tells it."""
        self._message.unlink(missing_ok=True)
        variables = {
            **os.environ,
            "PYTHONPATH": str(Path(tidegate.__file__).parents[1]),
            "SYNC_PROTOCOL": "1", "SYNC_RUN": str(run), "SYNC_SCOPE": scope, "SYNC_PUSH": str(push).lower(),
            "SYNC_CACHE_DIR": str(self._directory / "cache"), "SYNC_CACHE_EPOCH": "1",
            "SYNC_CONFIG": str(self._directory / "sync.json"), "SYNC_TERMINATION_LOG": str(self._message),
            **{f"{name.upper()}_URL": database.worker_url for name, database in self.databases.items()},
            **(told or {}),
        }  # fmt: skip
        program = [sys.executable, "-m", "tidegate.worker.main"]
        with (self._directory / "log").open("ab") as log:
            process = subprocess.Popen(program, env=variables, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def message(self) -> dict[str, Any] | None:
        """What the present process has said so far; None for nothing yet."""
        try:
            message: dict[str, Any] = json.loads(self._message.read_text())
        except (FileNotFoundError, json.JSONDecodeError):  # not there yet, or being written
            return None
        return message

    def run(self, run: int, scope: str = "full", *, push: bool = True, told: Mapping[str, str] | None = None) -> Ended:
        """One run, to its end."""
        with self.process(run, scope, push=push, told=told) as process:
            code = process.wait()
        return Ended(code, self.message() or {})
