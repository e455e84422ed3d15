"""Lists of a REST API: paging of every kind, what is in them, and the changes since a time."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tidegate.worker.connectors import Record, Window
from tidegate.worker.connectors.http.settings import ResourceSettings
from tidegate.worker.errors import ConfigurationError, SystemFailed
from tidegate.worker.values.normal_form import MISSING

from .rest_client import cannot_open, everything, fill, moment, opened
from .rest_server import Api, Fault, Reply

LISTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "the whole list at once": ({"paging": "none"}, {}),
    "a Link header": ({"paging": "link"}, {}),
    "a link in the answer": ({"paging": "body link", "items": "data"}, {"paging": {"link": {"next": "links.next"}}}),
    "a cursor": ({"paging": "cursor", "items": "data"}, {"paging": {"cursor": {}}}),
    "the last id": ({"paging": "after"}, {"paging": {"after": {}}}),
    "the last id, and more": ({"paging": "after", "items": "data"}, {"paging": {"after": {"more": "hasMore"}}}),
    "page numbers": ({"paging": "page"}, {"paging": {"page": {}}}),
    "page numbers that end in 404": ({"paging": "page", "no_page_404": True}, {"paging": {"page": {}}}),
    "offsets": ({"paging": "offset"}, {"paging": {"page": {"parameter": "offset", "counts": "records"}}}),
}


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("asked", [None, 4, 50])
def test_a_list_is_read_to_its_end_with_each_record_once(api: Api, kind: str, asked: int | None) -> None:
    ways, place = LISTS[kind]
    for name, value in {"page_size": 7, **ways}.items():
        setattr(api, name, value)
    fill(api, 30)
    if asked is not None:
        place = {**place, "pageSize": {"parameter": "limit", "records": asked}}
    items: dict[str, Any] = {"items": api.items} if api.items else {}
    with opened(api, **(place | items)) as collection:
        records = everything(collection)
    assert [record.values for record in records] == [(f"p{n}@x", f"N{n}") for n in range(30)]
    assert [record.key for record in records] == list(api.contacts)


@pytest.mark.parametrize("kind", [kind for kind in LISTS if kind != "the whole list at once"])
def test_a_scan_resumes_from_its_token_in_another_process(api: Api, kind: str) -> None:
    ways, place = LISTS[kind]
    for name, value in {"page_size": 7, **ways}.items():
        setattr(api, name, value)
    fill(api, 10)
    items: dict[str, Any] = {"items": api.items} if api.items else {}
    with opened(api, **(place | items)) as collection:
        first = collection.scan(None, 1000, None)
    with opened(api, **(place | items)) as collection:
        second = collection.scan(first.after, 1000, None)
    assert [record.key for record in (*first.records, *second.records)] == list(api.contacts)


def test_an_expired_token_of_another_process_restarts_the_list(api: Api) -> None:
    api.paging, api.items, api.page_size = "cursor", "data", 3
    fill(api, 5)
    place: dict[str, Any] = {"items": "data", "paging": {"cursor": {}}}
    with opened(api, **place) as collection:
        page = collection.scan(None, 1000, None)
    assert page.after is not None
    api.expired.add(page.after["at"])
    with opened(api, **place) as collection:
        again = collection.scan(page.after, 1000, None)
        assert [record.key for record in again.records] == [1, 2, 3], "none may be missed: it would seem to be deleted"
        with pytest.raises(SystemFailed, match=r"the list broke off at page 2: .*410 Gone: The cursor has expired"):
            collection.scan(again.after, 1000, None)


@pytest.mark.parametrize("paging", [{"page": {}}, {"after": {}}, {"cursor": {"next": "nextCursor"}}])
def test_an_api_that_ignores_paging_is_not_read_forever(api: Api, paging: dict[str, Any]) -> None:
    api.paging, api.items, api.page_size = "none", "data", 3
    fill(api, 3)
    if "cursor" in paging:
        api.faults.append(Fault(Reply(200, {"data": [], "nextCursor": "c1"}), times=9))
    problem = r"paging: (the API answers page 2 with the same records as the page before|the pages go in a circle)"
    with opened(api, items="data", paging=paging) as collection, pytest.raises(ConfigurationError, match=problem):
        everything(collection)


def test_the_next_page_is_not_requested_from_another_host(api: Api) -> None:
    fill(api, 1)
    elsewhere = Reply(200, [], {"Link": '<http://elsewhere.example/contacts?page=2>; rel="next"'})
    with opened(api) as collection:
        api.faults.append(Fault(elsewhere))
        page = collection.scan(None, 10, None)
        with pytest.raises(ConfigurationError, match=r"the API refers us to http://elsewhere\.example, and baseUrl is"):
            collection.scan(page.after, 10, None)


def test_an_answer_without_the_list_does_not_count_as_empty(api: Api) -> None:
    fill(api, 1)
    cannot_open(api, "items: the answer has no list data; it is not a JSON object", items="data")
    api.items, api.paging = "results", "cursor"
    cannot_open(api, r"items must say where the list is.* it has results, nextCursor")
    with opened(api, items="results") as collection:
        api.faults.append(Fault(Reply(200, b"<html>Maintenance</html>", {"Content-Type": "text/html"})))
        with pytest.raises(SystemFailed, match="the answer is a page of HTML and not JSON; see baseUrl, path and auth"):
            collection.scan(None, 10, None)


def test_a_missing_resource_is_a_configuration_error_before_anything_is_read(api: Api) -> None:
    cannot_open(api, "GET /contcats: 404 Not Found; see path, query and paging", path="/contcats")


def test_a_match_field_that_no_record_has_is_a_configuration_error(api: Api) -> None:
    fill(api, 20)
    cannot_open(
        api, "field e-mail: none of the first 20 records has it; they have id, email", "e-mail", find={"q": "{e-mail}"}
    )


def test_values_are_read_as_in_json_and_numbers_with_all_their_digits(api: Api) -> None:
    body = b'[{"id": "a/b", "email": "x", "name": 12345678901234567890.5, "address": {"city": "Bonn"}}]'
    api.faults.append(Fault(Reply(200, body), times=2))
    with opened(api, "email", "name", "address.city", "none") as collection:
        (record,) = everything(collection)
    assert record == Record("a/b", ("x", Decimal("12345678901234567890.5"), "Bonn", MISSING))


@pytest.mark.parametrize("key", [None, 1.5, True, "", [1]])
def test_a_record_without_a_usable_id_is_a_configuration_error(api: Api, key: Any) -> None:
    api.contacts["x"] = {"id": key, "email": "x"}
    cannot_open(api, r"id: a record has no id that is a text or a whole number", query={"all": "1"})


def test_a_record_that_moves_within_a_page_is_returned_once(api: Api) -> None:
    api.faults.append(Fault(Reply(200, [{"id": 1, "email": "a"}, {"id": 1, "email": "b"}]), times=2))
    with opened(api) as collection:
        assert everything(collection) == [Record(1, ("b", MISSING))]


def test_changes_are_requested_by_time_and_the_watermark_is_the_server_s_clock(api: Api) -> None:
    fill(api, 3)
    with opened(api, cursor="updatedAt", since="updated_after", pageSize={"parameter": "limit"}) as collection:
        before = datetime.now(UTC).replace(microsecond=0)
        until = collection.watermark()
        assert before <= moment(until) <= datetime.now(UTC)
        api.contacts[2]["updatedAt"] = "2020-01-01T00:00:00.000Z"
        found = everything(collection, Window(until, until, timedelta(minutes=5)))
        assert [(record.key, record.cursor) for record in found] == [
            (key, api.contacts[key]["updatedAt"]) for key in (1, 3)
        ]
        (asked,) = {moment(it.query["updated_after"]) for it in api.requests if "updated_after" in it.query}
        assert asked == moment(until) - timedelta(minutes=5)
        assert len(everything(collection, Window(None, until, timedelta()))) == 3


def test_a_cursor_that_is_not_a_time_gets_its_watermark_from_the_newest_record(api: Api) -> None:
    fill(api, 3)
    place: dict[str, Any] = {"cursor": "version", "since": "version"}
    with opened(api, **place) as collection:
        until = collection.watermark()
        with pytest.raises(ConfigurationError, match=r"cursor: version holds 1, which is not a time .*; write newest"):
            collection.scan(None, 10, Window(None, until, timedelta()))
    api.order = lambda document: -document["version"]
    with opened(api, **place, newest={"sort": "-version"}) as collection:
        assert collection.watermark() == 3
        assert api.requests[-1].query["sort"] == "-version"
        api.edit(1, name="X")
        assert [record.key for record in everything(collection, Window(3, 4, timedelta(hours=1)))] == [1, 3]
        api.contacts.clear()
        assert collection.watermark() is None


def test_without_since_a_list_is_always_read_whole(api: Api) -> None:
    with opened(api, cursor="updatedAt") as collection:
        assert collection.watermark() is None
    with pytest.raises(ValueError, match="since needs cursor"):
        ResourceSettings.model_validate({"path": "/c", "id": "id", "since": "updated_after"})


def test_an_api_without_a_date_header_gets_its_watermark_from_the_newest_record(api: Api) -> None:
    api.has_date = False
    problem = "since: the API's answers have no Date; write newest"
    place: dict[str, Any] = {"cursor": "updatedAt", "since": "updated_after"}
    with opened(api, **place) as collection, pytest.raises(ConfigurationError, match=problem):
        collection.watermark()
