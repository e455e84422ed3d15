"""Push: what is written, and what is not. Whole runs on real databases."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tidegate.worker.connectors import Description
from tidegate.worker.connectors.sql import Database
from tidegate.worker.connectors.sql.rows import Rows
from tidegate.worker.run.push.find_existing import look_up
from tidegate.worker.run.push.work import Work
from tidegate.worker.run.push.write import intend
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import SourcePair

from .databases import FIELDS, WITH_CURSOR, Databases

UNTOUCHED = {"crm": "", "erp": ""}
ADA, BOB = ("ada@x", "Ada", "1"), ("bob@x", "Bob", "2")
BOTH_CHANGED = "it was changed on both sides, to different values"


@pytest.fixture
def linked(databases: Databases) -> Databases:
    """Ada and Bob on both sides, synced."""
    databases.add("crm", ADA, BOB)
    databases.run()
    return databases


def test_a_push_is_no_larger_than_either_system_s_batch(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    pushed: list[int] = []

    def open_small(database: Database, description: Description) -> Rows:
        rows = open_it(database, description)
        rows.batch = 2 if description.title.endswith("crm") else 3
        return rows

    def intend_and(session: Session, both: SourcePair, works: Sequence[Work]) -> None:
        pushed.append(len(works))
        intend(session, both, works)

    open_it = Database.open
    monkeypatch.setattr(Database, "open", open_small)
    monkeypatch.setattr("tidegate.worker.run.push.batches.intend", intend_and)
    databases.add("crm", *((f"p{n}@x", "P", str(n)) for n in range(5)))
    databases.run()
    assert pushed == [2, 2, 1]


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Let something happen once between the worker's read and its write."""

    def arrange(event: Callable[[], None]) -> None:
        events = [event]

        def intend_and(*values: Any) -> None:
            intend(*values)
            if events:
                events.pop()()

        monkeypatch.setattr("tidegate.worker.run.push.batches.intend", intend_and)

    return arrange


class TestTheFirstSync:
    def test_creates_each_record_on_the_side_that_lacks_it(self, databases: Databases) -> None:
        databases.add("crm", ADA)
        databases.add("erp", BOB)
        assert databases.run().pushed == {"crm": "1 create", "erp": "1 create"}
        assert databases.contacts("crm") == databases.contacts("erp") == [ADA, BOB]

    def test_fills_blanks_from_either_side_and_lets_the_policy_decide_the_rest(self, databases: Databases) -> None:
        databases.add("crm", ("ada@x", "Ada", None))
        databases.add("erp", ("ada@x", "Ada L.", "1"))
        ended = databases.run(conflict="erp")
        assert ended.message["conflicts"] == 1
        assert databases.contacts("crm") == databases.contacts("erp") == [("ada@x", "Ada L.", "1")]

    def test_of_equal_records_writes_nothing(self, databases: Databases) -> None:
        databases.add("crm", ADA, ("bob@x", "", None))
        databases.add("erp", ("bob@x", None, ""), ADA)
        ended = databases.run()
        assert (ended.pushed, ended.message["conflicts"]) == (UNTOUCHED, 0)

    def test_leaves_nothing_to_do_for_a_second_run(self, databases: Databases) -> None:
        databases.add("crm", ADA, *[(f"p{n}@x", f"name {n}") for n in range(1200)])
        assert databases.run().pushed == {"crm": "", "erp": "1201 create"}
        ended = databases.run()
        assert (ended.pushed, ended.message["changed"]) == (UNTOUCHED, {"crm": 0, "erp": 0})


class TestEdits:
    def test_are_pushed_field_by_field(self, linked: Databases) -> None:
        linked.edit("crm", "ada@x", name="Ada L.")
        linked.edit("erp", "ada@x", phone="11")
        assert linked.run().pushed == {"crm": "1 update", "erp": "1 update"}
        assert linked.contacts("crm") == linked.contacts("erp") == [("ada@x", "Ada L.", "11"), BOB]

    def test_that_are_equal_on_both_sides_are_no_conflict(self, linked: Databases) -> None:
        for side in ("crm", "erp"):
            linked.edit(side, "ada@x", name="Ada L.")
        ended = linked.run()
        assert (ended.pushed, ended.message["conflicts"]) == (UNTOUCHED, 0)

    def test_to_no_value_clear_the_field_on_the_other_side(self, linked: Databases) -> None:
        linked.edit("crm", "ada@x", phone=None)
        linked.run()
        assert linked.contacts("erp") == [("ada@x", "Ada", None), BOB]

    def test_made_while_the_run_writes_are_merged_and_not_overwritten(
        self, linked: Databases, meanwhile: Callable[[Callable[[], None]], None]
    ) -> None:
        linked.edit("crm", "ada@x", name="Ada L.")
        meanwhile(lambda: linked.edit("erp", "ada@x", phone="11"))
        assert linked.run().message["conflicts"] == 0
        assert linked.contacts("crm") == linked.contacts("erp") == [("ada@x", "Ada L.", "11"), BOB]

    def test_made_while_the_run_writes_to_the_same_field_are_a_conflict(
        self, linked: Databases, meanwhile: Callable[[Callable[[], None]], None]
    ) -> None:
        linked.edit("crm", "ada@x", name="Ada L.")
        meanwhile(lambda: linked.edit("erp", "ada@x", name="A. Lovelace"))
        ended = linked.run(conflict="park")
        assert ended.parked == [("crm", "name", BOTH_CHANGED)]
        assert linked.contacts("erp")[0] == ("ada@x", "A. Lovelace", "1")

    def test_in_conflict_stay_parked_when_the_record_is_edited_while_the_run_writes(
        self, linked: Databases, meanwhile: Callable[[Callable[[], None]], None]
    ) -> None:
        linked.edit("crm", "ada@x", name="Ada L.", phone="11")
        linked.edit("erp", "ada@x", name="A. Lovelace")
        meanwhile(lambda: linked.edit("erp", "ada@x", email="ada@new"))
        ended = linked.run(conflict="park")
        assert ended.parked == [("crm", "name", BOTH_CHANGED)]
        assert (ended.message["parked"], ended.message["conflicts"]) == (1, 1)
        assert linked.contacts("crm")[0] == ("ada@new", "Ada L.", "11")
        assert linked.contacts("erp")[0] == ("ada@new", "A. Lovelace", "11")

    def test_of_a_field_in_conflict_do_not_settle_it_before_it_was_reported(
        self, linked: Databases, meanwhile: Callable[[Callable[[], None]], None]
    ) -> None:
        linked.edit("crm", "ada@x", name="Ada L.", phone="11")
        linked.edit("erp", "ada@x", name="A. Lovelace")
        meanwhile(lambda: linked.edit("erp", "ada@x", name="Countess"))
        ended = linked.run(conflict="park")
        assert ended.parked == [("crm", "name", BOTH_CHANGED)]
        assert linked.contacts("crm")[0] == ("ada@x", "Ada L.", "11")
        assert linked.contacts("erp")[0] == ("ada@x", "Countess", "11")


class TestConflicts:
    @pytest.mark.parametrize(("policy", "name"), [("crm", "Ada of crm"), ("erp", "Ada of erp")])
    def test_are_won_by_the_side_that_the_policy_names(self, linked: Databases, policy: str, name: str) -> None:
        for side in ("crm", "erp"):
            linked.edit(side, "ada@x", name=f"Ada of {side}")
        ended = linked.run(conflict=policy)
        assert (ended.message["conflicts"], ended.message["parked"]) == (1, 0)
        assert linked.contacts("crm") == linked.contacts("erp") == [("ada@x", name, "1"), BOB]

    def test_are_parked_and_unchanged_until_they_are_settled(self, linked: Databases) -> None:
        for side in ("crm", "erp"):
            linked.edit(side, "ada@x", name=f"Ada of {side}")
        before = linked.everything()
        for _ in range(2):
            ended = linked.run(conflict="park")
            assert (ended.code, ended.pushed, ended.message["parked"]) == (0, UNTOUCHED, 1)
            assert linked.everything() == before

    @pytest.mark.parametrize("side", ["crm", "erp"])
    def test_are_settled_by_an_edit_of_either_side(self, linked: Databases, side: str) -> None:
        for each in ("crm", "erp"):
            linked.edit(each, "ada@x", name=f"Ada of {each}")
        linked.run(conflict="park")
        linked.edit(side, "ada@x", name="Ada Lovelace")
        assert linked.run(conflict="park").message["parked"] == 0
        assert linked.contacts("crm") == linked.contacts("erp") == [("ada@x", "Ada Lovelace", "1"), BOB]

    def test_are_settled_by_making_both_sides_equal(self, linked: Databases) -> None:
        for each in ("crm", "erp"):
            linked.edit(each, "ada@x", name=f"Ada of {each}")
        linked.run(conflict="park")
        linked.edit("crm", "ada@x", name="Ada of erp")
        assert linked.run(conflict="park").pushed == UNTOUCHED
        assert linked.run(conflict="park").message["parked"] == 0

    def test_of_one_field_do_not_block_the_others(self, linked: Databases) -> None:
        linked.edit("crm", "ada@x", name="Ada of crm", phone="11")
        linked.edit("erp", "ada@x", name="Ada of erp")
        linked.run(conflict="park")
        assert linked.contacts("erp")[0] == ("ada@x", "Ada of erp", "11")

    @pytest.mark.parametrize(("policy", "name"), [("crm", "Ada of crm"), ("erp", "Ada of erp")])
    def test_that_are_parked_are_settled_by_a_policy_that_names_a_winner(
        self, linked: Databases, policy: str, name: str
    ) -> None:
        for side in ("crm", "erp"):
            linked.edit(side, "ada@x", name=f"Ada of {side}")
        linked.run(conflict="park")
        ended = linked.run("changes", conflict=policy)
        assert (ended.message["conflicts"], ended.message["waiting"]) == (1, 0)
        assert linked.contacts("crm") == linked.contacts("erp") == [("ada@x", name, "1"), BOB]
        assert linked.run(conflict=policy).pushed == UNTOUCHED

    def test_that_are_parked_are_won_by_the_newest_side_where_it_is_known(self, linked: Databases) -> None:
        by_cursor: dict[str, Any] = {"crm": WITH_CURSOR, "erp": WITH_CURSOR}
        for side in ("crm", "erp"):
            linked.edit(side, "ada@x", name=f"Ada of {side}")
            linked.edit(side, "bob@x", name=f"Bob of {side}")
        linked.run(conflict="park", **by_cursor)
        linked.sql("erp", "UPDATE contact SET version = 99 WHERE email = 'ada@x'")
        linked.sql("erp", "UPDATE contact SET version = 4 WHERE email = 'bob@x'")
        linked.sql("crm", "UPDATE contact SET version = 4 WHERE email = 'bob@x'")
        ended = linked.run(conflict="newest", **by_cursor)
        assert (ended.message["conflicts"], ended.message["waiting"]) == (1, 1)
        assert linked.contacts("crm")[0] == ("ada@x", "Ada of erp", "1")

    def test_that_are_parked_and_accepted_by_a_read_only_run_are_not_settled_later(self, linked: Databases) -> None:
        for side in ("crm", "erp"):
            linked.edit(side, "ada@x", name=f"Ada of {side}")
        linked.run(conflict="park")
        linked.run(push=False)
        assert linked.run(conflict="crm").pushed == UNTOUCHED

    @pytest.mark.parametrize("deletes", ["unlink", "propagate"])
    @pytest.mark.parametrize(("side", "kept"), [("crm", "erp"), ("erp", "crm")])
    def test_that_are_parked_beat_a_delete_like_any_edit(
        self, linked: Databases, side: str, kept: str, deletes: str
    ) -> None:
        for each in ("crm", "erp"):
            linked.edit(each, "ada@x", name=f"Ada of {each}")
        linked.run(conflict="park")
        linked.delete(side, "ada@x")
        assert linked.run(conflict="park", deletes=deletes).pushed == {side: "1 create", kept: ""}
        assert linked.contacts("crm") == linked.contacts("erp") == [("ada@x", f"Ada of {kept}", "1"), BOB]
        assert linked.run(conflict="park", deletes=deletes).message["waiting"] == 0


class TestDeletes:
    def test_only_unlink_by_default(self, linked: Databases) -> None:
        linked.delete("crm", "ada@x")
        assert linked.run().pushed == UNTOUCHED
        assert linked.contacts("erp") == [ADA, BOB]
        assert linked.run().pushed == UNTOUCHED

    def test_are_propagated_when_configured(self, linked: Databases) -> None:
        linked.delete("crm", "ada@x")
        linked.delete("erp", "bob@x")
        ended = linked.run(deletes="propagate", safety={"emptySide": "allow"})
        assert ended.pushed == {"crm": "1 delete", "erp": "1 delete"}
        assert linked.contacts("crm") == linked.contacts("erp") == []

    @pytest.mark.parametrize("deletes", ["unlink", "propagate"])
    def test_are_beaten_by_an_edit(self, linked: Databases, deletes: str) -> None:
        linked.delete("crm", "ada@x")
        linked.edit("erp", "ada@x", phone="11")
        assert linked.run(deletes=deletes).pushed == {"crm": "1 create", "erp": ""}
        assert linked.contacts("crm") == linked.contacts("erp") == [("ada@x", "Ada", "11"), BOB]

    def test_are_not_propagated_over_an_edit_made_while_the_run_writes(
        self, linked: Databases, meanwhile: Callable[[Callable[[], None]], None]
    ) -> None:
        linked.delete("crm", "ada@x")
        meanwhile(lambda: linked.edit("erp", "ada@x", phone="11"))
        linked.run(deletes="propagate")
        assert linked.contacts("crm") == linked.contacts("erp") == [("ada@x", "Ada", "11"), BOB]

    def test_on_both_sides_are_removed_from_the_cache(self, linked: Databases) -> None:
        for side in ("crm", "erp"):
            linked.delete(side, "ada@x")
        assert linked.run(deletes="propagate").pushed == UNTOUCHED
        assert linked.contacts("crm") == linked.contacts("erp") == [BOB]


class TestDirections:
    def test_a_field_with_one_direction_keeps_the_other_side_s_edits(self, linked: Databases) -> None:
        fields = [*FIELDS[:2], {"crm": "phone", "erp": "phone", "direction": "to-erp"}]
        linked.edit("erp", "ada@x", phone="11")
        assert linked.run(fields=fields).pushed == UNTOUCHED
        linked.edit("crm", "ada@x", phone="12")
        assert linked.run(fields=fields).pushed == {"crm": "", "erp": "1 update"}

    def test_records_are_neither_created_nor_deleted_where_match_fields_are_not_written(
        self, databases: Databases
    ) -> None:
        fields = [{"crm": "email", "erp": "email", "direction": "to-erp"}, *FIELDS[1:]]
        databases.add("crm", ADA)
        databases.add("erp", BOB)
        assert databases.run(fields=fields, deletes="propagate").pushed == {"crm": "", "erp": "1 create"}
        databases.delete("erp", "ada@x")
        assert databases.run(fields=fields, deletes="propagate").pushed == UNTOUCHED
        assert databases.contacts("crm") == [ADA]


class TestASystemThatAltersValues:
    @pytest.fixture
    def shouting(self, databases: Databases) -> Databases:
        databases.sql(
            "erp",
            "CREATE TRIGGER shout_new AFTER INSERT ON contact BEGIN "
            "UPDATE contact SET name = upper(NEW.name) WHERE id = NEW.id; END;"
            "CREATE TRIGGER shout AFTER UPDATE OF name ON contact BEGIN "
            "UPDATE contact SET name = upper(NEW.name) WHERE id = NEW.id; END;",
        )
        databases.add("crm", ADA)
        return databases

    def test_is_not_mistaken_for_an_edit(self, shouting: Databases) -> None:
        shouting.run()
        for _ in range(2):
            assert shouting.run().pushed == UNTOUCHED
        assert (shouting.contacts("crm")[0][1], shouting.contacts("erp")[0][1]) == ("Ada", "ADA")

    def test_still_exchanges_edits_both_ways(self, shouting: Databases) -> None:
        shouting.run()
        shouting.edit("crm", "ada@x", name="Ada L.")
        assert shouting.run().pushed == {"crm": "", "erp": "1 update"}
        assert shouting.run().pushed == UNTOUCHED
        assert (shouting.contacts("crm")[0][1], shouting.contacts("erp")[0][1]) == ("Ada L.", "ADA L.")
        shouting.edit("erp", "ada@x", name="Lovelace")
        assert shouting.run().pushed == {"crm": "1 update", "erp": ""}
        assert shouting.contacts("crm")[0][1] == "LOVELACE"
        assert shouting.run().pushed == UNTOUCHED

    def test_is_equal_when_the_field_is_normalized(self, shouting: Databases) -> None:
        fields = [FIELDS[0], {"crm": "name", "erp": "name", "normalize": "casefold"}, FIELDS[2]]
        shouting.run(fields=fields)
        shouting.edit("crm", "ada@x", name="ada")
        assert shouting.run(fields=fields).pushed == UNTOUCHED
        shouting.edit("erp", "ada@x", name="Lovelace")
        assert shouting.run(fields=fields).pushed == {"crm": "1 update", "erp": ""}

    def test_may_change_a_field_that_was_not_pushed(self, databases: Databases) -> None:
        databases.sql(
            "erp",
            "CREATE TRIGGER ring AFTER UPDATE OF name ON contact BEGIN "
            "UPDATE contact SET phone = 'ask ' || NEW.name WHERE id = NEW.id; END;",
        )
        databases.add("crm", ADA)
        databases.run()
        databases.edit("crm", "ada@x", name="Ada L.")
        databases.run()
        databases.run()
        assert databases.contacts("crm") == databases.contacts("erp") == [("ada@x", "Ada L.", "ask Ada L.")]


class TestASystemThatRefuses:
    @pytest.fixture
    def strict(self, databases: Databases) -> Databases:
        refusal = "BEGIN SELECT RAISE(ABORT, 'phone numbers have digits') WHERE NEW.phone GLOB '*[a-z]*'; END;"
        databases.sql("erp", f"CREATE TRIGGER new BEFORE INSERT ON contact {refusal}")
        databases.sql("erp", f"CREATE TRIGGER edited BEFORE UPDATE ON contact {refusal}")
        return databases

    def test_parks_a_refused_record_with_its_message_and_syncs_the_others(self, strict: Databases) -> None:
        strict.add("crm", ADA, ("bob@x", "Bob", "none"))
        ended = strict.run()
        assert ended.code == 0
        assert ended.parked == [("crm", "", "erp refuses it: phone numbers have digits")]
        assert strict.contacts("erp") == [ADA]

    def test_the_report_counts_what_this_run_set_aside_apart_from_what_waits_in_all(self, strict: Databases) -> None:
        strict.add("crm", ADA, ("bob@x", "Bob", "none"))
        counts = [strict.run().message]
        strict.add("crm", ("eve@x", "Eve", "none"))
        counts += [strict.run().message, strict.run().message]
        assert [(said["setAside"], said["waiting"]) for said in counts] == [(1, 1), (1, 2), (0, 2)]

    def test_parks_a_refused_edit_until_it_is_fixed(self, strict: Databases) -> None:
        strict.add("crm", ADA)
        strict.run()
        strict.edit("crm", "ada@x", phone="none")
        for _ in range(2):
            ended = strict.run()
            assert (ended.pushed, ended.message["parked"]) == (UNTOUCHED, 1)
        strict.edit("crm", "ada@x", phone="12")
        assert strict.run().message["parked"] == 0
        assert strict.contacts("erp") == [("ada@x", "Ada", "12")]

    def test_still_has_its_own_edits_pushed(self, strict: Databases) -> None:
        strict.add("crm", ADA)
        strict.run()
        strict.edit("crm", "ada@x", phone="none")
        strict.edit("erp", "ada@x", name="Ada L.")
        strict.run()
        assert strict.contacts("crm") == [("ada@x", "Ada L.", "none")]


def test_records_entered_on_both_sides_after_the_scan_are_linked_and_merged_in_the_same_run(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add_and_look_up(*values: Any, patient: bool) -> None:
        if not databases.contacts("erp"):
            databases.add("erp", ("ada@x", "Ada", None))
        look_up(*values, patient=patient)

    monkeypatch.setattr("tidegate.worker.run.push.batches.look_up", add_and_look_up)
    databases.add("crm", ADA)
    assert databases.run().pushed == {"crm": "", "erp": "1 update"}
    assert databases.contacts("erp") == [ADA]
