"""A run that is asked for a plan (SYNC_PLAN): it says what a full sync would do, and writes nothing."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tidegate.api.contract import ExitCode
from tidegate.worker.cache.store import Cache
from tidegate.worker.epoch import Expected, prepare
from tidegate.worker.epoch import main as epoch_main

from .databases import SIDES, Databases, Ended

PLAN = {"SYNC_PLAN": "true"}


@pytest.fixture
def databases(tmp_path: Path) -> Databases:
    """With a cache of epoch 1, as the container before the worker prepares it."""
    made = Databases(tmp_path)
    prepare(made.cache, Expected("1"))
    return made


def plan(databases: Databases, **more: Any) -> Ended:
    environment = {**PLAN, **more.pop("environment", {})}
    return databases.run(push=False, environment=environment, **more)


def everything(databases: Databases) -> tuple[Any, ...]:
    """What the systems hold, and each byte of the cache's directory."""
    return databases.everything(), {file.name: file.read_bytes() for file in databases.cache.iterdir()}


def counts(ended: Ended) -> dict[str, str]:
    """What would be written to each side, in the words of `Ended.pushed`."""
    sides = {side["connector"]: side for side in ended.message["plan"]["sides"]}
    verbs = ("create", "update", "delete")
    return {name: ", ".join(f"{sides[name][verb]} {verb}" for verb in verbs if sides[name][verb]) for name in SIDES}


def a_life(databases: Databases) -> dict[str, Any]:
    """Two databases that have been synced and edited since; returns the configuration."""
    databases.add("crm", ("a@x", "Ada"), ("b@x", "Bob"), ("e@x", "Eve"))
    databases.add("erp", ("b@x", "Bob"), ("c@x", "Cid"))
    config = databases.config(deletes="propagate", conflict="park", safety={"maxDeletes": {"percent": 100, "min": 10}})
    databases.run(config=config)
    databases.delete("crm", "a@x")
    databases.edit("erp", "b@x", name="Bobby")
    databases.edit("crm", "e@x", name="Evelyn")
    databases.edit("erp", "e@x", name="Eva")
    databases.add("crm", ("d@x", "Dora"))
    return config


def test_it_reports_what_the_next_full_run_then_does(databases: Databases) -> None:
    config = a_life(databases)
    before = everything(databases)
    ended = plan(databases, config=config)
    assert everything(databases) == before
    assert ended.code == ExitCode.COMPLETE
    assert (ended.message["outcome"], ended.message["push"], ended.message["plan"]["first"]) == (
        "complete",
        False,
        False,
    )
    assert counts(ended) == {"crm": "1 update", "erp": "1 create, 1 delete"}
    assert databases.run(config=config).pushed == counts(ended)


def test_its_log_names_each_record_and_what_would_wait_and_no_value(databases: Databases) -> None:
    config = a_life(databases)
    ended = plan(databases, config=config)
    records = [line for line in ended.lines if line["type"] in ("planned", "waiting")]
    assert [(line["type"], line["connector"], line.get("what")) for line in records] == [
        ("planned", "crm", "update"),
        ("waiting", "crm", None),
        ("planned", "erp", "create"),
        ("planned", "erp", "delete"),
    ]
    assert records[0]["fields"] == ["name"]
    (whole,) = (line for line in ended.lines if line["type"] == "plan")
    assert whole["lines"] == len(records)
    assert whole["sides"] == ended.message["plan"]["sides"]
    assert not [line for line in ended.lines if line["type"] == "parked"]
    for value in ("Dora", "Evelyn", "Bobby", "d@x"):
        assert value not in json.dumps([ended.lines, ended.message])


def test_a_run_that_would_halt_is_planned_to_its_end(databases: Databases) -> None:
    databases.add("crm", ("a@x", "Ada"), ("b@x", "Bob"))
    databases.run(deletes="propagate")
    databases.delete("crm", "a@x", "b@x")
    ended = plan(databases, deletes="propagate")
    assert ended.code == ExitCode.COMPLETE
    (reason,) = ended.message["plan"]["wouldHalt"]
    assert reason.startswith("crm no longer has any contact, and had 2 before")
    assert counts(ended) == {"crm": "", "erp": "2 delete"}
    assert databases.run(deletes="propagate").code == ExitCode.HALTED


class TestTheCache:
    def test_that_is_not_there_makes_it_the_plan_of_a_first_run(self, databases: Databases) -> None:
        databases.add("crm", ("a@x", "Ada"))
        ended = plan(databases)
        assert (ended.message["plan"]["first"], counts(ended)) == (True, {"crm": "", "erp": "1 create"})

    def test_that_the_next_run_would_delete_is_left_alone(self, databases: Databases) -> None:
        databases.add("crm", ("a@x", "Ada"))
        databases.run()
        databases.delete("erp", "a@x")
        before = everything(databases)
        ended = plan(databases, environment={"SYNC_CACHE_EPOCH": "5"})
        assert everything(databases) == before
        assert (ended.message["plan"]["first"], counts(ended)) == (True, {"crm": "", "erp": "1 create"})
        assert "deletes the cache, which is of epoch 1" in ended.message["reason"]

    def test_of_a_run_that_was_killed_is_read_with_its_last_commits(self, databases: Databases) -> None:
        databases.add("crm", ("a@x", "Ada"))
        databases.run()
        databases.add("crm", ("b@x", "Bob"))
        with closing(Cache(databases.cache, "1")) as cache, cache.transaction():
            cache.remember("epoch", "0")
        with closing(Cache(databases.cache, None)) as cache:
            with cache.transaction():
                cache.remember("epoch", "1")
            left = {file.name: file.read_bytes() for file in databases.cache.iterdir()}
        assert "cache.sqlite-wal" in left, "the last commit is not in the cache's own file yet"
        for name, content in left.items():
            (databases.cache / name).write_bytes(content)
        ended = plan(databases)
        assert (ended.code, counts(ended)) == (ExitCode.COMPLETE, {"crm": "", "erp": "1 create"})
        assert {file.name: file.read_bytes() for file in databases.cache.iterdir()} == left

    def test_whose_file_is_gone_ends_it_as_it_would_a_run(self, databases: Databases) -> None:
        databases.run()
        (databases.cache / "cache.sqlite").unlink()
        assert plan(databases).code == ExitCode.CACHE_LOST

    @pytest.mark.parametrize(
        ("epoch", "used_by", "code", "words"),
        [
            ("1", "1", 0, "the cache is of epoch 1: the plan works on a copy"),
            ("5", "", 0, "the cache is of epoch 1 and would be deleted: this is the plan of a first run"),
            ("1", "9", 79, "the cache is as it was after run 1, but run 9 has used the cache of this sync"),
        ],
    )
    def test_is_only_looked_at_before_the_worker_starts(
        self, databases: Databases, capsys: pytest.CaptureFixture[str], epoch: str, used_by: str, code: int, words: str
    ) -> None:
        prepare(databases.cache, Expected("1", run=1))
        before = everything(databases)
        told = {**databases.environment(12, "full", push=False), **PLAN, "SYNC_CACHE_EPOCH": epoch}
        assert epoch_main({**told, "SYNC_CACHE_RUN": used_by}) == code
        assert capsys.readouterr().out == f"{words}\n"
        assert everything(databases) == before


@pytest.mark.parametrize("step", range(12))
def test_sigterm_at_any_moment_ends_it_with_75_and_nothing_written(databases: Databases, step: int) -> None:
    config = a_life(databases)
    before = everything(databases)
    answers = iter([False] * step)
    ended = plan(databases, config=config, interrupted=lambda: next(answers, True))
    assert everything(databases) == before
    assert ended.code in (ExitCode.PAUSED, ExitCode.COMPLETE)
    assert step or ended.code == ExitCode.PAUSED


def test_more_objects_than_a_message_has_room_for_are_added_up_and_the_log_has_each(databases: Databases) -> None:
    databases.add("crm", ("a@x", "Ada"))
    config = databases.config()
    (item,) = config["objects"]
    for n in range(40):
        for side in SIDES:
            databases.sql(side, f"CREATE TABLE c{n} (id INTEGER PRIMARY KEY, email TEXT, name TEXT, phone TEXT)")
        databases.sql("crm", f"INSERT INTO c{n} (email) VALUES ('a@x')")  # noqa: S608
        place = {"table": f"c{n}", "id": "id"}
        config["objects"].append({**item, "name": f"c{n}", "crm": place, "erp": place})
    ended = plan(databases, config=config)
    assert [(side["object"], side["create"]) for side in ended.message["plan"]["sides"]] == [("*", 0), ("*", 41)]
    assert "41 objects: their counts are added up per connector, and the log has each" in ended.message["reason"]
    (whole,) = (line for line in ended.lines if line["type"] == "plan")
    assert len(whole["sides"]) == 82


def test_another_value_of_the_request_is_refused(databases: Databases) -> None:
    ended = plan(databases, environment={"SYNC_PLAN": "yes"})
    assert ended.code == ExitCode.CONFIGURATION_ERROR
    assert ended.message["reason"] == "SYNC_PLAN must be true or false, not 'yes'"
