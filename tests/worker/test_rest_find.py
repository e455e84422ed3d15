"""A record is looked for before it is created, also where its value cannot be asked for or the API's search is late."""

import re
from collections.abc import Sequence
from typing import Any, NoReturn

import pytest

from tidegate.worker.connectors.http.resource import Resource
from tidegate.worker.values.normal_form import Value

from .rest_and_sqlite import NOTHING, RestAndSqlite
from .rest_client import opened
from .rest_server import Api, Reply, Request, Serve


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidegate.worker.connectors.http.turns._FIRST_BACKOFF_SECONDS", 0.001)


@pytest.fixture
def systems(api: Api, tmp_path: Any) -> RestAndSqlite:
    """An API whose lists are filtered by an expression, such as email='a@x', as PocketBase has it."""
    systems = RestAndSqlite(api, tmp_path)
    systems.place |= {"paging": {"none": {}}, "find": {"filter": "email='{email}'"}}

    def answer(request: Request, serve: Serve) -> Reply:
        expression = request.query.get("filter")
        if expression is None:
            return serve(request)
        if (plain := re.fullmatch("email='([^']*)'", expression)) is None:
            return Reply(400 if expression.count("'") % 2 else 200, [*api.contacts.values()])
        return Reply(200, [it for it in api.contacts.values() if it["email"] == plain.group(1)])

    api.around = answer
    return systems


VALUES = ["O'Hara@x", "yy' || email!='", "a\\@x", 'q"@x', "50%@x", "(a)@x"]


@pytest.mark.parametrize("value", VALUES)
def test_a_value_with_a_meaning_in_a_filter_is_never_inserted_into_one(systems: RestAndSqlite, value: str) -> None:
    for n in range(150):
        systems.api.add(email=f"p{n}@x", name="N", phone="1")
    systems.sql("INSERT INTO contact (email, name, phone) VALUES (?, 'odd', '1'), ('new@x', 'new', '1')", value)
    ended = systems.run()
    assert (ended.code, ended.pushed["crm"]) == (0, "2 create")
    assert systems.crm() == systems.erp()
    assert systems.run().pushed == NOTHING
    assert not any(value in request.query.get("filter", "") for request in systems.api.requests)


@pytest.mark.parametrize("status", [400, 422])
def test_a_value_that_the_search_refuses_is_looked_up_in_the_whole_list(api: Api, status: int) -> None:
    api.add(email="D'Arcy@x", name="there")

    def answer(request: Request, serve: Serve) -> Reply:
        return Reply(status) if "'" in request.query.get("email", "") else serve(request)

    api.around = answer
    with opened(api, paging={"none": {}}) as collection:
        assert [record.key for record in collection.find([("D'Arcy@x",), ("nobody@x",)])] == [1]


def test_a_create_with_a_lost_answer_is_found_although_the_search_lags(systems: RestAndSqlite) -> None:
    by_itself = systems.api.around
    assert by_itself is not None
    lost: list[str] = []

    def answer(request: Request, serve: Serve) -> Reply:
        if request.query.get("filter", "").removeprefix("email='").removesuffix("'") in lost:
            return Reply(200, [])
        reply = by_itself(request, serve)
        if request.method == "POST" and not lost:
            lost.append(request.body["email"])
            return Reply(0)
        return reply

    systems.api.around = answer
    for n in range(3):
        systems.sql("INSERT INTO contact (email, name, phone) VALUES (?, 'new', '1')", f"n{n}@x")
    assert systems.run().code == 0
    assert len(systems.api.contacts) == 3
    assert systems.run().pushed == NOTHING


class Killed(BaseException):
    """The process ends here, as by SIGKILL."""


@pytest.mark.parametrize("find", [{"email": "{email}"}, "scan"], ids=["asked", "scanned"])
def test_a_create_before_the_process_was_killed_is_found_although_the_search_lags(
    systems: RestAndSqlite, monkeypatch: pytest.MonkeyPatch, find: Any
) -> None:
    systems.place["find"] = find
    create = Resource.create

    def create_and_die(self: Resource, records: Sequence[Sequence[Value]]) -> NoReturn:
        create(self, records)
        raise Killed

    monkeypatch.setattr(Resource, "create", create_and_die)
    for n in range(3):
        systems.sql("INSERT INTO contact (email, name, phone) VALUES (?, 'new', '1')", f"n{n}@x")
    with pytest.raises(Killed):
        systems.run()
    assert len(systems.api.contacts) == 3
    monkeypatch.undo()
    systems.api.around = lambda request, serve: Reply(200, []) if "email" in request.query else serve(request)
    assert systems.run(again=True).code == 0
    assert sorted(systems.crm()) == ["n0@x", "n1@x", "n2@x"]
    assert len(systems.api.contacts) == 3, "none is created a second time"
    assert systems.run().pushed == NOTHING
