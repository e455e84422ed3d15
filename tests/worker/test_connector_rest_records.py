"""Single records of a REST API: read by id, found by match field, and created."""

import threading
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import pytest

from tidegate.worker.connectors import Record, Rejected, Write, unread
from tidegate.worker.connectors.http.client import Unanswered
from tidegate.worker.connectors.http.settings import ResourceSettings
from tidegate.worker.errors import ConfigurationError

from .rest_client import cannot_open, everything, fill, opened
from .rest_server import DROPPED, Api, Fault, Reply, Request


def test_records_are_read_by_ids_with_any_characters(api: Api) -> None:
    api.order = lambda document: str(document["id"])
    for key in ("a/b", "ü?&#", "1 2", 7):
        api.contacts[key] = {"id": key, "email": str(key)}
    with opened(api) as collection:
        api.answer = unquoting(api)  # type: ignore[method-assign]  # to see what a server behind a router sees
        found = collection.get(["a/b", "ü?&#", "1 2", 7, 8])
        assert {key: record.values[0] for key, record in found.items()} == {
            "a/b": "a/b", "ü?&#": "ü?&#", "1 2": "1 2", 7: "7",
        }  # fmt: skip
        assert collection.get(["..", 7]).keys() == {7}
        assert "the id '..' cannot be a part of a URL" in unread(collection)[".."]


def unquoting(api: Api) -> Any:
    answer = api.answer

    def answers(request: Request) -> Reply:
        assert request.path.count("/") <= 2
        prefix, _, key = request.path.rpartition("/")
        document = api.contacts.get(unquote(key)) or api.contacts.get(int(key) if key.isdigit() else None)
        if prefix == "/contacts":
            return Reply(200, document) if document else Reply(404)
        return answer(request)

    return answers


def test_records_are_requested_in_batches_where_the_api_can(api: Api) -> None:
    fill(api, 5)
    with opened(api, batch={"parameter": "ids", "size": 2}) as collection:
        api.requests.clear()
        assert set(collection.get([1, 2, 3, 4, 9])) == {1, 2, 3, 4}
        assert sorted(request.query.get("ids", request.path) for request in api.requests) == [
            "/contacts/9", "1,2", "3,4", "9"
        ], "what is missing is asked for by itself"  # fmt: skip
        api.filters = ()
        with pytest.raises(ConfigurationError, match="batch: the API answers ids with others too"):
            collection.get([1, 2])


def test_a_record_may_be_nested_in_the_answer_and_have_its_own_path(api: Api) -> None:
    api.item, api.items = "contact", "contacts"
    fill(api, 1)
    with opened(api, item="contact", items="contacts", path="/contacts/") as collection:
        (created,) = collection.create([["new@x", "New"]])
        assert created == Record(2, ("new@x", "New"))
        assert collection.get([1, 2]) == {1: Record(1, ("p0@x", "N0")), 2: created}
        assert {request.path for request in api.requests[-2:]} == {"/contacts/1/", "/contacts/2/"}
    with opened(api, item="contact", items="contacts", recordPath="/contacts/{id}/") as collection:
        assert collection.get([1]) == {1: Record(1, ("p0@x", "N0"))}
    with pytest.raises(ValueError, match="write where the id comes"):
        ResourceSettings.model_validate({"path": "/c", "id": "id", "recordPath": "/c/id"})


@pytest.mark.parametrize("records", [1, 2, 50])
def test_an_api_that_has_none_of_the_listed_records_by_id_is_a_configuration_error(api: Api, records: int) -> None:
    fill(api, records)
    with (
        opened(api, record_path="/nowhere/{id}") as collection,
        pytest.raises(ConfigurationError, match="recordPath: the list has the record 1, and the API has none at /nowh"),
    ):
        everything(collection)


def test_listed_records_that_are_deleted_before_they_are_read_by_id_are_no_configuration_error(api: Api) -> None:
    fill(api, 2)

    def delete(request: Request) -> None:
        if request.path != "/contacts":
            api.contacts.clear()

    api.before = delete
    with opened(api) as collection:
        assert len(everything(collection)) == 2, "the list had them"


def test_records_are_found_by_query_parameters_ignoring_case(api: Api) -> None:
    fill(api, 3)
    api.add(email="ann@x", name="Ann")
    with opened(api, casefold=["email"], find={"email": "{email}", "kind": "person"}) as collection:
        assert collection.find([("p1@x",), ("ANN@x",), ("nobody@x",)]) == [
            Record(2, ("p1@x", "N1")), Record(4, ("ann@x", "Ann"))
        ]  # fmt: skip
        asked = [(request.query["email"], request.query["kind"]) for request in api.requests[1:]]
        assert sorted(asked) == [("ANN@x", "person"), ("ann@x", "person"), ("nobody@x", "person"), ("p1@x", "person")]


def test_an_api_that_ignores_the_query_parameters_is_a_configuration_error(api: Api) -> None:
    fill(api, 101)
    api.filters, api.page_size = (), 1000
    problem = "find: more than 100 records are answered for one; does the API"
    with opened(api) as collection, pytest.raises(ConfigurationError, match=problem):
        collection.find([("p1@x",)])


def test_a_refused_search_value_is_not_found_where_other_values_were_accepted(api: Api) -> None:
    fill(api, 2)
    refusing = api.answer

    def answer(request: Request) -> Reply:
        odd = "@" not in request.query.get("email", "@")
        return Reply(422, {"detail": "email is not an address"}) if odd else refusing(request)

    api.answer = answer  # type: ignore[method-assign]  # an API that validates what is asked for
    with opened(api) as collection:
        with pytest.raises(ConfigurationError, match=r"422 Unprocessable Entity: email is not an address; .*see find"):
            collection.find([("odd",)])
        assert [record.key for record in collection.find([("odd",), ("p1@x",)])] == [2]
        assert collection.find([("odd",)]) == []
        assert collection.find([("p1@x" * 1000,)]) == [], "it is too long to be asked for"


def test_find_is_required_where_records_are_created(api: Api) -> None:
    assert cannot_open(api, "find must say", find=None) == (
        "object contact, connector crm: find must say how records are found by email before one is created: by query "
        'parameters such as find: {email: "{email}"}, or by find: scan, which reads all records once per run for it'
    )
    with opened(api, find=None, written=False) as collection:
        assert everything(collection) == []
    cannot_open(api, r"find: \{mail\} is not one of the match fields \{email\}", find={"q": "{mail}"})
    with pytest.raises(ConfigurationError, match=r"find: it must have one of \{email\}"), opened(api, find={"q": "x"}):
        pass


def test_an_api_without_a_search_is_read_once_to_find_records(api: Api) -> None:
    fill(api, 5)
    api.filters, api.paging, api.page_size = (), "link", 2
    with opened(api, find="scan", casefold=["email"]) as collection:
        api.requests.clear()
        assert collection.find([("P1@X",), ("nobody",)]) == [Record(2, ("p1@x", "N1"))]
        assert [request.path for request in api.requests] == 2 * ["/contacts"] * 3 + ["/contacts/2"], "pages may shift"
        (created,) = collection.create([["new@x", "New"]])
        assert isinstance(created, Record)
        (moved,) = collection.update([Write(Record(1, ("p0@x", "N0")), {0: "moved@x"})])
        assert isinstance(moved, Record)
        assert collection.delete([Record(3, ("p2@x", "N2"))]) == [None]
        assert collection.find([("new@x",), ("moved@x",), ("p0@x",), ("p2@x",)]) == [created, moved]
        api.add(email="late@x")
        assert collection.find([("late@x",)]) == [], "it was not there when all were read"


def test_later_additions_are_found_where_changes_can_be_requested(api: Api) -> None:
    fill(api, 3)
    with opened(api, find="scan", cursor="updatedAt", since="updated_after") as collection:
        assert [record.key for record in collection.find([("p1@x",)])] == [2]
        late = api.add(email="late@x")
        assert [record.key for record in collection.find([("late@x",)])] == [late]


@pytest.mark.parametrize("says", ["all", "id", "location"])
def test_a_create_returns_the_record_as_stored(api: Api, says: Any) -> None:
    api.says = says
    api.stores = lambda document: {**document, "name": document["name"].upper()}
    with opened(api) as collection:
        answers = collection.create([[f"p{n}@x", f"n{n}"] for n in range(20)])
    assert [answer.values for answer in answers if isinstance(answer, Record)] == [
        (f"p{n}@x", f"N{n}") for n in range(20)
    ]
    assert {answer.key for answer in answers if isinstance(answer, Record)} == set(api.contacts)


def test_an_api_that_does_not_return_the_new_id_is_a_configuration_error(api: Api) -> None:
    api.says = "nothing"
    with opened(api) as collection, pytest.raises(ConfigurationError, match="neither its id nor a Location"):
        collection.create([["a@x", "A"]])


def test_a_refused_record_is_rejected_with_the_api_s_error_text_and_the_rest_is_created(api: Api) -> None:
    api.refuses = lambda document: "name is too long" + "!" * 999 if len(document.get("name", "")) > 5 else None
    with opened(api) as collection:
        first, long, odd, last = collection.create(
            [["a@x", "A"], ["b@x", "Bernadette"], ["c@x", float("nan")], ["d@x", None]]
        )
    assert isinstance(first, Record)
    assert isinstance(last, Record)
    assert isinstance(long, Rejected)
    assert long.reason.startswith("422 Unprocessable Entity: name is too long!")
    assert len(long.reason) == 300
    assert odd == Rejected("JSON has no NaN")
    assert "name" not in api.contacts[last.key], "what has no value is left to the API's default"


def test_values_are_sent_in_the_api_s_kind(api: Api) -> None:
    api.add(email="a@x", score=5, active=True, phone="1")
    with opened(api, "email", "score", "active", "phone", "born") as collection:
        moment = datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC)
        collection.create([["b@x", "7", 1, 12, moment], ["c@x", Decimal("1.50"), "false", "0", None]])
    sent = [request.body for request in api.sent("POST")]
    assert sorted(sent, key=str) == [
        {"email": "b@x", "score": 7, "active": True, "phone": "12", "born": "2024-02-29T01:02:03Z"},
        {"email": "c@x", "score": 1.5, "active": False, "phone": "0"},
    ]


def test_a_create_with_a_lost_answer_is_not_repeated(api: Api) -> None:
    for reply in (DROPPED, Reply(502), Reply(503), Reply(504)):
        api.contacts.clear()
        api.requests.clear()
        api.faults = [Fault(reply, "POST", done=True)]
        with opened(api) as collection, pytest.raises(Unanswered, match="POST /contacts"):
            collection.create([["a@x", "A"]])
        assert len(api.sent("POST")) == 1
        assert len(api.contacts) == 1, "the next run finds it by its match field"


def test_a_slow_answer_fails_the_run(api: Api) -> None:
    answering = threading.Event()

    def before(request: Request) -> None:
        if request.method == "POST":
            answering.wait()

    with opened(api, connector={"timeoutSeconds": 1}) as collection:
        api.before = before
        try:
            with pytest.raises(Unanswered, match=r"POST /contacts: the answer was not complete after 1 second$"):
                collection.create([["a@x", "A"]])
        finally:
            answering.set()
