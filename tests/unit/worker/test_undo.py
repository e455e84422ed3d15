"""A run is undone: what it has replaced is back where it still stands, and no later edit is lost."""

import os
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.worker.journal.changes import Change, Entry, What
from tidegate.worker.run.undo.reverse import CHANGED, Leave, Recreate, Remove, Restore, Reversal, reverse

from .databases import Databases, Ended

ADA, BOB, CY = ("ada@x", "Ada", "1"), ("bob@x", "Bob", "2"), ("cy@x", "Cy", "3")


def entry(what: What, before: Mapping[str, Any], after: Mapping[str, Any], *, done: bool = True) -> Entry:
    return Entry(1, 1, done, Change(1, "contact", "erp", what, 1, 1, before, after, {}))


def same(_: str, one: Any, two: Any) -> bool:
    return bool((one or "").lower() == (two or "").lower())


CREATED = entry("create", {}, {"name": "Ada", "phone": None})
UPDATED = entry("update", {"name": "Ada"}, {"name": "Eve"})
TWICE = entry("update", {"name": "Eve"}, {"name": "Zoe"})
DELETED = entry("delete", {"name": "Ada", "phone": "1"}, {})
IN_DOUBT = entry("update", {"name": "Ada"}, {"name": "Eve"}, done=False)

ROWS: list[tuple[str, list[Entry], Mapping[str, Any] | None, Reversal]] = [
    ("an update that stands", [UPDATED], {"name": "Eve"}, Restore({"name": "Ada"})),
    ("one that differs in what is no difference", [UPDATED], {"name": "EVE"}, Restore({"name": "Ada"})),
    ("one that was edited", [UPDATED], {"name": "Ivy"}, Restore({}, {"name": CHANGED})),
    ("one that was set back by hand", [UPDATED], {"name": "Ada"}, Restore({})),
    ("one whose record is gone", [UPDATED], None, Leave("it no longer exists")),
    ("one whose field is not synced any more", [UPDATED], {},
     Restore({}, {"name": "spec.sync no longer syncs it"})),
    ("two updates", [UPDATED, TWICE], {"name": "Zoe"}, Restore({"name": "Ada"})),
    ("two updates with an edit between", [UPDATED, entry("update", {"name": "Ivy"}, {"name": "Zoe"})], {"name": "Zoe"},
     Restore({"name": "Ivy"}, {"name": CHANGED})),
    ("an update in doubt that happened", [IN_DOUBT], {"name": "Eve"}, Restore({"name": "Ada"})),
    ("an update in doubt that did not", [IN_DOUBT], {"name": "Ada"}, Restore({})),
    ("an update in doubt, and then again", [IN_DOUBT, UPDATED], {"name": "Eve"}, Restore({"name": "Ada"})),
    ("a create that stands", [CREATED], {"name": "Ada", "phone": None}, Remove()),
    ("a create that was edited", [CREATED], {"name": "Ada", "phone": "7"}, Leave(CHANGED)),
    ("a create that is gone", [CREATED], None, Restore({})),
    ("a create whose new field is filled", [CREATED], {"name": "Ada", "phone": None, "city": "Ulm"}, Leave(CHANGED)),
    ("a create with a field that is not synced any more", [CREATED], {"name": "Ada"},
     Leave("phone is not synced any more, so it is unknown whether it is as it was created")),
    ("a create and an update", [CREATED, UPDATED], {"name": "Eve", "phone": None}, Remove()),
    ("a create and an update that was edited", [CREATED, UPDATED], {"name": "Ivy", "phone": None}, Leave(CHANGED)),
    ("a delete", [DELETED], None, Recreate({"name": "Ada", "phone": "1"})),
    ("a delete that is back as it was", [DELETED], {"name": "Ada", "phone": "1"}, Restore({})),
    ("a delete whose id has another record", [DELETED], {"name": "Ivy", "phone": "1"},
     Leave("a record with its id is there again, and holds other values")),
    ("an update and a delete", [UPDATED, entry("delete", {"name": "Eve"}, {})], None, Recreate({"name": "Ada"})),
]  # fmt: skip


@pytest.mark.parametrize(("_", "chain", "now", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_how_a_record_is_taken_back(
    _: str, chain: list[Entry], now: Mapping[str, Any] | None, expected: Reversal
) -> None:
    assert reverse(chain, now, same) == expected


names = st.sampled_from(["a", "b", "c", "d"])
held = st.fixed_dictionaries({"name": names, "phone": names})


@given(
    first=held,
    writes=st.lists(held, min_size=1, max_size=3),
    edits=st.dictionaries(st.sampled_from(["name", "phone"]), st.sampled_from(["x", "y"])),
)
def test_what_was_edited_since_stays_and_all_else_is_as_before(
    first: dict[str, str], writes: list[dict[str, str]], edits: dict[str, str]
) -> None:
    chain, before = [], first
    for after in writes:
        chain.append(entry("update", before, after))
        before = after
    now = {**before, **edits}
    found = reverse(chain, now, same)
    assert isinstance(found, Restore)
    assert {**now, **found.values} == {**first, **edits}
    assert found.left.keys() == edits.keys()


class Synced(Databases):
    """Three contacts on both sides, and a journal; run 1 has created them in erp."""

    def sync(self, scope: str = "full", **changes: Any) -> Ended:
        config = {**self.config(conflict="crm", deletes="propagate", safety={"maxDeletes": {"min": 50}}), "journal": {}}
        return self.run(scope, config=config | changes.pop("config", {}), **changes)

    def undo(self, run: int, **changes: Any) -> Ended:
        more = changes.pop("environment", {})
        return self.sync(environment={"SYNC_UNDO": str(run), **more}, **changes)

    def comes_to_rest(self) -> None:
        """The next runs write nothing."""
        for scope in ("changes", "full"):
            before = self.everything()
            ended = self.sync(scope)
            assert (ended.code, ended.pushed) == (0, {"crm": "", "erp": ""})
            assert self.everything() == before


@pytest.fixture
def synced(tmp_path: Any) -> Synced:
    databases = Synced(tmp_path)
    databases.add("crm", ADA, BOB, CY)
    databases.sync()
    return databases


def left(ended: Ended) -> list[tuple[str, Any, str, str]]:
    lines = [line for line in ended.lines if line["type"] == "left"]
    return [(line["connector"], line["id"], line.get("field", ""), line["reason"]) for line in lines]


def test_an_update_is_written_back_and_not_pushed_again(synced: Synced) -> None:
    synced.edit("crm", "ada@x", name="Ada Lovelace")
    synced.sync()
    ended = synced.undo(2)
    assert (ended.code, ended.pushed) == (0, {"crm": "", "erp": "1 update"})
    assert ended.message["reason"] == "1 record was set back to what it was before run 2"
    assert synced.contacts("erp") == [ADA, BOB, CY]
    assert synced.contacts("crm")[0] == ("ada@x", "Ada Lovelace", "1")
    synced.comes_to_rest()


def test_later_edits_flow_again(synced: Synced) -> None:
    synced.edit("crm", "ada@x", name="Ada Lovelace")
    synced.sync()
    synced.undo(2)
    synced.edit("crm", "ada@x", name="Countess")
    synced.edit("erp", "bob@x", name="Robert")
    synced.sync()
    assert (
        synced.contacts("crm") == synced.contacts("erp") == [("ada@x", "Countess", "1"), ("bob@x", "Robert", "2"), CY]
    )


def test_an_edit_made_since_is_left_alone_named_and_pushed_later(synced: Synced) -> None:
    for email in ("ada@x", "bob@x"):
        synced.edit("crm", email, name=f"new {email}", phone="9")
    synced.sync()
    synced.edit("erp", "ada@x", name="Edited")
    ended = synced.undo(2)
    assert left(ended) == [("erp", 1, "name", CHANGED)]
    assert ended.message["reason"].endswith("; left unchanged: 1; see the run's log")
    assert synced.contacts("erp") == [("ada@x", "Edited", "1"), BOB, CY]
    synced.sync()
    assert synced.contacts("crm")[0] == ("ada@x", "Edited", "9")


def test_what_was_created_is_deleted_if_it_is_as_it_was_created(synced: Synced) -> None:
    synced.edit("erp", "bob@x", phone="7")
    ended = synced.undo(1)
    assert ended.pushed == {"crm": "", "erp": "2 delete"}
    assert left(ended) == [("erp", 2, "", CHANGED)]
    assert synced.contacts("erp") == [("bob@x", "Bob", "7")]
    assert synced.contacts("crm") == [ADA, BOB, CY]
    synced.sync()
    assert synced.contacts("erp") == [("bob@x", "Bob", "7")]
    synced.comes_to_rest()


def test_an_edit_of_the_counterpart_creates_it_again(synced: Synced) -> None:
    synced.undo(1)
    synced.edit("crm", "cy@x", phone="8")
    synced.sync()
    assert synced.contacts("erp") == [("cy@x", "Cy", "8")]


def test_what_was_deleted_is_created_again_under_a_new_id_and_stays(synced: Synced) -> None:
    synced.delete("crm", "bob@x")
    synced.sync()
    assert synced.contacts("erp") == [ADA, CY]
    ended = synced.undo(2)
    assert ended.pushed == {"crm": "", "erp": "1 create"}
    assert synced.contacts("erp") == [ADA, BOB, CY]
    synced.comes_to_rest()
    assert synced.contacts("crm") == [ADA, CY]


def test_what_was_deleted_is_not_created_beside_a_record_with_the_same_match_key(synced: Synced) -> None:
    synced.delete("crm", "bob@x")
    synced.sync()
    synced.add("erp", ("BOB@x", "Another Bob", None))
    ended = synced.undo(2)
    assert left(ended) == [("erp", 2, "", "erp has a record with the same email")]
    assert ended.pushed == {"crm": "", "erp": ""}


@pytest.mark.parametrize("undone", ["update", "create", "delete"])
def test_an_undo_can_be_undone(synced: Synced, undone: str) -> None:
    if undone == "update":
        synced.edit("crm", "ada@x", name="Ada Lovelace")
    elif undone == "create":
        synced.add("crm", ("dee@x", "Dee", None))
    else:
        synced.delete("crm", "bob@x")
    synced.sync()
    after = [synced.contacts(side) for side in ("crm", "erp")]
    synced.undo(2)
    assert [synced.contacts(side) for side in ("crm", "erp")] != after
    assert synced.undo(3).code == 0
    assert [synced.contacts(side) for side in ("crm", "erp")] == after
    synced.comes_to_rest()
    synced.edit("crm", "ada@x", phone="5")
    synced.edit("erp", "cy@x", phone="6")
    if undone == "create":
        synced.edit("crm", "dee@x", phone="7")  # linked again
    synced.sync()
    assert synced.contacts("crm") == synced.contacts("erp")


def test_the_same_undo_again_finds_nothing_to_do(synced: Synced) -> None:
    synced.edit("crm", "ada@x", name="Ada Lovelace")
    synced.add("crm", ("dee@x", "Dee", None))
    synced.delete("crm", "bob@x")
    synced.sync()
    assert synced.undo(2).pushed["erp"] == "1 create, 1 update, 1 delete"
    again = synced.undo(2)
    assert (again.pushed, left(again)) == ({"crm": "", "erp": ""}, [])


def test_an_update_of_a_record_that_an_undo_has_created_again_is_undone_under_its_new_id(synced: Synced) -> None:
    synced.edit("crm", "bob@x", name="Robert")
    synced.sync()
    synced.delete("crm", "bob@x")
    synced.sync()
    synced.undo(3)
    assert synced.undo(2).pushed["erp"] == "1 update"
    assert synced.contacts("erp") == [ADA, BOB, CY]


class TestRefused:
    def test_a_run_that_is_not_kept(self, synced: Synced) -> None:
        ended = synced.undo(7)
        assert ended.code == 2
        assert ended.message["reason"].startswith("run 7 is not in the journal: it wrote nothing, it is older than")

    def test_without_a_journal(self, synced: Synced) -> None:
        ended = synced.run(environment={"SYNC_UNDO": "1"})
        assert (ended.code, ended.message["reason"]) == (2, "run 1 cannot be undone: spec.sync.journal is not set")

    def test_a_key_that_does_not_fit(self, synced: Synced) -> None:
        keyed: dict[str, Any] = {"config": {"journal": {"key": {"env": "KEY"}}}}
        synced.edit("crm", "ada@x", name="Ada Lovelace")
        synced.sync(environment={"KEY": "one"}, **keyed)
        ended = synced.undo(2, environment={"KEY": "two"}, **keyed)
        assert ended.code == 2
        assert "the journal of run 2 is encrypted, and spec.sync.journal.key is another" in ended.message["reason"]
        assert synced.undo(2, environment={"KEY": "one"}, **keyed).pushed["erp"] == "1 update"

    def test_a_number_that_is_none_or_a_run_that_does_not_push(self, synced: Synced) -> None:
        assert synced.undo(2, push=False).message["reason"] == "SYNC_UNDO needs SYNC_PUSH=true: an undo writes"
        reason = synced.sync(environment={"SYNC_UNDO": "x"}).message["reason"]
        assert reason == "SYNC_UNDO must be a whole number, not 'x'"

    def test_what_spec_sync_does_not_allow(self, synced: Synced) -> None:
        contact = synced.config()["objects"][0] | {"writes": {"erp": ["create", "update"]}}
        ended = synced.undo(1, config={"objects": [contact]})
        assert ended.pushed["erp"] == ""
        assert left(ended)[0] == ("erp", 3, "", "spec.sync does not allow it to be deleted in erp")


class TestGuarded:
    LIMIT: dict[str, Any] = {"config": {"safety": {"maxDeletes": {"min": 1, "percent": 10}}}}

    def test_too_many_deletes_halt_before_anything_is_written(self, synced: Synced) -> None:
        before = synced.everything()
        ended = synced.undo(1, **self.LIMIT)
        assert ended.code == 3
        assert ended.message["reason"] == (
            "the undo of run 1 would delete 3 contact records in erp that the run has created, more than the 10 % of 3 "
            "linked ones that safety.maxDeletes allows: 3, 2, 1"
        )
        assert [(each["what"], each["count"]) for each in ended.message["found"]] == [("undo", 3)]
        assert synced.everything() == before

    def test_what_was_shown_can_be_confirmed_and_nothing_else(self, synced: Synced) -> None:
        synced.undo(1, **self.LIMIT)
        assert synced.undo(1, environment={"SYNC_APPROVED": "1"}, **self.LIMIT).code == 3
        halted = synced.runs
        ended = synced.undo(1, environment={"SYNC_APPROVED": str(halted)}, **self.LIMIT)
        assert ended.pushed["erp"] == "3 delete"


def test_a_record_that_others_refer_to_is_not_deleted(tmp_path: Any) -> None:
    databases = Synced(tmp_path)
    for side in ("crm", "erp"):
        databases.sql(side, "CREATE TABLE deal (id INTEGER PRIMARY KEY, title TEXT, contact INTEGER)")
    place = {"table": "deal", "id": "id"}
    deal = {
        "name": "deal", "crm": place, "erp": place, "match": ["title"], "conflict": "crm",
        "fields": [{"crm": "title", "erp": "title"}, {"crm": "contact", "erp": "contact", "ref": "contact"}],
    }  # fmt: skip
    objects: dict[str, Any] = {"config": {"objects": [*databases.config()["objects"], deal]}}
    databases.add("crm", ADA)
    databases.query("crm", "INSERT INTO deal VALUES (1, 'big', 1)")
    databases.sync(**objects)
    databases.query("erp", "INSERT INTO deal VALUES (9, 'entered in erp', 1)")
    ended = databases.undo(1, **objects)
    assert left(ended) == [("erp", 1, "", "deal 9 of erp refers to it")]
    assert databases.query("erp", "SELECT title FROM deal") == [("entered in erp",)]
    assert databases.contacts("erp") == [ADA]


def test_references_follow_what_is_created_again(tmp_path: Any) -> None:
    databases = Synced(tmp_path)
    for side in ("crm", "erp"):
        databases.sql(side, "CREATE TABLE deal (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT, contact INTEGER)")
    place = {"table": "deal", "id": "id"}
    deal = {
        "name": "deal", "crm": place, "erp": place, "match": ["title"], "conflict": "crm", "deletes": "propagate",
        "fields": [{"crm": "title", "erp": "title"}, {"crm": "contact", "erp": "contact", "ref": "contact"}],
    }  # fmt: skip
    contact = {**databases.config()["objects"][0], "deletes": "propagate"}
    settings: dict[str, Any] = {
        "config": {"objects": [contact, deal], "safety": {"emptySide": "allow", "maxDeletes": {"min": 9}}}
    }
    databases.add("crm", ADA)
    databases.query("crm", "INSERT INTO deal VALUES (1, 'big', 1)")
    databases.sync(**settings)
    databases.query("crm", "DELETE FROM deal")
    databases.delete("crm", "ada@x")
    assert databases.sync(**settings).pushed["erp"] == "2 delete"
    assert databases.undo(2, **settings).pushed["erp"] == "2 create"
    assert databases.query("erp", "SELECT contact FROM deal") == databases.query("erp", "SELECT id FROM contact")


def test_unique_values_that_have_moved_move_back(synced: Synced) -> None:
    synced.sql("erp", "CREATE UNIQUE INDEX one_phone ON contact (phone)")
    synced.edit("crm", "ada@x", phone="0")
    synced.edit("crm", "bob@x", phone="1")
    synced.edit("crm", "cy@x", phone="2")
    assert synced.sync().pushed["erp"] == "3 update"
    assert synced.undo(2).pushed["erp"] == "3 update"
    assert synced.contacts("erp") == [ADA, BOB, CY]


def test_what_erp_refuses_is_left_alone_with_its_words(synced: Synced) -> None:
    synced.sql("erp", "CREATE TRIGGER no BEFORE DELETE ON contact WHEN OLD.email = 'bob@x' "
                      "BEGIN SELECT raise(ABORT, 'not bob'); END")  # fmt: skip
    ended = synced.undo(1)
    assert ended.pushed["erp"] == "2 delete"
    assert [(id_, "not bob" in reason) for _, id_, _, reason in left(ended)] == [(2, True)]


def test_no_value_is_in_the_log_of_an_undo(synced: Synced) -> None:
    synced.edit("crm", "ada@x", name="Secretname")
    synced.sync()
    synced.edit("erp", "ada@x", name="Othersecret")
    said = os.linesep.join(map(str, synced.undo(2).lines))
    assert "ecretname" not in said
    assert "Othersecret" not in said
