"""A cache belongs to what it was made for: it follows some changes of the configuration, others need a reset."""

from typing import Any

import pytest

from tidegate.api.contract import ExitCode
from tidegate.worker import epoch

from .databases import FIELDS, PLACE, WITH_CURSOR, Databases

ADA, BOB = ("ada@x", "Ada", "1"), ("bob@x", "Bob", "2")
UNTOUCHED = {"crm": "", "erp": ""}


@pytest.fixture
def linked(databases: Databases) -> Databases:
    databases.add("crm", ADA, BOB)
    databases.run()
    databases.sql("crm", "CREATE TABLE people AS SELECT * FROM contact; CREATE UNIQUE INDEX ids ON people (id)")
    return databases


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"crm": {"table": "people", "id": "id"}}, "table of side 1 was 'contact' and is 'people'"),
        ({"match": ["name"]}, "match was "),
        ({"match": ["email", "name"]}, "match was "),
        ({"fields": [{"crm": "email", "erp": "email"}, *FIELDS[1:]]}, "match was "),
    ],
)
def test_a_setting_that_gives_ids_links_and_keys_their_meaning_needs_a_reset(
    linked: Databases, change: dict[str, Any], said: str
) -> None:
    ended = linked.run(**change)
    assert ended.code == ExitCode.CACHE_UNUSABLE
    assert ended.message["reason"].startswith(f"reset needed: object contact: {said}")
    assert linked.run().code == 0, "what was refused is not taken over"


def test_other_connectors_need_a_reset(linked: Databases) -> None:
    config = linked.config()
    config["connectors"]["sap"] = config["connectors"].pop("erp")
    config["objects"][0]["sap"] = config["objects"][0].pop("erp")
    config["objects"][0] |= {
        "conflict": "park",
        "fields": [{"sap" if key == "erp" else key: value for key, value in field.items()} for field in FIELDS],
    }
    ended = linked.run(config=config)
    assert ended.code == ExitCode.CACHE_UNUSABLE
    assert ended.message["reason"] == (
        "reset needed: the cache was made for the connectors crm (sql) and erp (sql), and now there are "
        "crm (sql) and sap (sql)"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"conflict": "park"},
        {"deletes": "propagate"},
        {"crm": WITH_CURSOR},
        {"fields": FIELDS[:2]},
        {"fields": [*FIELDS[:2], {"crm": "phone", "erp": "phone", "direction": "to-crm"}]},
        {"fields": FIELDS[::-1]},
        {"safety": {"emptySide": "allow"}},
        {"pace": {"recordsPerSecond": 1000}},
    ],
)
def test_policies_cursors_and_fields_may_change_without_one(linked: Databases, change: dict[str, Any]) -> None:
    ended = linked.run(**change)
    assert (ended.code, ended.pushed) == (0, UNTOUCHED)
    linked.edit("crm", "ada@x", name="Ada L.")
    assert linked.run(**change).pushed == {"crm": "", "erp": "1 update"}


def test_a_new_field_is_paired_as_at_the_first_sync(linked: Databases) -> None:
    for side in ("crm", "erp"):
        linked.sql(side, "ALTER TABLE contact ADD COLUMN city TEXT")
    linked.query("crm", "UPDATE contact SET city = 'London' WHERE email = 'ada@x'")
    linked.query("erp", "UPDATE contact SET city = 'Paris' WHERE email = 'bob@x'")
    fields = [*FIELDS, {"crm": "city", "erp": "city"}]
    assert linked.run(fields=fields).pushed == {"crm": "1 update", "erp": "1 update"}
    cities = [linked.query(side, "SELECT city FROM contact ORDER BY email") for side in ("crm", "erp")]
    assert cities == [[("London",), ("Paris",)]] * 2


def test_a_field_that_comes_back_is_paired_as_at_the_first_sync_too(linked: Databases) -> None:
    linked.run(fields=FIELDS[:2])
    linked.edit("crm", "ada@x", phone="11")
    linked.edit("crm", "bob@x", phone=None)
    linked.run(fields=FIELDS[:2])
    ended = linked.run(fields=FIELDS, conflict="park")
    assert ended.parked == [("crm", "phone", "it was changed on both sides, to different values")]
    assert linked.contacts("crm") == [("ada@x", "Ada", "11"), BOB]


def test_an_object_may_be_added(linked: Databases) -> None:
    for side in ("crm", "erp"):
        linked.sql(side, "CREATE TABLE company (id INTEGER PRIMARY KEY, name TEXT)")
    linked.query("crm", "INSERT INTO company (name) VALUES ('Analytical Engines')")
    config = linked.config()
    place = {**PLACE, "table": "company"}
    company = {"name": "company", "crm": place, "erp": place, "match": ["name"]}
    config["objects"].insert(0, {**company, "fields": [{"crm": "name", "erp": "name"}]})
    assert linked.run(config=config).pushed == {"crm": "", "erp": "1 create"}
    assert linked.run(config=config).pushed == UNTOUCHED


class TestAReset:
    def reset(self, databases: Databases) -> dict[str, str]:
        epoch.prepare(databases.cache, epoch.Expected("2"))
        return {"SYNC_CACHE_EPOCH": "2"}

    def test_reads_records_as_if_for_the_first_time(self, linked: Databases) -> None:
        linked.edit("crm", "ada@x", name="Ada of crm")
        linked.edit("erp", "bob@x", phone=None)
        ended = linked.run(environment=self.reset(linked), conflict="erp")
        assert ended.message["changed"] == {"crm": 2, "erp": 2}
        assert linked.contacts("crm") == linked.contacts("erp") == [ADA, BOB]

    def test_after_a_mass_delete_deletes_nothing(self, linked: Databases) -> None:
        linked.delete("crm", "ada@x")
        linked.run(environment=self.reset(linked), deletes="propagate", push=False)
        assert linked.contacts("erp") == [ADA, BOB]
        environment = {"SYNC_CACHE_EPOCH": "2"}
        assert linked.run(environment=environment, deletes="propagate").pushed == UNTOUCHED

    def test_with_a_read_only_run_restores_links_so_that_an_edit_makes_no_duplicate(self, linked: Databases) -> None:
        environment = self.reset(linked)
        linked.run(environment=environment, push=False)
        linked.edit("crm", "ada@x", email="ada@new")
        assert linked.run(environment=environment).pushed == {"crm": "", "erp": "1 update"}
        assert [contact[0] for contact in linked.contacts("erp")] == ["ada@new", "bob@x"]

    def test_accepts_another_configuration(self, linked: Databases) -> None:
        assert linked.run(match=["name"]).code == ExitCode.CACHE_UNUSABLE
        ended = linked.run(match=["name"], environment=self.reset(linked))
        assert (ended.code, ended.pushed) == (0, UNTOUCHED)
