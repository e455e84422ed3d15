"""REST APIs that nobody here wrote, synced with a SQLite database: everything arrives, and then it is quiet."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from .real_servers import RealApi, django_rest_framework, json_server, pocketbase
from .rest_and_sqlite import NOTHING, RestAndSqlite
from .rest_server import Api

_SERVERS: dict[str, tuple[Callable[[Path], AbstractContextManager[RealApi]], int]] = {
    # Of Django's contacts a test sees one page only.
    "json-server": (json_server, 25),
    "Django REST framework": (django_rest_framework, 6),
    "PocketBase": (pocketbase, 25),
}


@pytest.fixture(params=_SERVERS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[RealApi, int]]:
    start, number = _SERVERS[request.param]
    with start(tmp_path) as api:
        yield api, number


def test_everything_is_synced_both_ways_and_comes_to_rest(server: tuple[RealApi, int], tmp_path: Path) -> None:
    crm, number = server
    systems = RestAndSqlite(Api(url=crm.url), tmp_path)
    systems.place = crm.place

    def are_the_same() -> bool:
        rows: dict[str, list[Any]] = {mail: [it["name"], it["phone"]] for mail, it in crm.contacts().items()}
        return rows == systems.erp()

    for n in range(number):
        crm.add(email=f"p{n}@x.test", name=f'Zoë {n}, "Z"', phone=str(n))
    for n in range(number - 2, number + 2):
        systems.sql(
            "INSERT INTO contact (email, name, phone) VALUES (?, ?, ?)", f"p{n}@x.test", f'Zoë {n}, "Z"', str(n)
        )
    assert systems.run().pushed == {"crm": "2 create", "erp": f"{number - 2} create"}
    assert are_the_same()
    assert [systems.run().pushed, systems.run().pushed] == [NOTHING, NOTHING]

    crm.edit("p0@x.test", name='O\'Neil & "Söhne"')
    systems.sql("UPDATE contact SET phone = '+49 30 1' WHERE email = 'p1@x.test'")
    crm.remove("p2@x.test")
    systems.sql("DELETE FROM contact WHERE email = 'p3@x.test'")
    ended = systems.run(deletes="propagate")
    assert (ended.pushed, ended.parked) == ({"crm": "1 update, 1 delete", "erp": "1 update, 1 delete"}, {})
    assert are_the_same()
    assert len(systems.erp()) == number
    ended = systems.run(deletes="propagate")
    assert (ended.pushed, ended.reason) == (NOTHING, "")
