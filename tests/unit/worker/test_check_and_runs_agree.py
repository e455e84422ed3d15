"""A check and the first runs of a configuration agree: what fits is synced, and both refuse the rest alike."""

import json
from typing import Any, NamedTuple

import pytest

from tidegate.api.contract import ExitCode

from .databases import FIELDS, PLACE, WITH_CURSOR, Databases
from .test_check import checked


class Case(NamedTuple):
    """What differs from two tables of contacts: the object's settings, and SQL in erp and in crm."""

    fits: bool
    changes: dict[str, Any] = {}
    erp: str = ""
    crm: str = ""


def erp(**settings: Any) -> dict[str, Any]:
    return {"erp": PLACE | settings}


def field(name: str, **more: Any) -> dict[str, Any]:
    return {"fields": [*FIELDS, {"crm": name, "erp": name, **more}]}


_TEXT_CURSOR = "ALTER TABLE contact ADD COLUMN changed TEXT; UPDATE contact SET changed = '{}';"
_TWICE = "CREATE VIEW people AS SELECT * FROM contact UNION ALL SELECT * FROM contact"

_AT = "ALTER TABLE contact ADD COLUMN at TEXT; UPDATE contact SET at = '{}', phone = at;"
_NEWEST = {"crm": PLACE | {"cursor": "at"}, "erp": PLACE | {"cursor": "at"}, "conflict": "newest"}

CASES = {
    "the usual": Case(fits=True),
    "a cursor": Case(fits=True, changes={"crm": WITH_CURSOR, "erp": WITH_CURSOR}),
    "a text that sorts as a cursor": Case(
        fits=True, changes=erp(cursor="changed"), erp=_TEXT_CURSOR.format("2026-11-24T12:00:00Z")
    ),
    "a text that does not sort as a cursor": Case(
        fits=False, changes=erp(cursor="changed"), erp=_TEXT_CURSOR.format("24.11.2026")
    ),
    "a cursor that is no column": Case(fits=False, changes=erp(cursor="changed")),
    "no such table": Case(fits=False, changes=erp(table="people")),
    "no such id": Case(fits=False, changes=erp(id="nr")),
    "no such field": Case(fits=False, changes=field("city")),
    "two rows with one id": Case(fits=False, changes={**erp(table="people"), "writes": {"erp": []}}, erp=_TWICE),
    "a view that is only read": Case(
        fits=True,
        changes={**erp(table="people"), "writes": {"erp": []}},
        erp="CREATE VIEW people AS SELECT * FROM contact",
    ),
    "a computed column": Case(
        fits=False,
        changes=field("up"),
        erp="ALTER TABLE contact ADD COLUMN up TEXT AS (upper(name))",
        crm="ALTER TABLE contact ADD COLUMN up TEXT",
    ),
    "a computed column that is not written": Case(
        fits=True,
        changes=field("up", direction="to-erp"),
        erp="ALTER TABLE contact ADD COLUMN up TEXT",
        crm="ALTER TABLE contact ADD COLUMN up TEXT AS (upper(name))",
    ),
    "a column that needs a value": Case(
        fits=False,
        erp="DROP TABLE contact; CREATE TABLE contact (id INTEGER PRIMARY KEY, email, name, phone, must TEXT NOT NULL)",
    ),
    "a column that a constant fills": Case(
        fits=True,
        changes={"fields": [*FIELDS, {"erp": "must", "constant": "x"}]},
        erp="DROP TABLE contact; CREATE TABLE contact (id INTEGER PRIMARY KEY, email, name, phone, must TEXT NOT NULL)",
    ),
    "a unique key wider than match": Case(
        fits=False,
        changes={"fields": [{"crm": name, "erp": name} for name in ("email", "name", "phone")]},
        erp="CREATE UNIQUE INDEX one ON contact (email COLLATE NOCASE)",
    ),
    "a text in a whole number": Case(fits=False, changes={"fields": [*FIELDS[:2], {"crm": "phone", "erp": "version"}]}),
    "a filter": Case(fits=True, changes=erp(where=[{"field": "name", "operator": "Exists"}])),
    "a filter on no column": Case(fits=False, changes=erp(where=[{"field": "kind", "operator": "Exists"}])),
    "a mark on no column": Case(fits=False, changes=erp(deleted={"field": "archived"})),
    "a mark that is written": Case(fits=False, changes=erp(deleted={"field": "phone"})),
    "the newest wins, by times with a zone": Case(
        fits=True, changes=_NEWEST, erp=_AT.format("2026-11-24T12:00:00Z"), crm=_AT.format("2026-11-24T12:00:01Z")
    ),
    "the newest wins, by times without a zone": Case(
        fits=False, changes=_NEWEST, erp=_AT.format("2026-11-24T12:00:00"), crm=_AT.format("2026-11-24T12:00:01Z")
    ),
    "nothing is created where find is missing": Case(fits=True, changes={"writes": {"crm": ["update"], "erp": []}}),
    "a mistyped setting": Case(fits=False, changes=erp(tabel="contact")),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_verdicts_of_a_check_and_of_the_first_runs_are_the_same(databases: Databases, case: Case) -> None:
    for side in ("crm", "erp"):
        databases.add(side, (f"in-{side}@x", "Name", "1"), ("in-both@x", "Both", "2"))
    databases.sql("crm", case.crm)
    databases.sql("erp", case.erp)
    code, found = checked(databases, **case.changes)
    assert (code, found["fits"]) == (
        (ExitCode.COMPLETE, True) if case.fits else (ExitCode.CONFIGURATION_ERROR, False)
    ), found
    full = databases.run(**case.changes)
    assert full.code == code, full
    if not case.fits:
        assert full.message["reason"] == "; ".join(found["complaints"])
        return
    databases.query("crm", "INSERT INTO contact (email, name, phone) VALUES ('later@x', 'Later', '3')")
    later = databases.run("changes", **case.changes)
    assert (later.code, full.parked, later.parked) == (ExitCode.COMPLETE, [], []), json.dumps(later.message)
