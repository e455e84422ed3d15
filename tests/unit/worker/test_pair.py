"""Pair: which records of the two sides belong together, by their match key. Whole runs on real databases."""

from typing import Any

import pytest

from tidegate.worker.run import pair as pair_module

from .databases import Databases

UNTOUCHED = {"crm": "", "erp": ""}
FIELDS = [{"crm": name, "erp": name} for name in ("email", "name", "phone")]


def test_records_with_the_same_key_are_linked_and_not_duplicated(databases: Databases) -> None:
    databases.add("crm", ("ada@x", "Ada", "1"), ("bob@x", "Bob", "2"))
    databases.add("erp", ("bob@x", "Bob", "2"), ("ada@x", "Ada", "1"))
    assert databases.run().pushed == UNTOUCHED
    databases.edit("crm", "ada@x", email="ada@new")
    assert databases.run().pushed == {"crm": "", "erp": "1 update"}
    assert [contact[0] for contact in databases.contacts("erp")] == ["ada@new", "bob@x"]


@pytest.mark.parametrize(
    ("match", "paired"), [("casefold", True), (None, False)], ids=["capitals are ignored", "capitals count"]
)
def test_a_field_may_be_matched_without_regard_to_case(databases: Databases, match: str | None, paired: bool) -> None:
    databases.add("crm", ("ADA@X", "Ada", "1"))
    databases.add("erp", ("ada@x", "Ada", "1"))
    databases.run(fields=[{"crm": "email", "erp": "email", "match": match}, *FIELDS[1:]])
    assert len(databases.contacts("crm")) == len(databases.contacts("erp")) == (1 if paired else 2)


@pytest.mark.parametrize("there", ["José", "Jose\u0301", "JOSE  ", " jose"])
def test_accents_and_spaces_may_be_ignored_in_a_match_field(databases: Databases, there: str) -> None:
    fields = [{"crm": "email", "erp": "email", "normalize": ["trim", "accents", "casefold"]}, *FIELDS[1:]]
    databases.add("crm", ("Jose", "Ada", "1"))
    databases.add("erp", (there, "Ada", "1"))
    assert databases.run(fields=fields).pushed == UNTOUCHED, "both are the same record, and nothing differs"
    databases.add("crm", ("josé", "Another", "2"))
    ended = databases.run(fields=fields)
    assert (ended.pushed, len(ended.parked)) == (UNTOUCHED, 1), "two records of one name are not guessed"


def test_several_fields_may_be_needed_to_match(databases: Databases) -> None:
    databases.add("crm", ("info@x", "Ada", "1"), ("info@x", "Bob", "2"))
    databases.add("erp", ("info@x", "Bob", None))
    assert databases.run(match=["email", "name"], fields=FIELDS).pushed == {"crm": "", "erp": "1 create, 1 update"}
    assert sorted(databases.contacts("erp")) == [("info@x", "Ada", "1"), ("info@x", "Bob", "2")]


def test_ambiguous_records_are_parked_and_neither_linked_nor_created(databases: Databases) -> None:
    databases.add("crm", ("info@x", "Ada", "1"), ("info@x", "Bob", "2"))
    databases.add("erp", ("info@x", "Info", "3"))
    before = databases.everything()
    ended = databases.run()
    assert ended.pushed == UNTOUCHED
    assert databases.everything() == before
    reasons = {reason for _, _, reason in ended.parked}
    assert reasons == {"other records of crm have the same email", "2 records of crm have the same email"}
    assert (ended.message["parked"], ended.message["reason"]) == (3, "3 waiting for a decision: see the run's log")


@pytest.mark.parametrize(("more", "fewer"), [("crm", "erp"), ("erp", "crm")])
def test_ambiguous_records_are_parked_on_whichever_side_has_more_of_them(
    databases: Databases, more: str, fewer: str
) -> None:
    databases.add("crm", ("info@x", "Ada", "1"), ("info@x", "Bob", "2"))
    databases.add("erp", ("info@x", "Info", "3"))
    databases.add(more, *[(f"p{n}@x", f"name {n}") for n in range(5)])
    ended = databases.run()
    assert ended.pushed == {more: "", fewer: "5 create"}
    assert ended.message["parked"] == 3


def test_parked_records_are_synced_when_they_are_no_longer_ambiguous(databases: Databases) -> None:
    databases.add("crm", ("info@x", "Ada", "1"), ("info@x", "Bob", "2"))
    databases.add("erp", ("info@x", "Ada", "1"))
    databases.run()
    databases.query("crm", "UPDATE contact SET email = 'bob@x' WHERE name = 'Bob'")
    ended = databases.run()
    assert ended.pushed == {"crm": "", "erp": "1 create"}
    assert ended.message["parked"] == 0
    assert databases.contacts("crm") == databases.contacts("erp")


@pytest.mark.parametrize("email", [None, ""])
def test_a_record_without_a_key_is_parked(databases: Databases, email: str | None) -> None:
    databases.add("crm", (email, "Ada", "1"))
    ended = databases.run()
    assert ended.parked == [("crm", "", "it cannot be matched: it has no email")]
    assert databases.contacts("erp") == []


def test_a_new_record_that_is_linked_to_another_already_is_parked(databases: Databases) -> None:
    databases.add("crm", ("ada@x", "Ada", "1"))
    databases.run()
    databases.add("crm", ("ada@x", "Ada's double", "2"))
    ended = databases.run()
    assert ended.parked == [("crm", "", "the record of erp with the same email is linked to another of crm")]
    assert databases.contacts("erp") == [("ada@x", "Ada", "1")]


def test_addresses_may_move_from_record_to_record_in_one_run(databases: Databases) -> None:
    databases.add("crm", ("ada@x", "Ada", "1"))
    databases.run()
    databases.edit("crm", "ada@x", email="ada@new")
    databases.add("crm", ("ada@x", "Ada's successor", "2"))
    assert databases.run().message["parked"] == 0
    assert databases.contacts("erp") == [("ada@new", "Ada", "1"), ("ada@x", "Ada's successor", "2")]


def test_two_records_that_lost_their_counterparts_are_paired_as_at_the_first_sync(databases: Databases) -> None:
    databases.add("crm", ("ada@x", "Ada", "1"))
    databases.add("erp", ("bob@x", "Bob", None))
    databases.run()
    databases.delete("crm", "bob@x")
    databases.delete("erp", "ada@x")
    databases.edit("crm", "ada@x", email="bob@x")
    assert databases.run(conflict="erp").message["conflicts"] == 1
    assert databases.contacts("crm") == databases.contacts("erp") == [("bob@x", "Bob", "1")]


def test_two_edited_records_that_lost_their_counterparts_do_not_wait_for_each_other(databases: Databases) -> None:
    databases.add("crm", ("ada@x", "Ada", "1"))
    databases.add("erp", ("bob@x", "Bob", None))
    databases.run()
    databases.delete("crm", "bob@x")
    databases.delete("erp", "ada@x")
    databases.edit("crm", "ada@x", email="new@x")
    databases.edit("erp", "bob@x", email="new@x")
    databases.run(conflict="erp")
    assert databases.contacts("crm") == databases.contacts("erp") == [("new@x", "Bob", "1")]


def test_an_accepted_record_stays_accepted_when_its_counterpart_becomes_unambiguous(
    databases: Databases,
) -> None:
    databases.add("crm", ("info@x", "Ada", "1"), ("info@x", "Bob", "2"))
    databases.add("erp", ("info@x", "Info", None))
    databases.run(push=False)
    databases.query("crm", "DELETE FROM contact WHERE name = 'Bob'")
    for _ in range(2):
        assert databases.run().pushed == UNTOUCHED
    databases.edit("erp", "info@x", phone="3")
    databases.run()
    assert databases.contacts("crm") == [("info@x", "Ada", "3")]


@pytest.mark.parametrize("batch", [1, 2, 3, 7])
def test_every_batch_size_pairs_the_same(databases: Databases, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    monkeypatch.setattr(pair_module, "_BATCH", batch)
    both: list[Any] = [(f"p{n}@x", "name") for n in range(20)]
    databases.add("crm", *both, *[(f"crm{n}@x", "name") for n in range(9)], ("twice@x", "a"), ("twice@x", "b"))
    databases.add("erp", *reversed(both), *[(f"erp{n}@x", "name") for n in range(5)], ("twice@x", "a"))
    databases.run(push=False)
    databases.query("crm", "UPDATE contact SET phone = '1'")
    assert databases.run().pushed == {"crm": "", "erp": "9 create, 20 update"}
