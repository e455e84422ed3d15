"""A sync between the REST API of the tests (crm) and a SQLite database (erp): whole runs, in this process."""

import io
import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from tidegate.worker.commands.check import print_check
from tidegate.worker.main import work
from unit.worker.ended import RunEnd

from .rest_server import Api

FIELDS = ("email", "name", "phone")


class Ended(RunEnd):
    """How a run of these two systems ended."""

    @property
    def reason(self) -> str:
        return str(self.message.get("reason", ""))

    @property
    def parked(self) -> dict[tuple[str, Any], str]:
        """The reason by (connector, id) of what was set aside."""
        lines = [line for line in self.lines if line["type"] == "parked"]
        return {(line["connector"], line["id"]): line["reason"] for line in lines}


NOTHING = {"crm": "", "erp": ""}


class RestAndSqlite:
    """Contacts on both sides, and the worker's cache."""

    def __init__(self, api: Api, directory: Path) -> None:
        self.api = api
        self.place: dict[str, Any] = {"path": "/contacts", "id": "id", "find": {"email": "{email}"}}
        self.connector: dict[str, Any] = {}
        self.directory = directory
        self._runs = 0
        (directory / "cache").mkdir()
        self.sql("CREATE TABLE contact (id INTEGER PRIMARY KEY, email TEXT, name TEXT, phone TEXT)")

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.directory / "erp.db", isolation_level=None)) as connection:
            return connection.execute(statement, values).fetchall()

    def erp(self) -> dict[str, list[Any]]:
        """Name and phone by e-mail address."""
        return {email: values for email, *values in self.sql("SELECT email, name, phone FROM contact")}

    def crm(self) -> dict[str, list[Any]]:
        with self.api.lock:
            return {it["email"]: [it.get("name"), it.get("phone")] for it in self.api.contacts.values()}

    def fill(self, number: int) -> None:
        for n in range(number):
            self.api.add(email=f"p{n}@x", name=f"N{n}", phone=str(n))

    def run(
        self,
        scope: str = "full",
        *,
        push: bool = True,
        again: bool = False,
        environ: dict[str, str] | None = None,
        interrupted: Callable[[], bool] = lambda: False,
        safety: dict[str, Any] | None = None,
        fields: Sequence[str | dict[str, Any]] = FIELDS,
        config: dict[str, Any] | None = None,
        **item: Any,
    ) -> Ended:
        """The next run, or with `again` the last one; keywords replace what is in the object, `config` all of it."""
        self._runs += not again
        config = config or {
            "connectors": {
                "crm": {"type": "http", "baseUrl": self.api.url, **self.connector},
                "erp": {"type": "sql", "url": f"sqlite:///{self.directory / 'erp.db'}"},
            },
            "objects": [
                {
                    "name": "contact", "crm": self.place, "erp": {"table": "contact", "id": "id"}, "match": ["email"],
                    "fields": [{"crm": each, "erp": each} if isinstance(each, str) else each for each in fields],
                    "conflict": "crm", **item,
                }
            ],
            **({"safety": safety} if safety else {}),
        }  # fmt: skip
        (self.directory / "sync.json").write_text(json.dumps(config))
        values = {
            "SYNC_PROTOCOL": "1", "SYNC_RUN": str(self._runs), "SYNC_SCOPE": scope, "SYNC_PUSH": str(push).lower(),
            "SYNC_CACHE_DIR": str(self.directory / "cache"), "SYNC_CACHE_EPOCH": "1",
            "SYNC_CONFIG": str(self.directory / "sync.json"),
            "SYNC_TERMINATION_LOG": str(self.directory / "message"), **(environ or {}),
        }  # fmt: skip
        out = io.StringIO()
        code = work(values, out, interrupted)
        message = json.loads((self.directory / "message").read_text())
        return Ended(code, message, [json.loads(line) for line in out.getvalue().splitlines()])

    def checked(self, environ: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
        """What `tidegate-worker check` finds for the configuration of the last run: its exit code, and its JSON."""
        out = io.StringIO()
        text = (self.directory / "sync.json").read_bytes()
        code = print_check(text, environ or {}, out, lambda: False, as_json=True)
        return code, json.loads(out.getvalue())

    def everything_remembered(self) -> str:
        """All that is in the cache, as text."""
        with closing(sqlite3.connect(self.directory / "cache" / "cache.sqlite")) as connection:
            return "\n".join(connection.iterdump())
