"""What values are called on the other side, what new records get, what may be written: `map`, `constant`, `writes`."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.api.contract import ExitCode
from tidegate.worker.values.normal_form import normal
from tidegate.worker.values.value_map import Unmapped, ValueMap

from .databases import FIELDS, PLACE, SIDES, WITH_CURSOR, Databases

ADA, BOB = ("ada@x", "Ada", "1"), ("bob@x", "Bob", "2")
UNTOUCHED = {"crm": "", "erp": ""}
OPEN, CLOSED = {"crm": "open", "erp": "Offen"}, {"crm": "closed", "erp": "Erledigt"}


def mapped(*entries: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    return [*FIELDS, {"crm": "state", "erp": "state", "map": [*entries], **more}]


MAPPED = mapped(OPEN, CLOSED)


@pytest.fixture
def databases(databases: Databases) -> Databases:
    """Contacts have a state on both sides."""
    for side in SIDES:
        databases.sql(side, "ALTER TABLE contact ADD COLUMN state TEXT")
    return databases


def add(databases: Databases, side: str, email: str, state: str | None) -> None:
    databases.query(side, "INSERT INTO contact (email, state) VALUES (?, ?)", email, state)


def states(databases: Databases) -> tuple[dict[str, str | None], dict[str, str | None]]:
    """The states on both sides, by e-mail address."""
    first, second = (dict(databases.query(side, "SELECT email, state FROM contact ORDER BY id")) for side in SIDES)
    return first, second


class TestAMap:
    def test_translates_values_per_side_and_no_value_stays_none(self, databases: Databases) -> None:
        add(databases, "crm", "ada@x", "open")
        add(databases, "crm", "nil@x", None)
        add(databases, "erp", "bob@x", "Erledigt")
        assert databases.run(fields=MAPPED).pushed == {"crm": "1 create", "erp": "2 create"}
        assert states(databases) == (
            {"ada@x": "open", "nil@x": None, "bob@x": "closed"},
            {"bob@x": "Erledigt", "ada@x": "Offen", "nil@x": None},
        )
        assert databases.run(fields=MAPPED).pushed == UNTOUCHED

    def test_pushes_an_edit_and_equal_edits_agree(self, databases: Databases) -> None:
        for email in ("ada@x", "bob@x"):
            add(databases, "crm", email, "open")
            add(databases, "erp", email, "Offen")
        assert databases.run(fields=MAPPED).pushed == UNTOUCHED, "open is Offen"
        databases.edit("erp", "ada@x", state="Erledigt")
        databases.edit("crm", "bob@x", state="closed")
        databases.edit("erp", "bob@x", state="Erledigt")
        ended = databases.run(fields=MAPPED)
        assert (ended.pushed, ended.message["conflicts"]) == ({"crm": "1 update", "erp": ""}, 0)
        assert states(databases)[0] == {"ada@x": "closed", "bob@x": "closed"}
        assert databases.run(fields=MAPPED).pushed == UNTOUCHED

    def test_detects_a_conflict_where_both_were_edited_to_different_values(self, databases: Databases) -> None:
        add(databases, "crm", "ada@x", "open")
        databases.run(fields=MAPPED)
        databases.edit("crm", "ada@x", state="closed")
        databases.edit("erp", "ada@x", state="waiting")
        ended = databases.run(fields=MAPPED, conflict="park")
        assert ended.parked == [("crm", "state", "it was changed on both sides, to different values")]

    @pytest.mark.parametrize("to", ["crm", "erp"])
    def test_sets_aside_a_value_without_an_entry_and_pushes_the_other_fields(
        self, databases: Databases, to: str
    ) -> None:
        source = "erp" if to == "crm" else "crm"
        add(databases, "crm", "ada@x", "open")
        databases.run(fields=MAPPED)
        databases.edit(source, "ada@x", state="waiting", name="Ada")
        add(databases, source, "new@x", "waiting")
        ended = databases.run(fields=MAPPED)
        assert ended.pushed[to] == "1 create, 1 update"
        reason = f"{source} has a text in it that map has no entry for; add one, or edit the record"
        assert [each[1:] for each in ended.parked] == [("state", reason)] * 2
        there = states(databases)[SIDES.index(to)]
        assert there == {"ada@x": "open" if to == "crm" else "Offen", "new@x": None}
        entry = {"crm": "waiting", "erp": "waiting"}
        ended = databases.run(fields=mapped(OPEN, CLOSED, entry))
        assert (ended.pushed[to], ended.message["waiting"]) == ("2 update", 0), "an entry was added"
        assert set(states(databases)[SIDES.index(to)].values()) == {"waiting"}

    def test_with_another_entry_is_applied_by_the_next_run_of_changes(self, databases: Databases) -> None:
        add(databases, "crm", "ada@x", "waiting")
        databases.run(fields=MAPPED, crm=WITH_CURSOR)
        fields = mapped(OPEN, CLOSED, {"crm": "waiting", "erp": "Wartet"})
        assert databases.run("changes", fields=fields, crm=WITH_CURSOR).pushed == {"crm": "", "erp": "1 update"}
        assert states(databases)[1] == {"ada@x": "Wartet"}

    def test_merges_several_values_where_they_are_written_one_way(self, databases: Databases) -> None:
        fields = mapped(OPEN, {"crm": "new", "erp": "Offen"}, CLOSED, direction="to-erp")
        add(databases, "crm", "ada@x", "open")
        add(databases, "crm", "bob@x", "new")
        databases.run(fields=fields)
        assert states(databases)[1] == {"ada@x": "Offen", "bob@x": "Offen"}
        databases.edit("crm", "ada@x", state="new", name="Ada")
        databases.edit("erp", "bob@x", state="Sonstwas", name="Bob")
        assert databases.run(fields=fields).pushed == {"crm": "1 update", "erp": "1 update"}
        assert states(databases) == ({"ada@x": "new", "bob@x": "new"}, {"ada@x": "Offen", "bob@x": "Sonstwas"})

    def test_may_map_no_value_and_numbers(self, databases: Databases) -> None:
        databases.sql("erp", "ALTER TABLE contact ADD COLUMN grade INTEGER")
        entries = [{"crm": "unknown", "erp": None}, {"crm": "good", "erp": 1}, {"crm": "bad", "erp": 2}]
        fields = [*FIELDS, {"crm": "state", "erp": "grade", "map": entries}]
        add(databases, "crm", "ada@x", "good")
        add(databases, "crm", "bob@x", "unknown")
        databases.query("erp", "INSERT INTO contact (email, grade) VALUES ('eve@x', 2), ('nil@x', NULL)")
        databases.run(fields=fields)
        assert databases.query("erp", "SELECT email, grade FROM contact ORDER BY email") == [
            ("ada@x", 1), ("bob@x", None), ("eve@x", 2), ("nil@x", None),
        ]  # fmt: skip
        assert states(databases)[0] == {"ada@x": "good", "bob@x": "unknown", "eve@x": "bad", "nil@x": "unknown"}
        assert databases.run(fields=fields).pushed == UNTOUCHED

    def test_that_is_added_later_writes_no_unedited_record(self, databases: Databases) -> None:
        add(databases, "crm", "ada@x", "open")
        databases.run(fields=[*FIELDS, {"crm": "state", "erp": "state"}])
        before = databases.everything()
        assert databases.run(fields=MAPPED).pushed == UNTOUCHED
        assert databases.everything() == before

    def test_works_for_files_too(self, databases: Databases, tmp_path: Path) -> None:
        (tmp_path / "c.csv").write_text("id,email,state\n1,ada@x,open\n")
        connectors = {
            "crm": {"type": "file", "url": str(tmp_path)},
            "erp": {"type": "sql", "url": databases.url("erp")},
        }
        crm = {"path": "c.csv", "id": "id", "settled": "0s"}
        fields = [FIELDS[0], MAPPED[-1], {"erp": "name", "constant": "from crm"}]
        databases.run(crm=crm, connectors=connectors, fields=fields)
        assert databases.query("erp", "SELECT email, name, state FROM contact") == [("ada@x", "from crm", "Offen")]
        add(databases, "erp", "bob@x", "Erledigt")
        databases.run(crm=crm, connectors=connectors, fields=fields)
        assert "2,bob@x,closed" in (tmp_path / "c.csv").read_text()


texts = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=4)
one_to_one = st.dictionaries(texts, st.one_of(texts, st.integers()), min_size=1).filter(
    lambda pairs: len({normal(value) for value in pairs.values()}) == len(pairs)
)


@given(pairs=one_to_one, value=st.one_of(st.none(), texts, st.integers()))
def test_a_mapped_value_survives_the_round_trip_and_an_unmapped_one_is_not_written(
    pairs: dict[str, Any], value: Any
) -> None:
    values = ValueMap(tuple(pairs.items()))
    for side, known in ((0, {*pairs}), (1, {normal(each) for each in pairs.values()})):
        there = values.translated(value, side)
        if normal(value) in known or value is None:
            assert normal(values.translated(there, 1 - side)) == normal(value)
        else:
            assert there == Unmapped(value)


class TestAConstant:
    def test_is_set_in_a_new_record_and_not_changed_later(self, databases: Databases) -> None:
        fields = [*FIELDS, {"erp": "state", "constant": "from crm"}]
        databases.add("crm", ADA)
        databases.run(fields=fields)
        assert states(databases) == ({"ada@x": None}, {"ada@x": "from crm"})
        databases.edit("erp", "ada@x", state="mine")
        databases.edit("crm", "ada@x", name="Countess")
        assert databases.run(fields=fields).pushed == {"crm": "", "erp": "1 update"}
        assert states(databases)[1] == {"ada@x": "mine"}

    def test_lets_a_new_record_meet_its_side_s_filter(self, databases: Databases) -> None:
        where = [{"field": "state", "operator": "In", "values": ["person"]}]
        fields = [*FIELDS, {"erp": "state", "constant": "person"}]
        databases.add("crm", ADA)
        erp = {**PLACE, "where": where}
        ended = databases.run(erp=erp, fields=fields)
        assert (ended.pushed, ended.parked) == ({"crm": "", "erp": "1 create"}, [])
        assert databases.run(erp=erp, fields=fields).pushed == UNTOUCHED

    def test_fills_a_column_that_must_have_a_value(self, databases: Databases) -> None:
        databases.sql("erp", "CREATE TABLE person (id INTEGER PRIMARY KEY, email TEXT, kind INTEGER NOT NULL)")
        databases.add("crm", ADA)
        erp = {"table": "person", "id": "id"}
        databases.run(erp=erp, fields=[FIELDS[0], {"erp": "kind", "constant": 7}])
        assert databases.query("erp", "SELECT email, kind FROM person") == [("ada@x", 7)]


class TestWrites:
    def test_without_create_adds_no_record_and_updates_flow(self, databases: Databases) -> None:
        writes = {"crm": ["update", "delete"]}
        databases.add("crm", ADA)
        databases.run(writes=writes)
        databases.edit("erp", "ada@x", name="Countess")
        databases.add("erp", BOB)
        ended = databases.run(writes=writes)
        assert (ended.pushed, ended.parked) == ({"crm": "1 update", "erp": ""}, [])
        assert ended.message["reason"] == "contact in crm: 1 not created: writes does not list create for it"
        assert ended.message["withheld"] == {"crm": {"create": 1}}
        assert databases.run(writes=writes).message["reason"] == "", "it is said once, and does not wait"
        databases.add("crm", ("bob@x", "Bob of crm", "2"))
        databases.run(writes=writes, conflict="erp")
        assert databases.contacts("crm") == [("ada@x", "Countess", "1"), BOB], "one that is there is paired"

    def test_without_update_adds_records_and_leaves_them_as_they_are(self, databases: Databases) -> None:
        writes = {"erp": ["create"]}
        databases.add("crm", ADA, BOB)
        databases.run(writes=writes)
        databases.edit("crm", "ada@x", name="Countess")
        databases.edit("erp", "bob@x", name="Robert")
        ended = databases.run(writes=writes, conflict="park")
        assert (ended.pushed, ended.parked) == ({"crm": "1 update", "erp": ""}, [])
        assert ended.message["reason"] == "contact in erp: 1 not updated: writes does not list update for it"
        databases.edit("crm", "ada@x", phone="9")
        databases.edit("erp", "ada@x", phone="8")
        assert databases.run(writes=writes, conflict="park").pushed == {"crm": "1 update", "erp": ""}
        assert databases.contacts("crm")[0] == ("ada@x", "Countess", "8")

    @pytest.mark.parametrize(("conflict", "crm", "erp"), [("crm", "9", "8"), ("erp", "8", "8"), ("park", "8", "8")])
    def test_without_update_an_edit_that_wins_stays_and_is_not_overwritten(
        self, databases: Databases, conflict: str, crm: str, erp: str
    ) -> None:
        writes = {"erp": ["create"]}
        databases.add("crm", ADA)
        databases.run(writes=writes)
        databases.edit("crm", "ada@x", phone="9")
        databases.edit("erp", "ada@x", phone="8")
        ended = databases.run(writes=writes, conflict=conflict)
        assert [databases.contacts(side)[0][2] for side in ("crm", "erp")] == [crm, erp]
        left = "contact in erp: 1 not updated: writes does not list update for it" if conflict == "crm" else ""
        assert ended.message["reason"] == left
        assert databases.run(writes=writes, conflict=conflict).pushed == UNTOUCHED

    def test_without_update_the_side_that_wins_is_not_overwritten_at_the_first_pairing(
        self, databases: Databases
    ) -> None:
        databases.add("crm", ADA)
        databases.add("erp", ("ada@x", "Countess", "1"))
        assert databases.run(writes={"erp": ["create"]}, conflict="crm").pushed == UNTOUCHED
        assert [databases.contacts(side)[0][1] for side in ("crm", "erp")] == [ADA[1], "Countess"]

    def test_without_update_a_conflict_that_waits_is_not_settled_against_the_side_that_wins(
        self, databases: Databases
    ) -> None:
        databases.add("crm", ADA)
        databases.add("erp", ("ada@x", "Countess", "1"))
        assert len(databases.run(conflict="park").parked) == 1
        ended = databases.run(writes={"erp": ["create"]}, conflict="crm")
        assert (ended.pushed, ended.message["withheld"]) == (UNTOUCHED, {"erp": {"update": 1}})
        assert databases.run(conflict="crm").pushed == {"crm": "", "erp": "1 update"}

    def test_without_delete_keeps_the_counterpart(self, databases: Databases) -> None:
        writes = {"erp": ["create", "update"]}
        databases.add("crm", ADA, BOB)
        databases.run(writes=writes)
        databases.delete("crm", "ada@x")
        ended = databases.run(writes=writes, deletes="propagate")
        assert ended.pushed == UNTOUCHED
        assert ended.message["reason"] == "contact in erp: 1 not deleted: writes does not list delete for it"
        databases.delete("erp", "bob@x")
        assert databases.run(writes=writes, deletes="propagate", safety={"emptySide": "allow"}).pushed == {
            "crm": "1 delete", "erp": "",
        }  # fmt: skip
        assert databases.contacts("erp") == [ADA]

    def test_are_reported_where_an_unwritten_match_field_prevents_creates(self, databases: Databases) -> None:
        fields = [{**FIELDS[0], "direction": "to-erp"}, *FIELDS[1:]]
        databases.add("erp", ADA, BOB)
        ended = databases.run(fields=fields)
        assert ended.pushed == UNTOUCHED
        assert ended.message["reason"] == "contact in crm: 2 not created: its match field email is not written there"

    def test_without_any_operation_writes_nothing(self, databases: Databases) -> None:
        databases.add("crm", ADA)
        databases.add("erp", BOB)
        assert databases.run(writes={"crm": []}, deletes="propagate").pushed == {"crm": "", "erp": "1 create"}
        databases.edit("erp", "ada@x", name="Countess")
        databases.delete("erp", "bob@x")
        assert databases.run(writes={"crm": []}, deletes="propagate").pushed == UNTOUCHED
        assert databases.contacts("crm") == [ADA]


def test_constants_and_allowed_writes_may_change_from_run_to_run(databases: Databases) -> None:
    databases.add("crm", ADA)
    databases.run(writes={"erp": []})
    databases.add("crm", BOB)
    ended = databases.run(fields=[*FIELDS, {"erp": "state", "constant": "from crm"}])
    assert ended.pushed == {"crm": "", "erp": "1 create"}
    assert states(databases)[1] == {"bob@x": "from crm"}, "Ada was meant to stay alone"
    databases.edit("crm", "ada@x", name="Countess")
    assert databases.run().pushed == {"crm": "", "erp": "1 create"}, "an edit of her is new"


def test_no_value_is_an_empty_text_in_a_not_null_text_column(databases: Databases) -> None:
    databases.sql("erp", "CREATE TABLE person (id INTEGER PRIMARY KEY, email TEXT, name TEXT NOT NULL)")
    erp = {"table": "person", "id": "id"}
    databases.add("crm", ADA, ("bob@x", None, None))
    databases.run(erp=erp, fields=FIELDS[:2])
    databases.edit("crm", "ada@x", name=None)
    ended = databases.run(erp=erp, fields=FIELDS[:2])
    assert (ended.pushed, ended.parked) == ({"crm": "", "erp": "1 update"}, [])
    assert databases.query("erp", "SELECT email, name FROM person ORDER BY id") == [("ada@x", ""), ("bob@x", "")]
    assert databases.run(erp=erp, fields=FIELDS[:2]).pushed == UNTOUCHED


STATE = "object contact, field state"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fields": mapped()}, f"{STATE}: map has no entry"),
        (
            {"fields": [*FIELDS, {"crm": "state", "erp": "state", "map": {"open": "Offen"}}]},
            f"{STATE}: map: write a list of entries with the value of each connector, such as - {{crm: open",
        ),
        (
            {"fields": mapped({"crm": "open"})},
            f"{STATE}: map: each entry has a value for crm and one for erp, and one has crm",
        ),
        ({"fields": mapped({"crm": "open", "sap": "x"})}, "and one has crm and sap"),
        (
            {"fields": mapped(OPEN, {"crm": "new", "erp": "Offen"})},
            f"{STATE}: map: more than one entry has 'Offen' for erp, and it can become one value of crm only; to give "
            "several of crm one, set direction: to-erp",
        ),
        (
            {"fields": mapped(OPEN, {"crm": "open", "erp": "Neu"}, direction="to-erp")},
            f"{STATE}: map: more than one entry has 'open' for crm, and it can become one value of erp only",
        ),
        ({"fields": mapped(OPEN, ref="contact")}, "map cannot be used with ref"),
        ({"fields": mapped(OPEN), "match": ["state"]}, "match: state may not have a map"),
        (
            {"fields": [*FIELDS, {"crm": "state", "erp": "version", "map": [OPEN]}]},
            "map: version of erp is INTEGER and cannot hold 'Offen'",
        ),
        (
            {"fields": [*FIELDS, {"crm": "state", "erp": "state", "constant": 1}]},
            f"{STATE}: constant is for a field that",
        ),
        (
            {"fields": [*FIELDS, {"constant": 1}]},
            "constant is for a field that only one side has: name it for crm or erp",
        ),
        ({"fields": [*FIELDS, {"erp": "state", "constant": None}]}, "constant must be a text, a number, true or false"),
        ({"fields": [*FIELDS, {"erp": "stat", "constant": 1}]}, "constant: table contact has no column stat"),
        (
            {"fields": [*FIELDS, {"erp": "version", "constant": "x"}]},
            "constant: column version is INTEGER and cannot hold",
        ),
        (
            {"fields": [*FIELDS, {"erp": "name", "constant": "x"}]},
            "name of erp would be written by more than one field",
        ),
        (
            {"fields": [*FIELDS, {"erp": "state", "constant": "x", "direction": "to-erp"}]},
            "direction cannot be used with constant",
        ),
        (
            {"fields": [*FIELDS, {"erp": "state", "constant": "x"}], "writes": {"erp": ["update"]}},
            "constant: no record is created in erp, so state is never written",
        ),
        ({"fields": [*FIELDS, {"erp": "state"}]}, f"{STATE}: crm must be the name of the field in crm"),
        ({"writes": {"sap": ["create"]}}, "writes: sap is not one of the connectors crm and erp"),
        ({"writes": {"crm": ["insert"]}}, "writes.crm 1 must be 'create', 'update' or 'delete', not 'insert'"),
        ({"writes": {"crm": "create"}}, "writes.crm must be a list, not 'create'"),
        (
            {"fields": [*FIELDS, {"crm": "state", "erp": "state", "ref": "contact"}], "writes": {"erp": ["create"]}},
            "writes: erp may be given create without update, and a field has a ref",
        ),
    ],
)
def test_an_error_is_reported_and_nothing_is_written(databases: Databases, changes: dict[str, Any], words: str) -> None:
    databases.add("crm", ADA)
    before = databases.everything()
    ended = databases.run(**changes)
    assert ended.code == ExitCode.CONFIGURATION_ERROR
    assert words in ended.message["reason"]
    assert databases.everything() == before
