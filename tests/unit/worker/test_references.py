"""References between objects: a person's company, whose id is another one in each system. Whole runs."""

from typing import Any

import pytest

from tidegate.worker.run.push import batches as push_module
from tidegate.worker.run.push.acknowledge import acknowledge
from tidegate.worker.run.push.circles import circular

from .databases import SIDES, Databases, Ended

COMPANIES = "CREATE TABLE company (id INTEGER PRIMARY KEY, name TEXT);"
PEOPLE = """
CREATE TABLE person (
    id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT,
    company INTEGER REFERENCES company, boss INTEGER REFERENCES person);
CREATE TRIGGER employs BEFORE DELETE ON company WHEN EXISTS (SELECT 1 FROM person WHERE company = OLD.id) BEGIN
    SELECT RAISE(ABORT, 'the company has people'); END;
"""
UNTOUCHED = {"crm": "", "erp": ""}


class Firms:
    """Two systems with companies and people; erp counts its ids from 100."""

    def __init__(self, databases: Databases) -> None:
        self.databases = databases
        for side in SIDES:
            databases.sql(side, COMPANIES + PEOPLE)
        self.sql("erp", "INSERT INTO person (id) VALUES (99); DELETE FROM person")
        self.sql("erp", "INSERT INTO company VALUES (100, 'placeholder')")
        self.sql("crm", "INSERT INTO company VALUES (50, 'placeholder')")

    def sql(self, side: str, script: str) -> None:
        self.databases.sql(side, script)

    def people(self, side: str) -> list[tuple[Any, ...]]:
        """(email, company's name, boss's email)."""
        return self.databases.query(
            side,
            "SELECT p.email, c.name, b.email FROM person p LEFT JOIN company c ON c.id = p.company "
            "LEFT JOIN person b ON b.id = p.boss ORDER BY p.email",
        )

    def config(self, **changes: Any) -> dict[str, Any]:
        def item(name: str, match: str, *fields: dict[str, str]) -> dict[str, Any]:
            place = {"table": name, "id": "id"}
            key = {"crm": match, "erp": match}
            return {"name": name, "crm": place, "erp": place, "match": [match], "fields": [key, *fields], **changes}

        company = {"crm": "company", "erp": "company", "ref": "company"}
        boss = {"crm": "boss", "erp": "boss", "ref": "person"}
        objects = [item("company", "name"), item("person", "email", company, boss)]
        return {"connectors": self.databases.config()["connectors"], "objects": objects}

    def run(self, number: int | None = None, **changes: Any) -> Ended:
        ended = self.databases.run(run=number, config=self.config(**changes))
        assert ended.code == 0, ended.message
        return ended


@pytest.fixture
def firms(databases: Databases) -> Firms:
    return Firms(databases)


@pytest.fixture
def synced(firms: Firms) -> Firms:
    firms.sql("crm", "INSERT INTO company VALUES (1, 'Engines'), (2, 'Looms')")
    firms.sql("crm", "INSERT INTO person VALUES (1, 'ada@x', 1, NULL), (2, 'bob@x', 1, 1)")
    firms.run()
    return firms


def test_new_records_refer_to_the_counterparts_of_their_references(synced: Firms) -> None:
    assert synced.people("erp") == [("ada@x", "Engines", None), ("bob@x", "Engines", "ada@x")]
    ids = {side: synced.databases.query(side, "SELECT id FROM company WHERE name = 'Engines'") for side in SIDES}
    assert ids["crm"] != ids["erp"]


def test_the_next_run_finds_nothing_to_do(synced: Firms) -> None:
    assert synced.run().pushed == UNTOUCHED


@pytest.mark.parametrize("side", SIDES)
def test_a_changed_reference_is_pushed_as_an_edit(synced: Firms, side: str) -> None:
    synced.sql(side, "UPDATE person SET company = (SELECT id FROM company WHERE name = 'Looms') WHERE email = 'ada@x'")
    synced.run()
    assert synced.people("crm") == synced.people("erp")
    assert synced.people("erp")[0] == ("ada@x", "Looms", None)


def test_a_removed_reference_is_pushed_as_an_edit(synced: Firms) -> None:
    synced.sql("erp", "UPDATE person SET boss = NULL")
    synced.run()
    assert synced.people("crm") == [("ada@x", "Engines", None), ("bob@x", "Engines", None)]


def test_references_to_counterparts_agree_at_the_first_pairing(firms: Firms) -> None:
    for side in SIDES:
        firms.sql(side, "INSERT INTO company (name) VALUES ('Engines'); INSERT INTO person (email) VALUES ('ada@x')")
        firms.sql(side, "UPDATE person SET company = (SELECT id FROM company WHERE name = 'Engines')")
    ended = firms.run()
    assert (ended.pushed, ended.message["conflicts"]) == (UNTOUCHED, 0)


def test_references_to_different_records_are_a_conflict(synced: Firms) -> None:
    synced.sql("crm", "UPDATE person SET company = 2 WHERE email = 'ada@x'")
    synced.sql("erp", "UPDATE person SET company = 100 WHERE email = 'ada@x'")
    ended = synced.run(conflict="park")
    assert ended.parked == [("crm", "company", "it was changed on both sides, to different values")]
    synced.sql("erp", "UPDATE person SET company = (SELECT id FROM company WHERE name = 'Looms') WHERE email = 'ada@x'")
    assert synced.run(conflict="park").message["parked"] == 0


def test_a_chain_of_references_is_created_from_its_end_in_one_run(firms: Firms) -> None:
    for n in range(1, 21):
        boss = n + 1 if n < 20 else None
        firms.databases.query("crm", "INSERT INTO person (id, email, boss) VALUES (?, ?, ?)", n, f"p{n:02}@x", boss)
    assert firms.run().message["parked"] == 0
    assert firms.people("erp") == firms.people("crm")


class TestAReferenceWithoutCounterpart:
    def test_is_parked_as_a_record_when_it_is_new_and_created_when_there_is_a_counterpart(self, firms: Firms) -> None:
        firms.sql("crm", "INSERT INTO company VALUES (1, NULL); INSERT INTO person VALUES (1, 'ada@x', 1, NULL)")
        reason = "its company is company 1 of crm, which has no counterpart in erp"
        assert ("crm", "", reason) in firms.run().parked
        assert firms.people("erp") == []
        firms.sql("crm", "UPDATE company SET name = 'Engines' WHERE id = 1")
        assert firms.run().message["parked"] == 0
        assert firms.people("erp") == [("ada@x", "Engines", None)]

    def test_is_parked_as_a_field_when_the_record_exists(self, synced: Firms) -> None:
        synced.sql("crm", "INSERT INTO company VALUES (3, NULL)")
        synced.sql("crm", "UPDATE person SET company = 3, email = 'ada@new' WHERE email = 'ada@x'")
        for _ in range(2):
            ended = synced.run()
            assert ("crm", "", "its company is company 3 of crm, which has no counterpart in erp") in ended.parked
            assert synced.people("erp")[0] == ("ada@new", "Engines", None)
        synced.sql("crm", "UPDATE company SET name = 'Ships' WHERE id = 3")
        assert synced.run().message["parked"] == 0
        assert synced.people("erp")[0] == ("ada@new", "Ships", None)


def test_records_are_deleted_before_their_references(synced: Firms) -> None:
    synced.sql("crm", "DELETE FROM person; DELETE FROM company WHERE id < 50")
    changes: dict[str, Any] = {"deletes": "propagate"}
    config = {**synced.config(**changes), "safety": {"emptySide": "allow"}}
    ended = synced.databases.run(config=config)
    assert (ended.code, ended.message["parked"]) == (0, 0)
    assert synced.people("erp") == []
    assert synced.databases.query("erp", "SELECT name FROM company") == [("placeholder",)]


@pytest.mark.parametrize("deletes", ["propagate", "unlink"])
@pytest.mark.parametrize(("here", "there"), [("crm", "erp"), ("erp", "crm")])
def test_nothing_is_made_to_refer_to_a_record_that_was_deleted(
    synced: Firms, here: str, there: str, deletes: str
) -> None:
    query = synced.databases.query
    ((looms,),) = query(there, "SELECT id FROM company WHERE name = 'Looms'")
    synced.sql(here, "DELETE FROM company WHERE name = 'Looms'")
    query(there, "INSERT INTO person (email, company) VALUES ('new@x', ?)", looms)
    query(there, "UPDATE person SET company = ? WHERE email = 'bob@x'", looms)
    before = synced.people(here)
    ended = synced.run(deletes=deletes)
    assert synced.people(here) == before
    waits = f"company {looms} of {there}, which has no counterpart in {here}"
    assert len([reason for _, _, reason in ended.parked if waits in reason]) == 2
    synced.sql(there, "UPDATE person SET company = NULL WHERE email IN ('new@x', 'bob@x')")
    ended = synced.run(deletes=deletes)
    assert (ended.parked, synced.people(here)) == ([], synced.people(there))


def test_a_read_only_run_accepts_references(synced: Firms) -> None:
    synced.sql("crm", "UPDATE person SET company = 2 WHERE email = 'ada@x'")
    synced.databases.run(push=False, config=synced.config())
    assert synced.run().pushed == UNTOUCHED
    synced.sql("crm", "UPDATE person SET company = 50 WHERE email = 'bob@x'")
    synced.run()
    assert synced.people("erp") == [("ada@x", "Engines", None), ("bob@x", "placeholder", "ada@x")]


class Crash(BaseException):
    """The process is gone."""


def test_an_unacknowledged_reference_is_recognized_as_the_sync_s_own(
    synced: Firms, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise Crash

    synced.sql("crm", "UPDATE person SET company = 2 WHERE email = 'ada@x'")
    with monkeypatch.context() as patch:
        patch.setattr(push_module, "acknowledge", crash)
        with pytest.raises(Crash):
            synced.run(9)
    assert synced.people("erp")[0] == ("ada@x", "Looms", None)
    synced.sql("crm", "UPDATE person SET company = 50 WHERE email = 'ada@x'")
    ended = synced.run(9)
    assert ended.message["conflicts"] == 0
    assert synced.people("erp")[0] == synced.people("crm")[0] == ("ada@x", "placeholder", None)


class TestACircle:
    """Records that refer to each other, or to themselves, are made without the reference, which follows at once."""

    def test_of_one_record_is_created_in_one_run(self, firms: Firms) -> None:
        firms.sql("crm", "INSERT INTO person VALUES (1, 'ada@x', NULL, 1), (2, 'bob@x', NULL, 1)")
        ended = firms.run()
        assert (ended.message["parked"], ended.pushed["erp"]) == (0, "2 create, 1 update")
        assert firms.people("erp") == [("ada@x", None, "ada@x"), ("bob@x", None, "ada@x")]
        assert firms.run().pushed == UNTOUCHED

    def test_of_several_records_is_created_in_one_run(self, firms: Firms) -> None:
        firms.sql("crm", "INSERT INTO person VALUES (1, 'a@x', NULL, 3), (2, 'b@x', NULL, 1), (3, 'c@x', NULL, 2)")
        assert firms.run().message["parked"] == 0
        assert firms.people("erp") == firms.people("crm")
        assert firms.run().pushed == UNTOUCHED

    def test_that_the_system_refuses_without_the_reference_is_reported(self, firms: Firms) -> None:
        firms.sql("erp", "CREATE TRIGGER t BEFORE INSERT ON person WHEN NEW.boss IS NULL BEGIN "
                  "SELECT RAISE(ABORT, 'somebody must be the boss'); END;")  # fmt: skip
        firms.sql("crm", "INSERT INTO person VALUES (1, 'ada@x', NULL, 1)")
        for _ in range(2):
            assert firms.run().parked == [(
                "crm", "", "its boss is person 1 of crm, which has no counterpart in erp, and erp refuses the "
                "record without it: somebody must be the boss",
            )]  # fmt: skip
        firms.sql("erp", "DROP TRIGGER t")
        assert firms.run().message["parked"] == 0
        assert firms.people("erp") == firms.people("crm")

    def test_continues_after_a_crash(self, firms: Firms, monkeypatch: pytest.MonkeyPatch) -> None:
        real = acknowledge

        def crash(session: Any, both: Any, works: Any, **more: Any) -> None:
            if any(work.decision and work.waiting for work in works):
                raise Crash
            real(session, both, works, **more)

        firms.sql("crm", "INSERT INTO person VALUES (1, 'a@x', NULL, 2), (2, 'b@x', NULL, 1)")
        with monkeypatch.context() as patch:
            patch.setattr(push_module, "acknowledge", crash)
            with pytest.raises(Crash):
                firms.run(9)
        assert firms.people("erp") == [("a@x", None, None), ("b@x", None, None)]
        firms.run(9)
        assert firms.people("erp") == firms.people("crm")

    def test_across_objects_starts_with_the_record_that_may_omit_the_reference(self, firms: Firms) -> None:
        for side in SIDES:
            firms.sql(side, "ALTER TABLE company ADD owner INTEGER; DROP TABLE person; CREATE TABLE person "
                      "(id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT, company INTEGER NOT NULL)")  # fmt: skip
        firms.sql("crm", "INSERT INTO company VALUES (1, 'Engines', 7); INSERT INTO person VALUES (7, 'ada@x', 1)")
        config = firms.config()
        config["objects"][1]["fields"].pop()
        config["objects"][0]["fields"].append({"crm": "owner", "erp": "owner", "ref": "person"})
        ended = firms.databases.run(config=config)
        assert (ended.code, ended.message["parked"]) == (0, 0)
        query = "SELECT c.name, p.email FROM company c JOIN person p ON p.id = c.owner WHERE p.company = c.id"
        assert firms.databases.query("erp", query) == [("Engines", "ada@x")]


@pytest.mark.parametrize(
    ("waits", "found"),
    [
        ({}, set()),
        ({1: [1]}, {1}),
        ({1: [2], 2: [1], 3: [1]}, {1, 2}),
        ({1: [2], 2: [3]}, set()),
        ({1: [2], 2: [1, 9]}, set()),
        ({1: [1, 2], 2: [2]}, {1, 2}),
        ({1: [1], 2: [1, 3], 3: [3]}, {1, 3}),
    ],
    ids=["none", "itself", "two, and one that waits for them", "a chain", "one of them waits for a record that never "
         "comes", "two circles of which one waits for the other", "a record that waits for two circles"],
)  # fmt: skip
def test_records_that_wait_for_each_other_form_a_circle(waits: dict[int, list[int]], found: set[int]) -> None:
    assert circular(waits) == found


class TestARecordRecreatedUnderAnotherId:
    """What refers to it follows: a side that nobody has edited there takes the other's reference."""

    def test_is_followed_when_the_run_reads_both_at_once(self, synced: Firms) -> None:
        synced.sql("erp", "UPDATE company SET id = 200 WHERE name = 'Engines'")
        assert synced.run().message["parked"] == 0
        assert synced.people("erp") == synced.people("crm") == [
            ("ada@x", "Engines", None), ("bob@x", "Engines", "ada@x"),
        ]  # fmt: skip
        assert synced.run().pushed == UNTOUCHED

    def test_is_followed_by_a_later_run_and_until_then_the_field_waits(self, synced: Firms) -> None:
        ((was,),) = synced.databases.query("erp", "SELECT id FROM company WHERE name = 'Engines'")
        synced.sql("erp", "DROP TRIGGER employs; DELETE FROM company WHERE name = 'Engines'")
        reason = f"its company is company {was} of erp, which erp no longer has"
        for _ in range(2):
            ended = synced.run()
            assert ended.parked == [("crm", "", reason)] * 2
            assert ended.pushed == UNTOUCHED
        synced.sql("erp", "INSERT INTO company VALUES (200, 'Engines')")
        assert synced.run().message["parked"] == 0
        assert synced.people("erp") == [("ada@x", "Engines", None), ("bob@x", "Engines", "ada@x")]
        assert synced.people("crm") == synced.people("erp")
        assert synced.run().pushed == UNTOUCHED

    def test_leaves_an_edit_of_the_reference_in_conflict(self, synced: Firms) -> None:
        synced.sql("erp", "UPDATE company SET id = 200 WHERE name = 'Engines'")
        synced.sql("erp", "UPDATE person SET company = 100 WHERE email = 'ada@x'")
        synced.run()
        assert synced.people("crm")[0] == synced.people("erp")[0] == ("ada@x", "placeholder", None)

    def test_is_followed_by_references_within_the_same_object(self, synced: Firms) -> None:
        synced.sql("erp", "PRAGMA foreign_keys = OFF; UPDATE person SET id = 300 WHERE email = 'ada@x'")
        assert synced.run().message["parked"] == 0
        assert synced.people("erp") == synced.people("crm")
