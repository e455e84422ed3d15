"""Filters, `where`: which records are synced, and what leaving and entering a filter means, as whole runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.api.contract import ExitCode
from tidegate.worker.connectors.sql.rows import Rows
from tidegate.worker.connectors.where import Condition

from .databases import FIELDS, PLACE, SIDES, WITH_CURSOR, Databases
from .test_plan import counts, planned

ADA, BOB, EVE = ("ada@x", "Ada", "1"), ("bob@x", "Bob", "2"), ("eve@x", "Eve", "3")
UNTOUCHED = {"crm": "", "erp": ""}
IS_CUSTOMER = [{"field": "kind", "operator": "In", "values": ["customer"]}]
FILTERED = {**PLACE, "where": IS_CUSTOMER}
MAPPED = [*FIELDS, {"crm": "kind", "erp": "kind"}]
OUTSIDE = (
    "the new record would be outside this side's own filter (kind In customer); give the field a value that meets it, "
    "or write a where for the other side too if such records are not to be synced"
)
TWIN = "crm has a record with the same email that its filter (where) leaves out, and none is created beside it"


@pytest.fixture
def databases(databases: Databases) -> Databases:
    """Contacts have a kind on both sides, which a change of it does not tell the cursor of."""
    for side in SIDES:
        databases.sql(side, "ALTER TABLE contact ADD COLUMN kind TEXT DEFAULT 'customer'")
    return databases


@pytest.fixture
def linked(databases: Databases) -> Databases:
    """Ada and Bob are customers in crm, which only has those synced; erp got both. Eve is a lead of crm."""
    databases.add("crm", ADA, BOB, EVE)
    make(databases, "lead", "eve@x")
    databases.run(crm=FILTERED)
    return databases


def make(databases: Databases, kind: str | None, *emails: str, side: str = "crm") -> None:
    """Give contacts a kind; their cursors move on."""
    for email in emails:
        databases.query(side, "UPDATE contact SET kind = ?, phone = phone WHERE email = ?", kind, email)


class TestARecordOutsideTheFilter:
    def test_is_not_synced(self, linked: Databases) -> None:
        assert linked.contacts("erp") == [ADA, BOB]

    def test_is_not_created_again_where_the_other_side_has_the_same_record(self, linked: Databases) -> None:
        linked.add("erp", EVE)
        ended = linked.run(crm=FILTERED)
        assert (ended.pushed, ended.parked) == (UNTOUCHED, [("erp", "", f"{TWIN}")])
        assert linked.contacts("crm") == [ADA, BOB, EVE]

    def test_is_paired_with_the_waiting_record_when_it_enters(self, linked: Databases) -> None:
        linked.add("erp", ("eve@x", "Eve", None))
        linked.run(crm=FILTERED)
        make(linked, "customer", "eve@x")
        ended = linked.run(crm=FILTERED)
        assert (ended.pushed, ended.message["waiting"]) == ({"crm": "", "erp": "1 update"}, 0)
        assert linked.contacts("erp") == linked.contacts("crm") == [ADA, BOB, EVE]

    def test_does_not_hide_one_inside(self, linked: Databases) -> None:
        linked.add("crm", ("eve@x", "Eve of the filter", None))
        ended = linked.run(crm=FILTERED)
        assert ended.pushed == {"crm": "", "erp": "1 create"}


SCOPES = pytest.mark.parametrize(("scope", "place"), [("full", PLACE), ("changes", PLACE), ("changes", WITH_CURSOR)])


class TestARecordThatLeavesTheFilter:
    @SCOPES
    @pytest.mark.parametrize("push", [True, False])
    @pytest.mark.parametrize("deletes", ["unlink", "propagate"])
    def test_is_unlinked_and_its_counterpart_is_unchanged(
        self, linked: Databases, scope: str, place: dict[str, Any], push: bool, deletes: str
    ) -> None:
        crm = {**place, "where": IS_CUSTOMER}
        linked.run(crm=crm)
        make(linked, "lead", "bob@x")
        ended = linked.run(scope, push=push, crm=crm, deletes=deletes)
        assert (ended.code, ended.pushed, ended.parked) == (0, UNTOUCHED, [])
        assert "1 record has left the filter of crm contact and is no longer linked" in ended.message["reason"]
        assert linked.contacts("erp") == [ADA, BOB]
        linked.edit("crm", "bob@x", name="Robert")
        assert linked.run(crm=crm, deletes=deletes).pushed == UNTOUCHED
        linked.delete("crm", "bob@x")
        assert linked.run(crm=crm, deletes=deletes).pushed == UNTOUCHED
        assert linked.contacts("erp") == [ADA, BOB], "what is deleted outside the filter is no delete"

    def test_is_no_delete_of_a_plan_either(self, linked: Databases) -> None:
        make(linked, "lead", "ada@x")
        linked.delete("crm", "bob@x")
        config = linked.config(crm=FILTERED, deletes="propagate")
        assert counts(planned(linked, config)) == {"crm": "", "erp": "1 delete"}

    def test_is_distinguished_from_a_deleted_one(self, linked: Databases) -> None:
        make(linked, "lead", "ada@x")
        linked.delete("crm", "bob@x")
        assert linked.run(crm=FILTERED, deletes="propagate").pushed == {"crm": "", "erp": "1 delete"}
        assert linked.contacts("erp") == [ADA]

    def test_is_not_deleted_when_its_former_counterpart_is(self, linked: Databases) -> None:
        make(linked, "lead", "ada@x")
        linked.delete("erp", "ada@x")
        assert linked.run(crm=FILTERED, deletes="propagate").pushed == UNTOUCHED
        assert linked.contacts("crm") == [ADA, BOB, EVE]

    def test_waits_with_a_reason_when_its_former_counterpart_is_edited(self, linked: Databases) -> None:
        make(linked, "lead", "ada@x")
        linked.edit("erp", "ada@x", name="Countess")
        ended = linked.run(crm=FILTERED)
        assert (ended.pushed, ended.parked) == (UNTOUCHED, [("erp", "", TWIN)])
        assert linked.contacts("crm") == [ADA, BOB, EVE]

    def test_is_paired_like_a_new_one_when_it_comes_back(self, linked: Databases) -> None:
        make(linked, "lead", "ada@x")
        linked.run(crm=FILTERED)
        linked.edit("erp", "ada@x", name="Countess", phone=None)
        make(linked, "customer", "ada@x")
        ended = linked.run(crm=FILTERED, conflict="park")
        assert ended.parked == [("crm", "name", "it was changed on both sides, to different values")]
        assert linked.contacts("erp")[0] == ("ada@x", "Countess", "1"), "a blank overwrites no value"

    def test_stops_no_run_in_any_number(self, databases: Databases) -> None:
        databases.add("crm", *((f"p{n}@x", "P", "1") for n in range(50)))
        databases.run(crm=FILTERED)
        databases.sql("crm", "UPDATE contact SET kind = 'lead'")
        ended = databases.run(crm=FILTERED, deletes="propagate")
        assert (ended.code, ended.pushed) == (0, UNTOUCHED)
        assert len(databases.contacts("erp")) == 50

    def test_does_not_hide_deletes_of_other_records(self, databases: Databases) -> None:
        databases.add("crm", *((f"p{n}@x", "P", "1") for n in range(50)))
        databases.run(crm=FILTERED)
        databases.sql("crm", "UPDATE contact SET kind = 'lead' WHERE id > 25; DELETE FROM contact WHERE id <= 11")
        ended = databases.run(crm=FILTERED, deletes="propagate")
        assert ended.code == ExitCode.HALTED
        assert "11 of 25 contact records are gone from crm" in ended.message["reason"]

    def test_may_leave_because_of_a_write_of_the_sync(self, linked: Databases) -> None:
        linked.run(crm=FILTERED, fields=MAPPED)
        make(linked, "lead", "ada@x", side="erp")
        ended = linked.run(crm=FILTERED, fields=MAPPED)
        assert ended.pushed == {"crm": "1 update", "erp": ""}
        assert linked.query("crm", "SELECT kind FROM contact WHERE email = 'ada@x'") == [("lead",)]
        ended = linked.run(crm=FILTERED, fields=MAPPED, deletes="propagate")
        assert (ended.pushed, ended.message["waiting"]) == (UNTOUCHED, 0)
        assert "1 record has left the filter of crm contact" in ended.message["reason"]
        assert linked.contacts("erp") == [ADA, BOB]

    def test_is_not_written_when_it_leaves_right_before_the_push(
        self, linked: Databases, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        update = Rows.update

        def leave_first(rows: Rows, writes: Sequence[Any]) -> Any:
            make(linked, "lead", "ada@x")
            return update(rows, writes)

        linked.edit("erp", "ada@x", name="Countess")
        monkeypatch.setattr(Rows, "update", leave_first)
        ended = linked.run(crm=FILTERED)
        assert (ended.pushed, ended.parked) == (UNTOUCHED, [("erp", "", TWIN)])
        assert linked.contacts("crm")[0] == ADA

    def test_is_not_deleted_when_it_leaves_right_before_the_delete(
        self, linked: Databases, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        delete = Rows.delete

        def leave_first(rows: Rows, expected: Sequence[Any]) -> Any:
            make(linked, "lead", "ada@x")
            return delete(rows, expected)

        linked.delete("erp", "ada@x")
        monkeypatch.setattr(Rows, "delete", leave_first)
        assert linked.run(crm=FILTERED, deletes="propagate").pushed == UNTOUCHED
        assert linked.contacts("crm") == [ADA, BOB, EVE]


class TestANewRecord:
    def test_that_would_be_outside_is_rejected_and_the_others_are_created(self, linked: Databases) -> None:
        linked.add("erp", EVE[:1], ("ann@x", "Ann"), ("zoe@x", "Zoe"))
        linked.sql(
            "erp", "UPDATE contact SET kind = 'lead' WHERE email = 'ann@x'; DELETE FROM contact WHERE email='eve@x'"
        )
        ended = linked.run(crm=FILTERED, fields=MAPPED)
        assert ended.pushed == {"crm": "1 create", "erp": ""}
        assert ended.parked == [("erp", "", f"crm refuses it: {OUTSIDE}")]
        assert [email for email, *_ in linked.contacts("crm")] == ["ada@x", "bob@x", "eve@x", "zoe@x"]
        assert linked.run(crm=FILTERED, fields=MAPPED).pushed == UNTOUCHED

    def test_may_meet_the_filter_by_a_default_of_the_database(self, linked: Databases) -> None:
        linked.add("erp", ("zoe@x", "Zoe", "9"))
        assert linked.run(crm=FILTERED).pushed == {"crm": "1 create", "erp": ""}
        assert linked.run(crm=FILTERED).pushed == UNTOUCHED


class TestAnotherFilter:
    def test_is_detected_and_the_table_is_read_whole(self, linked: Databases) -> None:
        crm = {**WITH_CURSOR, "where": IS_CUSTOMER}
        linked.run(crm=crm)
        assert linked.run("changes", crm=crm).message["read"]["crm"] == 0
        wider = {**WITH_CURSOR, "where": [{"field": "kind", "operator": "In", "values": ["customer", "lead"]}]}
        assert linked.run("changes", crm=wider).pushed == {"crm": "", "erp": "1 create"}
        assert linked.run("changes", crm=wider).message["read"]["crm"] == 1
        narrower = {**WITH_CURSOR, "where": [{"field": "kind", "operator": "In", "values": ["lead"]}]}
        ended = linked.run("changes", crm=narrower)
        assert (ended.pushed, ended.message["read"]["crm"]) == (UNTOUCHED, 1)
        assert "2 records have left the filter of crm contact" in ended.message["reason"]
        assert linked.run("changes", crm=WITH_CURSOR).message["read"]["crm"] == 3
        assert linked.contacts("erp") == [ADA, BOB, EVE]

    def test_is_detected_although_a_halted_run_had_read_with_it(self, linked: Databases) -> None:
        crm, none = {**WITH_CURSOR, "where": IS_CUSTOMER}, WITH_CURSOR
        linked.run(crm=crm)
        linked.delete("erp", "ada@x", "bob@x")
        assert linked.run("changes", crm=none).code == ExitCode.HALTED
        linked.add("erp", ADA, BOB)
        assert linked.run("changes", crm=none).pushed == {"crm": "", "erp": "1 create"}


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ({"field": "kind", "operator": "In", "values": ["a", "b"]}, "ab"),
        ({"field": "kind", "operator": "NotIn", "values": ["a", "b"]}, "10 9 c empty null"),
        ({"field": "kind", "operator": "Exists"}, "10 9 a b c"),
        ({"field": "kind", "operator": "DoesNotExist"}, "empty null"),
        ({"field": "kind", "operator": "Gt", "values": ["b"]}, "c"),
        ({"field": "kind", "operator": "Ge", "values": ["b"]}, "b c"),
        ({"field": "kind", "operator": "Lt", "values": ["b"]}, "10 9 a"),
        ({"field": "kind", "operator": "Le", "values": ["b"]}, "10 9 a b"),
        ({"field": "nr", "operator": "Gt", "values": [9]}, "10"),
        ({"field": "nr", "operator": "Le", "values": [9.5]}, "9"),
        ({"field": "day", "operator": "Ge", "values": ["2026-02-01"]}, "b c"),
    ],
)
class TestACondition:
    ROWS = (
        ("10", "10", 10, None), ("9", "9", 9, None), ("a", "a", None, "2026-01-31"), ("b", "b", None, "2026-02-01"),
        ("c", "c", None, "2026-11-01"), ("empty", "", None, None), ("null", None, None, None),
    )  # fmt: skip

    def test_has_this_meaning_in_a_database(self, databases: Databases, condition: dict[str, Any], kept: str) -> None:
        databases.sql("crm", "ALTER TABLE contact ADD COLUMN nr INTEGER; ALTER TABLE contact ADD COLUMN day DATE")
        for email, kind, number, day in self.ROWS:
            insert = "INSERT INTO contact (email, kind, nr, day) VALUES (?, ?, ?, ?)"
            databases.query("crm", insert, email, kind, number, day)
        databases.run(crm={**PLACE, "where": [condition]})
        assert [email for email, *_ in databases.contacts("erp")] == _expected(kept)

    @pytest.mark.parametrize("file", ["contacts.csv", "contacts.jsonl"])
    def test_has_the_same_meaning_in_a_file(
        self, databases: Databases, condition: dict[str, Any], kept: str, file: str, tmp_path: Path
    ) -> None:
        if file.endswith("csv"):
            rows = [
                f"{n},{e},,,{k or ''},{'' if i is None else i},{d or ''}\n" for n, (e, k, i, d) in enumerate(self.ROWS)
            ]
            (tmp_path / file).write_text("id,email,name,phone,kind,nr,day\n" + "".join(rows))
        else:
            import json

            (tmp_path / file).write_text(
                "".join(
                    json.dumps({"id": n, "email": e, "kind": k, "nr": i, "day": d}) + "\n"
                    for n, (e, k, i, d) in enumerate(self.ROWS)
                )
            )
        sync_file(databases, {"path": file, "id": "id", "where": [condition], "settled": "0s"}, tmp_path)
        assert [email for email, *_ in databases.contacts("erp")] == _expected(kept)


def _expected(kept: str) -> list[str]:
    return kept.split() if " " in kept or kept in ("10", "9", "a", "b", "c") else list(kept)


def sync_file(databases: Databases, place: dict[str, Any], directory: Path, **changes: Any) -> Any:
    connectors = {"crm": {"type": "file", "url": str(directory)}, "erp": {"type": "sql", "url": databases.url("erp")}}
    return databases.run(crm=place, connectors=connectors, **changes)


class TestAFile:
    PLACE = {"path": "contacts.csv", "id": "id", "settled": "0s", "where": IS_CUSTOMER}

    def write(self, directory: Path, *rows: str) -> None:
        (directory / "contacts.csv").write_text("\n".join(["id,email,name,phone,kind", *rows, ""]))

    @pytest.fixture
    def synced(self, databases: Databases, tmp_path: Path) -> Databases:
        self.write(tmp_path, "1,ada@x,Ada,1,customer", "2,bob@x,Bob,2,customer", "3,eve@x,Eve,3,lead")
        sync_file(databases, self.PLACE, tmp_path)
        assert databases.contacts("erp") == [ADA, BOB]
        return databases

    def test_unlinks_records_that_leave_and_deletes_deleted_ones(self, synced: Databases, tmp_path: Path) -> None:
        self.write(tmp_path, "1,ada@x,Ada,1,lead", "3,eve@x,Eve,3,lead")
        ended = sync_file(synced, self.PLACE, tmp_path, deletes="propagate")
        assert ended.pushed == {"crm": "", "erp": "1 delete"}
        assert synced.contacts("erp") == [ADA]

    def test_keeps_filtered_records_when_it_is_updated(self, synced: Databases, tmp_path: Path) -> None:
        synced.edit("erp", "ada@x", name="Countess")
        synced.add("erp", EVE, ("zoe@x", "Zoe", "9"))
        ended = sync_file(synced, self.PLACE, tmp_path, conflict="erp")
        assert ended.pushed == {"crm": "1 update", "erp": ""}
        assert sorted(reason for *_, reason in ended.parked) == sorted([TWIN, f"crm refuses it: {OUTSIDE}"])
        assert (tmp_path / "contacts.csv").read_text().splitlines()[1:] == [
            "1,ada@x,Countess,1,customer", "2,bob@x,Bob,2,customer", "3,eve@x,Eve,3,lead",
        ]  # fmt: skip

    def test_gets_a_new_record_that_meets_the_filter(self, synced: Databases, tmp_path: Path) -> None:
        synced.add("erp", ("zoe@x", "Zoe", "9"))
        ended = sync_file(synced, self.PLACE, tmp_path, fields=MAPPED)
        assert (ended.pushed["crm"], ended.parked) == ("1 create", [])

    @pytest.mark.parametrize("name", ["contacts.csv", "contacts.jsonl"])
    def test_without_the_field_is_a_configuration_error(self, databases: Databases, tmp_path: Path, name: str) -> None:
        self.write(tmp_path, "1,ada@x,Ada,1,customer")
        (tmp_path / "contacts.jsonl").write_text("".join(f'{{"id": {n}, "email": "p{n}@x"}}\n' for n in range(30)))
        where = [{"field": "kynd", "operator": "In", "values": ["customer"]}]
        ended = sync_file(databases, {"path": name, "id": "id", "where": where}, tmp_path)
        assert ended.code != 0
        assert "kynd" in ended.message["reason"]
        assert databases.contacts("erp") == []


def where(*conditions: Any) -> dict[str, Any]:
    return {**PLACE, "where": list(conditions)}


class TestAMistake:
    """Each is named before anything is read, and nothing is written."""

    @pytest.mark.parametrize(
        ("place", "words"),
        [
            (
                where({"field": "kynd", "operator": "Exists"}),
                "where: table contact has no column kynd; it has id, email",
            ),
            (
                where({"field": "kind", "operator": "Equals", "values": ["a"]}),
                "where 1.operator must be 'In', 'NotIn', 'Exists', ",
            ),
            (where({"field": "kind", "operator": "In"}), "where 1: In needs values: the list to compare with"),
            (where({"field": "kind", "operator": "Exists", "values": ["a"]}), "where 1: Exists takes no values"),
            (
                where({"field": "version", "operator": "Gt", "values": [1, 2]}),
                "where 1: Gt needs values with one entry",
            ),
            (where({"field": "kind", "operator": "In", "values": "a"}), "where 1.values must be a list, not 'a'"),
            (where({"field": "kind", "operator": "In", "value": ["a"]}), "where 1.value is not known; known are"),
            (where({"column": "kind", "operator": "Exists"}), "where 1.column is not known; known are"),
            (where("kind = 'a'"), "where 1 must be a mapping"),
            ({**PLACE, "where": "kind = 'a'"}, "where must be a list"),
            (
                where({"field": "version", "operator": "In", "values": ["one"]}),
                "where: version In one: the column, which is INTEGER, cannot be compared with it: the text is not a",
            ),
        ],
    )
    def test_is_reported(self, databases: Databases, place: dict[str, Any], words: str) -> None:
        databases.add("crm", ADA)
        before = databases.everything()
        ended = databases.run(crm=place)
        assert ended.code == ExitCode.CONFIGURATION_ERROR
        assert words in ended.message["reason"]
        assert "crm" in ended.message["reason"]
        assert databases.everything() == before


numbers = st.integers(-20, 20)


@given(number=numbers, bound=numbers)
def test_a_number_is_compared_as_a_number_even_in_a_text(number: int, bound: int) -> None:
    for value in (number, str(number), f"{number}.0"):
        for operator, met in (("Gt", number > bound), ("Ge", number >= bound), ("Lt", number < bound)):
            condition = Condition.model_validate({"field": "n", "operator": operator, "values": [bound]})
            assert condition.is_met_by(value) is met


@given(value=st.one_of(st.none(), st.text(max_size=3), numbers, st.booleans()), others=st.lists(numbers, min_size=1))
def test_a_condition_and_its_opposite_cover_all_values(value: Any, others: list[int]) -> None:
    def met(operator: str, values: list[int]) -> bool:
        return Condition.model_validate({"field": "n", "operator": operator, "values": values}).is_met_by(value)

    assert met("In", others) != met("NotIn", others)
    assert met("Exists", []) != met("DoesNotExist", [])
