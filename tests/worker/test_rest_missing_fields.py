"""What an API's answer leaves out is unknown: it is not empty, and overwrites nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from tidegate.worker.connectors.json_documents import Document

from .rest_and_sqlite import NOTHING, RestAndSqlite
from .rest_server import Reply, Request, Serve


@pytest.fixture
def systems(systems: RestAndSqlite) -> RestAndSqlite:
    systems.api.totals = "header"
    systems.fill(20)
    return systems


def shown(systems: RestAndSqlite, change: Callable[[Document], Document], *, by_id: bool, in_lists: bool) -> None:
    """Show records in another way than they are."""

    def answer(request: Request, serve: Serve) -> Reply:
        reply = serve(request)
        if request.method == "GET" and reply.status == 200:
            if isinstance(reply.body, list) and in_lists:
                return Reply(200, [change(document) for document in reply.body], reply.headers)
            if isinstance(reply.body, dict) and by_id:
                return Reply(200, change(reply.body), reply.headers)
        return reply

    systems.api.around = answer


def without(name: str, *keys: int) -> Callable[[Document], Document]:
    """A document without a field; of these records, or of all."""

    def change(document: Document) -> Document:
        if keys and document["id"] not in keys:
            return document
        return {key: value for key, value in document.items() if key != name}

    return change


def test_a_field_that_one_answer_omits_overwrites_nothing_and_its_return_is_no_edit(
    systems: RestAndSqlite,
) -> None:
    systems.run()
    before = systems.erp()
    shown(systems, without("phone", 3, 4), by_id=True, in_lists=True)
    assert systems.run().pushed == NOTHING
    systems.api.around = None
    assert systems.run().pushed == NOTHING
    assert systems.erp() == before


def test_an_edit_of_a_field_that_the_other_side_omits_is_set_aside_with_advice(systems: RestAndSqlite) -> None:
    systems.api.contacts[3]["phone"] = None
    shown(systems, without("phone", 3), by_id=True, in_lists=True)  # as an API that leaves out what is empty
    systems.run()
    systems.sql("UPDATE contact SET phone = 'new', name = 'New' WHERE email = 'p2@x'")
    ended = systems.run()
    assert ended.parked == {
        ("crm", 3): "erp has changed it, and crm leaves it out of its answer, so it is unknown what would be "
        "overwritten; where crm leaves out what is empty, write missing: empty"
    }
    assert systems.crm()["p2@x"] == ["New", None], "the other fields go on"
    assert systems.run().parked == ended.parked
    systems.place |= {"missing": "empty"}
    assert systems.run().parked == {}
    assert systems.crm()["p2@x"] == systems.erp()["p2@x"] == ["New", "new"]


def test_an_edit_of_a_field_that_the_other_side_omits_waits_until_it_is_taken_back(systems: RestAndSqlite) -> None:
    systems.run()
    shown(systems, without("phone", 3), by_id=True, in_lists=True)
    ((before,),) = systems.sql("SELECT phone FROM contact WHERE email = 'p2@x'")
    systems.sql("UPDATE contact SET phone = 'new' WHERE email = 'p2@x'")
    assert len(systems.run().parked) == 1
    systems.sql("UPDATE contact SET phone = ? WHERE email = 'p2@x'", before)
    assert systems.run().parked == {}


def test_a_field_whose_absence_means_empty_is_cleared(systems: RestAndSqlite) -> None:
    systems.place |= {"missing": "empty"}
    systems.run()
    del systems.api.contacts[3]["phone"]
    systems.run()
    assert systems.erp()["p2@x"] == ["N2", None]
    systems.sql("UPDATE contact SET phone = 'new' WHERE email = 'p2@x'")
    systems.run()
    assert systems.crm()["p2@x"] == ["N2", "new"]


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("deletes", ["unlink", "propagate"])
def test_a_stub_of_a_deleted_record_is_not_the_record(systems: RestAndSqlite, deletes: str, listed: bool) -> None:
    systems.run()
    systems.api.contacts[3] = {"id": 3, "deleted": True}

    def answer(request: Request, serve: Serve) -> Reply:
        reply = serve(request)
        if request.method == "GET" and isinstance(reply.body, list) and not listed:
            return Reply(200, [it for it in reply.body if it["id"] != 3])
        return reply

    systems.api.around = answer
    assert systems.run(deletes=deletes).pushed == {"crm": "", "erp": "1 delete" if deletes == "propagate" else ""}
    assert systems.erp().get("p2@x") == (None if deletes == "propagate" else ["N2", "2"])


@pytest.mark.parametrize("change", ["renamed", "hidden"])
def test_a_field_that_disappears_from_all_records_is_a_configuration_error(systems: RestAndSqlite, change: str) -> None:
    systems.run()
    before = systems.erp()

    def renamed(document: Document) -> Document:
        return {("phoneNumber" if name == "phone" else name): value for name, value in document.items()}

    shown(systems, renamed if change == "renamed" else without("phone"), by_id=True, in_lists=True)
    ended = systems.run()
    assert ended.code == 2
    assert "field phone: none of the first 20 records has it" in ended.reason
    assert "where the API leaves out what is empty, write missing: empty" in ended.reason
    assert systems.erp() == before


class TestASummaryList:
    @pytest.fixture
    def summary(self, systems: RestAndSqlite) -> RestAndSqlite:
        for key in [key for key in systems.api.contacts if key > 10]:
            del systems.api.contacts[key]
        shown(systems, without("phone"), by_id=False, in_lists=True)
        return systems

    def test_is_completed_by_the_answers_by_id(self, summary: RestAndSqlite) -> None:
        summary.run()
        assert summary.erp() == summary.crm()
        assert summary.run().message["changed"] == {"crm": 0, "erp": 0}

    def test_does_not_make_a_read_only_run_push_old_differences_later(self, summary: RestAndSqlite) -> None:
        for n in range(10):
            summary.sql("INSERT INTO contact (email, name, phone) VALUES (?, ?, 'erp')", f"p{n}@x", f"N{n}")
        summary.run(push=False)
        for key in summary.api.contacts:
            summary.api.edit(key, name="edited")
        summary.run()
        assert set(map(tuple, summary.erp().values())) == {("edited", "erp")}


def test_a_field_that_only_the_list_has_is_a_configuration_error(systems: RestAndSqlite) -> None:
    shown(systems, without("phone"), by_id=True, in_lists=False)
    ended = systems.run()
    assert ended.code == 2
    assert "the answer at /contacts/1 leaves out phone, which the list has" in ended.reason
    assert systems.erp() == {}


@pytest.mark.parametrize("held", [["Bonn", "Köln"], "Bonn", 7])
def test_a_nested_field_does_not_overwrite_a_value_that_is_no_object(systems: RestAndSqlite, held: Any) -> None:
    fields = ("email", "name", "address.city")
    for document in systems.api.contacts.values():
        document["address"] = {"city": "Bonn"}
    systems.sql('ALTER TABLE contact ADD COLUMN "address.city" TEXT')
    systems.run(fields=fields)
    systems.api.edit(3, address=held)
    systems.sql("""UPDATE contact SET "address.city" = 'Ulm', name = 'New' WHERE email = 'p2@x'""")
    for missing in ("unknown", "empty"):
        systems.place |= {"missing": missing}
        ended = systems.run(fields=fields, conflict="erp")
        assert systems.api.contacts[3]["address"] == held
        assert (("crm" if missing == "unknown" else "erp"), 3) in ended.parked
    assert "address.city cannot be written: address holds a" in ended.parked["erp", 3]
    assert systems.api.contacts[3]["name"] == "New"


def test_the_check_names_a_field_that_no_record_has(systems: RestAndSqlite) -> None:
    systems.run()
    shown(systems, without("phone"), by_id=True, in_lists=True)
    code, found = systems.checked()
    assert code == 2
    assert found["complaints"][0].startswith(
        "object contact, connector crm: field phone: none of the first 20 records has it; they have id, email, name"
    )


def test_the_check_counts_the_values_of_each_field_on_a_page(systems: RestAndSqlite) -> None:
    systems.run()
    shown(systems, without("phone", 3, 4), by_id=True, in_lists=True)
    code, found = systems.checked()
    crm, _ = found["read"]
    assert (code, crm["records"], crm["more"]) == (0, 20, False)
    assert [(field["name"], field["filled"], field["missing"]) for field in crm["fields"]] == [
        ("email", 20, 0), ("name", 20, 0), ("phone", 18, 2),
    ]  # fmt: skip


def test_a_check_says_that_no_record_has_the_cursor(systems: RestAndSqlite) -> None:
    systems.fill(2)
    systems.place |= {"cursor": "updated", "since": "updated_after"}
    systems.run(push=False)
    code, found = systems.checked()
    assert code == 0
    assert found["read"][0]["remarks"] == ["none of these records has the cursor updated"]
    systems.place |= {"cursor": "updatedAt"}
    systems.run(push=False)
    assert systems.checked()[1]["read"][0]["remarks"] == []
