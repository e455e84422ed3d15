"""What a changed configuration means for what is remembered: each row of the table in docs/sync.md, as whole runs.

Nothing that was not edited is written, nothing that was edited is lost, and no delete is undone: a hash that was made
under another configuration is unknown, and unknown is not changed.
"""

from collections.abc import Sequence
from typing import Any

import pytest

from documentation.pages import Page
from tidegate.api.contract import ExitCode
from tidegate.worker.connectors.sql.rows import Rows

from . import test_filters, test_identity, test_maps, test_systems
from .databases import FIELDS, PLACE, WITH_CURSOR, Databases

ADA, BOB, EVE = ("ada@x", "Ada", "+1"), ("bob@x", "Bob", "2"), ("eve@x", "Eve", "3")
UNTOUCHED = {"crm": "", "erp": ""}
EVERY_CONFLICT_POLICY = pytest.mark.parametrize("conflict", ["crm", "erp", "park"])
SCOPES = pytest.mark.parametrize("scope", ["full", "changes"])
CONFLICT = "it was changed on both sides, to different values"


class Killed(BaseException):
    """The process has died here."""


def normalized(**by_name: Any) -> list[dict[str, Any]]:
    """The usual fields; keywords are the `normalize` of some."""
    return [{**field, **({"normalize": by_name[field["crm"]]} if field["crm"] in by_name else {})} for field in FIELDS]


@pytest.fixture
def linked(databases: Databases) -> Databases:
    """Three people on both sides, of whom Bob differs: a read-only run has accepted that."""
    databases.add("crm", ADA, BOB, EVE)
    databases.run()
    databases.edit("erp", "bob@x", name="Robert")
    databases.run(push=False)
    return databases


class TestAnotherNormalize:
    CHANGE: dict[str, Any] = {"fields": normalized(phone="digits", name=["trim", "casefold"])}

    @SCOPES
    @EVERY_CONFLICT_POLICY
    def test_changes_no_unedited_record(self, linked: Databases, scope: str, conflict: str) -> None:
        before = linked.everything()
        for _ in range(2):
            ended = linked.run(scope, conflict=conflict, **self.CHANGE)
            assert (ended.code, ended.pushed, ended.parked) == (0, UNTOUCHED, [])
        assert linked.everything() == before

    @EVERY_CONFLICT_POLICY
    @pytest.mark.parametrize("in_the_same_run", [True, False])
    @pytest.mark.parametrize("name", ["Ada Lovelace", None])
    def test_pushes_the_first_edit_of_a_record(
        self, linked: Databases, conflict: str, in_the_same_run: bool, name: str | None
    ) -> None:
        if not in_the_same_run:
            linked.run(conflict=conflict, **self.CHANGE)
        linked.edit("crm", "ada@x", name=name)
        ended = linked.run(conflict=conflict, **self.CHANGE)
        assert (ended.pushed, ended.message["conflicts"]) == ({"crm": "", "erp": "1 update"}, 0)
        assert linked.contacts("erp")[0] == ("ada@x", name, "+1")

    @pytest.mark.parametrize("in_the_same_run", [True, False])
    def test_undoes_no_delete(self, linked: Databases, in_the_same_run: bool) -> None:
        change = {**self.CHANGE, "deletes": "propagate"}
        if not in_the_same_run:
            linked.run(**change)
        linked.delete("crm", "eve@x")
        assert linked.run(**change).pushed == {"crm": "", "erp": "1 delete"}

    def test_still_detects_a_conflict_of_edits_on_both_sides(self, linked: Databases) -> None:
        linked.edit("crm", "ada@x", name="Ada of crm")
        linked.edit("erp", "ada@x", name="Ada of erp")
        assert linked.run(conflict="park", **self.CHANGE).parked == [("crm", "name", CONFLICT)]

    def test_may_change_again_before_a_record_is_read(self, linked: Databases) -> None:
        linked.run(**self.CHANGE)
        linked.run(fields=normalized(name="trim"))
        linked.edit("erp", "ada@x", name="Ada Lovelace")
        ended = linked.run(conflict="crm", fields=normalized(name="casefold"))
        assert (ended.pushed, ended.message["conflicts"]) == ({"crm": "1 update", "erp": ""}, 0)

    def test_does_not_mistake_the_push_of_a_killed_run_for_an_edit(
        self, linked: Databases, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        update = Rows.update

        def die_after(rows: Rows, writes: Sequence[Any]) -> Any:
            update(rows, writes)
            raise Killed

        linked.edit("crm", "ada@x", name="Ada L.")
        monkeypatch.setattr(Rows, "update", die_after)
        with pytest.raises(Killed):
            linked.run()
        monkeypatch.undo()
        assert linked.contacts("erp")[0] == ("ada@x", "Ada L.", "+1")
        linked.edit("crm", "ada@x", name="Ada Lovelace")
        linked.edit("erp", "ada@x", phone="+11")
        ended = linked.run(conflict="park", **self.CHANGE)
        assert (ended.pushed, ended.parked) == ({"crm": "1 update", "erp": "1 update"}, [])
        assert linked.contacts("erp")[0] == linked.contacts("crm")[0] == ("ada@x", "Ada Lovelace", "+11")

    def test_may_be_reverted_before_a_run_that_is_killed(
        self, linked: Databases, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        create = Rows.create

        def die_after(rows: Rows, records: Sequence[Any]) -> Any:
            create(rows, records)
            raise Killed

        linked.run(**self.CHANGE)
        linked.add("crm", ("zoe@x", "Zoe", "4"))
        monkeypatch.setattr(Rows, "create", die_after)
        with pytest.raises(Killed):
            linked.run()
        monkeypatch.undo()
        ended = linked.run()
        assert (ended.code, ended.pushed, len(linked.contacts("erp"))) == (0, UNTOUCHED, 4)


class TestAFieldMappedToAnotherColumn:
    def other_column(self, databases: Databases) -> dict[str, Any]:
        databases.sql("erp", "ALTER TABLE contact ADD COLUMN mobile TEXT; UPDATE contact SET mobile = phone")
        return {"fields": [*FIELDS[:2], {"crm": "phone", "erp": "mobile"}]}

    @EVERY_CONFLICT_POLICY
    def test_is_paired_where_the_values_are_equal_and_the_first_edit_is_pushed(
        self, linked: Databases, conflict: str
    ) -> None:
        change = self.other_column(linked)
        assert linked.run(conflict=conflict, **change).pushed == UNTOUCHED
        linked.edit("crm", "ada@x", phone="11")
        ended = linked.run(conflict=conflict, **change)
        assert (ended.pushed, ended.message["conflicts"]) == ({"crm": "", "erp": "1 update"}, 0)
        linked.delete("crm", "ada@x")
        assert linked.run(deletes="propagate", **change).pushed == {"crm": "", "erp": "1 delete"}

    def test_waits_where_the_values_differ(self, linked: Databases) -> None:
        change = self.other_column(linked)
        linked.query("erp", "UPDATE contact SET mobile = '99' WHERE email = 'ada@x'")
        before = linked.everything()
        assert linked.run(conflict="park", **change).parked == [("crm", "phone/mobile", CONFLICT)]
        assert linked.everything() == before

    def test_leaves_no_conflict_of_the_former_column_waiting(self, linked: Databases) -> None:
        linked.edit("crm", "ada@x", phone="11")
        linked.edit("erp", "ada@x", phone="12")
        assert linked.run(conflict="park").message["waiting"] == 1
        ended = linked.run(conflict="park", **self.other_column(linked))
        assert ended.parked == [("crm", "phone/mobile", CONFLICT)]
        assert ended.message["waiting"] == 1


class TestAnAddedReference:
    @pytest.fixture
    def employed(self, databases: Databases) -> Databases:
        """Ada works at Acme, which has another id in erp, and her contact was synced without `ref`."""
        for side in ("crm", "erp"):
            databases.sql(side, "CREATE TABLE firm (id INTEGER PRIMARY KEY, name TEXT)")
            databases.sql(side, "ALTER TABLE contact ADD COLUMN firm INTEGER")
        databases.sql("crm", "INSERT INTO firm VALUES (1, 'Acme')")
        databases.sql("erp", "INSERT INTO firm VALUES (70, 'Acme')")
        databases.add("crm", ADA)
        databases.sql("crm", "UPDATE contact SET firm = 1")
        databases.run(config=self.config(databases))
        assert databases.query("erp", "SELECT firm FROM contact") == [(1,)]
        return databases

    @staticmethod
    def config(databases: Databases, **changes: Any) -> dict[str, Any]:
        config = databases.config(conflict="park")
        place = {**PLACE, "table": "firm"}
        firm = {"name": "firm", "crm": place, "erp": place, "match": ["name"]}
        config["objects"].insert(0, {**firm, "fields": [{"crm": "name", "erp": "name"}]})
        config["objects"][1]["fields"] = [*FIELDS, {"crm": "firm", "erp": "firm", **changes}]
        return config

    @SCOPES
    def test_is_pushed_where_a_direction_is_set(self, employed: Databases, scope: str) -> None:
        ended = employed.run(scope, config=self.config(employed, ref="firm", direction="to-erp"))
        assert ended.pushed == {"crm": "", "erp": "1 update"}
        assert employed.query("erp", "SELECT firm FROM contact") == [(70,)]

    def test_waits_where_no_policy_names_a_winner(self, employed: Databases) -> None:
        assert employed.run(config=self.config(employed, ref="firm")).parked == [("crm", "firm", CONFLICT)]


class TestARemovedField:
    def test_does_not_wait_until_it_is_back(self, linked: Databases) -> None:
        linked.edit("crm", "ada@x", phone="11")
        linked.edit("erp", "ada@x", phone="12")
        assert linked.run(conflict="park").message["waiting"] == 1
        before = linked.everything()
        for _ in range(2):
            assert linked.run(conflict="park", fields=FIELDS[:2]).message["waiting"] == 0
        assert linked.run(conflict="park").message["waiting"] == 1
        assert linked.everything() == before
        linked.run(conflict="crm")
        assert linked.contacts("erp")[0] == linked.contacts("crm")[0] == ("ada@x", "Ada", "11")

    @SCOPES
    def test_is_paired_again_even_in_a_record_created_meanwhile(self, linked: Databases, scope: str) -> None:
        without: dict[str, Any] = {"fields": FIELDS[:2], "conflict": "park"}
        linked.run(scope, **without)
        linked.add("crm", ("new@x", "New", None))
        linked.run(scope, **without)
        linked.run(scope, conflict="park")
        linked.edit("crm", "new@x", phone="4")
        linked.run(scope, conflict="park")
        linked.edit("crm", "new@x", phone="5")
        ended = linked.run(scope, conflict="park")
        assert (ended.pushed, ended.parked) == ({"crm": "", "erp": "1 update"}, [])


class TestAnObject:
    @SCOPES
    @EVERY_CONFLICT_POLICY
    def test_that_is_renamed_is_recognized_by_its_tables(self, linked: Databases, scope: str, conflict: str) -> None:
        before = linked.everything()
        for _ in range(2):
            ended = linked.run(scope, name="person", conflict=conflict)
            assert (ended.code, ended.pushed, ended.parked) == (0, UNTOUCHED, [])
        assert linked.everything() == before
        linked.delete("crm", "eve@x")
        assert linked.run(name="person", deletes="propagate").pushed == {"crm": "", "erp": "1 delete"}

    def test_that_is_renamed_and_matched_by_another_field_needs_a_reset(self, linked: Databases) -> None:
        ended = linked.run(name="person", match=["name"])
        assert ended.code == ExitCode.CACHE_UNUSABLE
        assert ended.message["reason"].startswith("reset needed: object person: match was ")

    def test_that_others_refer_to_may_be_renamed(self, databases: Databases) -> None:
        for side, firm in (("crm", 1), ("erp", 70)):
            databases.sql(side, "CREATE TABLE firm (id INTEGER PRIMARY KEY, name TEXT)")
            databases.sql(side, "ALTER TABLE contact ADD COLUMN firm INTEGER")
            databases.query(side, "INSERT INTO firm VALUES (?, 'Acme')", firm)
        databases.add("crm", ADA)
        databases.sql("crm", "UPDATE contact SET firm = 1")
        config = TestAnAddedReference.config(databases, ref="firm")
        databases.run(config=config)
        config["objects"][0]["name"] = config["objects"][1]["fields"][3]["ref"] = "company"
        databases.edit("erp", "ada@x", firm=None)
        ended = databases.run(config=config)
        assert (ended.pushed, ended.parked) == ({"crm": "1 update", "erp": ""}, [])

    def test_that_is_removed_is_remembered_with_its_waiting_records(self, linked: Databases) -> None:
        for side in ("crm", "erp"):
            linked.sql(side, "CREATE TABLE company (id INTEGER PRIMARY KEY, name TEXT)")
        both = linked.config(conflict="park")
        place = {**PLACE, "table": "company"}
        company = {"name": "company", "crm": place, "erp": place, "match": ["name"]}
        both["objects"].append({**company, "fields": [{"crm": "name", "erp": "name"}]})
        linked.edit("crm", "ada@x", phone="11")
        linked.edit("erp", "ada@x", phone="12")
        assert linked.run(config=both).message["waiting"] == 1
        only_companies = {**both, "objects": both["objects"][1:]}
        assert linked.run(config=only_companies).message["waiting"] == 0
        before = linked.everything()
        ended = linked.run(config=both)
        assert (ended.pushed, ended.message["waiting"]) == (UNTOUCHED, 1)
        assert linked.everything() == before


def test_a_cursor_that_is_added_causes_one_whole_read_of_the_object(linked: Databases) -> None:
    by_cursor: dict[str, Any] = {"crm": WITH_CURSOR, "erp": WITH_CURSOR}
    first, second = (linked.run("changes", **by_cursor).message["read"]["crm"] for _ in range(2))
    assert first == 3
    assert second < 3


# Each row of the table, and what shows that it is true.
ROWS = {
    "directions, policies, limits, credentials": test_identity.test_policies_cursors_and_fields_may_change_without_one,
    "`cursor`": test_a_cursor_that_is_added_causes_one_whole_read_of_the_object,
    "`where`": test_filters.TestAnotherFilter,
    "`map`": (
        test_maps.TestAMap.test_with_another_entry_is_applied_by_the_next_run_of_changes,
        test_maps.TestAMap.test_that_is_added_later_writes_no_unedited_record,
    ),
    "`constant`, `writes`": test_maps.test_constants_and_allowed_writes_may_change_from_run_to_run,
    "another address of the same system": test_systems.TestAnotherDatabaseOfTheSameShape,
    "`normalize` of a field that is not matched by": TestAnotherNormalize,
    "a field that is new, or new again": test_identity.test_a_new_field_is_paired_as_at_the_first_sync,
    "a field that is mapped to another column": TestAFieldMappedToAnotherColumn,
    "a `ref` that is added, removed or changed": TestAnAddedReference,
    "a field that is removed": TestARemovedField,
    "an object that is new": test_identity.test_an_object_may_be_added,
    "an object that is removed": TestAnObject.test_that_is_removed_is_remembered_with_its_waiting_records,
    "an object that is renamed": TestAnObject.test_that_is_renamed_is_recognized_by_its_tables,
    "connectors' names and types, tables, paths, ids, match fields and how they are normalized": (
        test_identity.test_a_setting_that_gives_ids_links_and_keys_their_meaning_needs_a_reset
    ),
}


def test_the_documentation_has_these_rows() -> None:
    rows = Page.read("docs/sync.md").section("What may be changed later").rows(2)
    assert [change for change, _ in rows] == list(ROWS)
