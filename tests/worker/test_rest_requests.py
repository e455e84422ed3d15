"""What requests look like where an API wants them in its own way: changes since a time, pages, searches, bodies."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tidegate.worker.connectors import Record, Window, Write
from tidegate.worker.errors import ConfigurationError, SystemFailed

from .rest_and_sqlite import RestAndSqlite
from .rest_client import everything, fill, opened
from .rest_server import Api, Reply, Request, Serve

MOMENT = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)
WINDOW = Window("2026-11-02T08:30:30Z", "2026-11-03T00:00:00Z", timedelta(seconds=30))


@pytest.fixture
def systems(api: Api, tmp_path: Path) -> RestAndSqlite:
    return RestAndSqlite(api, tmp_path)


def assert_nothing_was_written(systems: RestAndSqlite) -> None:
    assert systems.api.writes == 0
    assert systems.erp() == {}


# Changes since a time


@pytest.mark.parametrize(
    ("since", "asked"),
    [
        ("updated_after", {"updated_after": "2026-11-02T08:30:00Z"}),
        ({"parameters": {"start_time": "{since}"}, "format": "epochSeconds"},
         {"start_time": str(int(MOMENT.timestamp()))}),
        ({"parameters": {"since": "{since}"}, "format": "epochMilliseconds"},
         {"since": str(int(MOMENT.timestamp()) * 1000)}),
        ({"parameters": {"filter": "updated > '{since}'", "sort": "updated"}},
         {"filter": "updated > '2026-11-02T08:30:00Z'", "sort": "updated"}),
    ],
)  # fmt: skip
def test_changes_are_requested_in_the_api_s_format(api: Api, since: Any, asked: dict[str, str]) -> None:
    fill(api, 1)
    with opened(api, cursor="updatedAt", since=since) as collection:
        everything(collection, WINDOW)
    assert asked in [request.query for request in api.requests]


def with_changes(request: Request, serve: Serve) -> Reply:
    """Of the list itself no parameter is known; changes are at a path of their own, which takes no other parameters."""
    if request.path.startswith("/contacts/changes"):
        if {*request.query} - {"from", "start"}:
            return Reply(422, {"detail": "from only"})
        query = {**request.query, "updated_after": request.query["from"]}
        return serve(replace(request, path="/contacts", query=query))
    return serve(replace(request, query={}) if request.path == "/contacts" and request.method == "GET" else request)


def test_changes_may_be_listed_at_a_path_of_their_own(api: Api, systems: RestAndSqlite) -> None:
    asked: list[tuple[str, dict[str, str]]] = []

    def noted(request: Request, serve: Serve) -> Reply:
        asked.append((request.path, request.query))
        return with_changes(request, serve)

    api.around = noted
    systems.fill(3)
    systems.place |= {
        "query": {"sort": "id"}, "cursor": "updatedAt", "paging": {"none": {}},
        "since": {"path": "/contacts/changes", "parameters": {"from": "{since}"}},
    }  # fmt: skip
    assert systems.run().code == 0
    asked.clear()
    api.edit(2, phone="77")
    assert systems.run("changes").pushed == {"crm": "", "erp": "1 update"}
    assert [{*query} for path, query in asked if path == "/contacts/changes"] == [{"from"}]


def test_changes_may_be_found_by_a_search_by_post(api: Api, systems: RestAndSqlite) -> None:
    asked: list[Any] = []

    def search(request: Request, serve: Serve) -> Reply:
        if request.path != "/contacts/search":
            return serve(request)
        asked.append(request.body)
        page = {"cursor": request.body["cursor"]} if "cursor" in request.body else {}
        query = {"updated_after": request.body["changed"][0]["since"], **page}
        return serve(replace(request, method="GET", path="/contacts", query=query))

    api.around = search
    api.paging, api.items, api.page_size, api.totals = "cursor", "data", 2, "body"
    systems.fill(5)
    systems.place |= {
        "items": "data", "paging": {"cursor": {}}, "cursor": "updatedAt",
        "since": {"path": "/contacts/search", "body": {"changed": [{"since": "{since}"}], "sort": "id"}},
    }  # fmt: skip
    assert systems.run().code == 0
    assert asked == [], "a whole scan reads the list"
    for key in (1, 3, 5):
        api.edit(key, phone="77")
    ended = systems.run("changes")
    assert (ended.code, ended.pushed) == (0, {"crm": "", "erp": "3 update"}), ended.reason
    assert all(body["sort"] == "id" and body["changed"][0]["since"].endswith("Z") for body in asked)
    assert any("cursor" in body for body in asked), "its pages are asked for in the body"


def test_a_path_of_changes_that_is_not_there_is_named(api: Api, systems: RestAndSqlite) -> None:
    systems.fill(1)
    since = {"path": "/contacts/news", "parameters": {"from": "{since}"}}
    systems.place |= {"cursor": "updatedAt", "paging": {"none": {}}, "since": since}
    assert systems.run().code == 0
    ended = systems.run("changes")
    assert ended.code == 2
    assert "GET /contacts/news: 404 Not Found; see since and paging" in ended.reason


def test_a_cursor_may_be_a_number_of_seconds(api: Api, systems: RestAndSqlite) -> None:
    api.stores = lambda document: document | {"changed": int(datetime.now(UTC).timestamp())}
    api.filters = ()
    systems.fill(2)
    since = {"parameters": {"start_time": "{since}"}, "format": "epochSeconds"}
    systems.place |= {"cursor": "changed", "since": since}
    assert systems.run().code == 0
    api.requests.clear()
    api.edit(1, phone="77")
    assert systems.run("changes").pushed == {"crm": "", "erp": "1 update"}
    asked = int(next(request.query["start_time"] for request in api.requests if "start_time" in request.query))
    assert 0 <= datetime.now(UTC).timestamp() - asked < 120


@pytest.mark.parametrize(
    ("unit", "since", "words"),
    [
        (1, "epochMilliseconds", "which is no time in epochMilliseconds; is its format epochSeconds?"),
        (1000, "epochSeconds", "which is no time in epochSeconds; is its format epochMilliseconds?"),
    ],
)
def test_seconds_configured_as_milliseconds_are_refused(
    api: Api, systems: RestAndSqlite, unit: int, since: Any, words: str
) -> None:
    api.stores = lambda document: document | {"changed": int(datetime.now(UTC).timestamp()) * unit}
    systems.fill(2)
    systems.place |= {"cursor": "changed", "since": {"parameters": {"t": "{since}"}, "format": since}}
    ended = systems.run()
    assert ended.code == 2
    assert words in ended.reason
    assert_nothing_was_written(systems)


def test_a_newest_value_with_a_meaning_in_a_filter_is_not_inserted_into_one(api: Api) -> None:
    since = {"parameters": {"filter": "version > '{since}'"}}
    fill(api, 1)
    with (
        opened(api, cursor="version", newest={"sort": "-version"}, since=since) as collection,
        pytest.raises(ConfigurationError, match="could change the meaning of a filter"),
    ):
        everything(collection, Window("7' or 1='1", "8", timedelta()))


# Pages


def test_a_cursor_in_a_header_leads_through_all_pages(api: Api) -> None:
    api.paging, api.page_size, api.items = "cursor", 4, "data"
    fill(api, 10)

    def answer(request: Request, serve: Serve) -> Reply:
        reply = serve(request)
        following = reply.body.pop("nextCursor", None) if isinstance(reply.body, dict) else None
        return Reply(reply.status, reply.body, {"X-Next": following} if following else {})

    api.around = answer
    with opened(api, items="data", paging={"cursor": {"header": "X-Next"}}) as collection:
        assert len(everything(collection)) == 10


@pytest.mark.parametrize("kind", ["link", "cursor"])
def test_a_last_page_with_a_next_link_ends_where_the_api_says_so(api: Api, kind: str) -> None:
    api.paging, api.page_size, api.items = ("body link" if kind == "link" else "cursor"), 4, "data"
    fill(api, 10)

    def answer(request: Request, serve: Serve) -> Reply:
        reply = serve(request)
        if isinstance(reply.body, dict) and "hasMore" in reply.body and not reply.body["hasMore"]:
            reply.body["links"] = {"next": "/contacts?start=0"}
            reply.body["nextCursor"] = "c0"
        return reply

    api.around = answer
    following = "links.next" if kind == "link" else "nextCursor"
    paging = {kind: {"next": following, "more": "hasMore"}}
    with opened(api, items="data", paging=paging) as collection:
        assert len(everything(collection)) == 10
    cannot_open_or_ends(api, {kind: {"next": following}})


def cannot_open_or_ends(api: Api, paging: dict[str, Any]) -> None:
    """Without `more` the same list goes in a circle, which is told."""
    with (
        opened(api, items="data", paging=paging) as collection,
        pytest.raises(ConfigurationError, match="the pages go in a circle"),
    ):
        everything(collection)


def test_numbered_pages_end_where_the_api_says_so(api: Api) -> None:
    api.paging, api.page_size, api.items, api.totals = "page", 5, "data", "body"
    fill(api, 10)
    with opened(api, items="data", paging={"page": {"more": "hasMore"}}) as collection:
        api.requests.clear()
        assert len(everything(collection)) == 10
    assert [request.query["page"] for request in api.sent("GET") if request.path == "/contacts"] == ["1", "2"]


def test_a_list_that_continues_without_saying_where_is_refused(api: Api, systems: RestAndSqlite) -> None:
    api.paging, api.page_size, api.items = "cursor", 4, "data"
    systems.fill(10)
    systems.place |= {"items": "data", "paging": {"cursor": {"next": "cursor", "more": "hasMore"}}}
    ended = systems.run()
    assert ended.code == 2
    assert "paging: the answer says that there are more records, and not where they are" in ended.reason
    assert_nothing_was_written(systems)


# Searches


class Searching:
    """The API with a search at /contacts/search, as CRMs have it."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.faults: list[Reply] = []
        self.searches: list[Any] = []
        api.filters = ()
        api.around = self._answer

    def _answer(self, request: Request, serve: Serve) -> Reply:
        if request.path != "/contacts/search":
            return serve(request)
        if self.faults:
            return self.faults.pop(0)
        self.searches.append(request.body)
        sought = request.body["filters"][0]["value"].lower()
        found = [it for it in self.api.contacts.values() if str(it.get("email")).lower() == sought]
        start = int(request.body.get("after", 0))
        more = start + 1 < len(found)
        return Reply(200, {"results": found[start : start + 1], "next": str(start + 1) if more else None})


SEARCH = {"path": "/contacts/search", "body": {"filters": [{"name": "email", "op": "EQ", "value": "{email}"}]}}


@pytest.fixture
def searching(systems: RestAndSqlite) -> Searching:
    systems.api.items = "results"
    systems.place |= {"find": SEARCH, "items": "results", "paging": {"cursor": {"parameter": "after", "next": "next"}}}
    return Searching(systems.api)


def test_a_record_is_found_by_a_search_before_it_is_created(systems: RestAndSqlite, searching: Searching) -> None:
    systems.fill(2)
    systems.api.add(email="new@x", name="N", phone="1")
    with opened(systems.api, casefold=["email"], **systems.place) as collection:
        found = collection.find([("NEW@x",), ("other@x",), ('"quoted"@x',)])
    assert [record.values[0] for record in found] == ["new@x"]
    assert '"quoted"@x' in [body["filters"][0]["value"] for body in searching.searches], "JSON needs no care"


def test_a_search_is_paged_in_its_body(systems: RestAndSqlite, searching: Searching) -> None:
    for _ in range(3):
        systems.api.add(email="same@x", name="N")
    with opened(systems.api, pageSize={"parameter": "limit", "records": 1}, **systems.place) as collection:
        assert len(collection.find([("same@x",)])) == 3
    assert [(body.get("after"), body["limit"]) for body in searching.searches] == [(None, 1), ("1", 1), ("2", 1)]


def test_a_search_may_be_a_get_at_its_own_path(systems: RestAndSqlite) -> None:
    systems.fill(3)

    def answer(request: Request, serve: Serve) -> Reply:
        if request.path != "/search":
            return serve(request)
        sought = request.query["query"].removeprefix("email:")
        return Reply(200, [it for it in systems.api.contacts.values() if it["email"] == sought])

    systems.api.around = answer
    systems.place |= {"find": {"path": "/search", "query": {"query": "email:{email}"}}, "query": {"sort": "id"}}
    with opened(systems.api, **systems.place) as collection:
        assert [record.key for record in collection.find([("p1@x",), ("none@x",)])] == [2]


def test_a_put_may_have_the_changed_fields_only(api: Api) -> None:
    api.add(email="a@x", name="A", note="mine")
    with opened(api, update="PUT", body={"fields": "changed"}) as collection:
        collection.update([Write(collection.get([1])[1], {1: "B"})])
    assert api.sent("PUT")[0].body == {"name": "B"}


def test_a_temporarily_failing_search_is_retried(systems: RestAndSqlite, searching: Searching) -> None:
    searching.faults = [Reply(502), Reply(0), Reply(429)]
    systems.fill(1)
    with opened(systems.api, **systems.place) as collection:
        assert len(collection.find([("p0@x",)])) == 1


@pytest.mark.parametrize(
    ("find", "words"),
    [
        ({"path": "/contacts/serach", "body": SEARCH["body"]}, "POST /contacts/serach: 405"),
        ({"path": "/contacts/search", "body": {"filters": []}}, "find: it must have one of {email}"),
        ({"path": "/contacts/search", "body": {"q": "{mail}"}}, "find: {mail} is not one of the match fields {email}"),
        ({"path": "/contacts/search", "body": "{email}"}, "find.body must be a mapping"),
        ({"body": {"q": "{email}"}}, "find.path"),
        ({"path": "/contacts/search"}, "write query for a search by GET, or body for one by POST"),
    ],
)
def test_an_error_in_a_search_is_reported_and_nothing_is_written(
    systems: RestAndSqlite, searching: Searching, find: Any, words: str
) -> None:
    def answer(request: Request, serve: Serve) -> Reply:
        return Reply(405) if request.path == "/contacts/serach" else searching._answer(request, serve)

    systems.api.around = answer
    systems.sql("INSERT INTO contact (email, name) VALUES ('new@x', 'N')")
    systems.place["find"] = find
    ended = systems.run()
    assert ended.code == 2
    assert words in ended.reason
    assert systems.api.writes == 0


# Bodies


@pytest.mark.parametrize(
    ("body", "update", "created", "updated"),
    [
        ({"wrap": "contact"}, "PATCH", {"contact": {"email": "a@x", "name": "A"}}, {"contact": {"name": "B"}}),
        ({"wrap": "data.contact", "constants": {"source": "sync", "flags.vip": False}}, "PATCH",
         {"data": {"contact": {"email": "a@x", "name": "A", "source": "sync", "flags": {"vip": False}}}},
         {"data": {"contact": {"name": "B", "source": "sync", "flags": {"vip": False}}}}),
        ({"wrap": "data", "id": True, "constants": {"type": "contacts"}}, "PATCH",
         {"data": {"email": "a@x", "name": "A", "type": "contacts"}},
         {"data": {"id": 1, "name": "B", "type": "contacts"}}),
        ({}, "POST", {"email": "a@x", "name": "A"}, {"name": "B"}),
    ],
)  # fmt: skip
def test_bodies_have_the_api_s_shape(api: Api, body: dict[str, Any], update: str, created: Any, updated: Any) -> None:
    seen: list[Any] = []

    def answer(request: Request, serve: Serve) -> Reply:
        if request.method == "GET":
            return serve(request)
        seen.append(request.body)
        record = request.body
        for part in body.get("wrap", "").split(".") if body.get("wrap") else ():
            record = record[part]
        method = "PATCH" if request.path != "/contacts" else "POST"
        return serve(Request(method, request.path, request.query, request.headers, record))

    api.around = answer
    with opened(api, body=body, update=update) as collection:
        (record,) = collection.create([("a@x", "A")])
        assert getattr(record, "key", None) == 1, record
        assert isinstance(record, Record)
        (edited,) = collection.update([Write(record, {1: "B"})])
    assert isinstance(edited, Record)
    assert edited.values == ("a@x", "B")
    assert seen == [created, updated]


def test_creates_and_updates_have_their_own_media_types(api: Api, systems: RestAndSqlite) -> None:
    systems.fill(1)
    types = {"contentType": "application/vnd.api+json", "updateContentType": "application/merge-patch+json"}
    systems.place["body"] = types
    systems.run()
    systems.sql("UPDATE contact SET name = 'B'")
    systems.sql("INSERT INTO contact (email) VALUES ('new@x')")
    assert systems.run().pushed["crm"] == "1 create, 1 update"
    assert [request.headers["content-type"] for request in api.sent("POST")] == ["application/vnd.api+json"]
    assert [request.headers["content-type"] for request in api.sent("PATCH")] == ["application/merge-patch+json"]


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (None, {"address": {"city": "Bonn", "street": "Kai 1"}}),
        ({"objects": "merged"}, {"address": {"city": "Bonn"}}),
        ({"updateContentType": "application/merge-patch+json"}, {"address": {"city": "Bonn"}}),
    ],
)
def test_an_update_sends_whole_objects_unless_the_api_merges(api: Api, body: Any, sent: Any) -> None:
    api.add(email="a@x", address={"city": "Ulm", "street": "Kai 1"})
    with opened(api, "email", "address.city", body=body) as collection:
        got = collection.get([1])
        collection.update([Write(got[1], {1: "Bonn"})])
        assert api.sent("PATCH")[0].body == sent
        api.contacts[1]["address"] = "Kai 1, Ulm"
        (answer,) = collection.update([Write(Record(1, ("a@x", None)), {1: "Bonn"})])
        assert not isinstance(answer, Record), "a text is not replaced by an object"
    assert len(api.sent("PATCH")) == 1


@pytest.mark.parametrize("body", [None, {"objects": "merged"}])
def test_an_element_of_a_list_is_synced_and_the_others_stay(systems: RestAndSqlite, body: Any) -> None:
    systems.api.add(email="a@x", phones=[{"number": "1", "kind": "work"}, {"number": "2", "kind": "home"}])
    systems.api.add(email="b@x", phones=[])
    systems.place["body"] = body
    fields: list[str | dict[str, Any]] = ["email", {"crm": "phones.0.number", "erp": "phone"}]
    assert systems.run(fields=fields).code == 0
    assert systems.erp() == {"a@x": [None, "1"], "b@x": [None, None]}
    systems.sql("UPDATE contact SET phone = '9'")
    systems.sql("INSERT INTO contact (email, phone) VALUES ('c@x', '7')")
    assert systems.run(fields=fields).pushed == {"crm": "1 create, 2 update", "erp": ""}
    assert [it["phones"] for it in systems.api.contacts.values()] == [
        [{"number": "9", "kind": "work"}, {"number": "2", "kind": "home"}],
        [{"number": "9"}],
        [{"number": "7"}],
    ]
    assert systems.run(fields=fields).pushed == {"crm": "", "erp": ""}


def test_a_form_has_brackets_for_nested_fields(api: Api) -> None:
    seen: list[Any] = []

    def answer(request: Request, serve: Serve) -> Reply:
        if request.method != "POST":
            return serve(request)
        seen.append(request.body)
        return serve(Request("POST", request.path, {}, {}, {"email": "a@x", "address": {"city": "Ulm"}}))

    api.around = answer
    body = {"contentType": "application/x-www-form-urlencoded", "constants": {"vip": True}}
    with opened(api, "email", "address.city", body=body) as collection:
        collection.create([("a@x", "Ulm & Söflingen")])
    assert seen == [{"email": "a@x", "address[city]": "Ulm & Söflingen", "vip": "true"}]


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ({"body": {"constants": {"name": "A"}}}, "body.constants: name is also a field that is synced to this side"),
        ({"body": {"constants": {"tags": ["a"]}}}, "body.constants"),
        ({"body": {"wrapper": "contact"}}, "body.wrapper is not known"),
        ({"cursor": "updatedAt", "since": {"parameters": {"filter": "updated > now"}}}, "write where the time comes"),
        ({"cursor": "updatedAt", "since": {"parameters": {"t": "{since}"}, "format": "unix"}}, "since.format must be"),
        (
            {"cursor": "updatedAt", "since": {"path": "/contacts/changes?a=b", "parameters": {"t": "{since}"}}},
            "since.path: write query parameters as query",
        ),
        (
            {"cursor": "updatedAt", "since": {"body": {"t": "{since}"}}},
            "since: body needs path: where the POST goes",
        ),
        (
            {"cursor": "updatedAt", "since": {"path": "/s", "body": {"t": "{since}"}, "parameters": {"t": "{since}"}}},
            "since: write parameters for a list by GET, or body for one by POST",
        ),
        ({"cursor": "updatedAt", "since": {"path": "/s", "body": {"t": "now"}}}, "write where the time comes"),
        ({"path": "/accounts/{id}/contacts"}, "path: /accounts/{id}/contacts needs parents"),
        ({"cursor": "updatedAt", "since": 7}, "since: write the query parameter that takes the time"),
        ({"update": "DELETE"}, "update must be"),
        ({"paging": {"cursor": {"more": True}}}, "paging.cursor.more"),
    ],
)
def test_an_error_in_a_request_is_reported_and_nothing_is_written(
    systems: RestAndSqlite, place: dict[str, Any], words: str
) -> None:
    systems.fill(1)
    systems.sql("INSERT INTO contact (email, name) VALUES ('new@x', 'N')")
    systems.place |= place
    ended = systems.run()
    assert ended.code == 2
    assert words in ended.reason
    assert systems.api.writes == 0
    assert len(systems.erp()) == 1


# Encodings


@pytest.mark.parametrize(
    ("encoding", "content_type"),
    [
        ("iso-8859-1", "application/json; charset=iso-8859-1"),
        ("utf-16", "application/json"),
        ("utf-8-sig", "application/json"),
        ("utf-8", "application/json; charset=utf-8"),
        ("utf-8", "application/json; charset=nonsense"),
    ],
)
def test_an_answer_in_another_encoding_is_decoded(api: Api, encoding: str, content_type: str) -> None:
    content = json.dumps([{"id": 1, "email": "a@x", "name": "Zoë"}], ensure_ascii=False).encode(encoding)
    api.around = lambda _request, _serve: Reply(200, content, {"Content-Type": content_type})
    with opened(api) as collection:
        assert [record.values for record in everything(collection)] == [("a@x", "Zoë")]


def test_an_answer_that_is_invalid_in_its_encoding_is_refused(api: Api) -> None:
    content = '[{"id": 1, "email": "a@x", "name": "Zoë"}]'.encode("iso-8859-1")
    api.around = lambda _request, _serve: Reply(200, content, {"Content-Type": "application/json"})
    with pytest.raises(SystemFailed, match="the answer is not JSON"), opened(api):
        pass
