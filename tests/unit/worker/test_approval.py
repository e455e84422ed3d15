"""Approval: what a run would write is counted before its first write, and done when a person has approved it.

Whole runs on real databases.
"""

import json
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.api.contract import ExitCode
from tidegate.worker.journal.store import Journal
from tidegate.worker.run import steps
from tidegate.worker.run.push.batches import push

from .databases import SIDES, WITH_CURSOR, Databases, Ended
from .test_references import Firms

ALWAYS = {"SYNC_APPROVAL": "always"}
NOTHING = {"crm": "", "erp": ""}
CONTACTS = [(f"p{n}@x", f"name {n}", None) for n in range(100)]
NEW = [(f"q{n}@x", f"new {n}", None) for n in range(100)]


@pytest.fixture
def linked(databases: Databases) -> Databases:
    """A hundred contacts on both sides, synced."""
    databases.add("crm", *CONTACTS)
    databases.run()
    return databases


def approval(halted: Ended) -> dict[str, str]:
    """What the operator tells the run after a halted one that was approved."""
    assert halted.code == ExitCode.HALTED
    return {"SYNC_APPROVED": str(halted.message["run"]), "SYNC_CONFIRMED": json.dumps(halted.message["found"])}


def found(halted: Ended) -> list[tuple[str, str, str, int]]:
    return [(each["what"], each["object"], each["connector"], each["count"]) for each in halted.message["found"]]


def edit(databases: Databases, first: int, last: int, name: str = "edited", side: str = "crm") -> None:
    databases.query(side, "UPDATE contact SET name = ? WHERE id BETWEEN ? AND ?", name, first, last)


class TestTooManyRecordsAreCreated:
    LIMIT: dict[str, Any] = {"safety": {"maxCreates": {"percent": 20, "min": 10}}}

    def test_halts_the_run_before_it_writes_anything(self, linked: Databases) -> None:
        linked.add("crm", *NEW[:30])
        edit(linked, 1, 1)
        before = linked.everything()
        ended = linked.run(**self.LIMIT)
        assert (ended.code, ended.message["outcome"]) == (ExitCode.HALTED, "halted")
        assert ended.message["reason"] == (
            "30 contact records would be created in erp, more than the 20 % of 100 linked ones that safety.maxCreates "
            "allows: 101, 102, 103 and 27 more"
        )
        assert found(ended) == [("creates", "contact", "erp", 30)]
        assert linked.everything() == before

    def test_names_the_records_in_the_log(self, linked: Databases) -> None:
        linked.add("crm", *NEW[:30])
        lines = [line for line in linked.run(**self.LIMIT).lines if line["type"] == "planned"]
        planned = {"type": "planned", "object": "contact", "connector": "erp", "what": "create", "of": "crm"}
        assert lines == [{**planned, "id": n} for n in range(101, 131)]

    @pytest.mark.parametrize(
        ("new", "limit", "code"),
        [
            (20, {"percent": 20, "min": 10}, 0),
            (21, {"percent": 20, "min": 10}, 3),
            (10, {"percent": 5, "min": 10}, 0),
            (11, {"percent": 5, "min": 10}, 3),
            (1, {"percent": 0, "min": 0}, 3),
            (21, {}, 3),
            (100, {"percent": 100}, 0),
        ],
    )
    def test_is_more_than_a_share_and_a_number(
        self, linked: Databases, new: int, limit: dict[str, int], code: int
    ) -> None:
        linked.add("crm", *NEW[:new])
        ended = linked.run(safety={"maxCreates": limit})
        assert (ended.code, len(linked.contacts("erp"))) == (code, 100 if code else 100 + new)

    def test_does_not_count_what_is_there_on_both_sides(self, linked: Databases) -> None:
        linked.add("crm", *NEW[:30])
        linked.add("erp", *NEW[:30])
        assert linked.run(**self.LIMIT).pushed == NOTHING

    def test_halts_a_first_run_where_few_are_linked(self, databases: Databases) -> None:
        databases.add("crm", *CONTACTS[:12])
        databases.add("erp", *CONTACTS[:1])
        halted = databases.run(**self.LIMIT)
        assert found(halted) == [("creates", "contact", "erp", 11)]
        assert databases.run(**self.LIMIT, environment=approval(halted)).pushed == {"crm": "", "erp": "11 create"}

    def test_halts_a_run_that_reads_changes(self, databases: Databases) -> None:
        by_cursor: dict[str, Any] = {"crm": WITH_CURSOR, "erp": WITH_CURSOR, **self.LIMIT}
        databases.run(**by_cursor)
        databases.add("crm", *NEW[:11])
        assert databases.run("changes", **by_cursor).code == ExitCode.HALTED

    def test_is_no_matter_of_a_run_that_pushes_nothing(self, linked: Databases) -> None:
        linked.add("crm", *NEW)
        assert linked.run(push=False, **self.LIMIT).code == 0

    def test_counts_records_that_refer_to_each_other(self, databases: Databases) -> None:
        firms = Firms(databases)
        firms.sql("crm", "INSERT INTO company VALUES (1, 'Acme')")
        firms.sql("crm", "INSERT INTO person (id, email, company, boss) VALUES (1, 'a@x', 1, 2), (2, 'b@x', 1, NULL)")
        config = {**firms.config(), "safety": {"maxCreates": {"percent": 0, "min": 1}}}
        halted = databases.run(config=config)
        assert found(halted) == [("creates", "person", "erp", 2)]
        assert databases.run(config=config, environment=approval(halted)).pushed["erp"] == "3 create"


class TestTooManyRecordsAreUpdated:
    LIMIT: dict[str, Any] = {"safety": {"maxUpdates": {"percent": 20, "min": 10}}}

    def test_halts_the_run_before_it_writes_anything(self, linked: Databases) -> None:
        edit(linked, 1, 30)
        before = linked.everything()
        ended = linked.run(**self.LIMIT)
        assert ended.message["reason"] == (
            "30 contact records would be updated in erp, more than the 20 % of 100 linked ones that safety.maxUpdates "
            "allows: 1, 2, 3 and 27 more"
        )
        assert linked.everything() == before

    def test_is_counted_on_each_side(self, linked: Databases) -> None:
        edit(linked, 1, 15)
        edit(linked, 16, 30, side="erp")
        assert linked.run(**self.LIMIT).pushed == {"crm": "15 update", "erp": "15 update"}
        edit(linked, 1, 21, "again", side="erp")
        assert found(linked.run(**self.LIMIT)) == [("updates", "contact", "crm", 21)]

    def test_does_not_count_an_edit_that_is_the_same_on_both_sides(self, linked: Databases) -> None:
        edit(linked, 1, 30)
        edit(linked, 1, 30, side="erp")
        assert linked.run(**self.LIMIT).code == 0

    def test_counts_what_an_update_of_another_record_makes_necessary(self, databases: Databases) -> None:
        firms = Firms(databases)
        firms.sql("crm", "INSERT INTO company VALUES (1, 'Acme')")
        firms.sql("crm", "INSERT INTO person (email, company) VALUES ('a@x', 1), ('b@x', 1)")
        firms.run()
        firms.sql("crm", "UPDATE person SET company = NULL; DELETE FROM company WHERE id = 1")
        firms.sql("crm", "INSERT INTO company VALUES (9, 'Looms'); UPDATE person SET company = 9")
        config = {**firms.config(), "safety": {"maxUpdates": {"percent": 0, "min": 1}}}
        assert found(databases.run(config=config)) == [("updates", "person", "erp", 2)]


def test_without_a_limit_nothing_is_counted(linked: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(linked, 1, 1)
    monkeypatch.setattr(tempfile, "tempdir", str(linked.directory / "not there"))
    assert linked.run(safety={"maxUpdates": {"min": 1}}).code == 0, "no more than one can be updated"
    edit(linked, 1, 2)
    assert linked.run().code == 0
    edit(linked, 1, 2, "again")
    failed = linked.run(safety={"maxUpdates": {"min": 1}})
    assert failed.code not in (0, ExitCode.HALTED)
    assert failed.message["reason"].startswith(
        "what the run would write cannot be counted: the directory for temporary"
    )


def test_what_is_only_counted_is_in_no_journal(linked: Databases) -> None:
    linked.add("crm", *NEW[:3])
    config = {**linked.config(), "journal": {}}
    halted = linked.run(config=config, environment=ALWAYS)
    done = linked.run(config=config, environment={**ALWAYS, **approval(halted)})
    with closing(Journal(linked.cache)) as journal:
        assert [(each.run, len(list(journal.entries(each.run)))) for each in journal.runs()] == [
            (done.message["run"], 3)
        ]


class TestAlways:
    """With SYNC_APPROVAL=always a run that would write anything halts first."""

    def changed(self, databases: Databases, deletes: str = "propagate") -> Ended:
        databases.add("crm", *NEW[:3])
        edit(databases, 11, 12)
        edit(databases, 21, 21, side="erp")
        databases.delete("crm", "p0@x")
        return databases.run(deletes=deletes, environment=ALWAYS)

    def test_shows_what_the_run_would_do_and_writes_nothing(self, linked: Databases) -> None:
        before = linked.contacts("erp")
        halted = self.changed(linked)
        assert found(halted) == [
            ("updates", "contact", "crm", 1),
            ("creates", "contact", "erp", 3),
            ("updates", "contact", "erp", 2),
            ("deletes", "contact", "crm", 1),
        ]
        assert halted.message["reason"] == (
            "spec.approval is Always, and the run would update 1 contact record in crm, create 3 contact records in "
            "erp, update 2 contact records in erp, delete 1 contact record in erp"
        )
        assert halted.pushed == NOTHING
        assert linked.contacts("erp") != before  # the one that the test has edited itself
        assert len(linked.contacts("erp")) == 100

    def test_does_it_once_it_is_approved(self, linked: Databases) -> None:
        halted = self.changed(linked)
        ended = linked.run(deletes="propagate", environment={**ALWAYS, **approval(halted)})
        assert ended.pushed == {"crm": "1 update", "erp": "3 create, 2 update, 1 delete"}

    def test_names_the_records_in_the_log(self, linked: Databases) -> None:
        lines = [line for line in self.changed(linked).lines if line["type"] == "planned"]
        assert [(line["what"], line["connector"], line["id"], line.get("of")) for line in lines] == [
            ("update", "crm", 21, None),
            *(("create", "erp", n, "crm") for n in (101, 102, 103)),
            ("update", "erp", 11, None),
            ("update", "erp", 12, None),
            ("delete", "erp", 1, "crm"),
        ]

    def test_a_record_that_is_only_unlinked_is_not_written(self, linked: Databases) -> None:
        assert "deletes" not in {what for what, *_ in found(self.changed(linked, deletes="unlink"))}

    def test_asks_nothing_when_there_is_nothing_to_write(self, linked: Databases) -> None:
        assert linked.run(environment=ALWAYS).code == 0

    def test_asks_nothing_of_a_run_that_pushes_nothing(self, linked: Databases) -> None:
        linked.add("crm", *NEW)
        assert linked.run(push=False, environment=ALWAYS).code == 0

    def test_shows_what_looks_like_an_accident_with_the_rest_and_one_approval_is_of_both(
        self, linked: Databases
    ) -> None:
        linked.add("crm", *NEW[:1])
        linked.query("crm", "DELETE FROM contact WHERE id <= 30")
        halted = linked.run(deletes="propagate", environment=ALWAYS)
        assert found(halted) == [("deletes", "contact", "crm", 30), ("creates", "contact", "erp", 1)]
        ended = linked.run(deletes="propagate", environment={**ALWAYS, **approval(halted)})
        assert ended.pushed == {"crm": "", "erp": "1 create, 30 delete"}

    def test_many_objects_are_reported_by_side_and_kind_and_approved_together(self, databases: Databases) -> None:
        tables = [f"t{n}" for n in range(9)]
        for side in SIDES:
            databases.sql(side, ";".join(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, k TEXT)" for table in tables))
        for table in tables:
            databases.query("crm", f"INSERT INTO {table} (k) VALUES ('a'), ('b')")  # noqa: S608
        databases.query("erp", "INSERT INTO t0 (k) VALUES ('c')")
        fields = [{"crm": "k", "erp": "k"}]
        places = {table: {"table": table, "id": "id"} for table in tables}
        objects = [
            {"name": table, "match": ["k"], "fields": fields, **dict.fromkeys(SIDES, place)}
            for table, place in places.items()
        ]
        config = {"connectors": databases.config()["connectors"], "objects": objects}
        halted = databases.run(config=config, environment=ALWAYS)
        assert found(halted) == [("creates", "t0", "crm", 1), ("creates", "9 objects", "erp", 18)]
        ended = databases.run(config=config, environment={**ALWAYS, **approval(halted)})
        assert ended.pushed == {"crm": "1 create", "erp": "18 create"}


class TestAnApproval:
    """Is of what the halted run has shown, and of that run."""

    def halted(self, linked: Databases) -> Ended:
        linked.add("crm", *NEW[:30])
        return linked.run(environment=ALWAYS)

    def approved(self, linked: Databases, halted: Ended, **more: Any) -> Ended:
        return linked.run(environment={**ALWAYS, **approval(halted)}, **more)

    def test_lets_few_more_records_through_that_safety_allows_anyway(self, linked: Databases) -> None:
        halted = self.halted(linked)
        linked.add("crm", *NEW[30:50])
        edit(linked, 1, 20)
        assert self.approved(linked, halted).pushed == {"crm": "", "erp": "50 create, 20 update"}

    @pytest.mark.parametrize("what", ["creates", "updates"])
    def test_does_not_cover_many_more_records(self, linked: Databases, what: str) -> None:
        halted = self.halted(linked)
        if what == "creates":
            linked.add("crm", *NEW[30:51])
        else:
            edit(linked, 1, 21)
        before = linked.everything()
        again = self.approved(linked, halted)
        assert again.code == ExitCode.HALTED
        assert linked.everything() == before
        assert self.approved(linked, again).code == 0

    def test_does_not_cover_other_records_in_the_same_number(self, linked: Databases) -> None:
        halted = self.halted(linked)
        linked.query("crm", "DELETE FROM contact WHERE id > 100")
        linked.add("crm", *NEW[30:60])
        again = self.approved(linked, halted)
        assert again.code == ExitCode.HALTED
        assert found(again) == found(halted)
        assert again.message["found"] != halted.message["found"], "the digest tells them apart"

    def test_is_bounded_by_the_limit_that_is_declared(self, linked: Databases) -> None:
        halted = self.halted(linked)
        linked.add("crm", *NEW[30:31])
        assert self.approved(linked, halted, safety={"maxCreates": {"percent": 0, "min": 0}}).code == ExitCode.HALTED

    def test_is_of_no_use_for_a_later_run(self, linked: Databases) -> None:
        halted = self.halted(linked)
        assert self.approved(linked, halted).code == 0
        linked.add("crm", *NEW[30:60])
        assert self.approved(linked, halted).code == ExitCode.HALTED

    def test_is_of_no_use_when_a_later_run_has_halted(self, linked: Databases) -> None:
        halted = self.halted(linked)
        assert linked.run(environment=ALWAYS).code == ExitCode.HALTED
        assert self.approved(linked, halted).code == ExitCode.HALTED

    def test_is_of_no_use_when_the_cache_has_shown_something_else(self, linked: Databases) -> None:
        halted = self.halted(linked)
        halted.message["found"][0]["digest"] = "0" * 16
        assert self.approved(linked, halted).code == ExitCode.HALTED

    def test_serves_all_attempts_of_the_run_that_it_is_for(self, linked: Databases) -> None:
        halted = self.halted(linked)
        going_on = iter([False] * 8)
        paced = {"pace": {"recordsPerSecond": 100_000}}
        paused = self.approved(linked, halted, interrupted=lambda: next(going_on, True), **paced)
        assert paused.code == ExitCode.PAUSED
        assert self.approved(linked, halted, run=paused.message["run"], **paced).pushed["erp"] == "30 create"

    def test_is_that_of_an_operator_of_an_earlier_version_too(self, linked: Databases) -> None:
        linked.add("crm", *NEW[:30])
        limited: dict[str, Any] = {"safety": {"maxCreates": {}}}
        halted = linked.run(**limited)
        told = {"SYNC_ALLOW_DELETES": str(halted.message["run"]), "SYNC_CONFIRMED": approval(halted)["SYNC_CONFIRMED"]}
        assert linked.run(**limited, environment=told).pushed["erp"] == "30 create"


@pytest.mark.parametrize("what", ["deletes", "creates", "updates", "blanked"])
class TestWhatAnApprovedRunCannotDo:
    LIMITED: Mapping[str, Any] = {
        "deletes": "propagate", "crm": WITH_CURSOR, "erp": WITH_CURSOR,
        "safety": {f"max{what}": {"percent": 0, "min": 3} for what in ("Creates", "Updates", "Deletes", "Blanked")},
    }  # fmt: skip

    def change(self, databases: Databases, what: str, first: int = 1, last: int = 15, name: str = "edited") -> None:
        """Change these contacts of crm, or create as many new ones."""
        match what:
            case "deletes":
                databases.query("crm", "DELETE FROM contact WHERE id BETWEEN ? AND ?", first, last)
            case "creates":
                databases.add("crm", *NEW[first - 1 : last])
            case "updates":
                edit(databases, first, last, name)
            case _:
                databases.query("crm", "UPDATE contact SET name = NULL WHERE id BETWEEN ? AND ?", first, last)

    @pytest.fixture
    def refused(self, linked: Databases, what: str) -> Databases:
        """A run that would write 15 records has halted, was approved, and erp has refused all of them."""
        of = {
            "deletes": "DELETE ON contact WHEN OLD.id <= 15",
            "creates": "INSERT ON contact WHEN CAST(substr(NEW.name, 5) AS INTEGER) < 15",
            "updates": "UPDATE ON contact WHEN NEW.id <= 15",
            "blanked": "UPDATE ON contact WHEN NEW.id <= 15",
        }
        self.change(linked, what)
        linked.sql("erp", f"CREATE TRIGGER refuse BEFORE {of[what]} BEGIN SELECT RAISE(ABORT, 'no'); END")
        halted = linked.run(**self.LIMITED)
        assert found(halted)[0] == (what, "contact", "crm" if what in ("deletes", "blanked") else "erp", 15)
        ended = linked.run(**self.LIMITED, environment=approval(halted))
        assert (ended.code, ended.pushed, len(ended.parked)) == (0, NOTHING, 15)
        return linked

    @pytest.mark.parametrize("scope", ["full", "changes"])
    def test_halts_no_later_run(self, refused: Databases, what: str, scope: str) -> None:
        for name in ("Al", "Ben", "Cy"):
            edit(refused, 50, 52, name)
            ended = refused.run(scope, **self.LIMITED)
            assert (ended.code, ended.pushed["erp"]) == (0, "3 update")
        assert refused.run("full", **self.LIMITED).code == 0

    def test_is_done_once_the_system_takes_it_and_counts_against_no_limit(self, refused: Databases, what: str) -> None:
        refused.sql("erp", "DROP TRIGGER refuse")
        ended = refused.run(**self.LIMITED)
        assert (ended.code, ended.parked) == (0, [])
        assert refused.contacts("erp") == refused.contacts("crm")
        self.change(refused, what, 50, 52)
        assert refused.run(**self.LIMITED).code == 0
        assert refused.contacts("erp") == refused.contacts("crm")

    def test_leaves_the_limit_for_other_records(self, refused: Databases, what: str) -> None:
        self.change(refused, what, 50, 53)
        before = refused.everything()
        halted = refused.run(**self.LIMITED)
        assert (found(halted)[0][0], found(halted)[0][3]) == (what, 4)
        assert refused.everything() == before
        assert refused.run(**self.LIMITED, environment=approval(halted)).code == 0
        assert refused.run(**self.LIMITED).code == 0

    def test_is_not_approved_when_it_happens_again(self, refused: Databases, what: str) -> None:
        refused.sql("crm", "DELETE FROM contact WHERE id <= 15 OR name LIKE 'new %'")
        for n, (email, name, _) in enumerate(CONTACTS[:15], 1):
            refused.query("crm", "INSERT INTO contact (id, email, name) VALUES (?, ?, ?)", n, email, name)
        assert (refused.run(**self.LIMITED).code, refused.run(**self.LIMITED).parked) == (0, [])
        self.change(refused, what)
        assert refused.run(**self.LIMITED).code == ExitCode.HALTED

    def test_is_not_approved_where_the_approved_run_has_failed(
        self, linked: Databases, what: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.change(linked, what)
        halted = linked.run(**self.LIMITED)
        pushes = iter([push])  # the rehearsed one
        with monkeypatch.context() as patched:
            patched.setattr(steps, "push", lambda session: next(pushes)(session))
            failed = linked.run(**self.LIMITED, environment=approval(halted))
        assert (failed.code, failed.message["phase"]) == (1, "push")
        assert linked.run(**self.LIMITED).code == ExitCode.HALTED


def test_what_an_approved_run_has_done_is_not_approved_again(linked: Databases) -> None:
    limited: Mapping[str, Any] = {"safety": {"maxUpdates": {"percent": 0, "min": 3}}}
    edit(linked, 1, 15)
    assert linked.run(**limited, environment=approval(linked.run(**limited))).pushed["erp"] == "15 update"
    edit(linked, 1, 15, "edited again")
    assert linked.run(**limited).code == ExitCode.HALTED


_EMAILS = st.sampled_from(["a@x", "b@x", "c@x", "d@x", "e@x"])
_ACTS = st.lists(
    st.tuples(st.sampled_from(SIDES), st.sampled_from(["add", "edit", "rename", "delete"]), _EMAILS, _EMAILS),
    max_size=6,
)


@settings(max_examples=settings().max_examples // 4)
@given(
    before=_ACTS, shown=_ACTS, later=_ACTS, conflict=st.sampled_from(["crm", "erp", "park"]),
    deletes=st.sampled_from(["unlink", "propagate"]), other=st.sampled_from([-1, 0, 0, 1]),
)  # fmt: skip
def test_an_approved_run_does_what_was_shown_or_halts(
    directory_in_memory: Path, before: Any, shown: Any, later: Any, conflict: str, deletes: str, other: int
) -> None:
    """No more than was shown, with limits that allow nothing beside it; and nothing with another run's number."""
    with TemporaryDirectory(dir=directory_in_memory) as directory:
        databases = Databases(Path(directory))
        nothing = {"percent": 0, "min": 0}
        safety = {"maxCreates": nothing, "maxUpdates": nothing, "maxDeletes": nothing}
        free = {"maxDeletes": {"percent": 100}, "emptySide": "allow"}
        beside: dict[str, Any] = {"conflict": conflict, "deletes": deletes}
        sides: dict[str, Any] = {"safety": {**safety, "emptySide": "allow", "maxRekeyed": {"percent": 100}}}
        _act(databases, before, 1)
        databases.run(**beside, safety={**free, "maxRekeyed": {"percent": 100}})
        _act(databases, shown, 2)
        untouched = databases.everything()
        halted = databases.run(**beside, **sides, environment=ALWAYS)
        if halted.code == 0:
            assert halted.pushed == NOTHING
            assert databases.everything() == untouched
            return
        assert databases.everything() == untouched
        _act(databases, later, 3)
        untouched = databases.everything()
        told = {**approval(halted), "SYNC_APPROVED": str(halted.message["run"] + other)}
        ended = databases.run(**beside, **sides, environment={**ALWAYS, **told})
        if ended.code == ExitCode.HALTED:
            assert databases.everything() == untouched
            assert later or other, "what was shown is done"
            return
        assert other == 0 or ended.pushed == NOTHING, "an approval is of one run"
        counts = {(what, connector): count for what, _, connector, count in found(halted)}
        for side, across in (SIDES, SIDES[::-1]):
            pushed = ended.message["pushed"][side]
            assert pushed["create"] <= counts.get(("creates", side), 0)
            assert pushed["update"] <= counts.get(("updates", side), 0)
            assert pushed["delete"] <= counts.get(("deletes", across), 0)


def _act(databases: Databases, acts: list[tuple[str, str, str, str]], number: int) -> None:
    for side, what, email, other in acts:
        with closing(sqlite3.connect(databases.directory / f"{side}.db")) as connection, connection:
            value = f"value {number} of {side}"
            if what == "add":
                connection.execute("INSERT INTO contact (email, name) VALUES (?, ?)", (email, value))
            elif what == "edit":
                connection.execute("UPDATE contact SET name = ? WHERE email = ?", (value, email))
            elif what == "rename":
                connection.execute("UPDATE contact SET email = ? WHERE email = ?", (other, email))
            else:
                connection.execute("DELETE FROM contact WHERE email = ?", (email,))
