"""An API that answers for a while with what was before our write: such an answer is no edit, and no delete."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tidegate.worker.connectors.json_documents import Document

from .rest_and_sqlite import NOTHING, RestAndSqlite
from .rest_server import Api, Reply, Request, Serve


class Replica:
    """What reads are answered with: the contacts as they were when it was last brought up to date."""

    def __init__(self, api: Api, *, answers_writes: bool = True) -> None:
        self._api = api
        self._answers_writes = answers_writes
        self.catch_up()
        api.around = self._answer

    def catch_up(self) -> None:
        self._contacts: dict[Any, Document] = deepcopy(self._api.contacts)

    def _answer(self, request: Request, serve: Serve) -> Reply:
        if request.method != "GET":
            reply = serve(request)
            return reply if self._answers_writes or request.method == "POST" else Reply(204)
        with self._api.lock:
            present, self._api.contacts = self._api.contacts, self._contacts
            try:
                return serve(request)
            finally:
                self._api.contacts = present


@pytest.fixture
def systems(systems: RestAndSqlite) -> RestAndSqlite:
    systems.fill(3)
    systems.run()
    return systems


@pytest.fixture
def time_passes(tmp_path: Path) -> Callable[[], None]:
    """More than the settling time has gone by since all writes."""

    def pass_() -> None:
        with closing(sqlite3.connect(tmp_path / "cache" / "cache.sqlite", isolation_level=None)) as connection:
            connection.execute("UPDATE settling SET written = written - 31")

    return pass_


def test_an_edit_is_not_reverted_by_a_stale_answer(systems: RestAndSqlite) -> None:
    replica = Replica(systems.api)
    systems.sql("UPDATE contact SET name = 'new' WHERE email = 'p1@x'")
    assert systems.run(conflict="erp").pushed == {"crm": "1 update", "erp": ""}
    for _ in range(3):
        ended = systems.run(conflict="crm")
        assert ended.pushed == NOTHING
        assert "1 record is still answered as it was before it was written" in ended.reason
    replica.catch_up()
    ended = systems.run()
    assert (ended.pushed, ended.reason) == (NOTHING, "")
    assert systems.crm()["p1@x"] == systems.erp()["p1@x"] == ["new", "1"]


@pytest.mark.parametrize("answers_writes", [True, False])
@pytest.mark.parametrize("conflict", ["crm", "erp", "park"])
def test_a_second_edit_beats_the_sync_s_own_first_write(
    systems: RestAndSqlite, conflict: str, answers_writes: bool
) -> None:
    replica = Replica(systems.api, answers_writes=answers_writes)
    systems.sql("UPDATE contact SET name = 'first' WHERE email = 'p1@x'")
    systems.run(conflict=conflict)
    systems.sql("UPDATE contact SET name = 'second' WHERE email = 'p1@x'")
    replica.catch_up()
    ended = systems.run(conflict=conflict)
    assert ended.message["conflicts"] == 0
    replica.catch_up()
    ended = systems.run(conflict=conflict)
    assert (ended.pushed, ended.message["waiting"]) == (NOTHING, 0)
    assert systems.crm()["p1@x"] == systems.erp()["p1@x"] == ["second", "1"]


@pytest.mark.parametrize("deletes", ["propagate", "unlink"])
def test_a_newly_created_record_is_not_deleted_while_no_list_has_it(
    systems: RestAndSqlite, deletes: str, time_passes: Callable[[], None]
) -> None:
    replica = Replica(systems.api)
    systems.sql("INSERT INTO contact (email, name) VALUES ('new@x', 'New')")
    assert systems.run(deletes=deletes).pushed == {"crm": "1 create", "erp": ""}
    assert systems.run(deletes=deletes).pushed == NOTHING
    replica.catch_up()
    assert systems.run(deletes=deletes).pushed == NOTHING
    del systems.api.contacts[4]
    replica.catch_up()
    time_passes()
    expected = {"crm": "", "erp": "1 delete" if deletes == "propagate" else ""}
    assert systems.run(deletes=deletes).pushed == expected, "later it is a delete like any other"


def test_a_reverted_value_is_an_edit_after_the_time_is_over(
    systems: RestAndSqlite, time_passes: Callable[[], None]
) -> None:
    systems.sql("UPDATE contact SET name = 'new' WHERE email = 'p1@x'")
    systems.run()
    systems.api.edit(2, name="N1")  # before any list has shown the new one
    assert systems.run().pushed == NOTHING
    time_passes()
    assert systems.run("changes").pushed == {"crm": "", "erp": "1 update"}
    assert systems.erp()["p1@x"] == ["N1", "1"]


def test_a_reverted_value_is_an_edit_after_the_settling_time_although_a_run_has_read_the_write(
    systems: RestAndSqlite, time_passes: Callable[[], None]
) -> None:
    systems.sql("UPDATE contact SET name = 'new' WHERE email = 'p1@x'")
    systems.run()
    assert systems.run().pushed == NOTHING
    systems.api.edit(2, name="N1")
    assert systems.run().pushed == NOTHING  # another server of the API may be behind
    time_passes()
    assert systems.run().pushed == {"crm": "", "erp": "1 update"}


def test_any_other_edit_of_a_newly_written_record_is_an_edit(systems: RestAndSqlite) -> None:
    systems.sql("UPDATE contact SET name = 'new' WHERE email = 'p1@x'")
    systems.run()
    systems.api.edit(2, phone="9", name="newer")
    assert systems.run().pushed == {"crm": "", "erp": "1 update"}
    assert systems.erp()["p1@x"] == ["newer", "9"]


def test_without_the_setting_every_answer_counts(systems: RestAndSqlite) -> None:
    systems.place |= {"staleFor": "0s"}
    systems.sql("UPDATE contact SET name = 'new' WHERE email = 'p1@x'")
    systems.run()
    systems.api.edit(2, name="N1")
    assert systems.run().pushed == {"crm": "", "erp": "1 update"}
