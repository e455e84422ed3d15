"""Filters of tables by columns of MariaDB's own types: who is inside, in a scan, by id, by search and after a write."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tidegate.worker.connectors import Changed, Collection, Description, FieldUse, Record, Rejected, Write
from tidegate.worker.connectors.registry import CONNECTORS
from tidegate.worker.connectors.where import outside
from tidegate.worker.errors import ConfigurationError

from .mariadb import Database

ADA, BOB, EVE = 1, 2, 3
KIND = CONNECTORS["sql"]


@pytest.fixture
def database(mariadb_database: Database) -> Database:
    """Ada is a customer since January, Bob a lead since May, and of Eve nothing is known."""
    for statement in (
        "CREATE TABLE contact (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40), kind ENUM('customer', 'lead'), "
        "tags SET('a', 'b'), revenue DECIMAL(9, 2), since DATE, seen DATETIME(6), synced TIMESTAMP NULL, "
        "active BOOLEAN, flag BIT(1), note JSON, ratio DOUBLE, born YEAR)",
        "INSERT INTO contact VALUES "
        "(1, 'Ada', 'customer', 'a,b', 10.5, '2026-01-01', '2026-01-01 12:00:00.5', '2026-01-01 12:00:00', true, 1, "
        "'{}', 0.5, 1990), "
        "(2, 'Bob', 'lead', '', 9, '2026-05-01', '2026-05-01', '2026-05-01', false, 0, NULL, 0.1, 2001), "
        "(3, 'Eve', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    ):
        database_sql(mariadb_database, statement)
    return mariadb_database


def database_sql(database: Database, statement: str) -> None:
    database.sql("SET time_zone = '+00:00'")
    database.sql(statement)


@contextmanager
def filtered(database: Database, field: str, operator: str, *values: Any) -> Iterator[Collection]:
    where = [{"field": field, "operator": operator, "values": list(values)}]
    place = KIND.object_settings.model_validate({"table": "contact", "id": "id", "where": where})
    uses = tuple(FieldUse(name, True) for name in ("name", "kind"))
    connector = KIND.connect(KIND.settings.model_validate({"type": "sql", "url": database.url}), {}, "erp")
    try:
        yield connector.open(Description("object contact, connector erp", place, uses, (0,), True))
    finally:
        connector.close()


@pytest.mark.parametrize(
    ("field", "operator", "values", "inside"),
    [
        ("kind", "In", ["customer"], {ADA}),
        ("kind", "NotIn", ["customer"], {BOB, EVE}),
        ("kind", "Exists", [], {ADA, BOB}),
        ("name", "In", ["ada", "EVE"], {ADA, EVE}),  # as the column's collation compares
        ("name", "Gt", ["Ada"], {BOB, EVE}),
        ("tags", "In", ["a,b"], {ADA}),
        ("tags", "Exists", [], {ADA}),
        ("revenue", "Gt", [9], {ADA}),
        ("revenue", "Ge", [9.0], {ADA, BOB}),
        ("revenue", "NotIn", [10.5], {BOB, EVE}),
        ("since", "Lt", ["2026-05-01"], {ADA}),
        ("seen", "Ge", ["2026-01-01T12:00:00.5Z"], {ADA, BOB}),
        ("seen", "Gt", ["2026-01-01T13:00:00.5+01:00"], {BOB}),
        ("synced", "Le", ["2026-01-01T13:00:00+01:00"], {ADA}),
        ("active", "In", [True], {ADA}),
        ("active", "NotIn", [True], {BOB, EVE}),
        ("flag", "In", [1], {ADA}),
        ("note", "DoesNotExist", [], {BOB, EVE}),
        ("ratio", "Lt", [0.5], {BOB}),
        ("born", "Ge", [1991], {BOB}),
        ("id", "Le", [2.5], {ADA, BOB}),
    ],
)
def test_a_condition_is_evaluated_by_the_column_s_type(
    database: Database, field: str, operator: str, values: list[Any], inside: set[int]
) -> None:
    with filtered(database, field, operator, *values) as collection:
        assert {record.key for record in collection.scan(None, 100, None).records} == inside
        assert collection.get([ADA, BOB, EVE]).keys() == inside
        assert outside(collection).keys() == {ADA, BOB, EVE} - inside
        assert {record.key for record in collection.find([("Ada",), ("Bob",), ("Eve",)])} == inside


@pytest.mark.parametrize(
    ("field", "operator", "values", "words"),
    [
        ("kind", "In", ["custommer"], "the column has no value 'custommer'; it has customer, lead"),
        ("kind", "Gt", ["customer"], "cannot be compared by Gt"),
        ("since", "Gt", ["yesterday"], "the column, which is DATE, cannot be compared with it"),
        ("revenue", "In", ["much"], "cannot be compared with it"),
        ("city", "Exists", [], "table contact has no column city"),
    ],
)
def test_a_value_that_the_column_cannot_hold_is_a_configuration_error(
    database: Database, field: str, operator: str, values: list[Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words), filtered(database, field, operator, *values):
        pass


def test_writes_stay_within_the_filter(database: Database) -> None:
    with filtered(database, "kind", "In", "customer") as collection:
        made, refused = collection.create([("New", "customer"), ("Other", "lead")])
        assert isinstance(made, Record)
        assert isinstance(refused, Rejected)
        assert "would be outside this side's own filter (kind In customer)" in refused.reason
        ada = collection.get([ADA])[ADA]
        database.sql("UPDATE contact SET kind = 'lead' WHERE name = 'New'")
        assert collection.delete([made]) == [Changed()], "it has left the filter meanwhile"
        (left,) = collection.update([Write(ada, {1: "lead"})])
        assert isinstance(left, Record)
        assert collection.get([ADA]) == {}
    assert database.sql("SELECT name, kind FROM contact ORDER BY id") == [
        ("Ada", "lead"), ("Bob", "lead"), ("Eve", None), ("New", "lead"),
    ]  # fmt: skip
