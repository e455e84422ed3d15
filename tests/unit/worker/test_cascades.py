"""A delete takes along no record that is to stay. Whole runs on real databases, of which erp and crm cascade."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import pytest

from tidegate.worker.connectors import Key, Record
from tidegate.worker.connectors.sql.rows import Rows

from .databases import Databases, Ended

UNTOUCHED = {"crm": "", "erp": ""}

TABLES = """
CREATE TABLE firm (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE person (id INTEGER PRIMARY KEY, email TEXT, name TEXT, firm INTEGER);
CREATE TRIGGER cascade AFTER DELETE ON firm BEGIN DELETE FROM person WHERE firm = OLD.id; END;
"""


def place(table: str) -> dict[str, Any]:
    return {"crm": {"table": table, "id": "id"}, "erp": {"table": table, "id": "id"}}


def fields(*names: str) -> list[dict[str, str]]:
    return [{"crm": name, "erp": name, **({"ref": "firm"} if name == "firm" else {})} for name in names]


@pytest.fixture
def firms(databases: Databases) -> Databases:
    """Acme with Ada and Bob, and Emca with Eve, on both sides under other ids."""
    for side in ("crm", "erp"):
        databases.sql(side, TABLES)
    databases.sql("erp", "INSERT INTO firm VALUES (50, ''); INSERT INTO person VALUES (50, '', '', 0)")
    databases.sql("crm", "INSERT INTO firm VALUES (1, 'Acme'), (2, 'Emca')")
    databases.sql(
        "crm", "INSERT INTO person VALUES (1, 'ada@x', 'Ada', 1), (2, 'bob@x', 'Bob', 1), (3, 'eve@x', 'Eve', 2)"
    )
    run(databases)
    databases.sql("erp", "DELETE FROM firm WHERE id = 50; DELETE FROM person WHERE id = 50")
    run(databases)
    return databases


NOT_SECRET = {"field": "name", "operator": "NotIn", "values": ["Secret"]}


def run(
    databases: Databases, deletes: str = "propagate", where: Sequence[Mapping[str, Any]] = (), **more: Any
) -> Ended:
    config = databases.config(safety={"maxDeletes": {"min": 10}, "emptySide": "allow"})
    config["objects"] = [
        {"name": "firm", **place("firm"), "match": ["name"], "fields": fields("name"), "deletes": "propagate"},
        {
            "name": "person", **place("person"), "match": ["email"], "fields": fields("email", "name", "firm"),
            "deletes": deletes, "crm": {**place("person")["crm"], **({"where": [*where]} if where else {})},
        },
    ]  # fmt: skip
    return databases.run(config=config, **more)


def people(databases: Databases, side: str) -> list[tuple[Any, ...]]:
    return databases.query(
        side, "SELECT p.name, f.name FROM person AS p LEFT JOIN firm AS f ON f.id = p.firm ORDER BY p.email"
    )


def test_deleted_children_go_first(firms: Databases) -> None:
    firms.sql("erp", "DELETE FROM firm WHERE name = 'Acme'")
    assert run(firms).pushed == {"crm": "3 delete", "erp": ""}
    assert people(firms, "crm") == people(firms, "erp") == [("Eve", "Emca")]


@pytest.mark.parametrize("deletes", ["propagate", "unlink"])
def test_a_parent_waits_while_a_child_was_edited_or_is_new(firms: Databases, deletes: str) -> None:
    firms.sql("erp", "DELETE FROM firm WHERE name = 'Acme'")
    firms.sql("crm", "UPDATE person SET name = 'Bob B.' WHERE id = 2")
    firms.sql("crm", "INSERT INTO person VALUES (4, 'new@x', 'New', 1)")
    for _ in range(2):
        ended = run(firms, deletes)
        assert "delete" not in ended.pushed["crm"] or ended.pushed["crm"] == "1 delete"
        (reason,) = [reason for _, _, reason in ended.parked if reason.startswith("it was deleted")]
        assert reason.startswith("it was deleted in erp, and person ")
        assert reason.endswith(" of crm still refers to it: delete that one, or let it refer to another firm")
        names = [name for name, _ in people(firms, "crm")]
        assert {"Bob B.", "New", "Eve"} <= set(names)


def test_a_parent_is_deleted_when_its_children_refer_to_another(firms: Databases) -> None:
    firms.sql("erp", "DELETE FROM firm WHERE name = 'Acme'")
    firms.sql("crm", "INSERT INTO person VALUES (4, 'new@x', 'New', 1)")
    run(firms)
    firms.sql("crm", "UPDATE person SET firm = 2 WHERE id = 4")
    assert run(firms).message["waiting"] == 0
    assert people(firms, "crm") == people(firms, "erp") == [("Eve", "Emca"), ("New", "Emca")]


def test_a_parent_without_children_is_deleted_even_while_others_wait(firms: Databases) -> None:
    firms.sql("crm", "INSERT INTO person VALUES (9, NULL, 'without a key', 2)")
    firms.sql("erp", "DELETE FROM person WHERE firm = (SELECT id FROM firm WHERE name = 'Acme')")
    firms.sql("erp", "DELETE FROM firm WHERE name = 'Acme'")
    assert run(firms).pushed == {"crm": "3 delete", "erp": ""}


def test_a_child_that_waits_keeps_its_parent(firms: Databases) -> None:
    firms.sql("crm", "INSERT INTO person VALUES (9, NULL, 'without a key', 1)")
    run(firms)
    firms.sql("erp", "DELETE FROM firm WHERE name = 'Acme'")
    assert run(firms).pushed["crm"] == "2 delete"
    assert ("without a key", "Acme") in people(firms, "crm")


class TestAChildOutsideTheFilter:
    def test_keeps_its_parent(self, firms: Databases) -> None:
        firms.sql("crm", "INSERT INTO person VALUES (4, 'x@x', 'Secret', 1)")
        run(firms, where=[NOT_SECRET])
        firms.sql("erp", "DELETE FROM firm WHERE name = 'Acme'")
        ended = run(firms, where=[NOT_SECRET])
        assert ended.pushed == {"crm": "2 delete", "erp": ""}
        assert ended.parked == [("crm", "", (
            "it was deleted in erp, and person 4 of crm, which is outside the filter (where), still refers to it: "
            "delete that one, or let it refer to another firm"
        ))]  # fmt: skip
        assert ("Secret", "Acme") in people(firms, "crm")
        firms.sql("crm", "UPDATE person SET firm = 2 WHERE id = 4")
        ended = run(firms, where=[NOT_SECRET])
        assert (ended.pushed["crm"], ended.message["waiting"]) == ("1 delete", 0)

    def test_keeps_its_parent_if_it_leaves_the_filter_now(self, firms: Databases) -> None:
        run(firms, where=[NOT_SECRET])
        firms.sql("erp", "DELETE FROM firm WHERE name = 'Acme'")
        firms.sql("crm", "UPDATE person SET name = 'Secret' WHERE id = 2")
        run(firms, where=[NOT_SECRET])
        assert ("Secret", "Acme") in people(firms, "crm")

    def test_does_not_keep_other_parents(self, firms: Databases) -> None:
        firms.sql("crm", "INSERT INTO person VALUES (4, 'x@x', 'Secret', 2)")
        run(firms, where=[NOT_SECRET])
        firms.sql("erp", "DELETE FROM firm WHERE name = 'Acme'")
        assert run(firms, where=[NOT_SECRET]).pushed["crm"] == "3 delete"


def test_a_child_that_is_new_since_the_scan_keeps_its_parent(firms: Databases) -> None:
    firms.sql("erp", "DELETE FROM firm WHERE name = 'Acme'")
    waits = count()

    def hire() -> bool:
        if next(waits) == 9:  # when everything has been read and the guard has passed
            firms.sql("crm", "INSERT INTO person VALUES (4, 'new@x', 'New', 1)")
        return False

    assert run(firms, interrupted=hire).pushed["crm"] == "2 delete"
    assert ("New", "Acme") in people(firms, "crm")


def test_an_unreadable_child_keeps_its_parent(firms: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    get, unread = Rows.get, {}

    def fail_on_eve(rows: Rows, keys: Sequence[Key]) -> dict[Key, Record]:
        found = get(rows, keys)
        failed = {key: "500 Internal Server Error" for key, record in found.items() if "Eve" in record.values}
        unread[id(rows)] = failed
        return {key: record for key, record in found.items() if key not in failed}

    def unread_of(rows: Rows) -> Mapping[Key, str]:
        return unread.get(id(rows), {})

    firms.sql(
        "crm", "DROP TRIGGER cascade; DELETE FROM person WHERE name = 'Eve'; DELETE FROM firm WHERE name = 'Emca'"
    )
    with monkeypatch.context() as failing:
        failing.setattr(Rows, "get", fail_on_eve)
        failing.setattr(Rows, "unread", property(unread_of), raising=False)
        ended = run(firms)
    assert (ended.code, ended.pushed) == (0, UNTOUCHED)
    assert any("of erp cannot be read and may refer to it" in reason for _, _, reason in ended.parked)
    assert ("Eve", "Emca") in people(firms, "erp")
    assert run(firms).pushed == {"crm": "", "erp": "2 delete"}
