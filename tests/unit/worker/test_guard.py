"""Guard: what looks like an accident stops the run before anything is pushed. Whole runs on real databases."""

from itertools import count
from typing import Any

import pytest

from tidegate.api.contract import ExitCode

from .databases import WITH_CURSOR, Databases

CONTACTS = [(f"p{n}@x", f"name {n}", None) for n in range(100)]
PROPAGATE: dict[str, Any] = {"deletes": "propagate"}
GONE = "30 of 100 contact records are gone from crm and would be deleted in erp, more than the 20 % that "


@pytest.fixture
def linked(databases: Databases) -> Databases:
    """A hundred contacts on both sides, synced."""
    databases.add("crm", *CONTACTS)
    databases.run(**PROPAGATE)
    return databases


def mass_delete(databases: Databases, number: int) -> None:
    databases.query("crm", "DELETE FROM contact WHERE id <= ?", number)


class TestTooManyDeletes:
    def test_halt_the_run_before_it_writes_anything(self, linked: Databases) -> None:
        mass_delete(linked, 30)
        linked.edit("crm", "p99@x", name="an edit that waits as well")
        before = linked.everything()
        ended = linked.run(**PROPAGATE)
        assert (ended.code, ended.message["outcome"]) == (ExitCode.HALTED, "halted")
        assert ended.message["reason"] == f"{GONE}safety.maxDeletes allows"
        assert linked.everything() == before

    def test_are_named_in_the_log_at_most_a_hundred(self, linked: Databases) -> None:
        linked.add("crm", *[(f"q{n}@x", "new", None) for n in range(50)])
        linked.run(**PROPAGATE)
        mass_delete(linked, 40)
        named = [line for line in linked.run(**PROPAGATE).lines if line["type"] == "gone"]
        assert named[0] == {"type": "gone", "object": "contact", "connector": "crm", "id": 1}
        assert sorted(line["id"] for line in named) == list(range(1, 41))
        linked.query("crm", "DELETE FROM contact")
        emptied = linked.run(**PROPAGATE)
        assert emptied.code == ExitCode.HALTED
        assert len([line for line in emptied.lines if line["type"] == "gone"]) == 100

    def test_halt_every_run_until_a_human_has_looked(self, linked: Databases) -> None:
        mass_delete(linked, 30)
        for _ in range(3):
            assert linked.run(**PROPAGATE).code == ExitCode.HALTED

    def test_halt_a_run_that_reads_changes_only_too(self, linked: Databases) -> None:
        by_cursor: dict[str, Any] = {"crm": WITH_CURSOR, "erp": WITH_CURSOR, **PROPAGATE}
        linked.run(**by_cursor)
        mass_delete(linked, 30)
        assert linked.run(**by_cursor).code == ExitCode.HALTED
        assert linked.run("changes", **by_cursor).code == ExitCode.HALTED

    def test_go_through_when_they_are_confirmed_for_the_halted_run(self, linked: Databases) -> None:
        mass_delete(linked, 30)
        halted = linked.run(**PROPAGATE).message["run"]
        ended = linked.run(**PROPAGATE, environment={"SYNC_ALLOW_DELETES": str(halted)})
        assert (ended.code, ended.pushed) == (0, {"crm": "", "erp": "30 delete"})

    @pytest.mark.parametrize("confirmed", ["1", "3"])
    def test_are_not_confirmed_by_the_number_of_another_run(self, linked: Databases, confirmed: str) -> None:
        mass_delete(linked, 30)
        assert linked.run(**PROPAGATE).message["run"] == 2
        assert linked.run(**PROPAGATE, environment={"SYNC_ALLOW_DELETES": confirmed}).code == ExitCode.HALTED

    def test_are_not_confirmed_by_what_was_left_in_place_from_the_last_accident(self, linked: Databases) -> None:
        mass_delete(linked, 30)
        confirmation = {"SYNC_ALLOW_DELETES": str(linked.run(**PROPAGATE).message["run"])}
        assert linked.run(**PROPAGATE, environment=confirmation).code == 0
        mass_delete(linked, 60)
        assert linked.run(**PROPAGATE, environment=confirmation).code == ExitCode.HALTED

    def test_are_no_accident_any_more_when_the_records_are_there_again(self, linked: Databases) -> None:
        rows = linked.query("crm", "SELECT id, email, name FROM contact WHERE id <= 30")
        mass_delete(linked, 30)
        assert linked.run(**PROPAGATE).code == ExitCode.HALTED
        for row in rows:
            linked.query("crm", "INSERT INTO contact (id, email, name) VALUES (?, ?, ?)", *row)
        ended = linked.run(**PROPAGATE)
        assert (ended.code, ended.pushed) == (0, {"crm": "", "erp": ""})

    def test_are_let_go_by_a_read_only_run_that_is_confirmed(self, linked: Databases) -> None:
        mass_delete(linked, 30)
        halted = linked.run(**PROPAGATE, push=False)
        assert halted.code == ExitCode.HALTED
        confirmation = {"SYNC_ALLOW_DELETES": str(halted.message["run"])}
        assert linked.run(**PROPAGATE, push=False, environment=confirmation).code == 0
        assert linked.run(**PROPAGATE).pushed == {"crm": "", "erp": ""}
        assert len(linked.contacts("erp")) == 100


@pytest.mark.parametrize(
    ("deleted", "limit", "halts"),
    [
        (20, {"percent": 20, "min": 10}, False),
        (21, {"percent": 20, "min": 10}, True),
        (10, {"percent": 5, "min": 10}, False),
        (11, {"percent": 5, "min": 10}, True),
        (1, {"percent": 0, "min": 0}, True),
        (99, {"percent": 100, "min": 0}, False),
    ],
)
def test_the_limit_is_the_greater_of_a_share_and_a_number(
    linked: Databases, deleted: int, limit: dict[str, int], halts: bool
) -> None:
    mass_delete(linked, deleted)
    ended = linked.run(**PROPAGATE, safety={"maxDeletes": limit})
    assert ended.code == (ExitCode.HALTED if halts else 0)


def test_deletes_that_only_unlink_are_not_limited(linked: Databases) -> None:
    mass_delete(linked, 90)
    assert linked.run(deletes="unlink").code == 0


def test_records_that_are_gone_from_both_sides_are_not_counted(linked: Databases) -> None:
    for side in ("crm", "erp"):
        linked.query(side, "DELETE FROM contact WHERE email < 'p5'")
    assert linked.run(**PROPAGATE).code == 0


def test_what_vanishes_after_the_scan_is_deleted_by_the_next_run_that_has_scanned_it(linked: Databases) -> None:
    linked.query("erp", "UPDATE contact SET phone = '1' WHERE id <= 50")
    waits = count()

    def vanish() -> bool:
        if next(waits) == 5:  # when everything has been read and the guard has passed
            mass_delete(linked, 50)
        return False

    assert linked.run(**PROPAGATE, interrupted=vanish).pushed == {"crm": "", "erp": ""}
    assert len(linked.contacts("erp")) == 100
    assert linked.run(**PROPAGATE).code == ExitCode.HALTED


class TestASideThatIsEmpty:
    @pytest.mark.parametrize("deletes", ["unlink", "propagate"])
    def test_halts_the_run(self, linked: Databases, deletes: str) -> None:
        mass_delete(linked, 100)
        ended = linked.run(deletes=deletes)
        assert ended.code == ExitCode.HALTED
        assert ended.message["reason"] == "crm has no contact any more, and had 100 before"
        assert len(linked.contacts("erp")) == 100

    def test_may_be_allowed(self, linked: Databases) -> None:
        mass_delete(linked, 100)
        safety = {"emptySide": "allow", "maxDeletes": {"percent": 100}}
        assert linked.run(**PROPAGATE, safety=safety).pushed == {"crm": "", "erp": "100 delete"}

    def test_is_no_accident_when_it_was_empty_before(self, databases: Databases) -> None:
        databases.add("crm", CONTACTS[0])
        assert databases.run(**PROPAGATE).code == 0

    def test_halts_a_read_only_run_which_accepts_nothing(self, linked: Databases) -> None:
        linked.query("erp", "UPDATE contact SET name = 'accepted in erp'")
        assert linked.run(push=False).code == 0
        rows = linked.query("crm", "SELECT id, email, name FROM contact")
        mass_delete(linked, 100)
        linked.edit("erp", "p7@x", phone="an edit")
        assert linked.run(push=False).code == ExitCode.HALTED
        for row in rows:
            linked.query("crm", "INSERT INTO contact (id, email, name) VALUES (?, ?, ?)", *row)
        assert linked.run("changes", conflict="crm").pushed == {"crm": "1 update", "erp": ""}
        assert linked.contacts("erp")[0][1] == "accepted in erp"
