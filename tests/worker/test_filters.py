"""Filters of tables by columns of PostgreSQL's own types: the worker as a process between two databases."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .postgresql import PostgreSQL
from .two_databases import Contact, TwoDatabases

ADA: Contact = ("ada@x", "Ada", "1")
BOB: Contact = ("bob@x", "Bob", "2")
EVE: Contact = ("eve@x", "Eve", "3")


@pytest.fixture
def systems(postgresql_server: PostgreSQL, tmp_path: Path) -> Iterator[TwoDatabases]:
    """In crm Ada is a customer since January, Bob a lead since May, and of Eve nothing is known."""
    systems = TwoDatabases(postgresql_server, tmp_path)
    systems["crm"].sql(
        "CREATE TYPE kind AS ENUM ('customer', 'lead'); ALTER TABLE contact ADD kind kind, ADD revenue numeric(9, 2), "
        "ADD since date, ADD seen timestamptz, ADD active boolean, ADD document jsonb, ADD price money; "
        "CREATE DOMAIN rank AS integer; ALTER TABLE contact ADD rank rank"
    )
    systems.add("crm", ADA, BOB, EVE)
    systems["crm"].sql(
        "UPDATE contact SET kind = 'customer', revenue = 10.5, since = '2026-01-01', seen = now(), active = true, "
        "price = 5, rank = 2 WHERE name = 'Ada'; UPDATE contact SET kind = 'lead', revenue = 9, since = '2026-05-01', "
        "active = false WHERE name = 'Bob'"
    )
    yield systems
    systems.close()


def filtered(systems: TwoDatabases, field: str, operator: str, *values: Any) -> None:
    where = [{"field": field, "operator": operator, "values": list(values)}]
    systems.configure(crm={"table": "contact", "id": "id", "cursor": "updated_at", "where": where}, deletes="propagate")


@pytest.mark.parametrize(
    ("field", "operator", "values", "kept"),
    [
        ("kind", "In", ["customer"], [ADA]),
        ("kind", "NotIn", ["customer"], [BOB, EVE]),
        ("revenue", "Gt", [9], [ADA]),
        ("revenue", "Ge", [9.0], [ADA, BOB]),
        ("since", "Lt", ["2026-05-01"], [ADA]),
        ("seen", "Ge", ["2026-01-01T00:00:00Z"], [ADA]),
        ("active", "In", [True], [ADA]),
        ("active", "NotIn", [True], [BOB, EVE]),
        ("document", "DoesNotExist", [], [ADA, BOB, EVE]),
        ("price", "Exists", [], [ADA]),
        ("rank", "Exists", [], [ADA]),
        ("name", "Exists", [], [ADA, BOB, EVE]),
        ("id", "Le", [2.5], [ADA, BOB]),
    ],
)
def test_a_condition_is_evaluated_by_the_column_s_type(
    systems: TwoDatabases, field: str, operator: str, values: list[Any], kept: list[Contact]
) -> None:
    filtered(systems, field, operator, *values)
    assert systems.run(1).code == 0
    assert systems.contacts("erp") == kept


@pytest.mark.parametrize(
    ("field", "operator", "values", "words"),
    [
        ("kind", "In", ["custommer"], "the column has no value 'custommer'; it has customer, lead"),
        ("kind", "Gt", ["customer"], "cannot be compared by Gt"),
        ("document", "In", ["a"], "cannot be compared by In"),
        ("since", "Gt", ["yesterday"], "the column, which is DATE, cannot be compared with it"),
        ("active", "In", ["perhaps"], "the column, which is BOOLEAN, cannot be compared with it"),
    ],
)
def test_a_value_that_the_column_cannot_hold_is_a_configuration_error(
    systems: TwoDatabases, field: str, operator: str, values: list[Any], words: str
) -> None:
    filtered(systems, field, operator, *values)
    ended = systems.run(1)
    assert ended.code == 2
    assert words in ended.message["reason"]
    assert systems.contacts("erp") == []


def test_a_record_that_leaves_is_read_with_the_changes_and_a_create_outside_does_not_stay(
    systems: TwoDatabases,
) -> None:
    filtered(systems, "kind", "In", "customer")
    systems.run(1)
    systems["crm"].sql("UPDATE contact SET kind = 'lead' WHERE name = 'Ada'")
    systems.add("erp", ("new@x", "New", None))
    ended = systems.run(2, "changes")
    assert ended.message["waiting"] == 1
    assert "1 record has left the filter of crm contact" in ended.message["reason"]
    assert (systems.contacts("erp"), systems.contacts("crm")) == ([ADA, ("new@x", "New", None)], [ADA, BOB, EVE])
    systems["crm"].sql("ALTER TABLE contact ALTER kind SET DEFAULT 'customer'")
    systems.run(3, "changes")
    assert systems.contacts("crm") == [ADA, BOB, EVE, ("new@x", "New", None)]
