"""A list that is read page by page is whole, or it is not believed: whole runs against an API whose pages deceive."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from .rest_and_sqlite import NOTHING, RestAndSqlite
from .rest_server import Api, Fault, Reply, Request, Serve

PAGES: dict[str, Any] = {"paging": {"page": {}}}
CHANGES: dict[str, Any] = {"cursor": "updatedAt", "since": "updated_after"}
LEFT_OUT = "the list of crm contact may have left out records: "


@pytest.fixture
def systems(api: Api, tmp_path: Any) -> RestAndSqlite:
    api.paging, api.page_size = "page", 20
    systems = RestAndSqlite(api, tmp_path)
    systems.place |= PAGES
    return systems


def at_page(number: int, act: Callable[[], object], times: int = 1) -> Callable[[Request], None]:
    """Something that happens right before this page of the list is answered."""
    left = [times]

    def before(request: Request) -> None:
        if request.query.get("page") == str(number) and left[0]:
            left[0] -= 1
            act()

    return before


@pytest.mark.parametrize("status", [400, 410, 422])
def test_a_refused_page_is_not_the_end_of_the_list(systems: RestAndSqlite, status: int) -> None:
    systems.fill(60)

    def answer(request: Request, serve: Serve) -> Reply:
        beyond = request.query.get("page") == "3"
        return Reply(status, {"detail": "Only the first 40 results are available"}) if beyond else serve(request)

    systems.api.around = answer  # an API that gives no more than so many
    ended = systems.run()
    assert ended.code == 2
    assert "the list broke off at page 3, after 40 records" in ended.reason
    assert "Only the first 40 results are available" in ended.reason
    assert systems.erp() == {}


def test_a_page_that_is_refused_once_is_retried(systems: RestAndSqlite) -> None:
    systems.fill(60)
    refuse = [Fault(Reply(400, {"detail": "try again"}))]
    systems.api.before = at_page(2, lambda: systems.api.faults.extend(refuse))
    assert systems.run().code == 0
    assert systems.erp() == systems.crm()


@pytest.mark.parametrize("totals", ["none", "header"])
def test_a_record_that_shifts_to_a_page_already_read_is_still_read(systems: RestAndSqlite, totals: Any) -> None:
    systems.fill(60)
    systems.api.totals = totals
    systems.api.before = at_page(2, lambda: systems.api.contacts.pop(1))
    ended = systems.run()
    assert (ended.code, ended.reason) == (0, "")
    assert systems.erp().keys() >= systems.crm().keys()


def test_an_edit_that_moves_a_record_within_the_changes_is_not_missed(systems: RestAndSqlite) -> None:
    systems.fill(60)
    systems.place |= CHANGES
    systems.run()
    for key in systems.api.contacts:
        systems.api.edit(key, name="edited")
    systems.api.order = lambda document: document["updatedAt"]
    systems.api.before = at_page(2, lambda: systems.api.edit(1, name="edited twice"))
    systems.run("changes")
    assert systems.erp() == systems.crm()


def test_an_empty_page_in_the_middle_is_not_the_end(systems: RestAndSqlite) -> None:
    systems.fill(60)
    systems.api.before = at_page(2, lambda: systems.api.faults.append(Fault(Reply(200, []))), times=9)
    assert systems.run().code == 0
    assert len(systems.erp()) == 40, "what is on the empty page is nowhere to be read"
    systems.api.before = lambda _: None
    systems.run()
    assert systems.erp() == systems.crm()


class TestADoubtfulList:
    @pytest.fixture
    def shifting(self, systems: RestAndSqlite) -> RestAndSqlite:
        """A sync that has caught up, and then an API that leaves some record out of each reading."""
        systems.fill(60)
        systems.place |= CHANGES
        systems.run()

        def answer(request: Request, serve: Serve) -> Reply:
            reply = serve(request)
            if request.query.get("page") == "2" and isinstance(reply.body, list):
                left_out[0] += 1
                return Reply(200, [it for n, it in enumerate(reply.body) if n != left_out[0] % 19], reply.headers)
            return reply

        left_out = [0]
        systems.api.around = answer
        return systems

    def test_deletes_nothing_and_says_so(self, shifting: RestAndSqlite) -> None:
        shifting.api.contacts.pop(5)
        ended = shifting.run(deletes="propagate")
        assert ended.code == 0
        assert ended.reason.startswith(LEFT_OUT)
        assert "no record that is missing from it counts as deleted" in ended.reason
        assert len(shifting.erp()) == 60

    def test_moves_no_watermark_so_that_the_next_run_reads_the_same_changes(self, shifting: RestAndSqlite) -> None:
        for key in shifting.api.contacts:
            shifting.api.edit(key, name="edited")
        assert shifting.run("changes").reason.startswith(LEFT_OUT)
        shifting.api.around = None  # it is well again
        asked = len(shifting.api.requests)
        assert shifting.run("changes").reason == ""
        assert any(request.query.get("page") == "3" for request in shifting.api.requests[asked:])
        assert shifting.erp() == shifting.crm()

    def test_forgets_no_record_in_a_read_only_run(self, shifting: RestAndSqlite) -> None:
        shifting.sql("UPDATE contact SET phone = 'erp'")
        shifting.run(push=False)
        shifting.api.around = None
        assert shifting.run(push=False).code == 0
        assert shifting.run().pushed == NOTHING


def test_a_read_only_run_requests_missed_records_by_id_before_it_forgets_them(systems: RestAndSqlite) -> None:
    systems.fill(30)
    systems.run()
    systems.sql("UPDATE contact SET phone = 'erp'")

    def answer(request: Request, serve: Serve) -> Reply:
        reply = serve(request)
        return Reply(200, reply.body[1:], reply.headers) if request.query.get("page") == "2" else reply

    systems.api.around = answer  # a list that always leaves the same record out
    systems.run(push=False)
    systems.api.around = None
    assert systems.run().pushed == NOTHING
    assert {phone for _, phone in systems.erp().values()} == {"erp"}


class TestALinkToTheNextPage:
    @pytest.fixture
    def linked(self, api: Api, tmp_path: Any) -> RestAndSqlite:
        api.paging, api.page_size, api.items = "cursor", 100, "data"
        systems = RestAndSqlite(api, tmp_path)
        systems.place |= {"items": "data"}
        systems.fill(250)
        return systems

    @pytest.mark.parametrize("find", ["scan", {"email": "{email}"}])
    @pytest.mark.parametrize("paging", [None, {"cursor": {"next": "nextCursr"}}])
    def test_that_is_misspelt_or_missing_is_a_configuration_error(
        self, linked: RestAndSqlite, paging: Any, find: Any
    ) -> None:
        linked.place |= {"find": find, **({"paging": paging} if paging else {})}
        ended = linked.run()
        assert ended.code == 2
        assert "paging: the answer says that the list goes on (its hasMore is true), and" in ended.reason
        assert linked.erp() == {}

    def test_that_is_not_in_the_answer_is_detected_with_a_smaller_page(self, linked: RestAndSqlite) -> None:
        linked.api.items = None
        del linked.place["items"]
        linked.place |= {"pageSize": {"parameter": "limit", "records": 100}}
        ended = linked.run()
        assert ended.code == 2
        assert "paging: of 50 records or more the API answers 50, and the Link header does not find" in ended.reason

    def test_that_is_not_in_a_full_page_leaves_a_doubt_until_a_setting_says_otherwise(
        self, linked: RestAndSqlite
    ) -> None:
        linked.api.items = None
        del linked.place["items"]
        ended = linked.run()
        assert (ended.code, len(linked.erp())) == (0, 100)
        assert "its only page has 100 records, as a full page has" in ended.reason
        linked.api.contacts = dict(list(linked.api.contacts.items())[:100])
        linked.place |= {"paging": {"none": {}}}
        assert linked.run().reason == ""

    def test_that_leads_back_is_a_configuration_error(self, linked: RestAndSqlite) -> None:
        linked.place |= {"paging": {"cursor": {}}}

        def answer(request: Request, serve: Serve) -> Reply:
            reply = serve(request)
            if request.query.get("cursor") == "c100":
                reply.body["nextCursor"] = "c0"
            return reply

        linked.api.around = answer
        ended = linked.run()
        assert ended.code == 2
        assert "paging: the pages go in a circle" in ended.reason

    def test_that_always_leads_to_known_records_is_a_configuration_error(self, linked: RestAndSqlite) -> None:
        linked.place |= {"paging": {"cursor": {}}}
        linked.api.around = lambda request, _: Reply(
            200, {"data": [], "nextCursor": f"{request.query.get('cursor', '')}x"}
        )
        ended = linked.run()
        assert ended.code == 2
        assert "paging: the list has no end" in ended.reason


def test_an_api_that_repeats_its_last_page_is_read(systems: RestAndSqlite) -> None:
    systems.fill(50)

    def answer(request: Request, serve: Serve) -> Reply:
        page = min(int(request.query.get("page", "1")), 3)
        return serve(replace(request, query={**request.query, "page": str(page)}))

    systems.api.around = answer
    ended = systems.run()
    assert (ended.code, ended.reason) == (0, "")
    assert systems.erp() == systems.crm()


def test_a_contradicting_total_leaves_a_doubt(systems: RestAndSqlite) -> None:
    systems.fill(30)

    def answer(request: Request, serve: Serve) -> Reply:
        reply = serve(request)
        return Reply(reply.status, reply.body, {**reply.headers, "X-Total-Count": "45"})

    systems.api.around = answer
    ended = systems.run()
    assert ended.code == 0
    assert (
        "the API reports 45 records by x-total-count, but its pages have 30; where x-total-count is not" in ended.reason
    )


def test_a_total_spares_the_second_reading(systems: RestAndSqlite) -> None:
    systems.fill(50)
    cases: list[tuple[Any, int]] = [("none", 2), ("header", 1)]
    for totals, expected in cases:
        systems.api.totals = totals
        asked = len(systems.api.requests)
        systems.run(push=False)
        pages = [request.query.get("page") for request in systems.api.requests[asked:]]
        assert pages.count("2") == expected


def test_records_missing_from_a_batch_are_requested_singly(
    systems: RestAndSqlite,
) -> None:
    systems.fill(10)
    systems.place |= {"batch": {"parameter": "ids", "size": 50}}

    def answer(request: Request, serve: Serve) -> Reply:
        reply = serve(request)
        return Reply(200, reply.body[:2], reply.headers) if "ids" in request.query else reply

    systems.api.around = answer  # it answers no more than two
    systems.run()
    assert systems.erp() == systems.crm()


@pytest.mark.parametrize("nothing", [Reply(200, b"null"), Reply(204)])
def test_a_list_without_records_may_be_null_or_no_content(systems: RestAndSqlite, nothing: Reply) -> None:
    systems.sql("INSERT INTO contact (email, name) VALUES ('a@x', 'A')")
    systems.api.around = lambda request, serve: (
        nothing if request.path == "/contacts" and request.method == "GET" else serve(request)
    )
    systems.run()
    assert systems.crm().keys() == {"a@x"}


def test_null_beside_an_error_is_not_an_empty_list(systems: RestAndSqlite) -> None:
    systems.fill(3)
    systems.place |= {"items": "data"}
    failed = Reply(200, {"data": None, "errors": [{"message": "the session has expired"}]})
    systems.api.around = lambda _request, _serve: failed
    ended = systems.run()
    assert ended.code == 1
    assert "the API answers without the list: the session has expired" in ended.reason


def test_an_item_that_is_not_a_record_is_omitted_and_reported_and_the_others_are_synced(systems: RestAndSqlite) -> None:
    systems.fill(5)

    def answer(request: Request, serve: Serve) -> Reply:
        reply = serve(request)
        if request.query.get("page") == "1":
            return Reply(200, [*reply.body, None, {"name": "no id"}], reply.headers)
        return reply

    systems.api.around = answer
    ended = systems.run()
    assert ended.code == 0
    assert "item 6 of page 1 cannot be read: object contact, connector crm: a record is not a JSON" in ended.reason
    assert "2 records cannot be read" in ended.reason
    assert systems.erp() == systems.crm()


@pytest.mark.parametrize("says", ["limit", "pageSize", "asked"])
def test_a_count_equal_to_the_page_size_is_ignored(systems: RestAndSqlite, says: str) -> None:
    systems.fill(17)
    systems.place |= {"items": "data", "paging": {"none": {}}}
    if says == "asked":
        systems.place["pageSize"] = {"parameter": "limit", "records": 40}
    body = {"count": 40, **({} if says == "asked" else {says: 40})}
    systems.api.around = lambda request, serve: (
        Reply(200, {"data": reply.body, **body}) if isinstance((reply := serve(request)).body, list) else reply
    )
    systems.api.paging = "none"
    assert systems.run().reason == ""


def test_a_contradicting_count_is_resolved_by_the_setting_that_the_message_names(systems: RestAndSqlite) -> None:
    systems.fill(17)
    systems.place |= {"items": "data", "paging": {"none": {}}}
    systems.api.around = lambda request, serve: (
        Reply(200, {"data": reply.body, "count": 40}) if isinstance((reply := serve(request)).body, list) else reply
    )
    systems.api.paging = "none"
    assert "where count is not how many records the list has, write total: the field" in systems.run().reason
    systems.place["total"] = "none"
    assert systems.run().reason == ""


@pytest.mark.parametrize("records", [13, 70, 110, 170])
def test_a_list_of_an_unusual_length_is_complete(systems: RestAndSqlite, records: int) -> None:
    systems.api.paging, systems.api.page_size = "none", 1000
    systems.fill(records)
    systems.place |= {"paging": {"link": {}}}
    assert systems.run().reason == ""


@pytest.mark.parametrize("records", [15, 20, 100])
def test_a_list_that_may_be_one_full_page_is_in_doubt_until_a_setting_says_that_it_is_not(
    systems: RestAndSqlite, records: int
) -> None:
    systems.api.paging, systems.api.page_size = "none", 1000
    systems.fill(records)
    systems.place |= {"paging": {"link": {}}}
    assert "paging: {none: {}} where all records come in one answer" in systems.run().reason
    systems.place |= {"paging": {"none": {}}}
    assert systems.run().reason == ""


def test_changes_that_may_fill_a_page_are_complete_where_another_answer_had_more(systems: RestAndSqlite) -> None:
    systems.api.paging, systems.api.page_size = "none", 1000
    systems.fill(37)
    systems.place |= {"paging": {"link": {}}, "cursor": "updatedAt", "since": "updated_after"}
    systems.run()
    systems.api.filters = ("email", "updated_after")
    for document in systems.api.contacts.values():
        document["updatedAt"] = "2020-01-01T00:00:00Z"
    for key in range(1, 21):
        systems.api.edit(key, name="new")
    ended = systems.run("changes")
    assert (ended.reason, ended.message["read"]["crm"]) == ("", 20)
