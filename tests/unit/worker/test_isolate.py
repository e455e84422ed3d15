"""One record that cannot be handled is set aside, and the others go on. Whole runs on real databases."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tidegate.api.contract import ExitCode
from tidegate.worker.connectors.sql.rows import Rows
from tidegate.worker.errors import ConfigurationError, SystemFailed

from .databases import Databases

UNTOUCHED = {"crm": "", "erp": ""}
PEOPLE = [(f"p{n}@x", f"name {n}", str(n)) for n in range(20)]


@pytest.fixture
def poisonous(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Calls of a verb fail as a whole when a record with one of these names is among them."""

    def arrange(verb: str, *names: str, error: Exception | None = None) -> None:
        method: Callable[..., Any] = getattr(Rows, verb)

        def call(rows: Rows, items: Sequence[Any]) -> Any:
            found = {name for name in names for item in items if _holds(item, name)}
            if found:
                raise error or SystemFailed("connector erp: 500 Internal Server Error")
            return method(rows, items)

        monkeypatch.setattr(Rows, verb, call)

    return arrange


def _holds(item: Any, name: str) -> bool:
    values = item.values.values() if hasattr(item, "expected") else item
    return name in values


REASON = "it fails while others succeed: connector erp: 500 Internal Server Error"


class TestARecordThatFailsItsBatch:
    def test_is_set_aside_and_all_others_are_created(
        self, databases: Databases, poisonous: Callable[..., None]
    ) -> None:
        databases.add("crm", *PEOPLE)
        poisonous("create", "name 3", "name 17")
        ended = databases.run()
        assert (ended.code, ended.pushed["erp"]) == (0, "18 create")
        assert ended.parked == [("crm", "", REASON)] * 2
        assert databases.run().pushed == UNTOUCHED

    def test_is_set_aside_and_all_others_are_updated(
        self, databases: Databases, poisonous: Callable[..., None]
    ) -> None:
        databases.add("crm", *PEOPLE)
        databases.run()
        databases.query("crm", "UPDATE contact SET name = 'new ' || name")
        poisonous("update", "new name 0")
        ended = databases.run()
        assert (ended.code, ended.pushed["erp"], ended.parked) == (0, "19 update", [("crm", "", REASON)])

    def test_is_written_by_the_first_run_in_which_it_succeeds(
        self, databases: Databases, poisonous: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        databases.add("crm", *PEOPLE)
        poisonous("create", "name 3")
        databases.run()
        monkeypatch.undo()
        ended = databases.run()
        assert (ended.pushed["erp"], ended.message["waiting"]) == ("1 create", 0)
        assert databases.contacts("crm") == databases.contacts("erp")

    def test_is_set_aside_without_its_values_when_it_is_a_defect(
        self, databases: Databases, poisonous: Callable[..., None]
    ) -> None:
        databases.add("crm", *PEOPLE)
        poisonous("create", "name 3", error=ValueError("cannot encode 'name 3'"))
        assert databases.run().parked == [
            ("crm", "", "it fails while others succeed: defect of the worker: ValueError")
        ]

    def test_stops_the_sync_for_a_few_attempts_when_it_is_alone(
        self, databases: Databases, poisonous: Callable[..., None]
    ) -> None:
        databases.add("crm", PEOPLE[0])
        poisonous("create", "name 0")
        assert [databases.run().code for _ in range(4)] == [1, 1, 0, 0]

    def test_has_as_many_attempts_again_once_it_has_succeeded(
        self, databases: Databases, poisonous: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        databases.add("crm", PEOPLE[0])
        with monkeypatch.context():
            poisonous("create", "name 0")
            assert [databases.run().code for _ in range(2)] == [1, 1]
        monkeypatch.undo()
        assert databases.run().pushed["erp"] == "1 create"
        poisonous("update", "new name")
        databases.edit("crm", "p0@x", name="new name")
        assert [databases.run().code for _ in range(3)] == [1, 1, 0]


class TestAConflictIsCountedOnce:
    """When its one value is overwritten with the other."""

    @pytest.fixture
    def conflicts(self, databases: Databases) -> Databases:
        databases.add("crm", *PEOPLE)
        databases.run()
        databases.query("crm", "UPDATE contact SET name = 'crm ' || name")
        databases.query("erp", "UPDATE contact SET name = 'erp ' || name")
        return databases

    def test_although_another_record_fails_the_batch(
        self, conflicts: Databases, poisonous: Callable[..., None]
    ) -> None:
        poisonous("update", "erp name 3")
        ended = conflicts.run(conflict="erp")
        assert (ended.pushed["crm"], ended.message["conflicts"]) == ("19 update", 19)

    def test_not_while_it_is_refused(self, conflicts: Databases) -> None:
        conflicts.sql(
            "crm", "CREATE TRIGGER no BEFORE UPDATE ON contact WHEN NEW.id = 1 BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
        ended = conflicts.run(conflict="erp")
        assert (ended.pushed["crm"], ended.message["conflicts"]) == ("19 update", 19)
        assert conflicts.run(conflict="erp").message["conflicts"] == 0
        conflicts.sql("crm", "DROP TRIGGER no")
        assert conflicts.run(conflict="erp").message["conflicts"] == 1

    @pytest.mark.parametrize("written", [False, True])
    def test_after_a_crash(self, conflicts: Databases, monkeypatch: pytest.MonkeyPatch, written: bool) -> None:
        update = Rows.update

        def crash(rows: Rows, items: Sequence[Any]) -> Any:
            if written:
                update(rows, items)
            raise KeyboardInterrupt

        with monkeypatch.context() as crashing:
            crashing.setattr(Rows, "update", crash)
            with pytest.raises(KeyboardInterrupt):
                conflicts.run(conflict="erp")
        assert conflicts.run(conflict="erp", run=conflicts.runs).message["conflicts"] == len(PEOPLE)


def test_a_batch_with_lost_answers_and_a_changed_match_key_creates_no_duplicate(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    for side in ("crm", "erp"):
        databases.sql(side, "CREATE TABLE company (id INTEGER PRIMARY KEY, name TEXT)")
    databases.add("crm", *PEOPLE)
    config = databases.config()
    company = {
        "name": "company", "match": ["name"], "fields": [{"crm": "name", "erp": "name"}], "conflict": "erp",
        "deletes": "unlink", **{side: {"table": "company", "id": "id"} for side in ("crm", "erp")},
    }  # fmt: skip
    config["objects"].append(company)  # so that the contacts are met in a second pass
    create = Rows.create

    def lose_the_answers(rows: Rows, items: Sequence[Any]) -> Any:
        answers = create(rows, items)
        if len(items) == len(PEOPLE):
            databases.edit("crm", "p3@x", email="new@x")
            raise SystemFailed("connector erp: the connection was reset")
        return answers

    monkeypatch.setattr(Rows, "create", lose_the_answers)
    ended = databases.run(config=config)
    assert ended.code == 1
    assert "it is unknown whether 1 of its records were written" in ended.message["reason"]
    assert databases.run(run=1, config=config).code == 0
    assert len(databases.contacts("erp")) == len(PEOPLE)
    assert databases.contacts("crm") == databases.contacts("erp")


class TestASystemFailure:
    def test_of_every_record_fails_the_run(self, databases: Databases, poisonous: Callable[..., None]) -> None:
        databases.add("crm", *PEOPLE)
        poisonous("create", *(name for _, name, _ in PEOPLE))
        for _ in range(4):
            ended = databases.run()
            assert (ended.code, ended.message["reason"]) == (1, "connector erp: 500 Internal Server Error")
            assert ended.message["waiting"] == 0

    def test_of_most_records_fails_the_run(self, databases: Databases, poisonous: Callable[..., None]) -> None:
        databases.add("crm", *PEOPLE)
        poisonous("create", *(name for _, name, _ in PEOPLE[4:]))
        assert databases.run().code == 1

    def test_by_its_configuration_stays_a_configuration_error(
        self, databases: Databases, poisonous: Callable[..., None]
    ) -> None:
        databases.add("crm", PEOPLE[0])
        poisonous("create", "name 0", error=ConfigurationError("connector erp: permission denied"))
        assert {databases.run().code for _ in range(4)} == {ExitCode.CONFIGURATION_ERROR}

    def test_that_prevents_reading_is_not_isolated(
        self, databases: Databases, poisonous: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        databases.add("crm", *PEOPLE)
        poisonous("create", "name 3")
        scan, calls = Rows.scan, []

        def scan_once(rows: Rows, *values: Any) -> Any:
            calls.append(values)
            if len(calls) > 2:
                raise SystemFailed("connector erp: cannot be reached")
            return scan(rows, *values)

        monkeypatch.setattr(Rows, "scan", scan_once)
        ended = databases.run()
        assert (ended.code, databases.contacts("erp")) == (1, [])


def test_an_edit_that_cannot_be_written_waits_until_it_is_taken_back(databases: Databases) -> None:
    databases.add("crm", ("a@x", "A", "1"))
    databases.run()
    databases.edit("erp", "a@x", name="accepted")
    databases.run(push=False)
    databases.sql("crm", "UPDATE contact SET name = CAST(X'ff61' AS TEXT)")
    assert databases.run().message["waiting"] == 1
    databases.edit("crm", "a@x", phone="2")
    assert databases.run().message["waiting"] == 1
    databases.edit("crm", "a@x", name="A")
    ended = databases.run()
    assert (ended.pushed, ended.message["waiting"]) == (UNTOUCHED, 0)
    assert databases.contacts("erp") == [("a@x", "accepted", "2")]


def test_a_text_with_invalid_bytes_is_set_aside_and_the_rest_of_its_record_is_synced(
    databases: Databases,
) -> None:
    databases.add("crm", ("a@x", "A", "1"), ("b@x", "B", "2"))
    databases.sql("crm", "UPDATE contact SET name = CAST(X'ff61' AS TEXT) WHERE email = 'a@x'")
    reason = (
        "crm (TEXT) has a text in it, which erp (TEXT) cannot hold: the text has the byte 0xff, which is not a "
        "character in UTF-8"
    )
    for _ in range(2):
        ended = databases.run()
        assert (ended.code, ended.parked) == (0, [("crm", "name", reason)])
        assert databases.contacts("erp") == [("a@x", None, "1"), ("b@x", "B", "2")]
    databases.edit("crm", "a@x", phone="3")
    assert databases.run().pushed["erp"] == "1 update"
