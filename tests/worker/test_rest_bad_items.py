"""An item of a list that cannot be read is set aside and named, and is not taken for deleted; the others are synced."""

from typing import Any

import pytest

from .rest_and_sqlite import NOTHING, RestAndSqlite
from .rest_server import Reply, Request, Serve


def spoilt(systems: RestAndSqlite, spoil: dict[Any, bytes]) -> None:
    """The API answers these bytes in the place of the name of these records."""

    def answer(request: Request, serve: Serve) -> Reply:
        reply = serve(request)
        if request.method != "GET" or reply.status != 200:
            return reply
        content = systems.api.dumped(reply.body)
        for key, text in spoil.items():
            content = content.replace(b'"SPOIL%d"' % key, text)
        return Reply(200, content, reply.headers)

    systems.api.around = answer


VALUES = {
    "half of an emoji": (rb'"hi \ud83d"', "has half of a character"),
    "a gigabyte of digits": (b"1e999999999", "is a number of more than 1000 digits"),
    "NaN": (b"NaN", "is NaN, which is not a number"),
    "a deep list": (b"[" * 300 + b"]" * 300, "nests more than 100 levels deep"),
}


@pytest.mark.parametrize("deletes", ["unlink", "propagate"])
@pytest.mark.parametrize("what", VALUES)
def test_an_unusable_value_sets_its_record_aside(systems: RestAndSqlite, what: str, deletes: str) -> None:
    text, problem = VALUES[what]
    systems.fill(5)
    systems.run(deletes=deletes)
    for key in systems.api.contacts:
        systems.api.edit(key, name="SPOIL3" if key == 3 else "new")
    spoilt(systems, {3: text})
    for _ in range(2):
        ended = systems.run(deletes=deletes)
        assert ended.code == 0
        assert f"field name: its value {problem}" in ended.parked["crm", 3]
        assert "1 record cannot be read" in ended.reason
    assert sorted(name for name, _ in systems.erp().values()) == ["N2", "new", "new", "new", "new"]
    systems.sql("UPDATE contact SET phone = 'edited'")
    assert systems.run(deletes=deletes, conflict="erp").pushed["crm"] == "4 update"
    systems.api.around = None
    systems.api.edit(3, name="good again")
    ended = systems.run(deletes=deletes, conflict="erp")
    assert ended.reason == ""
    assert systems.erp() == systems.crm()
    assert systems.run(deletes=deletes).pushed == NOTHING


@pytest.mark.parametrize("find", ["scan", {"email": "{email}"}])
def test_an_unreadable_record_that_may_match_is_not_created_a_second_time(systems: RestAndSqlite, find: Any) -> None:
    systems.place["find"] = find
    systems.api.add(email="a@x", name="SPOIL1", phone="1")
    systems.api.add(email="b@x", name="B", phone="1")
    spoilt(systems, {1: b"NaN"})
    for email in ("a@x", "c@x", "d@x"):
        systems.sql("INSERT INTO contact (email, name, phone) VALUES (?, 'new', '1')", email)
    assert systems.run().code == 0
    assert sorted(it["email"] for it in systems.api.contacts.values()) == ["a@x", "b@x", "c@x", "d@x"]


def test_an_item_without_an_id_is_not_created_a_second_time_either(systems: RestAndSqlite) -> None:
    systems.place["find"] = "scan"
    systems.api.add(email="b@x", name="B", phone="1")
    systems.api.around = lambda request, serve: (
        Reply(200, [*reply.body, {"email": "a@x"}], reply.headers)
        if isinstance((reply := serve(request)).body, list)
        else reply
    )
    for email in ("a@x", "c@x", "d@x"):
        systems.sql("INSERT INTO contact (email, name, phone) VALUES (?, 'new', '1')", email)
    ended = systems.run()
    assert ended.code == 0
    assert "item 2 of page 1 cannot be read: object contact, connector crm: id: a record has no id" in str(ended.parked)
    assert sorted(it["email"] for it in systems.api.contacts.values()) == ["b@x", "c@x", "d@x"]


def test_an_error_in_most_items_is_a_configuration_error(systems: RestAndSqlite) -> None:
    systems.fill(5)
    for key in (1, 2, 3):
        systems.api.edit(key, name=f"SPOIL{key}")
    spoilt(systems, dict.fromkeys((1, 2, 3), b"NaN"))
    ended = systems.run()
    assert ended.code == 2
    assert "field name: its value is NaN, which is not a number" in ended.reason


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_record_too_deeply_nested_to_write_is_set_aside(systems: RestAndSqlite, method: str) -> None:
    systems.place["update"] = method
    systems.fill(3)
    systems.run()
    systems.sql("UPDATE contact SET name = 'edited'")
    systems.api.edit(2, note="SPOIL2")
    spoilt(systems, {2: b"[" * 600 + b"]" * 600})
    ended = systems.run(conflict="erp")
    assert ended.code == 0
    assert ended.pushed["crm"] == ("2 update" if method == "PUT" else "3 update")
    assert ("nest" in "".join(ended.parked.values())) == (method == "PUT")


def test_floats_beside_a_long_number_cause_no_change_in_each_run(systems: RestAndSqlite) -> None:
    for n in range(30):
        systems.api.add(email=f"p{n}@x", name="N", phone=n + 0.5, iban="12345678901234567890" if n == 7 else "")
    systems.run()
    systems.api.requests.clear()
    ended = systems.run()
    assert ended.message["changed"] == {"crm": 0, "erp": 0}
    assert len(systems.api.requests) < 6, "none is asked for by its id"


@pytest.mark.parametrize("scope", ["full", "changes"])
def test_a_record_that_is_listed_again_and_not_there_by_its_id_is_set_aside(systems: RestAndSqlite, scope: str) -> None:
    systems.fill(4)
    assert systems.run().parked == {}
    systems.api.add(email="new@x", name="New", phone="1")
    hidden = [f"/contacts/{key}" for key, it in systems.api.contacts.items() if it["email"] in ("p1@x", "new@x")]
    systems.sql("UPDATE contact SET name = 'edited' WHERE email = 'p1@x'")
    systems.api.around = lambda request, serve: Reply(404) if request.path in hidden else serve(request)
    assert systems.run(scope).reason == "", "they may have been deleted meanwhile"
    for _ in range(2):
        ended = systems.run(scope, deletes="propagate")
        assert (ended.code, ended.pushed) == (0, NOTHING)
        assert ended.parked == dict.fromkeys(
            [("crm", 2), ("crm", 5)], "it cannot be read: crm lists it, and has no record with its id"
        )
        assert ended.reason == "2 waiting for a decision: see the run's log"
    systems.api.around = None
    ended = systems.run(scope, deletes="propagate")
    assert (ended.reason, systems.erp()) == ("", systems.crm())
    assert systems.crm()["p1@x"] == ["edited", "1"]


def test_a_new_record_that_its_list_shows_earlier_than_its_id_is_synced_by_the_next_run(systems: RestAndSqlite) -> None:
    systems.place |= {"cursor": "updatedAt", "since": "updated_after"}
    systems.fill(4)
    systems.run()
    systems.api.add(email="new@x", name="New", phone="1")
    systems.api.around = lambda request, serve: Reply(404) if request.path == "/contacts/5" else serve(request)
    assert (systems.run("changes").code, len(systems.erp())) == (0, 4)
    systems.api.around = None
    systems.api.contacts[5]["updatedAt"] = "2020-01-01T00:00:00Z"  # which no list of later changes has
    assert (systems.run("changes").code, systems.erp()) == (0, systems.crm())
