"""Compare-and-set on a REST API, with ETags and without, also when an answer is lost."""

from typing import Any

import pytest

from tidegate.worker.connectors import Changed, Record, Rejected, Write
from tidegate.worker.errors import ConfigurationError

from .rest_client import everything, fill, opened
from .rest_server import DROPPED, Api, Fault, Reply, Request


@pytest.mark.parametrize("etags", ["none", "strong", "weak", "weak compared strongly"])
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_concurrently_edited_record_is_not_overwritten(api: Api, etags: Any, method: str) -> None:
    api.etags = etags
    fill(api, 3)
    with opened(api, update=method) as collection:
        got = collection.get([1, 2, 3])
        api.edit(2, name="Edited")
        answers = collection.update([Write(got[key], {1: "Ours"}) for key in (1, 2)])
        assert answers == [Record(1, ("p0@x", "Ours")), Changed()]
        assert collection.delete([got[2], got[3]]) == [Changed(), None]
        assert collection.delete([got[3]]) == [None], "it is gone already"
        assert collection.update([Write(got[3], {1: "Ours"})]) == [Changed()]
    assert {key: document["name"] for key, document in api.contacts.items()} == {1: "Ours", 2: "Edited"}
    assert api.writes == 2


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_with_etags_even_an_edit_right_before_the_write_is_not_overwritten(api: Api, method: str) -> None:
    api.etags = "strong"
    fill(api, 1)

    def edit(request: Request) -> None:
        if request.method == method and api.contacts[1]["name"] == "N0":
            api.edit(1, name="Edited")

    with opened(api) as collection:
        got = collection.get([1])
        api.before = edit
        if method == "PATCH":
            assert collection.update([Write(got[1], {1: "Ours"})]) == [Changed()]
        else:
            assert collection.delete([got[1]]) == [Changed()]
    assert api.contacts[1]["name"] == "Edited"


def test_with_etags_a_write_needs_no_other_request(api: Api) -> None:
    api.etags = "strong"
    fill(api, 1)
    with opened(api) as collection:
        got = collection.get([1])
        api.requests.clear()
        collection.update([Write(got[1], {1: "Ours"})])
    assert [(request.method, request.headers.get("if-match")) for request in api.requests] == [("PATCH", '"1"')]


def test_only_edited_fields_are_sent_and_nested_objects_whole(api: Api) -> None:
    api.add(email="a@x", name="A", address={"city": "Bonn", "zip": "1"}, note="n")
    with opened(api, "email", "name", "address.city") as collection:
        (record,) = everything(collection)
        (answer,) = collection.update([Write(record, {2: "Köln"})])
        assert answer == Record(1, ("a@x", "A", "Köln"))
    (patch,) = api.sent("PATCH")
    assert patch.body == {"address": {"city": "Köln", "zip": "1"}}


def test_put_sends_the_whole_record_including_unknown_fields(api: Api) -> None:
    api.add(email="a@x", name="A", note="n")
    with opened(api, update="PUT") as collection:
        (record,) = everything(collection)
        (answer,) = collection.update([Write(record, {1: None})])
        assert answer == Record(1, ("a@x", None))
    (put,) = api.sent("PUT")
    assert (put.body["name"], put.body["note"], put.body["email"]) == (None, "n", "a@x")


@pytest.mark.parametrize("says", ["all", "id", "nothing"])
def test_an_update_returns_the_record_as_stored(api: Api, says: Any) -> None:
    fill(api, 1)
    api.says = says
    api.stores = lambda document: {**document, "name": document["name"].upper()}
    with opened(api) as collection:
        (record,) = everything(collection)
        assert collection.update([Write(record, {1: "ours"})]) == [Record(1, ("p0@x", "OURS"))]


@pytest.mark.parametrize("etags", ["none", "strong"])
@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("reply", [DROPPED, Reply(502)], ids=["dropped", "502"])
def test_a_write_with_a_lost_answer_is_verified_before_it_is_repeated(
    api: Api, etags: Any, done: bool, reply: Reply
) -> None:
    api.etags = etags
    fill(api, 2)
    with opened(api) as collection:
        first, second = everything(collection)
        api.faults = [Fault(reply, "PATCH", done=done), Fault(reply, "DELETE", done=done)]
        assert collection.update([Write(first, {1: "Ours"})]) == [Record(1, ("p0@x", "Ours"))]
        assert collection.delete([second]) == [None]
    assert api.writes == 2
    assert list(api.contacts) == [1]


def test_an_edit_after_a_write_with_a_lost_answer_is_not_overwritten(api: Api) -> None:
    fill(api, 1)

    def edit(request: Request) -> None:
        if request.method == "GET" and api.writes == 1 and api.contacts[1]["name"] == "Ours":
            api.edit(1, name="Edited")

    with opened(api) as collection:
        (record,) = everything(collection)
        api.faults = [Fault(DROPPED, "PATCH", done=True)]
        api.before = edit
        assert collection.update([Write(record, {1: "Ours"})]) == [Changed()]
    assert api.contacts[1]["name"] == "Edited"


def test_a_refused_update_is_rejected_with_the_api_s_error_text(api: Api) -> None:
    fill(api, 1)
    api.refuses = lambda document: "no such name" if document["name"] == "Bad" else None
    with opened(api) as collection:
        (record,) = everything(collection)
        assert collection.update([Write(record, {1: "Bad"})]) == [Rejected("422 Unprocessable Entity: no such name")]
        assert collection.update([Write(record, {1: float("inf")})]) == [Rejected("JSON has no Infinity")]
        api.faults = [Fault(Reply(405, None), "PATCH")]
        with pytest.raises(ConfigurationError, match="PATCH /contacts/1: 405 Method Not Allowed; see update"):
            collection.update([Write(record, {1: "Ours"})])
