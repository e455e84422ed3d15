"""A check and the first runs of a REST API agree: what fits is synced, and a check names what a run would meet."""

from datetime import datetime
from typing import Any

import pytest

from .rest_and_sqlite import RestAndSqlite
from .rest_server import Reply, Request, Serve

_SINCE = {"cursor": "updatedAt", "since": "updated_after"}


def answer(request: Request, serve: Serve) -> Reply:
    """An API with a search of its own, and with parameters that it refuses, or understands in its own way."""
    query = request.query
    if request.path == "/search":
        found = serve(Request("GET", "/contacts", {}, request.headers, None)).body
        asked = query.get("q") or query.get("name") or (request.body or {}).get("q")
        return Reply(200, [it for it in found if asked in ((it["name"],) if "name" in query else (it["email"],))])
    if "refused" in query:
        return Reply(400, {"title": "refused is not a parameter"})
    if "after_ms" in query:  # what is not in milliseconds is a time long ago, or in the future
        found = serve(Request("GET", "/contacts", {}, request.headers, None)).body
        after = int(query["after_ms"]) if query["after_ms"].isdecimal() else 9e15
        return Reply(200, [it for it in found if datetime.fromisoformat(it["updatedAt"]).timestamp() * 1000 >= after])
    return serve(request)


def since(form: str) -> dict[str, Any]:
    return {"cursor": "updatedAt", "since": {"parameters": {"after_ms": "{since}"}, "format": form}}


FITTING: dict[str, dict[str, Any]] = {
    "query parameters": {},
    "scan": {"find": "scan"},
    "search": {"find": {"path": "/search", "query": {"q": "{email}"}}},
    "search by POST": {"find": {"path": "/search", "body": {"q": "{email}"}}},
    "since": _SINCE,
    "since in milliseconds": since("epochMilliseconds"),
    "newest": {"cursor": "version", "since": "version", "newest": {"sort": "-version"}},
}

MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "the API does not know the parameter": ({"find": {"mail": "{email}"}}, "does the API know mail?"),
    "the API refuses the parameter": ({"find": {"refused": "{email}"}}, "400 Bad Request"),
    "there is no search": ({"find": {"path": "/nowhere", "query": {"q": "{email}"}}}, "GET /nowhere: 404 Not Found"),
    "the search is by another field": (
        {"find": {"path": "/search", "query": {"name": "{email}"}}},
        "find: the API has the record 1 and does not find it by email",
    ),
    "changes are refused": ({"cursor": "updatedAt", "since": "refused"}, "400 Bad Request"),
    "changes are asked for in another format": (
        {"cursor": "updatedAt", "since": "after_ms"},
        "the API does not list it among the changes since 20",
    ),
    "records are at another path": ({"recordPath": "/nowhere/{id}"}, "recordPath: the list has the record 1"),
    "the list is elsewhere": ({"items": "data"}, "items: the answer has no list data"),
    "the id is another field": ({"id": "nr"}, "id: a record has no nr"),
}


@pytest.fixture
def systems(systems: RestAndSqlite) -> RestAndSqlite:
    systems.api.around = answer
    systems.place["paging"] = {"none": {}}
    systems.fill(120)  # more than are answered to a search
    return systems


def edited_and_added(systems: RestAndSqlite, name: str) -> None:
    """What makes a run read changes, and create and update records on both sides."""
    systems.api.add(email=f"{name}@crm", name=name, phone="1")
    systems.sql("INSERT INTO contact (email, name, phone) VALUES (?, ?, '2')", f"{name}@erp", name)
    systems.api.edit(1, phone=name)


@pytest.mark.parametrize("place", FITTING.values(), ids=FITTING)
def test_what_a_check_calls_fitting_is_synced_by_a_full_sync_and_by_the_next_run(
    systems: RestAndSqlite, place: dict[str, Any]
) -> None:
    systems.place |= place
    edited_and_added(systems, "full")
    full = systems.run(push=False)  # which writes the configuration that is checked
    assert (full.code, systems.checked()[1]["complaints"]) == (0, [])
    for scope in ("changes", "changes"):
        edited_and_added(systems, f"after {len(systems.erp())}")
        assert (ended := systems.run(scope)).code == 0, ended
        assert (ended.parked, ended.reason) == ({}, "")
    crm, erp = ({key: it for key, it in side.items() if "after" in key} for side in (systems.crm(), systems.erp()))
    assert (crm, len(crm)) == (erp, 4)
    assert systems.checked()[1]["complaints"] == []


@pytest.mark.parametrize(("place", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_that_a_later_run_would_meet_is_named_by_a_check(
    systems: RestAndSqlite, place: dict[str, Any], words: str
) -> None:
    systems.place |= place
    systems.run(push=False)
    code, found = systems.checked()
    assert (code, found["fits"]) == (2, False)
    assert [complaint for complaint in found["complaints"] if words in complaint], found["complaints"]


def test_names_that_no_record_has_are_remarks_where_there_are_few_records(systems: RestAndSqlite) -> None:
    for key in [*systems.api.contacts][3:]:
        del systems.api.contacts[key]
    systems.place["cursor"] = "changedAt"
    systems.run(push=False, fields=("email", {"crm": "nmae", "erp": "name"}))
    _, found = systems.checked()
    assert found["read"][0]["remarks"] == [
        "none of these records has the field nmae", "none of these records has the cursor changedAt"
    ]  # fmt: skip


def test_answers_without_a_date_are_named_by_a_check(systems: RestAndSqlite) -> None:
    systems.place |= _SINCE
    systems.api.has_date = False
    ended = systems.run()
    code, found = systems.checked()
    assert (ended.code, code) == (2, 2)
    assert found["complaints"] == [ended.reason]
    assert "since: the API's answers have no Date" in ended.reason


def test_the_mistakes_of_several_objects_are_named_at_once(systems: RestAndSqlite) -> None:
    systems.run()
    contact: dict[str, Any] = {"crm": systems.place, "erp": {"table": "contact", "id": "id"}, "match": ["email"]}
    contact["fields"] = [{"crm": "email", "erp": "email"}]
    wrong = {**systems.place, "find": {"refused": "{email}"}}
    connectors = {
        "crm": {"type": "http", "baseUrl": systems.api.url},
        "erp": {"type": "sql", "url": f"sqlite:///{systems.directory / 'erp.db'}"},
    }
    objects = [{**contact, "name": name, "crm": place} for name, place in (("a", wrong), ("b", wrong))]
    systems.run(push=False, config={"connectors": connectors, "objects": objects})
    _, found = systems.checked()
    assert [complaint.partition(":")[0] for complaint in found["complaints"]] == ["connector crm", "connector crm"]
    assert [side["object"] for side in found["read"]] == ["a", "a", "b", "b"]


def test_a_check_writes_nothing(systems: RestAndSqlite) -> None:
    systems.place |= FITTING["search by POST"] | _SINCE
    systems.run(push=False)
    before = systems.api.writes, systems.erp(), systems.crm()
    assert systems.checked()[0] == 0
    assert (systems.api.writes, systems.erp(), systems.crm()) == before
