"""Values that must be unique, and that move from record to record. Whole runs on real databases."""

from typing import Any

import pytest

from tidegate.worker.run.push.swaps import circles

from .databases import PLACE, Databases

UNTOUCHED = {"crm": "", "erp": ""}


@pytest.fixture
def seats(databases: Databases) -> Databases:
    """Six people on both sides with a telephone each, which in erp only one can have."""
    databases.sql("erp", "CREATE UNIQUE INDEX one_each ON contact (phone)")
    databases.add("crm", *((f"p{n}@x", f"P{n}", str(n)) for n in range(6)))
    databases.run()
    return databases


def phones(databases: Databases, side: str) -> list[Any]:
    return [phone for _, _, phone in databases.contacts(side)]


def set_phones(databases: Databases, *values: str) -> None:
    for n, value in enumerate(values):
        databases.edit("crm", f"p{n}@x", phone=value)


@pytest.mark.parametrize(
    "values",
    [("1", "2", "3", "4", "5", "6"), ("x", "0", "1", "2", "3", "4"), ("3", "4", "1", "x", "9", "2")],
    ids=["up", "down", "mixed"],
)
@pytest.mark.parametrize("batch", [1, 2, 4000])
def test_move_from_record_to_record_in_one_run(
    seats: Databases, monkeypatch: pytest.MonkeyPatch, values: tuple[str, ...], batch: int
) -> None:
    monkeypatch.setattr("tidegate.worker.run.throttle.Pace.batch", lambda _, size: min(size, batch))
    set_phones(seats, *values)
    ended = seats.run()
    assert (ended.pushed["erp"], ended.message["waiting"], ended.parked) == ("6 update", 0, [])
    assert phones(seats, "erp") == phones(seats, "crm") == list(values)
    assert seats.run().pushed == UNTOUCHED


def test_that_changed_on_both_sides_are_counted_once_however_often_they_are_sent(seats: Databases) -> None:
    set_phones(seats, "1", "2", "3", "4", "5", "6")
    seats.edit("erp", "p0@x", phone="99")
    assert seats.run(conflict="crm").message["conflicts"] == 1


def test_of_a_deleted_record_are_free_for_a_new_one_in_the_same_run(seats: Databases) -> None:
    seats.delete("crm", "p5@x")
    seats.add("crm", ("new@x", "New", "5"))
    seats.edit("crm", "p0@x", phone="50")
    ended = seats.run(deletes="propagate")
    assert (ended.pushed["erp"], ended.parked) == ("1 create, 1 update, 1 delete", [])
    assert seats.contacts("crm") == seats.contacts("erp")


def test_that_an_earlier_run_could_not_write_are_written_when_they_are_free(seats: Databases) -> None:
    seats.query("erp", "INSERT INTO contact (email, phone) VALUES (NULL, '100')")
    seats.edit("crm", "p0@x", phone="100")
    ended = seats.run()
    assert ("crm", "", "erp refuses it: UNIQUE constraint failed: contact.phone") in ended.parked
    seats.query("erp", "UPDATE contact SET email = 'late@x' WHERE phone = '100'")
    seats.run()
    seats.edit("crm", "late@x", phone="101")
    ended = seats.run()
    assert (ended.pushed, ended.message["waiting"]) == ({"crm": "", "erp": "2 update"}, 0)


def test_that_are_swapped_are_set_aside_with_advice(seats: Databases) -> None:
    set_phones(seats, "1", "0", "2", "4", "5", "3")
    ended = seats.run()
    refused = "erp refuses it: UNIQUE constraint failed: contact.phone"
    how = "and each waits for the other: give one of them another phone, sync, and then set the right one"
    others = {1: 2, 2: 1, 4: 5, 5: 6, 6: 4}
    assert sorted(ended.parked) == sorted(
        ("crm", "", f"{refused}; phone is to change places with record {other}, {how}") for other in others.values()
    )
    assert (ended.code, ended.pushed) == (0, UNTOUCHED)
    seats.edit("crm", "p0@x", phone="x")
    seats.edit("crm", "p3@x", phone="y")
    assert seats.run().message["waiting"] == 0
    assert seats.contacts("crm") == seats.contacts("erp")


def test_of_another_object_are_free_when_that_object_is_synced(databases: Databases) -> None:
    """Whoever leaves a seat in erp gives the telephone back."""
    for side in ("crm", "erp"):
        databases.sql(side, "CREATE TABLE seat (id INTEGER PRIMARY KEY, name TEXT, of TEXT)")
    databases.sql("erp", "CREATE UNIQUE INDEX one_each ON contact (phone)")
    databases.sql(
        "erp",
        "CREATE TRIGGER leave AFTER UPDATE OF of ON seat WHEN NEW.of = 'free' BEGIN "
        "DELETE FROM contact WHERE email IS NULL; END;",
    )
    seat = {"name": "seat", "crm": {**PLACE, "table": "seat"}, "erp": {**PLACE, "table": "seat"}, "match": ["name"],
            "fields": [{"crm": "name", "erp": "name"}, {"crm": "of", "erp": "of"}]}  # fmt: skip
    config = databases.config()
    config["objects"].append(seat)
    databases.sql("crm", "INSERT INTO seat (name, of) VALUES ('A1', 'taken')")
    databases.add("crm", ("ada@x", "Ada", "1"))
    databases.run(config=config)
    databases.query("erp", "INSERT INTO contact (email, phone) VALUES (NULL, '2')")
    databases.edit("crm", "ada@x", phone="2")
    databases.sql("crm", "UPDATE seat SET of = 'free'")
    ended = databases.run(config=config)
    assert (ended.pushed["erp"], databases.contacts("erp")) == ("2 update", [("ada@x", "Ada", "2")])


def test_a_circle_returns_to_its_start() -> None:
    values = [bytes([n]) for n in range(9)]
    chain = {n: (values[n], values[n + 1]) for n in range(3)}
    swap = {3: (values[4], values[5]), 4: (values[5], values[4])}
    leads_in = {5: (values[6], values[4])}
    itself = {6: (values[7], values[8])}
    assert circles({**chain, **swap, **leads_in, **itself}) == {3: 4, 4: 3}
    assert circles({}) == {}
