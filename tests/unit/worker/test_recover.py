"""Recover and resume: a run that was cut short goes on where it was, and knows its own pushes again.

Whole runs on real databases. Every step at which a run can be cut is in test_crash_points.
"""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import count
from typing import Any

import pytest

from tidegate.api.contract import ExitCode
from tidegate.worker.cache.file import FILE
from tidegate.worker.connectors import Page
from tidegate.worker.connectors.sql.rows import Rows
from tidegate.worker.errors import SystemFailed
from tidegate.worker.run.push import batches as push_module

from .databases import Databases, Ended

ADA, BOB = ("ada@x", "Ada", "1"), ("bob@x", "Bob", "2")
UNTOUCHED = {"crm": "", "erp": ""}


def after(batches: int) -> Callable[[], bool]:
    """A signal that comes when so many batches have been done."""
    asked = count()
    return lambda: next(asked) >= batches


def test_a_create_in_doubt_is_not_repeated_while_the_target_s_list_may_omit_it(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    databases.add("crm", ADA)
    create, scan = Rows.create, Rows.scan

    def lose_the_answer(rows: Rows, items: Sequence[Any]) -> Any:
        create(rows, items)
        databases.edit("crm", "ada@x", email="new@x")
        raise SystemFailed("connector erp: the connection was reset")

    def leave_out(rows: Rows, *place: Any) -> Page:
        page = scan(rows, *place)
        erp = [record for record in page.records if "ada@x" in record.values]
        return page._replace(records=[], doubt="its pages do not add up") if erp else page

    with monkeypatch.context() as disturbed:
        disturbed.setattr(Rows, "create", lose_the_answer)
        assert databases.run().code == 1
    with monkeypatch.context() as disturbed:
        disturbed.setattr(Rows, "scan", leave_out)
        ended = databases.run(run=1)
        assert (ended.code, ended.pushed, ended.message["waiting"]) == (0, UNTOUCHED, 1)
        assert "may have created it in erp under a match key that it no longer has" in ended.parked[0][2]
        assert (databases.run().pushed, len(databases.contacts("erp"))) == (UNTOUCHED, 1)
    ended = databases.run()
    assert (ended.code, ended.message["waiting"]) == (0, 0)
    assert databases.contacts("crm") == databases.contacts("erp") == [("new@x", "Ada", "1")]


@pytest.mark.parametrize("renamed", [False, True])
def test_a_create_that_replaces_a_deleted_record_is_not_repeated(
    databases: Databases, monkeypatch: pytest.MonkeyPatch, renamed: bool
) -> None:
    databases.add("crm", ADA, BOB)
    databases.run()
    databases.edit("crm", "ada@x", phone="11")
    databases.delete("erp", "ada@x")
    create = Rows.create

    def lose_the_answer(rows: Rows, items: Sequence[Any]) -> Any:
        create(rows, items)
        if renamed:
            databases.edit("crm", "ada@x", email="aba@x")
        raise SystemFailed("connector erp: the connection was reset")

    with monkeypatch.context() as disturbed:
        disturbed.setattr(Rows, "create", lose_the_answer)
        assert databases.run().code == int(renamed)  # found by its match key at once, or by the next attempt
    assert databases.run(run=2).code == 0
    assert databases.contacts("crm") == databases.contacts("erp")
    assert len(databases.contacts("erp")) == 2
    assert databases.run().pushed == UNTOUCHED


class TestAPausedRun:
    @pytest.fixture
    def full(self, databases: Databases) -> Databases:
        databases.add("crm", *[(f"p{n}@x", f"name {n}") for n in range(40)])
        return databases

    def paused(self, databases: Databases, run: int, batches: int) -> Ended:
        """A run of pages of ten records."""
        return databases.run(run=run, interrupted=after(batches), pace={"recordsPerSecond": 20})

    @pytest.fixture(autouse=True)
    def no_waiting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tidegate.worker.run.throttle.Pace.took", lambda *_: None)

    def test_resumes_from_its_checkpoint_and_reads_no_page_twice(self, full: Databases) -> None:
        ended = self.paused(full, 1, 3)
        assert ended.code == ExitCode.PAUSED
        assert (ended.message["read"]["crm"], ended.message["checkpoint"]) == (20, "scan crm contact > 20")
        ended = self.paused(full, 1, 99)
        assert (ended.code, ended.message["read"]) == (0, {"crm": 40, "erp": 0})
        assert len(full.contacts("erp")) == 40

    def test_may_be_paused_at_every_batch_and_does_all_its_work_once(self, full: Databases) -> None:
        pauses = 0
        while (ended := self.paused(full, 1, 2)).code == ExitCode.PAUSED:
            pauses += 1
        assert pauses > 5
        assert ended.code == 0
        assert (ended.message["read"], ended.pushed) == ({"crm": 40, "erp": 0}, {"crm": "", "erp": "40 create"})
        assert len(full.contacts("erp")) == 40

    def test_detects_the_records_that_were_deleted_before_the_pause_and_no_others(self, full: Databases) -> None:
        full.run(deletes="propagate")
        full.delete("crm", "p1@x", "p39@x")
        assert full.run(run=2, deletes="propagate", interrupted=after(3), pace={"recordsPerSecond": 20}).code == 75
        ended = full.run(run=2, deletes="propagate")
        assert ended.pushed == {"crm": "", "erp": "2 delete"}

    def test_counts_the_seconds_of_all_its_attempts(self, full: Databases) -> None:
        first = self.paused(full, 1, 3).message["seconds"]
        assert self.paused(full, 1, 99).message["seconds"] >= first > 0

    def test_of_another_number_starts_over_and_keeps_the_cache(self, full: Databases) -> None:
        self.paused(full, 1, 3)
        ended = self.paused(full, 2, 99)
        assert ended.message["read"] == {"crm": 40, "erp": 0}
        assert len(full.contacts("erp")) == 40

    def test_that_is_complete_does_no_further_work(self, full: Databases) -> None:
        self.paused(full, 1, 99)
        full.edit("crm", "p1@x", name="edited")
        ended = self.paused(full, 1, 99)
        assert (ended.code, ended.message["checkpoint"], ended.message["read"]["crm"]) == (0, "complete", 40)
        assert ("p1@x", "name 1", None) in full.contacts("erp")


class Crash(BaseException):
    """The process is gone."""


@pytest.fixture
def crashing(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A run that ends after its first batch was written and before that was noted."""

    def run(number: int, **changes: Any) -> None:
        def crash(*_: object, **__: object) -> None:
            raise Crash

        with monkeypatch.context() as patch:
            patch.setattr(push_module, "acknowledge", crash)
            with pytest.raises(Crash):
                databases.run(run=number, **changes)

    return run


@pytest.mark.parametrize("resumed_as", [1, 2], ids=["the same run", "the next run"])
class TestAnUnacknowledgedCreate:
    def test_is_found_and_linked(self, databases: Databases, crashing: Callable[..., None], resumed_as: int) -> None:
        databases.add("crm", ADA, BOB)
        crashing(1)
        assert databases.contacts("erp") == [ADA, BOB]
        ended = databases.run(run=resumed_as)
        assert (ended.code, ended.message["conflicts"]) == (0, 0)
        assert databases.contacts("crm") == databases.contacts("erp") == [ADA, BOB]
        assert databases.run(run=3).pushed == UNTOUCHED

    def test_is_found_although_the_record_s_key_has_changed(
        self, databases: Databases, crashing: Callable[..., None], resumed_as: int
    ) -> None:
        databases.add("crm", ADA, BOB)
        crashing(1)
        databases.edit("crm", "ada@x", email="ada@new")
        databases.run(run=resumed_as)
        assert [contact[0] for contact in databases.contacts("erp")] == ["ada@new", "bob@x"]
        assert databases.contacts("crm") == databases.contacts("erp")

    def test_is_deleted_when_its_source_record_was_deleted(
        self, databases: Databases, crashing: Callable[..., None], resumed_as: int
    ) -> None:
        databases.add("crm", ADA, BOB)
        crashing(1)
        databases.delete("crm", "ada@x")
        databases.run(run=resumed_as, deletes="propagate")
        databases.run(run=3, deletes="propagate")
        assert databases.contacts("crm") == databases.contacts("erp") == [BOB]

    def test_keeps_an_edit_that_was_made_since(
        self, databases: Databases, crashing: Callable[..., None], resumed_as: int
    ) -> None:
        databases.add("crm", ADA, BOB)
        crashing(1)
        databases.delete("crm", "ada@x")
        databases.edit("erp", "ada@x", phone="11")
        databases.run(run=resumed_as, deletes="propagate")
        databases.run(run=3, deletes="propagate")
        assert databases.contacts("crm") == databases.contacts("erp") == [("ada@x", "Ada", "11"), BOB]


class TestAnUnacknowledgedBatch:
    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """With how many records each look-up in a system was made."""
        asked: list[int] = []

        def count(verb: str) -> None:
            ask = getattr(Rows, verb)

            def ask_and_count(rows: Rows, items: Sequence[Any]) -> Any:
                asked.append(len(items))
                return ask(rows, items)

            monkeypatch.setattr(Rows, verb, ask_and_count)

        for verb in ("get", "find"):
            count(verb)
        return asked

    def intents(self, databases: Databases) -> int:
        with closing(sqlite3.connect(databases.cache / FILE)) as cache:
            (count,) = cache.execute("SELECT count(*) FROM intent").fetchone()
        return int(count)

    def test_of_creates_is_recovered_by_one_look_up_for_all(
        self, databases: Databases, crashing: Callable[..., None], asked: list[int]
    ) -> None:
        databases.add("crm", *[(f"p{n}@x", f"name {n}") for n in range(40)])
        crashing(1)
        asked.clear()
        assert databases.run(run=2).pushed == UNTOUCHED
        assert len([count for count in asked if count]) < 10
        assert databases.contacts("crm") == databases.contacts("erp")

    def test_of_updates_is_recovered_by_one_look_up_for_all(
        self, databases: Databases, crashing: Callable[..., None], asked: list[int]
    ) -> None:
        databases.add("crm", *[(f"p{n}@x", f"name {n}") for n in range(40)])
        databases.run()
        for side, field in (("crm", "name"), ("erp", "phone")):
            databases.sql(side, f"UPDATE contact SET {field} = 'edited'")  # noqa: S608
        crashing(2)
        databases.sql("crm", "UPDATE contact SET name = 'edited again'")
        asked.clear()
        ended = databases.run(run=3)
        assert (ended.pushed, ended.message["conflicts"]) == ({"crm": "", "erp": "40 update"}, 0)
        assert len([count for count in asked if count]) < 10
        assert databases.contacts("crm") == databases.contacts("erp")

    def test_is_recovered_in_parts_and_can_be_interrupted_between_them(
        self, databases: Databases, crashing: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tidegate.worker.run.throttle.Pace.took", lambda *_: None)
        databases.add("crm", *[(f"p{n}@x", f"name {n}") for n in range(40)])
        crashing(1)
        assert self.intents(databases) == 40
        ended = databases.run(run=1, interrupted=after(2), pace={"recordsPerSecond": 20})
        assert (ended.code, self.intents(databases)) == (ExitCode.PAUSED, 20)
        assert databases.run(run=1).pushed == UNTOUCHED
        assert databases.contacts("crm") == databases.contacts("erp")

    def test_leaves_in_doubt_only_the_records_that_the_system_fails_on(
        self, databases: Databases, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        databases.add("crm", *[(f"p{n}@x", f"name {n}") for n in range(40)])
        create, find = Rows.create, Rows.find
        answers = [False]

        def lose_the_answer(rows: Rows, items: Sequence[Any]) -> Any:
            create(rows, items)
            answers.append(True)
            raise SystemFailed("connector erp: the connection was reset")

        def fail_on_one(rows: Rows, wanted: Sequence[tuple[Any, ...]]) -> Any:
            if answers[-1] and ("p7@x",) in wanted:
                raise SystemFailed("connector erp: internal error")
            return find(rows, wanted)

        with monkeypatch.context() as disturbed:
            disturbed.setattr(Rows, "create", lose_the_answer)
            disturbed.setattr(Rows, "find", fail_on_one)
            ended = databases.run()
        assert (ended.code, self.intents(databases)) == (1, 1)
        assert "whether 1 of its records were written" in str(ended.message)
        assert databases.run(run=1).code == 0
        assert databases.contacts("crm") == databases.contacts("erp")


class TestAnUnacknowledgedUpdate:
    def test_is_recognized_as_the_sync_s_own_and_a_newer_edit_of_the_same_field_is_no_conflict(
        self, databases: Databases, crashing: Callable[..., None]
    ) -> None:
        databases.add("crm", ADA)
        databases.run(conflict="erp")
        databases.edit("crm", "ada@x", name="Ada L.")
        crashing(2, conflict="erp")
        assert databases.contacts("erp") == [("ada@x", "Ada L.", "1")]
        databases.edit("crm", "ada@x", name="Ada Lovelace")
        ended = databases.run(run=2, conflict="erp")
        assert ended.message["conflicts"] == 0
        assert databases.contacts("crm") == databases.contacts("erp") == [("ada@x", "Ada Lovelace", "1")]

    def test_that_was_overwritten_by_an_edit_on_the_other_side_is_a_conflict(
        self, databases: Databases, crashing: Callable[..., None]
    ) -> None:
        databases.add("crm", ADA)
        databases.run()
        databases.edit("crm", "ada@x", name="Ada L.")
        crashing(2)
        databases.edit("erp", "ada@x", name="Countess")
        ended = databases.run(run=2, conflict="park")
        assert ended.message["conflicts"] == 1  # whether it was written in between, nobody can tell
        assert databases.contacts("erp") == [("ada@x", "Countess", "1")]


def test_a_read_only_run_after_a_crash_accepts_the_written_values(
    databases: Databases, crashing: Callable[..., None]
) -> None:
    databases.add("crm", ADA, BOB)
    crashing(1)
    before = databases.everything()
    assert databases.run(run=2, push=False).pushed == UNTOUCHED
    assert databases.run(run=3).pushed == UNTOUCHED
    assert databases.everything() == before


def test_an_unacknowledged_delete_is_not_missed(databases: Databases, crashing: Callable[..., None]) -> None:
    databases.add("crm", ADA, BOB)
    databases.run(deletes="propagate")
    databases.delete("crm", "ada@x")
    crashing(2, deletes="propagate")
    assert databases.contacts("erp") == [BOB]
    ended = databases.run(run=2, deletes="propagate")
    assert (ended.code, ended.pushed) == (0, UNTOUCHED)
    assert databases.contacts("crm") == databases.contacts("erp") == [BOB]
