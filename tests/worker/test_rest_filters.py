"""Filters of an API's records: what leaves is unlinked, and what is outside is not made twice."""

from pathlib import Path

import pytest

from .rest_and_sqlite import FIELDS, NOTHING, RestAndSqlite
from .rest_server import Api, Request

IS_CUSTOMER = [{"field": "kind", "operator": "In", "values": ["customer"]}]
TWIN = "crm has a record with the same email that its filter (where) leaves out, and none is created beside it"
ADA, BOB = "ada@x", "bob@x"


@pytest.fixture(params=["asked", "scanned", "asked by several ids"])
def systems(api: Api, tmp_path: Path, request: pytest.FixtureRequest) -> RestAndSqlite:
    """Of the API's contacts Ada and Bob are customers and Eve is a lead; the customers have been synced."""
    systems = RestAndSqlite(api, tmp_path)
    systems.place |= {"where": IS_CUSTOMER, "staleFor": "0s"}
    if request.param == "scanned":
        systems.place["find"] = "scan"
    if request.param == "asked by several ids":
        systems.place["batch"] = {"parameter": "ids"}
    for name, kind in (("ada", "customer"), ("bob", "customer"), ("eve", "lead")):
        api.add(email=f"{name}@x", name=name, phone="1", kind=kind)
    systems.run()
    assert sorted(systems.erp()) == [ADA, BOB]
    return systems


def make(systems: RestAndSqlite, kind: str, email: str) -> None:
    with systems.api.lock:
        next(each for each in systems.api.contacts.values() if each["email"] == email)["kind"] = kind


def test_a_record_that_leaves_is_unlinked_and_a_deleted_one_is_a_delete(systems: RestAndSqlite) -> None:
    make(systems, "lead", ADA)
    with systems.api.lock:
        del systems.api.contacts[2]
    ended = systems.run(deletes="propagate")
    assert ended.pushed == {"crm": "", "erp": "1 delete"}
    assert "1 record has left the filter of crm contact" in ended.reason
    assert sorted(systems.erp()) == [ADA]


def test_leaving_a_list_filtered_by_the_api_is_distinguished_from_a_delete(api: Api, tmp_path: Path) -> None:
    systems = RestAndSqlite(api, tmp_path)
    api.filters = (*api.filters, "kind")
    systems.place |= {"where": IS_CUSTOMER, "query": {"kind": "customer"}, "staleFor": "0s"}
    for name in ("ada", "bob", "eve"):
        api.add(email=f"{name}@x", name=name, phone="1", kind="customer")
    systems.run()
    make(systems, "lead", ADA)
    with api.lock:
        del api.contacts[2]
    ended = systems.run(deletes="propagate")
    assert ended.pushed == {"crm": "", "erp": "1 delete"}
    assert sorted(systems.erp()) == [ADA, "eve@x"]


def test_a_record_outside_is_not_created_again(systems: RestAndSqlite) -> None:
    systems.sql("INSERT INTO contact (email, name) VALUES ('eve@x', 'Eve')")
    make(systems, "lead", ADA)
    systems.sql("UPDATE contact SET name = 'Countess' WHERE email = 'ada@x'")
    ended = systems.run()
    assert (ended.pushed, {*ended.parked.values()}, len(ended.parked)) == (NOTHING, {TWIN}, 2)
    assert systems.crm()[ADA] == ["ada", "1"]
    make(systems, "customer", ADA)
    make(systems, "customer", "eve@x")
    ended = systems.run(conflict="erp")
    assert (ended.pushed["crm"], ended.message["waiting"]) == ("2 update", 0)
    assert systems.crm()[ADA] == ["Countess", "1"]


def test_a_new_record_outside_is_not_sent_and_a_constant_lets_it_in(systems: RestAndSqlite) -> None:
    systems.sql("ALTER TABLE contact ADD COLUMN kind TEXT")
    systems.sql("INSERT INTO contact (email, kind) VALUES ('new@x', 'lead')")
    before = systems.api.writes
    ended = systems.run(fields=(*FIELDS, "kind"))
    assert "would be outside this side's own filter (kind In customer)" in next(iter(ended.parked.values()))
    assert systems.api.writes == before
    ended = systems.run(fields=(*FIELDS, {"crm": "kind", "constant": "customer"}))
    assert ended.pushed["crm"] == "1 create"
    assert systems.api.contacts[max(systems.api.contacts)]["kind"] == "customer"


def test_a_record_that_leaves_right_before_its_update_is_not_written(systems: RestAndSqlite) -> None:
    systems.sql("UPDATE contact SET name = 'Countess' WHERE email = 'ada@x'")
    asked = 0

    def leave_before_the_update(request: Request) -> None:
        nonlocal asked
        asked += request.path.endswith("/1")
        if asked == 2 and request.path.endswith("/1"):  # the first is the merge's
            next(each for each in systems.api.contacts.values() if each["email"] == ADA)["kind"] = "lead"

    systems.api.before = leave_before_the_update
    ended = systems.run(conflict="erp")
    assert ended.pushed == NOTHING
    assert systems.crm()[ADA] == ["ada", "1"]


def test_a_field_that_no_record_has_is_a_configuration_error(systems: RestAndSqlite) -> None:
    for n in range(30):
        systems.api.add(email=f"p{n}@x", name="P", phone="1", kind="customer")
    systems.place["where"] = [{"field": "kynd", "operator": "In", "values": ["customer"]}]
    ended = systems.run()
    assert (ended.code, sorted(systems.erp())) == (2, [ADA, BOB])
    assert "where: none of the first 33 records has kynd; they have id, email, name, phone, kind" in ended.reason
