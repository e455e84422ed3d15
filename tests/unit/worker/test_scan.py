"""Scan: what a run reads, and what it takes note of. Whole runs on real databases."""

from collections.abc import Callable, Collection
from itertools import count
from typing import Any

import pytest

from tidegate.worker.run import steps
from tidegate.worker.values.normal_form import Hash, Hasher

from .databases import WITH_CURSOR, Databases

ADA, BOB, EVE = ("ada@x", "Ada", "1"), ("bob@x", "Bob", "2"), ("eve@x", "Eve", "3")
BY_CURSOR: dict[str, Any] = {"crm": WITH_CURSOR, "erp": WITH_CURSOR}
UNTOUCHED = {"crm": "", "erp": ""}


class TestAReadOnlyRun:
    def test_writes_nothing_to_either_side(self, databases: Databases) -> None:
        databases.add("crm", ADA, ("bob@x", "Bob", None))
        databases.add("erp", EVE, ("bob@x", "Robert", "2"))
        before = databases.everything()
        ended = databases.run(push=False)
        assert (ended.code, ended.pushed) == (0, UNTOUCHED)
        assert databases.everything() == before

    def test_accepts_all_differences_so_that_a_later_run_pushes_none_of_them(self, databases: Databases) -> None:
        databases.add("crm", ADA, ("bob@x", "Bob", None))
        databases.add("erp", EVE, ("bob@x", "Robert", "2"))
        databases.run(push=False)
        before = databases.everything()
        assert databases.run().pushed == UNTOUCHED
        assert databases.everything() == before

    def test_leaves_only_later_edits_to_be_pushed(self, databases: Databases) -> None:
        databases.add("crm", ADA, ("bob@x", "Bob", None))
        databases.add("erp", EVE, ("bob@x", "Robert", "2"))
        databases.run(push=False)
        databases.edit("crm", "bob@x", phone="99")
        assert databases.run().pushed == {"crm": "", "erp": "1 update"}
        assert databases.contacts("crm") == [ADA, ("bob@x", "Bob", "99")]
        assert databases.contacts("erp") == [("bob@x", "Robert", "99"), EVE]

    def test_leaves_it_to_a_later_edit_to_create_the_record_on_the_other_side(self, databases: Databases) -> None:
        databases.add("crm", ADA)
        databases.run(push=False)
        databases.edit("crm", "ada@x", name="Ada L.")
        assert databases.run().pushed == {"crm": "", "erp": "1 create"}
        assert databases.contacts("erp") == [("ada@x", "Ada L.", "1")]

    def test_forgets_what_was_deleted_so_that_no_delete_is_pushed_later(self, databases: Databases) -> None:
        databases.add("crm", ADA, BOB)
        databases.run(deletes="propagate")
        databases.delete("crm", "ada@x")
        databases.run(push=False, deletes="propagate")
        assert databases.run(deletes="propagate").pushed == UNTOUCHED
        assert databases.contacts("erp") == [ADA, BOB]

    def test_accepts_the_pending_records_of_an_earlier_run_even_with_scope_changes(self, databases: Databases) -> None:
        databases.add("crm", ADA, BOB)
        databases.run(**BY_CURSOR)
        databases.edit("crm", "ada@x", name="Ada L.")
        databases.edit("crm", "bob@x", name="Bobby")
        assert databases.run(**BY_CURSOR, interrupted=after(5)).message["checkpoint"] == "push"
        assert databases.run("changes", push=False, **BY_CURSOR).code == 0
        assert databases.run("changes", **BY_CURSOR).pushed == UNTOUCHED
        assert databases.contacts("erp") == [ADA, BOB]


def after(batches: int) -> Callable[[], bool]:
    """A signal that comes when so many batches have been done."""
    asked = count()
    return lambda: next(asked) >= batches


class TestAFullScan:
    def test_counts_read_and_changed_records(self, databases: Databases) -> None:
        databases.add("crm", ADA, BOB)
        databases.add("erp", ADA)
        ended = databases.run()
        assert ended.message["read"] == {"crm": 2, "erp": 1}
        assert ended.message["changed"] == {"crm": 2, "erp": 1}
        databases.edit("crm", "bob@x", phone="22")
        ended = databases.run()
        assert ended.message["read"] == {"crm": 2, "erp": 2}
        assert ended.message["changed"] == {"crm": 1, "erp": 0}

    def test_reads_more_than_one_page(self, databases: Databases) -> None:
        databases.add("crm", *[(f"p{n}@x", f"name {n}") for n in range(60)])
        ended = databases.run(pace={"recordsPerSecond": 100_000})
        assert ended.message["read"] == {"crm": 60, "erp": 0}
        assert len(databases.contacts("erp")) == 60

    def test_recognizes_a_record_that_came_back(self, databases: Databases) -> None:
        databases.add("crm", ADA)
        databases.run()
        ((rid, *values),) = databases.query("crm", "SELECT * FROM contact")
        databases.delete("crm", "ada@x")
        databases.run(deletes="propagate", safety={"emptySide": "halt"})
        databases.query("crm", "INSERT INTO contact (id, email, name, phone) VALUES (?, ?, ?, ?)", rid, *values[:3])
        assert databases.run(deletes="propagate").pushed == UNTOUCHED


class TestAScanOfChanges:
    def read(self, databases: Databases, scope: str = "changes", **changes: Any) -> dict[str, int]:
        read: dict[str, int] = databases.run(scope, **{**BY_CURSOR, **changes}).message["read"]
        return read

    def test_reads_everything_the_first_time(self, databases: Databases) -> None:
        databases.add("crm", ADA, BOB)
        assert self.read(databases) == {"crm": 2, "erp": 0}

    def test_reads_from_the_last_cursor(self, databases: Databases) -> None:
        databases.add("crm", ADA, BOB, EVE)
        databases.run(**BY_CURSOR)
        databases.run("changes", **BY_CURSOR)  # which meets what the run itself has written
        databases.edit("crm", "bob@x", name="Bobby")
        assert self.read(databases) == {"crm": 2, "erp": 1}  # the edit, and the newest of before: both ends count
        assert ("bob@x", "Bobby", "2") in databases.contacts("erp")

    def test_reads_an_object_without_a_cursor_whole(self, databases: Databases) -> None:
        databases.add("crm", ADA, BOB, EVE)
        self.read(databases, "full", erp={"table": "contact", "id": "id"})
        assert self.read(databases, erp={"table": "contact", "id": "id"}) == {"crm": 1, "erp": 3}

    def test_reads_everything_when_the_cursor_setting_changes(self, databases: Databases) -> None:
        databases.add("crm", ADA, BOB, EVE)
        databases.run(**BY_CURSOR)
        assert self.read(databases, crm={**WITH_CURSOR, "cursor": "id"})["crm"] == 3

    def test_does_not_detect_a_delete_until_the_next_full_scan(self, databases: Databases) -> None:
        databases.add("crm", ADA, BOB, EVE)
        databases.run(**BY_CURSOR, deletes="propagate")
        databases.delete("crm", "bob@x")
        databases.run("changes", **BY_CURSOR, deletes="propagate")
        assert len(databases.contacts("erp")) == 3
        databases.run("full", **BY_CURSOR, deletes="propagate")
        assert len(databases.contacts("erp")) == 2

    def test_is_a_full_scan_once_per_full_scan_interval(self, databases: Databases) -> None:
        databases.add("crm", ADA, BOB, EVE)
        databases.run(**BY_CURSOR)
        databases.run("changes", **BY_CURSOR)
        assert self.read(databases, fullScanEvery="1h") == {"crm": 1, "erp": 1}
        assert self.read(databases, fullScanEvery="0s") == {"crm": 3, "erp": 3}

    def test_is_a_full_scan_when_a_field_is_new(self, databases: Databases) -> None:
        databases.add("crm", ADA, BOB)
        fields = [{"crm": name, "erp": name} for name in ("email", "name", "phone")]
        databases.run(**BY_CURSOR, fields=fields[:2])
        assert [contact[2] for contact in databases.contacts("erp")] == [None, None]
        assert self.read(databases, fields=fields) == {"crm": 2, "erp": 2}
        assert databases.contacts("erp") == [ADA, BOB]


@pytest.fixture
def timed(databases: Databases) -> Databases:
    """Contacts with a time of their last change, as text."""
    for side in ("crm", "erp"):
        databases.sql(side, "ALTER TABLE contact ADD COLUMN changed_at TEXT")
    return databases


def test_changes_are_read_with_an_overlap_for_late_commits(timed: Databases) -> None:
    def add(email: str, ago: str) -> None:
        changed_at = f"strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-{ago}')"
        timed.query("crm", f"INSERT INTO contact (email, changed_at) VALUES (?, {changed_at})", email)  # noqa: S608

    place = {"table": "contact", "id": "id", "cursor": "changed_at"}
    add("ada@x", "0 seconds")
    timed.run(crm=place)
    add("late@x", "20 seconds")
    add("later@x", "10 minutes")
    timed.run("changes", crm=place, overlap="30s")
    assert [contact[0] for contact in timed.contacts("erp")] == ["ada@x", "late@x"]
    timed.run("changes", crm=place, overlap="15m")
    assert [contact[0] for contact in timed.contacts("erp")] == ["ada@x", "late@x", "later@x"]


@pytest.mark.parametrize("push", [True, False], ids=["read-write", "read-only"])
def test_the_fields_of_a_changed_record_are_hashed_once_by_the_scan(
    databases: Databases, monkeypatch: pytest.MonkeyPatch, push: bool
) -> None:
    databases.add("crm", *[(f"p{n}@x", f"name {n}", None) for n in range(20)])
    databases.run()
    databases.query("crm", "UPDATE contact SET name = 'new ' || name")
    hashed = 0
    of_texts = Hasher.of_texts

    def counted(hasher: Hasher, texts: Collection[str | None]) -> list[Hash]:
        nonlocal hashed
        hashed += sum(text is not None and "new name" in text for text in texts)
        return of_texts(hasher, texts)

    monkeypatch.setattr(Hasher, "of_texts", counted)
    monkeypatch.setattr(steps, "push", lambda _: None)
    databases.run(push=push)
    assert hashed == 20
