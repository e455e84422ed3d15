"""Records that come back under another id, as after "truncate and load". Whole runs on real databases."""

from itertools import count
from typing import Any

import pytest

from .databases import WITH_CURSOR, Databases

UNTOUCHED = {"crm": "", "erp": ""}
PEOPLE = [("ada@x", "Ada", "1"), ("bob@x", "Bob", "2"), ("eve@x", "Eve", "3")]
EVERY_POLICY = pytest.mark.parametrize("deletes", ["unlink", "propagate"])


@pytest.fixture
def linked(databases: Databases) -> Databases:
    """Three people on both sides, with notes in erp that are not synced."""
    databases.link(*PEOPLE)
    return databases


def reload(databases: Databases, side: str = "crm", **edits: Any) -> None:
    """Delete all contacts and load them again under new ids; `edits` are new names by their first letters."""
    rows = databases.query(side, "SELECT email, name, phone FROM contact ORDER BY id")
    databases.sql(side, "DELETE FROM contact")
    databases.add(side, *((email, edits.get(email[:3], name), phone) for email, name, phone in rows))


def notes(databases: Databases) -> list[tuple[Any, ...]]:
    return databases.query("erp", "SELECT id, email, notes FROM contact ORDER BY id")


@EVERY_POLICY
def test_a_table_that_is_reloaded_under_new_ids_changes_nothing_on_the_other_side(
    linked: Databases, deletes: str
) -> None:
    before = linked.everything()[1]
    reload(linked)
    for _ in range(2):
        ended = linked.run(deletes=deletes)
        assert (ended.code, ended.pushed, ended.parked) == (0, UNTOUCHED, [])
    assert linked.everything()[1] == before


@EVERY_POLICY
@pytest.mark.parametrize("conflict", ["crm", "erp", "park"])
def test_an_edit_that_comes_with_the_reload_is_an_edit(linked: Databases, deletes: str, conflict: str) -> None:
    before = notes(linked)
    reload(linked, ada="Ada L.")
    ended = linked.run(deletes=deletes, conflict=conflict)
    assert (ended.pushed, ended.message["conflicts"]) == ({"crm": "", "erp": "1 update"}, 0)
    assert linked.contacts("erp")[0] == ("ada@x", "Ada L.", "1")
    assert notes(linked) == before


@EVERY_POLICY
def test_an_edit_on_the_other_side_reaches_the_reloaded_record(linked: Databases, deletes: str) -> None:
    reload(linked)
    linked.edit("erp", "ada@x", phone="11")
    assert linked.run(deletes=deletes, conflict="crm").pushed == {"crm": "1 update", "erp": ""}
    assert linked.contacts("crm")[0] == ("ada@x", "Ada", "11")


@EVERY_POLICY
def test_both_sides_may_be_reloaded(linked: Databases, deletes: str) -> None:
    reload(linked, ada="Ada L.")
    reload(linked, "erp", bob="Robert")
    ended = linked.run(deletes=deletes, conflict="park")
    assert (ended.pushed, ended.parked) == ({"crm": "1 update", "erp": "1 update"}, [])
    assert linked.contacts("crm") == linked.contacts("erp")


def test_a_delete_that_an_earlier_run_has_read_is_reverted_by_the_reload(linked: Databases) -> None:
    rows = linked.query("crm", "SELECT email, name, phone FROM contact WHERE email != 'eve@x'")
    linked.delete("crm", "ada@x", "bob@x")
    assert linked.run().pushed == UNTOUCHED
    linked.add("crm", *((email, "Ada L." if name == "Ada" else name, phone) for email, name, phone in rows))
    ended = linked.run(conflict="erp")
    assert (ended.pushed, ended.message["conflicts"]) == ({"crm": "", "erp": "1 update"}, 0)
    assert linked.contacts("erp") == linked.contacts("crm")
    assert notes(linked)[0] == (1, "ada@x", "notes on Ada")


def test_records_that_come_back_under_their_own_ids_are_the_same_records(linked: Databases) -> None:
    rows = linked.query("crm", "SELECT id, email, name, phone FROM contact")
    linked.delete("crm", "ada@x", "bob@x")
    linked.run()
    for row in rows[:2]:
        linked.query("crm", "INSERT INTO contact (id, email, name, phone) VALUES (?, ?, ?, ?)", *row)
    linked.edit("erp", "ada@x", phone=None)
    ended = linked.run(conflict="crm")
    assert (ended.pushed, ended.message["conflicts"]) == ({"crm": "1 update", "erp": ""}, 0)
    assert linked.contacts("crm")[0] == ("ada@x", "Ada", None)


def test_another_record_under_a_reused_id_is_not_the_former_one(linked: Databases) -> None:
    linked.delete("crm", "eve@x")
    linked.run()
    linked.query("crm", "INSERT INTO contact (id, email, name) VALUES (3, 'zoe@x', 'Zoe')")
    assert linked.run().pushed == {"crm": "", "erp": "1 create"}
    assert notes(linked)[2:] == [(3, "eve@x", "notes on Eve"), (4, "zoe@x", None)]


class TestARecordThatComesBackUnderItsOwnId:
    """After an earlier run has seen it gone."""

    @pytest.fixture
    def gone(self, linked: Databases) -> Databases:
        linked.delete("crm", "ada@x")
        assert linked.run().pushed == UNTOUCHED
        return linked

    def come_back(self, gone: Databases, *contact: str | None) -> None:
        gone.query("crm", "INSERT INTO contact (id, email, name, phone) VALUES (1, ?, ?, ?)", *contact)

    def test_is_the_same_record_without_its_match_key(self, gone: Databases) -> None:
        self.come_back(gone, None, "Ada", "11")
        ended = gone.run()
        assert (ended.pushed, ended.parked) == ({"crm": "", "erp": "1 update"}, [])
        assert gone.query("erp", "SELECT email, phone, notes FROM contact WHERE id = 1") == [
            (None, "11", "notes on Ada")
        ]
        assert gone.run().pushed == UNTOUCHED

    def test_is_the_same_record_while_another_has_its_match_key(self, gone: Databases) -> None:
        self.come_back(gone, "ada@x", "Ada L.", "1")
        gone.add("crm", ("ada@x", "Ada's double", "9"))
        ended = gone.run()
        assert (ended.pushed["erp"], notes(gone)[0]) == ("1 update", (1, "ada@x", "notes on Ada"))
        assert ended.parked == [("crm", "", "the record of erp with the same email is linked to another of crm")]

    def test_is_the_same_record_under_the_match_key_of_another_that_stands_alone(self, gone: Databases) -> None:
        gone.add("erp", ("cy@x", "Cy", None))
        self.come_back(gone, "cy@x", "Ada", "1")
        gone.run()
        assert notes(gone)[0] == (1, "cy@x", "notes on Ada")
        assert gone.query("erp", "SELECT name FROM contact WHERE id = 4") == [("Cy",)]

    def test_is_the_same_record_if_it_had_no_match_key_before(self, linked: Databases) -> None:
        linked.edit("crm", "ada@x", email=None)
        linked.run()
        linked.query("crm", "DELETE FROM contact WHERE id = 1")
        linked.run()
        self.come_back(linked, None, "Ada", "11")
        ended = linked.run()
        assert (ended.pushed, ended.parked) == ({"crm": "", "erp": "1 update"}, [])

    def test_is_accepted_by_a_read_only_run(self, gone: Databases) -> None:
        self.come_back(gone, None, "Ada", "11")
        gone.run(push=False)
        assert gone.run().pushed == UNTOUCHED
        gone.query("crm", "UPDATE contact SET name = 'Ada L.' WHERE id = 1")
        gone.run()
        assert gone.query("erp", "SELECT name, phone FROM contact WHERE id = 1") == [("Ada L.", "1")]

    def test_is_set_aside_if_nothing_but_the_id_is_the_same(self, gone: Databases) -> None:
        self.come_back(gone, None, "Zoe", "9")
        before = gone.everything()
        ended = gone.run()
        assert (ended.pushed, ended.parked) == (UNTOUCHED, [("crm", "", "it cannot be matched: it has no email")])
        assert gone.everything() == before

    def test_is_linked_again_after_a_run_that_was_interrupted(self, gone: Databases) -> None:
        self.come_back(gone, None, "Ada", "11")
        waits = count(1)
        gone.run(interrupted=lambda: next(waits) == 3)
        assert gone.run(run=gone.runs).pushed == {"crm": "", "erp": "1 update"}

    @pytest.mark.parametrize(("ids", "parked"), [("stable", 0), ("reused", 1)])
    def test_is_as_much_evidence_as_the_object_says(self, gone: Databases, ids: str, parked: int) -> None:
        self.come_back(gone, None, "Zoe" if ids == "stable" else "Ada", "9")
        assert len(gone.run(ids=ids).parked) == parked


def test_a_record_that_two_others_may_be_is_recognized_when_one_of_them_is_handled(linked: Databases) -> None:
    places: dict[str, Any] = {"crm": WITH_CURSOR, "erp": WITH_CURSOR, "deletes": "propagate"}
    linked.run(**places)
    linked.delete("crm", "ada@x")
    linked.add("crm", ("ada@x", "Ada", "1"))
    linked.edit("erp", "ada@x", email="lovelace@x")
    linked.run("changes", **places)  # it does not see that the former Ada of crm is gone
    linked.delete("crm", "ada@x")
    linked.add("crm", ("ada@x", "Ada L.", "1"))
    ended = linked.run(**places)
    assert (ended.pushed, ended.parked) == ({"crm": "1 create", "erp": "1 update"}, [])
    assert linked.contacts("crm") == linked.contacts("erp")
    assert linked.run(**places).pushed == UNTOUCHED


class TestAReadOnlyRun:
    def test_recognizes_the_reload_and_pushes_none_of_its_edits_later(self, linked: Databases) -> None:
        reload(linked, ada="Ada L.")
        linked.run(push=False)
        for _ in range(2):
            assert linked.run(deletes="propagate").pushed == UNTOUCHED
        linked.edit("crm", "ada@x", phone="11")
        assert linked.run().pushed == {"crm": "", "erp": "1 update"}
        assert linked.contacts("erp")[0] == ("ada@x", "Ada", "11")

    def test_keeps_accepted_records_without_counterparts(self, linked: Databases) -> None:
        linked.add("crm", ("new@x", "New", None))
        linked.run(push=False)
        reload(linked)
        assert linked.run().pushed == UNTOUCHED

    def test_between_the_delete_and_the_load_loses_nothing_that_comes_back(self, linked: Databases) -> None:
        linked.edit("erp", "ada@x", phone="accepted")
        linked.run(push=False)
        rows = linked.query("crm", "SELECT email, name, phone FROM contact")
        linked.sql("crm", "DELETE FROM contact")
        linked.run(push=False)
        linked.add("crm", *rows)
        assert linked.run(conflict="crm").pushed == UNTOUCHED
        assert linked.contacts("erp")[0] == ("ada@x", "Ada", "accepted")


class TestNotAReload:
    def test_when_the_match_key_has_changed_too(self, linked: Databases) -> None:
        linked.delete("crm", "ada@x")
        linked.add("crm", ("ada@new", "Ada", "1"))
        assert linked.run(deletes="propagate").pushed == {"crm": "", "erp": "1 create, 1 delete"}

    def test_when_two_new_records_have_the_key_and_nothing_is_deleted(self, linked: Databases) -> None:
        linked.delete("crm", "ada@x")
        linked.add("crm", ("ada@x", "Ada", "1"), ("ada@x", "Ada's double", "9"))
        before = linked.everything()
        ended = linked.run(deletes="propagate")
        assert (ended.pushed, linked.everything()) == (UNTOUCHED, before)
        assert ("erp", "", (
            "its record of crm is gone, and other records there have the same email: leave one of them with it, "
            "or delete it here too"
        )) in ended.parked  # fmt: skip
        linked.query("crm", "DELETE FROM contact WHERE phone = '9'")
        ended = linked.run(deletes="propagate")
        assert (ended.pushed, ended.message["waiting"], linked.everything()[1]) == (UNTOUCHED, 0, before[1])

    def test_when_a_remaining_record_has_taken_the_key(self, linked: Databases) -> None:
        linked.delete("crm", "ada@x")
        linked.edit("crm", "bob@x", email="ada@x")
        linked.add("crm", ("ada@x", "Ada", "1"))
        before = notes(linked)
        assert linked.run(deletes="propagate").pushed == {"crm": "", "erp": "1 update"}
        assert notes(linked) == [before[0], (2, "ada@x", "notes on Bob"), before[2]]


def test_references_to_a_reloaded_record_stay_the_same(databases: Databases) -> None:
    for side in ("crm", "erp"):
        databases.sql(side, "CREATE TABLE firm (id INTEGER PRIMARY KEY, name TEXT)")
        databases.sql(side, "ALTER TABLE contact ADD COLUMN firm INTEGER")
    firm = {
        "name": "firm", "crm": {"table": "firm", "id": "id"}, "erp": {"table": "firm", "id": "id"},
        "match": ["name"], "fields": [{"crm": "name", "erp": "name"}],
    }  # fmt: skip
    config = databases.config(deletes="propagate")
    config["objects"][0]["fields"] = [*config["objects"][0]["fields"], {"crm": "firm", "erp": "firm", "ref": "firm"}]
    config["objects"].insert(0, firm)
    databases.sql("erp", "INSERT INTO firm VALUES (70, 'other'); DELETE FROM firm;")
    databases.sql("crm", "INSERT INTO firm VALUES (1, 'Acme')")
    databases.add("crm", *PEOPLE)
    databases.sql("crm", "UPDATE contact SET firm = 1")
    databases.run(config=config)
    before = databases.everything()[1]
    databases.sql("crm", "DELETE FROM firm; INSERT INTO firm VALUES (11, 'Acme')")
    reload(databases)
    databases.sql("crm", "UPDATE contact SET firm = 11")
    for _ in range(2):
        assert databases.run(config=config).pushed == UNTOUCHED
    assert databases.everything()[1] == before


def test_a_reload_that_is_read_before_the_delete_is_settled_by_the_next_whole_scan(linked: Databases) -> None:
    by_cursor: dict[str, Any] = {"crm": WITH_CURSOR, "erp": WITH_CURSOR, "deletes": "propagate"}
    linked.run(**by_cursor)
    before = linked.everything()[1]
    reload(linked)
    assert linked.run("changes", **by_cursor).pushed == UNTOUCHED
    assert linked.run(**by_cursor).message["waiting"] == 0
    assert linked.everything()[1] == before


@pytest.mark.parametrize("cut", range(1, 9))
def test_an_interrupted_run_keeps_what_it_has_recognized(linked: Databases, cut: int) -> None:
    reload(linked, ada="Ada L.")
    linked.edit("erp", "bob@x", phone="22")
    before = notes(linked)
    waits = count(1)
    linked.run(deletes="propagate", interrupted=lambda: next(waits) == cut)
    assert linked.run(run=linked.runs, deletes="propagate").message["waiting"] == 0
    assert linked.contacts("crm") == linked.contacts("erp")
    assert notes(linked) == before


def test_a_conflict_is_not_forgotten_when_one_side_is_restored_after_both_were_reloaded(databases: Databases) -> None:
    by_cursor: dict[str, Any] = {"crm": WITH_CURSOR, "erp": WITH_CURSOR, "conflict": "park"}
    databases.link(*PEOPLE)
    databases.run(**by_cursor)
    reload(databases)
    reload(databases, "erp", ada="Ada L.")
    assert databases.run("changes", **by_cursor).message["waiting"] == 1
    databases.sql("crm", "UPDATE contact SET id = id - 3")
    ended = databases.run(**by_cursor)
    assert [field for _, field, _ in ended.parked] == ["name"]
    assert databases.run(**by_cursor).message["waiting"] == 1


def test_a_record_that_replaces_another_does_not_keep_its_own_former_counterpart(
    databases: Databases,
) -> None:
    databases.add("crm", ("ada@x", "Ada", None))
    databases.run()
    databases.add("erp", ("bob@x", "Bob", None))
    databases.run()
    databases.delete("erp", "bob@x")
    databases.run()
    databases.edit("crm", "bob@x", email="ada@x")
    databases.run()
    databases.query("crm", "DELETE FROM contact WHERE name = 'Ada'")
    ended = databases.run()
    assert (ended.pushed, ended.message["conflicts"]) == (
        {"crm": "1 update", "erp": ""},
        1,
    )  # erp wins
    databases.add("crm", ("cy@x", "Cy", None))
    databases.add("erp", ("bob@x", "Bob", None))
    databases.run()
    everybody = [("ada@x", "Ada", None), ("bob@x", "Bob", None), ("cy@x", "Cy", None)]
    assert databases.contacts("crm") == databases.contacts("erp") == everybody
