"""A reset of one object: it is read as if for the first time, once, in the mode of its activation; the others go on."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tidegate.worker.cache.file import FILE
from tidegate.worker.cache.store import Cache
from tidegate.worker.config.rules import SIDES as BOTH
from tidegate.worker.connectors.sql.rows import Rows

from .databases import SIDES, WITH_CURSOR, Databases, Ended
from .ledger import Contacts
from .world import CRASH, Act, Policies, World

COMPANIES = """
CREATE TABLE company (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
"""
COMPANY = {
    "name": "company", "crm": {"table": "company", "id": "id"}, "erp": {"table": "company", "id": "id"},
    "match": ["name"], "fields": [{"crm": "name", "erp": "name"}, {"crm": "city", "erp": "city"}],
    "conflict": "erp", "deletes": "propagate",
}  # fmt: skip
UNTOUCHED = {"crm": "", "erp": ""}


@pytest.fixture
def synced(databases: Databases) -> Databases:
    """Two contacts and two companies, the same on both sides."""
    for side in SIDES:
        databases.sql(side, COMPANIES)
    databases.add("crm", ("ada@x", "Ada"), ("bob@x", "Bob"))
    databases.sql("crm", "INSERT INTO company VALUES (1, 'Acme', 'Ulm'), (2, 'Duff', 'Bonn')")
    assert run(databases, scope="full").code == 0
    return databases


def config(databases: Databases, **contact: Any) -> dict[str, Any]:
    whole = databases.config(crm=WITH_CURSOR, erp=WITH_CURSOR, deletes="propagate", **contact)
    return {**whole, "objects": [*whole["objects"], COMPANY]}


def reset_of(*objects: str, began: str = "first", push: bool = True) -> dict[str, str]:
    asked = [{"object": each, "began": began, "push": push} for each in objects]
    return {"SYNC_RESET_OBJECTS": json.dumps(asked)}


def run(databases: Databases, resets: dict[str, str] | None = None, scope: str = "changes", **more: Any) -> Ended:
    contact = {key: more.pop(key) for key in ("fields", "match", "safety") if key in more}
    return databases.run(scope, config=config(databases, **contact), environment=resets, **more)


def companies(databases: Databases) -> list[list[tuple[Any, ...]]]:
    return [databases.query(side, "SELECT name, city FROM company ORDER BY name") for side in SIDES]


def test_its_records_are_paired_as_if_for_the_first_time_and_nothing_that_is_missing_is_deleted(
    synced: Databases,
) -> None:
    synced.delete("crm", "ada@x")
    ended = run(synced, reset_of("contact"))
    assert (ended.code, ended.pushed) == (0, {"crm": "1 create", "erp": ""})
    assert synced.contacts("crm") == synced.contacts("erp")
    assert ended.message["reason"] == "reset as requested: contact"


def test_the_other_objects_keep_what_is_remembered_of_them(synced: Databases) -> None:
    synced.query("crm", "DELETE FROM company WHERE name = 'Acme'")
    synced.query("crm", "UPDATE company SET city = 'Kiel' WHERE name = 'Duff'")
    ended = run(synced, reset_of("contact"), safety={"emptySide": "allow", "maxDeletes": {"percent": 100}})
    assert ended.pushed == {"crm": "", "erp": "1 update, 1 delete"}
    assert companies(synced) == [[("Duff", "Kiel")]] * 2


def test_it_is_carried_out_once_however_many_runs_are_asked_for_it(synced: Databases) -> None:
    run(synced, reset_of("contact"))
    synced.delete("crm", "ada@x")
    again = run(synced, reset_of("contact"), scope="full", safety={"emptySide": "allow"})
    assert again.pushed == {"crm": "", "erp": "1 delete"}
    synced.delete("crm", "bob@x")
    another = run(synced, reset_of("contact", began="second"))
    assert another.pushed == {"crm": "1 create", "erp": ""}


def test_with_future_only_differences_are_taken_as_known_while_other_objects_are_pushed(synced: Databases) -> None:
    synced.edit("crm", "ada@x", name="Ada of crm")
    synced.delete("erp", "bob@x")
    synced.query("crm", "UPDATE company SET city = 'Kiel' WHERE name = 'Duff'")
    before = [synced.contacts(side) for side in SIDES]
    ended = run(synced, reset_of("contact", push=False))
    assert (ended.code, ended.pushed) == (0, {"crm": "", "erp": "1 update"})
    assert [synced.contacts(side) for side in SIDES] == before
    synced.edit("crm", "ada@x", phone="+1")
    assert run(synced).pushed == {"crm": "", "erp": "1 update"}
    assert synced.contacts("erp") == [("ada@x", "Ada", "+1")]
    assert run(synced, scope="full").pushed == UNTOUCHED, "a full sync pushes what was taken as known"


def test_what_is_edited_after_that_is_pushed_although_the_run_is_asked_again(synced: Databases) -> None:
    synced.edit("crm", "ada@x", name="Ada of crm")
    run(synced, reset_of("contact", push=False))
    synced.edit("crm", "ada@x", phone="+1")
    assert run(synced, reset_of("contact", push=False)).pushed == {"crm": "", "erp": "1 update"}
    assert ("ada@x", "Ada", "+1") in synced.contacts("erp")


def test_a_halt_before_anything_is_accepted_leaves_the_rest_of_the_reset_to_the_next_run(synced: Databases) -> None:
    synced.edit("crm", "ada@x", name="Ada of crm")
    synced.query("crm", "DELETE FROM company")
    halted = run(synced, reset_of("contact", push=False))
    assert halted.code == 3
    synced.query("crm", "INSERT INTO company VALUES (1, 'Acme', 'Ulm'), (2, 'Duff', 'Bonn')")
    assert run(synced, reset_of("contact", push=False)).pushed == UNTOUCHED
    assert synced.contacts("crm") != synced.contacts("erp")


def test_a_later_activation_that_pushes_the_past_also_pushes_what_was_not_accepted_yet(synced: Databases) -> None:
    synced.edit("erp", "ada@x", name="Ada of erp")
    synced.query("crm", "DELETE FROM company")
    assert run(synced, reset_of("contact", push=False)).code == 3
    synced.query("crm", "INSERT INTO company VALUES (1, 'Acme', 'Ulm'), (2, 'Duff', 'Bonn')")
    ended = run(synced, reset_of("contact", push=True), scope="full")
    assert ended.pushed == {"crm": "1 update", "erp": ""}


def test_a_cache_that_was_made_for_other_match_fields_fits_after_a_reset_of_the_object(synced: Databases) -> None:
    by_name: dict[str, Any] = {
        "match": ["name"],
        "fields": [{"crm": "email", "erp": "email"}, {"crm": "name", "erp": "name"}],
    }
    ended = run(synced, **by_name)
    assert ended.code == 4
    assert ended.message["reason"].endswith(
        "made for the former; a reset of object contact alone is enough (--object contact)"
    )
    assert run(synced, reset_of("company"), **by_name).code == 4
    ended = run(synced, reset_of("contact"), **by_name)
    assert (ended.code, ended.pushed) == (0, UNTOUCHED)


def test_a_conflict_that_waits_is_decided_by_the_policy_again(databases: Databases) -> None:
    databases.add("crm", ("ada@x", "Ada"))
    databases.run()
    databases.edit("crm", "ada@x", name="Ada of crm")
    databases.edit("erp", "ada@x", name="Ada of erp")
    assert databases.run(conflict="park").message["waiting"] == 1
    ended = databases.run("changes", environment=reset_of("contact"), conflict="erp")
    assert (ended.message["waiting"], ended.pushed) == (0, {"crm": "1 update", "erp": ""})


def test_a_run_that_is_under_way_begins_again(synced: Databases) -> None:
    synced.add("crm", ("cy@x", "Cy"))
    stops = iter([False, False, True])
    paused = run(synced, interrupted=lambda: next(stops, True))
    assert paused.code == 75
    resumed = run(synced, reset_of("contact"), run=synced.runs)
    assert (resumed.code, resumed.message["read"]["crm"]) == (0, 5)
    assert synced.contacts("crm") == synced.contacts("erp")


def test_its_earlier_writes_cannot_be_undone_any_more_and_the_undo_says_so(databases: Databases) -> None:
    databases.add("crm", ("ada@x", "Ada"))
    journal = {**databases.config(), "journal": {}}
    databases.run(config=journal)
    databases.run("changes", config=journal, environment=reset_of("contact"))
    ended = databases.run(config=journal, environment={"SYNC_UNDO": "1"})
    (left,) = [line for line in ended.lines if line["type"] == "left"]
    assert left["reason"] == "spec.sync no longer syncs it, or its object was reset since"
    assert len(databases.contacts("erp")) == 1


def test_what_an_interrupted_undo_has_written_is_read_as_new_and_the_journal_waits_for_it_no_longer(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    databases.add("crm", ("ada@x", "Ada"))
    journalled = {**databases.config(), "journal": {}}
    databases.run(config=journalled)
    databases.edit("crm", "ada@x", name="Eve")
    databases.run(config=journalled)
    monkeypatch.setattr(Rows, "update", interrupt)
    with pytest.raises(KeyboardInterrupt):
        databases.run(config=journalled, environment={"SYNC_UNDO": "2"})
    monkeypatch.undo()
    assert databases.run("changes", run=4).code == 2, "the journal is still needed"
    assert databases.run("changes", config=journalled, environment=reset_of("contact")).code == 0
    assert databases.run("changes").code == 0


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_an_object_that_the_cache_does_not_know_yet_is_only_read(synced: Databases) -> None:
    synced.cache.joinpath("cache.sqlite").unlink()
    synced.cache.joinpath("cache.made").unlink()
    ended = run(synced, reset_of("contact"))
    assert (ended.code, ended.pushed) == (0, UNTOUCHED)


def test_it_leaves_no_table_out(tmp_path: Path) -> None:
    with closing(Cache(tmp_path, "1")):
        pass  # what opened it first has made its tables
    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        columns = {
            table: {name for _, name, *_ in db.execute(f"PRAGMA table_info({table})")}
            for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        of_records = {table: names for table, names in columns.items() if names & {"rid", "source"}}
        for table, names in of_records.items():
            row = [0 if name == "source" else 1 for name in names]
            db.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608
        db.commit()
    with closing(Cache(tmp_path, "1")) as cache, cache.transaction():
        cache.forget_all([0, 1])
    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        left = {table for table in of_records if db.execute(f"SELECT count(*) FROM {table}").fetchone() != (0,)}  # noqa: S608
    assert len(of_records) > 10
    assert left == set()


class TestInterruptedAtAnyStep:
    POLICIES = Policies("erp", "propagate", normalises=False)

    def begin(self, world: World) -> None:
        """Both sides are the same; then each is edited, loses a record, and gets one."""
        world.reset(self.POLICIES)
        for n in range(4):
            world.act(Act(0, "add", n))
        world.sync()
        for act in (
            Act(0, "edit name", 0), Act(1, "edit phone", 0), Act(0, "delete", 2), Act(1, "add", 6), Act(0, "add", 7),
        ):  # fmt: skip
            world.act(act)

    def end(self, world: World, *, push: bool, crash_at: int = 0) -> list[Contacts]:
        """After the reset, and an edit and a run that follow it."""
        world.request_reset(push=push)
        world.sync("changes", {crash_at: CRASH} if crash_at else {})
        world.act(Act(0, "edit phone", 1))
        world.sync("changes")
        return [world.contacts(side) for side in BOTH]

    @pytest.mark.parametrize("push", [True, False], ids=["PastAndFuture", "FutureOnly"])
    def test_it_ends_as_undisturbed(self, world: World, push: bool) -> None:
        self.begin(world)
        before = world.steps
        undisturbed = self.end(world, push=push)
        steps = world.steps - before
        assert (len(undisturbed[0]) == len(undisturbed[1])) == push
        for crash_at in range(1, steps + 1):
            self.begin(world)
            assert self.end(world, push=push, crash_at=crash_at) == undisturbed, f"crashed at step {crash_at}"


def test_a_plan_foresees_it_and_carries_nothing_out(synced: Databases) -> None:
    synced.sql("erp", "DELETE FROM contact WHERE email = 'bob@x'")
    asked = {**reset_of("contact"), "SYNC_PLAN": "true"}
    before = (synced.everything(), {file.name: file.read_bytes() for file in synced.cache.iterdir()})
    planned = run(synced, asked, "full", push=False)
    erp = next(s for s in planned.message["plan"]["sides"] if (s["object"], s["connector"]) == ("contact", "erp"))
    assert erp["create"] == 1, "what is gone from one side only is created again, as by a first run"
    assert "planned with the requested reset of contact" in planned.message["reason"]
    assert (synced.everything(), {file.name: file.read_bytes() for file in synced.cache.iterdir()}) == before
    assert run(synced, reset_of("contact")).pushed == {**UNTOUCHED, "erp": "1 create"}
