"""An id that a system has given out again names another record: a delete and a create, and no edit."""

from typing import Any

import pytest

from tidegate.worker.config.rules import FieldRule, Ids, SyncedObject
from tidegate.worker.connectors import Part
from tidegate.worker.merge.same_record import is_another
from tidegate.worker.values.normal_form import UNKNOWN

from .databases import WITH_CURSOR, Databases

UNTOUCHED = {"crm": "", "erp": ""}
ADA, BOB, EVE, ZOE = ("ada@x", "Ada", "1"), ("bob@x", "Bob", "2"), ("eve@x", "Eve", "3"), ("zoe@x", "Zoe", "9")
BLANK = b"blank"


@pytest.mark.parametrize(
    ("ids", "seen", "now", "another"),
    [
        (None, (b"bob", b"Bob", b"2"), (b"zoe", b"Zoe", b"9"), True),
        (None, (b"bob", b"Bob", BLANK), (b"zoe", b"Zoe", b"2"), True),
        (None, (b"bob", b"Bob", b"2"), (b"zoe", BLANK, BLANK), True),
        (None, (b"bob", b"Bob", b"2"), (b"bob@new", b"Bob", b"9"), False),
        (None, (b"bob", b"Bob", b"2"), (b"bob", b"Zoe", b"9"), False),
        (None, (b"bob", BLANK, BLANK), (b"zoe", b"Zoe", b"9"), False),
        (None, (b"bob", None, None), (b"zoe", b"Zoe", b"9"), False),
        (None, (None, b"Bob", b"2"), (b"zoe", b"Zoe", b"9"), False),
        (None, (BLANK, b"Bob", b"2"), (b"zoe", b"Zoe", b"9"), False),
        (None, (b"bob", b"Bob", b"2"), (UNKNOWN, b"Zoe", b"9"), False),
        (None, (b"bob", b"Bob", b"2"), (b"zoe", UNKNOWN, UNKNOWN), False),
        ("stable", (b"bob", b"Bob", b"2"), (b"zoe", b"Zoe", b"9"), False),
        ("reused", (b"bob", b"Bob", b"2"), (b"bob@new", b"Bob", b"2"), True),
        ("reused", (b"bob", BLANK, BLANK), (b"zoe", b"Zoe", b"9"), True),
    ],
)
def test_another_record_shares_no_field_with_the_former_one(
    ids: Ids | None, seen: Any, now: Any, another: bool
) -> None:
    fields = tuple(FieldRule((name, name)) for name in ("email", "name", "phone"))
    item = SyncedObject("contact", (Part(), Part()), fields, (0,), "park", "unlink", ids)
    assert is_another(item, seen, now, BLANK) is another


def test_another_employer_is_not_evidence_of_another_record() -> None:
    fields = FieldRule(("email", "email")), FieldRule(("firm", "firm"), ref="firm")
    item = SyncedObject("contact", (Part(), Part()), fields, (0,), "park", "unlink")
    assert not is_another(item, (b"bob", b"1"), (b"bob@new", b"2"), BLANK)


@pytest.fixture
def linked(databases: Databases) -> Databases:
    """Three people on both sides, with notes in erp that are not synced."""
    databases.sql("erp", "ALTER TABLE contact ADD COLUMN notes TEXT")
    databases.add("crm", ADA, BOB, EVE)
    databases.run()
    databases.sql("erp", "UPDATE contact SET notes = 'notes on ' || name")
    return databases


def replace(databases: Databases, rid: int = 2, contact: tuple[str, str, str] = ZOE) -> None:
    """A record is deleted, and its id given to another."""
    databases.query("crm", "DELETE FROM contact WHERE id = ?", rid)
    databases.query("crm", "INSERT INTO contact (id, email, name, phone) VALUES (?, ?, ?, ?)", rid, *contact)


def notes(databases: Databases) -> list[tuple[Any, ...]]:
    return databases.query("erp", "SELECT email, notes FROM contact ORDER BY email")


ON_ADA, ON_BOB, ON_EVE = [(f"{name}@x", f"notes on {name.capitalize()}") for name in ("ada", "bob", "eve")]


@pytest.mark.parametrize("conflict", ["crm", "erp", "park"])
@pytest.mark.parametrize("place", [{}, {"crm": WITH_CURSOR, "erp": WITH_CURSOR}])
class TestAReusedId:
    def test_keeps_the_former_record_s_counterpart_where_deletes_unlink(
        self, linked: Databases, conflict: str, place: Any
    ) -> None:
        linked.run(**place)
        replace(linked)
        assert linked.run("changes", conflict=conflict, **place).pushed == {"crm": "", "erp": "1 create"}
        assert notes(linked) == [ON_ADA, ON_BOB, ON_EVE, ("zoe@x", None)]
        assert linked.run(conflict=conflict, **place).pushed == UNTOUCHED

    def test_deletes_the_former_record_s_counterpart_where_deletes_propagate(
        self, linked: Databases, conflict: str, place: Any
    ) -> None:
        linked.run(**place)
        replace(linked)
        ended = linked.run("changes", conflict=conflict, deletes="propagate", **place)
        assert ended.pushed == {"crm": "", "erp": "1 create, 1 delete"}
        assert notes(linked) == [ON_ADA, ON_EVE, ("zoe@x", None)]
        assert linked.run(conflict=conflict, deletes="propagate", **place).pushed == UNTOUCHED


def test_an_edit_of_the_other_side_beats_the_delete(linked: Databases) -> None:
    replace(linked)
    linked.edit("erp", "bob@x", phone="22")
    assert linked.run(deletes="propagate").pushed == {"crm": "1 create", "erp": "1 create"}
    assert linked.contacts("crm") == linked.contacts("erp") == [ADA, ("bob@x", "Bob", "22"), EVE, ZOE]
    assert notes(linked)[1] == ON_BOB


def test_records_that_exchange_their_ids_are_the_same_records(linked: Databases) -> None:
    before = linked.everything()[1]
    for rid, (email, name, phone) in ((2, EVE), (3, BOB)):
        linked.query("crm", "UPDATE contact SET email = ?, name = ?, phone = ? WHERE id = ?", email, name, phone, rid)
    for _ in range(2):
        assert linked.run(deletes="propagate").pushed == UNTOUCHED
    assert linked.everything()[1] == before


def test_a_record_that_returns_under_another_id_is_the_same(linked: Databases) -> None:
    replace(linked)
    linked.add("crm", ("bob@x", "Robert", "2"))
    assert linked.run(deletes="propagate").pushed == {"crm": "", "erp": "1 create, 1 update"}
    assert notes(linked) == [ON_ADA, ON_BOB, ON_EVE, ("zoe@x", None)]


def test_a_read_only_run_treats_it_as_another_record_too(linked: Databases) -> None:
    replace(linked)
    linked.run(push=False)
    before = linked.everything()
    assert linked.run(deletes="propagate").pushed == UNTOUCHED
    linked.edit("crm", "zoe@x", phone="99")
    linked.run(deletes="propagate")
    assert notes(linked)[1] == ON_BOB
    assert linked.everything()[1][:3] == before[1]


def test_an_edit_of_everything_is_an_edit_where_ids_are_stable(linked: Databases) -> None:
    replace(linked)
    assert linked.run(ids="stable").pushed == {"crm": "", "erp": "1 update"}


def test_another_address_makes_another_record_where_ids_are_reused(linked: Databases) -> None:
    linked.edit("crm", "bob@x", email="robert@x")
    assert linked.run(ids="reused").pushed == {"crm": "", "erp": "1 create"}


def test_one_id_may_be_reused_repeatedly(linked: Databases) -> None:
    for n in range(3):
        replace(linked, contact=(f"new{n}@x", f"New {n}", f"{n}{n}"))
        assert linked.run(deletes="propagate").pushed == {"crm": "", "erp": "1 create, 1 delete"}
    assert linked.contacts("crm") == linked.contacts("erp")


def test_a_table_without_autoincrement_reuses_its_highest_id(databases: Databases) -> None:
    for side in ("crm", "erp"):
        databases.sql(side, "CREATE TABLE person (id INTEGER PRIMARY KEY, email TEXT, name TEXT, phone TEXT)")
    place = {"table": "person", "id": "id"}
    people: dict[str, Any] = {"crm": place, "erp": place, "deletes": "propagate"}
    databases.query(
        "crm", "INSERT INTO person (email, name, phone) VALUES ('ada@x', 'Ada', '1'), ('bob@x', 'Bob', '2')"
    )
    databases.run(**people)
    databases.query("crm", "DELETE FROM person WHERE email = 'bob@x'")
    databases.query("crm", "INSERT INTO person (email, name, phone) VALUES ('zoe@x', 'Zoe', '9')")
    assert databases.query("crm", "SELECT max(id) FROM person") == [(2,)]
    assert databases.run(**people).pushed == {"crm": "", "erp": "1 create, 1 delete"}
    assert databases.query("erp", "SELECT email FROM person ORDER BY email") == [("ada@x",), ("zoe@x",)]
