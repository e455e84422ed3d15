"""A value that must be unique passes from record to record of an API in one run, as it does in a database."""

from collections.abc import Callable
from typing import Any

import pytest

from .rest_and_sqlite import NOTHING, RestAndSqlite
from .rest_server import Reply, Request, Serve

REFUSALS: dict[str, Reply] = {
    "409": Reply(409),
    "PocketBase": Reply(400, {"message": "Failed.", "data": {"phone": {"message": "Value must be unique."}}}),
    "Rails": Reply(422, {"errors": {"phone": ["has already been taken"]}}),
    "JSON:API": Reply(422, {"errors": [{"detail": "duplicate", "source": {"pointer": "/data/attributes/phone"}}]}),
}


@pytest.fixture
def systems(systems: RestAndSqlite) -> RestAndSqlite:
    systems.connector = {"concurrency": 1}
    return systems


def unique_phones(systems: RestAndSqlite, refusal: Reply) -> None:
    def answer(request: Request, serve: Serve) -> Reply:
        phone = (request.body or {}).get("phone")
        key = request.path.rpartition("/")[2]
        others = [it["phone"] for it in systems.api.contacts.values() if str(it["id"]) != key]
        return refusal if phone is not None and phone in others else serve(request)

    systems.api.around = answer


def move_on(systems: RestAndSqlite) -> None:
    systems.sql("UPDATE contact SET phone = CAST(phone AS INTEGER) + 1")


def move_back(systems: RestAndSqlite) -> None:
    systems.sql("UPDATE contact SET phone = CAST(phone AS INTEGER) - 1")


def hand_on_to_a_new_one(systems: RestAndSqlite) -> None:
    systems.sql("UPDATE contact SET phone = '77' WHERE email = 'p3@x'")
    systems.sql("INSERT INTO contact (email, name, phone) VALUES ('new@x', 'new', '3')")


def inherit(systems: RestAndSqlite) -> None:
    systems.sql("DELETE FROM contact WHERE email = 'p3@x'")
    systems.sql("INSERT INTO contact (email, name, phone) VALUES ('new@x', 'new', '3')")


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("edit", [move_on, move_back, hand_on_to_a_new_one, inherit])
def test_a_moved_value_is_synced_in_one_run(
    systems: RestAndSqlite, edit: Callable[[RestAndSqlite], None], refusal: str
) -> None:
    systems.fill(8)
    item: dict[str, Any] = {"conflict": "erp", "deletes": "propagate"}
    systems.run(**item)
    unique_phones(systems, REFUSALS[refusal])
    edit(systems)
    ended = systems.run(**item)
    assert (ended.code, ended.parked) == (0, {})
    assert systems.crm() == systems.erp()
    assert systems.run(**item).pushed == NOTHING


def test_a_value_that_another_record_keeps_is_refused_when_nothing_moves(systems: RestAndSqlite) -> None:
    systems.fill(4)
    systems.run()
    unique_phones(systems, REFUSALS["Rails"])
    systems.sql("UPDATE contact SET phone = '1' WHERE email = 'p3@x'")
    systems.sql("UPDATE contact SET name = 'new' WHERE email = 'p2@x'")
    ended = systems.run(conflict="erp")
    assert (ended.code, ended.pushed["crm"]) == (0, "1 update")
    assert "422 Unprocessable Entity: phone: has already been taken" in "".join(ended.parked.values())
    assert len(systems.api.sent("PATCH")) < 10
