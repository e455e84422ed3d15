"""Written is what is kept: what a system accepts and does not keep is told once, and not repeated."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tidegate.worker.merge.kept import is_a_form_of, unkept

from .databases import WITH_CURSOR, Databases

UNTOUCHED = {"crm": "", "erp": ""}
ADA, BOB = ("ada@x", "Ada", "1"), ("bob@x", "Bob", "2")
NOT_KEPT = (
    "erp accepted the new phone and did not keep it: a trigger, a view or a field that cannot be written may be why; "
    "it is written again when it was edited"
)
STUBBORN = "CREATE TRIGGER stubborn AFTER UPDATE OF phone ON contact BEGIN UPDATE contact SET phone = OLD.phone WHERE id = OLD.id; END;"  # noqa: E501


@pytest.fixture
def linked(databases: Databases) -> Databases:
    """Ada and Bob on both sides, synced."""
    databases.add("crm", ADA, BOB)
    databases.run()
    return databases


class TestAFieldWithItsFormerValue:
    @pytest.fixture
    def stubborn(self, linked: Databases) -> Databases:
        linked.sql("erp", STUBBORN)
        return linked

    @pytest.mark.parametrize("scope", ["full", "changes"])
    def test_is_reported_once_and_not_written_again(self, stubborn: Databases, scope: str) -> None:
        stubborn.edit("crm", "ada@x", phone="11")
        ended = stubborn.run(scope, crm=WITH_CURSOR, erp=WITH_CURSOR)
        assert (ended.pushed, ended.parked) == (UNTOUCHED, [("crm", "phone", NOT_KEPT)])
        for conflict in ("crm", "erp", "park"):
            ended = stubborn.run(scope, crm=WITH_CURSOR, erp=WITH_CURSOR, conflict=conflict)
            assert (ended.pushed, ended.message["changed"], ended.message["waiting"]) == (
                UNTOUCHED, {"crm": 0, "erp": 0}, 1
            )  # fmt: skip

    def test_does_not_block_the_others(self, stubborn: Databases) -> None:
        stubborn.edit("crm", "ada@x", phone="11", name="Ada L.")
        assert stubborn.run().pushed == {"crm": "", "erp": "1 update"}
        assert stubborn.contacts("erp")[0] == ("ada@x", "Ada L.", "1")

    @pytest.mark.parametrize("side", ["crm", "erp"])
    def test_is_settled_by_an_edit_of_either_side(self, stubborn: Databases, side: str) -> None:
        stubborn.edit("crm", "ada@x", phone="11")
        stubborn.run()
        stubborn.sql("erp", "DROP TRIGGER stubborn")
        stubborn.edit(side, "ada@x", phone="111")
        assert stubborn.run().message["waiting"] == 0
        assert stubborn.contacts("crm") == stubborn.contacts("erp") == [("ada@x", "Ada", "111"), BOB]

    def test_holds_an_edit_that_beats_a_delete(self, stubborn: Databases) -> None:
        stubborn.edit("crm", "ada@x", phone="11")
        stubborn.run()
        stubborn.delete("erp", "ada@x")
        stubborn.run(deletes="propagate")
        assert stubborn.contacts("crm")[0] == ("ada@x", "Ada", "11")


def test_a_field_that_a_new_record_lacks_is_reported(databases: Databases) -> None:
    databases.sql(
        "erp",
        "CREATE TRIGGER drop_it AFTER INSERT ON contact BEGIN UPDATE contact SET phone = NULL WHERE id = NEW.id; END;",
    )
    databases.add("crm", ADA, ("bob@x", "Bob", None))
    ended = databases.run()
    assert (ended.pushed, ended.parked) == ({"crm": "", "erp": "2 create"}, [("crm", "phone", NOT_KEPT)])
    ended = databases.run()
    assert (ended.pushed, ended.message["waiting"]) == (UNTOUCHED, 1)


def test_an_unchanged_whole_amount_does_not_count_as_rounded(databases: Databases) -> None:
    for side in ("crm", "erp"):
        databases.sql(side, "ALTER TABLE contact ADD price NUMERIC(10, 2)")
    fields = [{"crm": "email", "erp": "email"}, {"crm": "price", "erp": "price"}]
    databases.query("crm", "INSERT INTO contact (email, price) VALUES ('ada@x', 5)")
    databases.run(fields=fields)
    databases.sql("erp", STUBBORN.replace("phone", "price"))
    databases.query("crm", "UPDATE contact SET price = 5.9")
    ended = databases.run(fields=fields)
    assert (ended.pushed, ended.parked) == (UNTOUCHED, [("crm", "price", NOT_KEPT.replace("phone", "price"))])


class TestAnIneffectiveDelete:
    @pytest.fixture
    def flagging(self, linked: Databases) -> Databases:
        """Who is deleted in erp is only marked."""
        linked.sql(
            "erp",
            "CREATE TRIGGER mark BEFORE DELETE ON contact BEGIN "
            "UPDATE contact SET name = 'deleted: ' || OLD.name WHERE id = OLD.id; SELECT RAISE(IGNORE); END;",
        )
        linked.delete("crm", "ada@x")
        return linked

    def test_is_reported_once_and_neither_repeated_nor_undone_on_the_other_side(self, flagging: Databases) -> None:
        ended = flagging.run(deletes="propagate")
        assert ended.pushed == UNTOUCHED
        assert ended.parked == [
            ("erp", "", "it was deleted in crm, and erp accepted the delete and still has it: a trigger or a policy of "
             "the database may be why")
        ]  # fmt: skip
        before = flagging.everything()
        for _ in range(2):
            ended = flagging.run(deletes="propagate")
            assert (ended.pushed, ended.message["waiting"], flagging.everything()) == (UNTOUCHED, 1, before)

    def test_is_settled_when_the_record_is_gone(self, flagging: Databases) -> None:
        flagging.run(deletes="propagate")
        flagging.sql("erp", "DROP TRIGGER mark; DELETE FROM contact WHERE email = 'ada@x'")
        ended = flagging.run(deletes="propagate")
        assert (ended.pushed, ended.message["waiting"]) == (UNTOUCHED, 0)

    def test_is_beaten_by_an_edit_of_the_remaining_record(self, flagging: Databases) -> None:
        flagging.run(deletes="propagate")
        flagging.edit("erp", "ada@x", phone="11")
        assert flagging.run(deletes="propagate").pushed == {"crm": "1 create", "erp": ""}


@pytest.mark.parametrize(
    ("stored", "sent", "kept"),
    [
        ("ADA", "Ada", True),
        ("ada l.", " Ada  L. ", True),
        ("1", "11", False),
        (None, "11", False),
        ("11", None, False),
        ("", None, True),
        (Decimal("1.23"), Decimal("1.234"), True),
        (Decimal("1.23"), Decimal("1.25"), False),
        (Decimal("5.00"), Decimal("5.90"), False),
        (Decimal(2), Decimal("2.5"), True),
        ("5.00", "5.004", True),
        ("5.00", "5.90", False),
        (5, Decimal("5.9"), False),
        (5.0, 5.9, False),
        (16777216.0, 16777217, True),
        (12, 13, False),
        (date(2026, 1, 2), datetime(2026, 1, 2, 3, 4, tzinfo=UTC), True),
        (datetime(2026, 1, 2, 3, 4, 5), datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC), True),
        (datetime(2026, 1, 2, 3, 4, 5), datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC), False),
        (1, "true", True),
        (0, "False", True),
        (1, "False", False),
    ],
)
def test_a_value_stored_in_another_form_counts_as_kept(stored: Any, sent: Any, kept: bool) -> None:
    assert is_a_form_of(stored, sent) is kept
    assert unkept([0], [sent], [stored], [stored]) == ([] if kept else [0])
    assert unkept([0], [sent], ["before"], [stored]) == []
