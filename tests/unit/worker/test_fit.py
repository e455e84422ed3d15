"""Fields that can hold no value of the other side are refused, and those that may hold some are not."""

from itertools import product
from typing import Any

import pytest

from tidegate.worker.config.rules import FieldRule, SyncedObject
from tidegate.worker.connectors import Part
from tidegate.worker.connectors.sql.column_types import ColumnType
from tidegate.worker.merge.fit import complaints
from tidegate.worker.values.kinds import Kind
from tidegate.worker.values.normal_form import Normalization

KINDS = {"text": Kind.TEXT, "number": Kind.DECIMAL, "time": Kind.INSTANT, "boolean": Kind.BOOLEAN, "uuid": Kind.UUID}

FITS = {
    "text": {"text", "number", "time", "boolean", "uuid"},
    "number": {"number", "boolean"},
    "time": {"text", "time"},
    "boolean": {"text", "number", "boolean"},
    "uuid": {"text", "uuid"},
}


def complained(source: str | None, target: str | None, **rule: Any) -> list[str]:
    item = SyncedObject(
        "contact", (Part(), Part()), (FieldRule(("score", "points"), **{"to": (False, True), **rule}),), (0,), "park",
        "unlink",
    )  # fmt: skip
    types = [[ColumnType(str(kind).upper(), KINDS.get(kind or ""), str)] for kind in (source, target)]
    return complaints(item, ("crm", "erp"), types)


@pytest.mark.parametrize(("source", "target"), [*product(KINDS, KINDS)])
def test_a_field_of_a_kind_holds_certain_kinds(source: str, target: str) -> None:
    assert bool(complained(source, target)) is (source not in FITS[target])


def test_the_error_names_both_fields_with_their_types_and_the_remedies() -> None:
    assert complained("text", "number") == [
        "object contact, field score/points: points of erp is NUMBER and cannot hold what score of crm holds, which is "
        "TEXT; map another field, set direction: to-crm, or write normalize: number if all its texts are numbers"
    ]


@pytest.mark.parametrize("normalize", [("number",), ("trim", "digits")])
def test_texts_declared_as_numbers_fit(normalize: tuple[Normalization, ...]) -> None:
    assert complained("text", "number", normalize=normalize) == []


@pytest.mark.parametrize("rule", [{"to": (True, False)}, {"ref": "company"}])
def test_unwritten_fields_and_references_need_not_fit(rule: dict[str, Any]) -> None:
    assert complained("text", "number", **rule) == []


def test_undeclared_types_are_decided_per_value() -> None:
    assert complained(None, "number") == []
    assert complained("text", None) == []
