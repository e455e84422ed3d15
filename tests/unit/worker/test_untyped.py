"""What crosses into CSV and JSON, whose fields have no type: it comes back as it was, or its field is set aside."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Column, MetaData, Table
from sqlalchemy.dialects import postgresql as types
from sqlalchemy.dialects.postgresql import dialect

from tidegate.worker.connectors import FieldType
from tidegate.worker.connectors.json_documents import Kinds
from tidegate.worker.connectors.sql.column_types import column_type
from tidegate.worker.connectors.untyped import Untyped
from tidegate.worker.merge.crossing import Crossing
from tidegate.worker.values.kinds import Unfit

from .databases import Databases

NOON = datetime(2026, 11, 26, 12, 0, 0, 250_000)

VALUES: list[tuple[Any, Any]] = [
    (types.TEXT(), "007"),
    (types.BIGINT(), 1 << 60),
    (types.NUMERIC(20, 2), Decimal("12345678901234567.10")),
    (types.DOUBLE_PRECISION(), 0.1),
    (types.BOOLEAN(), True),
    (types.DATE(), date(2026, 11, 26)),
    (types.TIMESTAMP(), NOON),
    (types.TIMESTAMP(timezone=True), NOON.replace(tzinfo=UTC)),
    (types.TIME(), time(12, 30)),
    (types.UUID(), UUID(int=7)),
    (types.BYTEA(), b"\x00\xff"),
    (types.JSONB(), {"a": [1, Decimal("1.50"), None, "x"]}),
    (types.ARRAY(types.TEXT()), ["a", "", None]),
    (types.ARRAY(types.INTEGER()), [1, 2]),
]


def column(type_: Any) -> FieldType:
    return column_type(Table("t", MetaData(), Column("c", type_)).columns["c"], dialect())  # type: ignore[no-untyped-call]  # SQLAlchemy has no type for it


def json_field(*seen: Any) -> FieldType:
    kinds = Kinds(1)
    for value in seen:
        kinds.see([value])
    return Untyped("JSON", lambda value: kinds.stored(0, value), is_json=True)


FIELDS: dict[str, Callable[[], FieldType]] = {
    "an empty list of records": json_field,
    "texts": lambda: json_field("text"),
    "mixed": lambda: json_field("text", 1),
}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(("type_", "value"), VALUES, ids=[type(each).__name__ for each, _ in VALUES])
def test_every_type_is_represented_in_json(type_: Any, value: Any, field: str) -> None:
    in_table, in_json = column(type_), FIELDS[field]()
    written = Crossing(in_table, in_json, ("crm", "erp")).carry(value)
    assert json.dumps(written, default=float)
    Crossing(in_json, in_table, ("erp", "crm")).carry(written)


def test_a_value_that_json_cannot_hold_is_named() -> None:
    way = Crossing(column(types.DOUBLE_PRECISION()), json_field(), ("crm", "erp"))
    with pytest.raises(Unfit, match=r"crm \(FLOAT|DOUBLE.*has NaN in it, which erp \(JSON\) cannot hold: JSON has no"):
        way.carry(float("nan"))


def test_a_json_text_stays_a_text_in_a_column_of_documents() -> None:
    """In JSON a text is one already: a document would be an object there."""
    stored = Crossing(json_field(), column(types.JSONB()), ("crm", "erp")).carry('{"a": 1}')
    assert isinstance(stored, str)


def synced(databases: Databases, directory: Path, name: str, content: str, **place: Any) -> tuple[Any, str]:
    """A run from crm into a file; returns how it ended, and what is in the file then."""
    (directory / name).write_text(content, encoding=place.get("encoding"))
    ended = databases.run(
        connectors={
            "crm": {"type": "sql", "url": databases.url("crm")},
            "erp": {"type": "file", "url": str(directory)},
        },
        erp={"path": name, "id": "id", **place},
    )
    return ended, (directory / name).read_text(encoding=place.get("encoding"))


def test_a_character_that_the_encoding_lacks_sets_the_field_aside_and_the_others_are_pushed(
    databases: Databases, tmp_path: Path
) -> None:
    databases.add("crm", ("ada@x", "Ada ☃", "1"))
    ended, content = synced(databases, tmp_path, "c.csv", "id,email,name,phone\n", encoding="cp1252", newId="number")
    assert content == "id,email,name,phone\n1,ada@x,,1\n"
    ((_, field, reason),) = ended.parked
    assert field == "name"
    assert reason == "crm (TEXT) has a text in it, which erp (CSV) cannot hold: cp1252 has no '☃'"


def test_a_number_that_json_lacks_sets_the_field_aside_and_the_others_are_pushed(
    databases: Databases, tmp_path: Path
) -> None:
    databases.sql("crm", "INSERT INTO contact (email, name, phone) VALUES ('ada@x', 'Ada', x'')")
    databases.sql("crm", "ALTER TABLE contact DROP COLUMN phone; ALTER TABLE contact ADD COLUMN phone REAL")
    databases.sql("crm", "UPDATE contact SET phone = 9e999")
    ended, content = synced(databases, tmp_path, "c.jsonl", "", newId="number")
    assert json.loads(content) == {"id": 1, "email": "ada@x", "name": "Ada"}
    ((_, field, reason),) = ended.parked
    assert field == "phone"
    assert reason.endswith("has an infinite number in it, which erp (JSON) cannot hold: JSON has no Infinity")
