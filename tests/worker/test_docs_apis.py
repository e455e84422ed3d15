"""docs/apis.md: each description as it stands there, synced with a server that behaves as that API is documented."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from documentation.pages import Page

from .known_apis import Crm, HelpDesk, KnownApi, Shop
from .rest_and_sqlite import NOTHING, Ended, RestAndSqlite
from .rest_server import Api

PAGE = Page.read("docs/apis.md")
SERVERS: dict[str, Callable[[Api], KnownApi]] = {
    "A CRM with a search endpoint": Crm,
    "A shop": Shop,
    "A help desk": HelpDesk,
}


class Described:
    """A sync of a description with SQLite."""

    def __init__(self, server: KnownApi, description: dict[str, Any], directory: Path) -> None:
        self.server = server
        (item,) = description["objects"]
        self.columns = [field["names"]["erp"] for field in item["fields"]]
        self.table = item["sides"]["erp"]["table"]
        self._systems = RestAndSqlite(server.api, directory)
        self.sql = self._systems.sql
        self.sql(f"DROP TABLE IF EXISTS {self.table}")
        self.sql(
            f"CREATE TABLE {self.table} (id INTEGER PRIMARY KEY, {', '.join(f'{name} TEXT' for name in self.columns)})"
        )
        text = json.dumps(description).replace(description["connectors"]["crm"]["baseUrl"], server.api.url)
        self.description = json.loads(text)

    def run(self, scope: str = "full") -> Ended:
        environ = {**self.server.environ, "ERP_URL": f"sqlite:///{self._systems.directory / 'erp.db'}"}
        return self._systems.run(scope, environ=environ, config=self.description)

    @property
    def erp(self) -> dict[str, tuple[Any, ...]]:
        rows = self.sql(f"SELECT {', '.join(self.columns)} FROM {self.table}")  # noqa: S608 - of the page's names
        return {key: tuple(others) for key, *others in rows}

    def insert(self, *values: str) -> None:
        self.sql(f"INSERT INTO {self.table} ({', '.join(self.columns)}) VALUES (?, ?, ?)", *values)  # noqa: S608


@pytest.fixture(params=SERVERS)
def described(request: pytest.FixtureRequest, api: Api, tmp_path: Path) -> Described:
    (text,) = PAGE.section(request.param).blocks("yaml")
    return Described(SERVERS[request.param](api), yaml.safe_load(text), tmp_path)


def test_the_described_api_syncs_both_ways_and_comes_to_rest(described: Described) -> None:
    server, number = described.server, 230
    for n in range(number):
        server.add(f"p{n}@x.test", f"Zoë {n}", str(n))
    described.insert("p0@x.test", "Zoë 0", "0")
    described.insert("new@x.test", 'O\'Neil & "Söhne"', "7")
    ended = described.run()
    assert (ended.code, ended.pushed) == (0, {"crm": "1 create", "erp": f"{number - 1} create"}), ended.reason
    assert described.erp == server.shown
    assert len(server.shown) == number + 1
    assert [described.run().pushed, described.run("changes").pushed] == [NOTHING, NOTHING]

    server.edit(102, "edited there")
    described.sql(f"UPDATE {described.table} SET {described.columns[1]} = 'edited here' WHERE id = 5")  # noqa: S608
    ended = described.run("changes")
    assert (ended.code, ended.pushed, ended.parked) == (0, {"crm": "1 update", "erp": "1 update"}, {}), ended.reason
    assert described.erp == server.shown
    assert described.run().pushed == NOTHING
    assert server.refused == []


def test_deletes_on_either_side_are_carried_out(described: Described) -> None:
    described.description["objects"][0]["deletes"] = "propagate"
    for n in range(20):
        described.server.add(f"p{n}@x.test", f"N{n}", str(n))
    assert described.run().code == 0
    described.sql(f"DELETE FROM {described.table} WHERE {described.columns[0]} = 'p3@x.test'")  # noqa: S608
    ended = described.run()
    assert (ended.code, ended.pushed, ended.parked) == (0, {"crm": "1 delete", "erp": ""}, {})
    assert len(described.server.shown) == 19
    assert described.erp == described.server.shown
    assert described.server.refused == []


def test_a_wrong_key_stops_the_sync_before_anything_is_written(described: Described) -> None:
    described.server.add("p@x.test", "N", "1")
    described.server.environ = dict.fromkeys(described.server.environ, "wrong")
    assert described.run().code == 2
    assert described.erp == {}
