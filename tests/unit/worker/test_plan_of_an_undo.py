"""A run that is asked for the plan of an undo (SYNC_PLAN with SYNC_UNDO): it says what the run wrote, and what its undo
would do, and writes nothing.
"""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tidegate.api.contract import ExitCode
from tidegate.worker.epoch import Expected, prepare

from .databases import Databases, Ended
from .test_plan_run import counts, everything
from .test_plan_values import KEY, sealed

ADA, BOB, CY = ("ada@x", "Ada", "1"), ("bob@x", "Bob", "2"), ("cy@x", "Cy", "3")


@pytest.fixture
def databases(tmp_path: Path) -> Databases:
    """Run 1 has created three contacts in erp, and run 2 has updated two of them there; one was edited since."""
    made = Databases(tmp_path)
    prepare(made.cache, Expected("1"))
    made.add("crm", ADA, BOB, CY)
    sync(made)
    made.edit("crm", "ada@x", name="Ada Lovelace")
    made.edit("crm", "bob@x", phone="7")
    sync(made)
    made.edit("erp", "bob@x", phone="8")
    return made


def sync(databases: Databases, **changes: Any) -> Ended:
    config = databases.config(conflict="crm", deletes="propagate", safety={"maxDeletes": {"min": 1, "percent": 10}})
    return databases.run(config={**config, "journal": {}, **changes.pop("config", {})}, **changes)


def plan(databases: Databases, run: int, **changes: Any) -> Ended:
    asked = {"SYNC_PLAN": "true", "SYNC_UNDO": str(run), **changes.pop("environment", {})}
    return sync(databases, scope="changes", push=False, environment=asked, **changes)


def lines(ended: Ended, kind: str) -> list[dict[str, Any]]:
    return [line for line in ended.lines if line["type"] == kind]


def test_it_counts_what_the_undo_then_writes_and_writes_nothing(databases: Databases) -> None:
    before = everything(databases)
    ended = plan(databases, 2)
    assert everything(databases) == before
    assert (ended.code, ended.message["plan"]["first"]) == (ExitCode.COMPLETE, False)
    assert ended.message["reason"] == "left unchanged: 1; see the run's log"
    assert counts(ended) == {"crm": "", "erp": "1 update"}
    assert sync(databases, environment={"SYNC_UNDO": "2"}).pushed == counts(ended)


def test_its_log_names_what_the_run_wrote_what_is_written_back_and_what_is_left_and_no_value(
    databases: Databases,
) -> None:
    ended = plan(databases, 2)
    wrote = {"type": "written", "object": "contact", "connector": "erp", "what": "update"}
    assert lines(ended, "written") == [{**wrote, "id": 1, "fields": ["name"]}, {**wrote, "id": 2, "fields": ["phone"]}]
    assert [(line["what"], line["id"], line["fields"]) for line in lines(ended, "planned")] == [("update", 1, ["name"])]
    (left,) = lines(ended, "left")
    assert (left["id"], left["field"]) == (2, "phone")
    (whole,) = lines(ended, "plan")
    assert whole["lines"] == 3
    for value in ("Ada", "Lovelace", "ada@x"):
        assert value not in json.dumps([ended.lines, ended.message])


def test_values_are_sealed_for_the_one_who_asked(databases: Databases) -> None:
    ended = plan(databases, 2, environment={"SYNC_PLAN_KEY": KEY})
    first, second, restored = sealed(ended)
    assert (first["match"], first["fields"]) == ({"email": "ada@x"}, {"name": ["Ada", "Ada Lovelace"]})
    assert second["fields"] == {"phone": ["2", "7"]}
    assert restored["fields"] == {"name": ["Ada Lovelace", "Ada"]}
    assert "Lovelace" not in json.dumps(ended.lines)


def test_a_write_of_unknown_outcome_is_called_so(databases: Databases) -> None:
    with closing(sqlite3.connect(databases.cache / "journal.sqlite")) as journal, journal:
        journal.execute("UPDATE entry SET done = 0 WHERE run = 2 AND id = '1'")
    assert [line.get("done") for line in lines(plan(databases, 2), "written")] == ["unknown", None]


def test_what_waits_for_a_decision_is_no_part_of_it(databases: Databases) -> None:
    databases.add("crm", ("dup@x", "One"), ("dup@x", "Two"))
    sync(databases)
    ended = plan(databases, 2)
    assert not lines(ended, "waiting")
    assert {side["setAside"] for side in ended.message["plan"]["sides"]} == {0}


def test_more_deletes_than_allowed_are_planned_to_the_end(databases: Databases) -> None:
    ended = plan(databases, 1, config={"safety": {"maxDeletes": {"min": 0, "percent": 10}}})
    (reason,) = ended.message["plan"]["wouldHalt"]
    assert reason.startswith("the undo of run 1 would delete 1 contact record in erp that the run has created")
    assert len(lines(ended, "written")) == 3


class TestRefused:
    def test_a_run_that_the_journal_does_not_have(self, databases: Databases) -> None:
        ended = plan(databases, 7)
        assert ended.code == ExitCode.CONFIGURATION_ERROR
        assert ended.message["reason"].startswith("run 7 is not in the journal: it wrote nothing, it is older than")

    def test_a_sync_without_a_journal(self, databases: Databases) -> None:
        ended = plan(databases, 2, config={"journal": None})
        assert ended.message["reason"] == "run 2 cannot be undone: spec.sync.journal is not set"

    def test_a_volume_without_a_cache(self, databases: Databases) -> None:
        for file in databases.cache.iterdir():
            file.unlink()
        prepare(databases.cache, Expected("1"))
        assert plan(databases, 2).message["reason"].startswith("run 2 is not in the journal")

    def test_a_journal_that_the_next_run_deletes(self, databases: Databases) -> None:
        ended = plan(databases, 2, environment={"SYNC_CACHE_EPOCH": "3"})
        assert ended.code == ExitCode.CONFIGURATION_ERROR
        assert ended.message["reason"] == (
            "run 2 cannot be undone: the next full run deletes the cache and its journal, which are of epoch 1"
        )
