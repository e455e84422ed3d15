"""Guard: what looks like an accident stops the run before anything is pushed. Whole runs on real databases."""

import json
import sqlite3
from contextlib import closing
from itertools import count
from typing import Any

import pytest

from tidegate.api.contract import ExitCode
from tidegate.worker.cache.file import FILE

from .databases import FIELDS, WITH_CURSOR, Databases, Ended

CONTACTS = [(f"p{n}@x", f"name {n}", None) for n in range(100)]
PROPAGATE: dict[str, Any] = {"deletes": "propagate"}
GONE = "30 of 100 contact records are gone from crm and would be deleted in erp, more than the 20 % that "


@pytest.fixture
def linked(databases: Databases) -> Databases:
    """A hundred contacts on both sides, synced."""
    databases.add("crm", *CONTACTS)
    databases.run(**PROPAGATE)
    return databases


def mass_delete(databases: Databases, number: int) -> None:
    databases.query("crm", "DELETE FROM contact WHERE id <= ?", number)


class TestTooManyDeletes:
    def test_halt_the_run_before_it_writes_anything(self, linked: Databases) -> None:
        mass_delete(linked, 30)
        linked.edit("crm", "p99@x", name="an edit that waits as well")
        before = linked.everything()
        ended = linked.run(**PROPAGATE)
        assert (ended.code, ended.message["outcome"]) == (ExitCode.HALTED, "halted")
        assert ended.message["reason"] == (
            f"{GONE}safety.maxDeletes allows: 1, 2, 3 and 27 more; restore what was not deleted on purpose"
        )
        assert linked.everything() == before

    def test_are_listed_in_the_log_up_to_a_hundred(self, linked: Databases) -> None:
        linked.add("crm", *[(f"q{n}@x", "new", None) for n in range(50)])
        linked.run(**PROPAGATE)
        mass_delete(linked, 40)
        named = [line for line in linked.run(**PROPAGATE).lines if line["type"] == "gone"]
        assert named[0] == {"type": "gone", "object": "contact", "connector": "crm", "id": 1}
        assert sorted(line["id"] for line in named) == list(range(1, 41))
        linked.query("crm", "DELETE FROM contact")
        emptied = linked.run(**PROPAGATE)
        assert emptied.code == ExitCode.HALTED
        assert len([line for line in emptied.lines if line["type"] == "gone"]) == 100

    def test_halt_every_run_until_they_are_confirmed(self, linked: Databases) -> None:
        mass_delete(linked, 30)
        for _ in range(3):
            assert linked.run(**PROPAGATE).code == ExitCode.HALTED

    def test_halt_runs_of_scope_changes_too(self, linked: Databases) -> None:
        by_cursor: dict[str, Any] = {"crm": WITH_CURSOR, "erp": WITH_CURSOR, **PROPAGATE}
        linked.run(**by_cursor)
        mass_delete(linked, 30)
        assert linked.run(**by_cursor).code == ExitCode.HALTED
        assert linked.run("changes", **by_cursor).code == ExitCode.HALTED

    def test_proceed_when_they_are_confirmed_for_the_halted_run(self, linked: Databases) -> None:
        mass_delete(linked, 30)
        halted = linked.run(**PROPAGATE).message["run"]
        ended = linked.run(**PROPAGATE, environment={"SYNC_ALLOW_DELETES": str(halted)})
        assert (ended.code, ended.pushed) == (0, {"crm": "", "erp": "30 delete"})

    @pytest.mark.parametrize("confirmed", ["1", "3"])
    def test_are_not_confirmed_by_the_number_of_another_run(self, linked: Databases, confirmed: str) -> None:
        mass_delete(linked, 30)
        assert linked.run(**PROPAGATE).message["run"] == 2
        assert linked.run(**PROPAGATE, environment={"SYNC_ALLOW_DELETES": confirmed}).code == ExitCode.HALTED

    def test_are_not_confirmed_by_an_old_confirmation(self, linked: Databases) -> None:
        mass_delete(linked, 30)
        confirmation = {"SYNC_ALLOW_DELETES": str(linked.run(**PROPAGATE).message["run"])}
        assert linked.run(**PROPAGATE, environment=confirmation).code == 0
        mass_delete(linked, 60)
        assert linked.run(**PROPAGATE, environment=confirmation).code == ExitCode.HALTED

    def test_proceed_again_when_the_records_are_back(self, linked: Databases) -> None:
        rows = linked.query("crm", "SELECT id, email, name FROM contact WHERE id <= 30")
        mass_delete(linked, 30)
        assert linked.run(**PROPAGATE).code == ExitCode.HALTED
        for row in rows:
            linked.query("crm", "INSERT INTO contact (id, email, name) VALUES (?, ?, ?)", *row)
        ended = linked.run(**PROPAGATE)
        assert (ended.code, ended.pushed) == (0, {"crm": "", "erp": ""})

    def test_are_accepted_by_a_confirmed_read_only_run(self, linked: Databases) -> None:
        mass_delete(linked, 30)
        halted = linked.run(**PROPAGATE, push=False)
        assert halted.code == ExitCode.HALTED
        confirmation = {"SYNC_ALLOW_DELETES": str(halted.message["run"])}
        assert linked.run(**PROPAGATE, push=False, environment=confirmation).code == 0
        assert linked.run(**PROPAGATE).pushed == {"crm": "", "erp": ""}
        assert len(linked.contacts("erp")) == 100


@pytest.mark.parametrize(
    ("deleted", "limit", "halts"),
    [
        (20, {"percent": 20, "min": 10}, False),
        (21, {"percent": 20, "min": 10}, True),
        (10, {"percent": 5, "min": 10}, False),
        (11, {"percent": 5, "min": 10}, True),
        (1, {"percent": 0, "min": 0}, True),
        (99, {"percent": 100, "min": 0}, False),
    ],
)
def test_the_limit_is_the_greater_of_a_share_and_a_number(
    linked: Databases, deleted: int, limit: dict[str, int], halts: bool
) -> None:
    mass_delete(linked, deleted)
    ended = linked.run(**PROPAGATE, safety={"maxDeletes": limit})
    assert ended.code == (ExitCode.HALTED if halts else 0)


def test_deletes_that_only_unlink_are_limited_too(linked: Databases) -> None:
    mass_delete(linked, 90)
    ended = linked.run(deletes="unlink")
    assert ended.code == ExitCode.HALTED
    assert ended.message["reason"].startswith(
        "90 of 100 contact records are gone from crm and would no longer be linked to those of erp, more than the 20 %"
    )


class TestAConfirmation:
    """Is of what the halted run has shown: of so many records of a side, and of those."""

    def halted(self, linked: Databases) -> dict[str, str]:
        mass_delete(linked, 30)
        ended = linked.run(**PROPAGATE)
        (found,) = ended.message["found"]
        named = {"object": "contact", "connector": "crm", "what": "deletes", "count": 30}
        assert found == {**named, "digest": found["digest"]}
        return {"SYNC_ALLOW_DELETES": str(ended.message["run"]), "SYNC_CONFIRMED": json.dumps([found])}

    def test_covers_the_listed_deletes(self, linked: Databases) -> None:
        confirmation = self.halted(linked)
        assert linked.run(**PROPAGATE, environment=confirmation).pushed == {"crm": "", "erp": "30 delete"}

    def test_leaves_the_safety_limit_for_other_deletes(self, linked: Databases) -> None:
        confirmation = self.halted(linked)
        mass_delete(linked, 50)
        assert linked.run(**PROPAGATE, environment=confirmation).pushed == {"crm": "", "erp": "50 delete"}

    @pytest.mark.parametrize("gone", [60, 95])
    def test_does_not_cover_later_deletes(self, linked: Databases, gone: int) -> None:
        confirmation = self.halted(linked)
        mass_delete(linked, gone)
        ended = linked.run(**PROPAGATE, environment=confirmation)
        assert ended.code == ExitCode.HALTED
        assert ended.message["reason"].startswith(f"{gone} of 100 contact records are gone from crm")
        assert len(linked.contacts("erp")) == 100
        again = {"SYNC_ALLOW_DELETES": str(ended.message["run"]), "SYNC_CONFIRMED": json.dumps(ended.message["found"])}
        assert linked.run(**PROPAGATE, environment=again).pushed == {"crm": "", "erp": f"{gone} delete"}

    def test_does_not_cover_as_many_other_records(self, linked: Databases) -> None:
        rows = linked.query("crm", "SELECT id, email, name FROM contact WHERE id <= 30")
        confirmation = self.halted(linked)
        for row in rows:
            linked.query("crm", "INSERT INTO contact (id, email, name) VALUES (?, ?, ?)", *row)
        linked.query("crm", "DELETE FROM contact WHERE id > 70")
        assert linked.run(**PROPAGATE, environment=confirmation).code == ExitCode.HALTED

    def test_of_some_deletes_does_not_cover_a_side_that_is_emptied_meanwhile(self, linked: Databases) -> None:
        confirmation = self.halted(linked)
        mass_delete(linked, 100)
        ended = linked.run(**PROPAGATE, environment=confirmation)
        assert (ended.code, ended.message["found"][0]["what"]) == (ExitCode.HALTED, "empty")

    def test_of_one_side_does_not_cover_the_other(self, linked: Databases) -> None:
        confirmation = self.halted(linked)
        linked.query("erp", "DELETE FROM contact WHERE id > 70")
        ended = linked.run(**PROPAGATE, environment=confirmation)
        assert ended.code == ExitCode.HALTED
        assert [found["connector"] for found in ended.message["found"]] == ["crm", "erp"]

    def test_of_an_emptied_side_covers_fewer_deletes(self, linked: Databases) -> None:
        mass_delete(linked, 100)
        confirmation = {"SYNC_ALLOW_DELETES": str(linked.run(**PROPAGATE).message["run"])}
        linked.query("crm", "INSERT INTO contact (id, email, name) VALUES (7, 'p6@x', 'name 6')")
        assert linked.run(**PROPAGATE, environment=confirmation).pushed == {"crm": "", "erp": "99 delete"}

    def test_is_void_when_other_deletes_were_listed_since(self, linked: Databases) -> None:
        confirmation = self.halted(linked)
        (found,) = json.loads(confirmation["SYNC_CONFIRMED"])
        other = {**confirmation, "SYNC_CONFIRMED": json.dumps([{**found, "digest": "0" * 16}])}
        assert linked.run(**PROPAGATE, environment=other).code == ExitCode.HALTED


class TestManySmallDeletes:
    def test_count_together_for_a_day(self, linked: Databases) -> None:
        ends = []
        for gone in range(10, 100, 10):
            mass_delete(linked, gone)
            ends.append(linked.run(**PROPAGATE).code)
        assert ends == [0, 0] + [ExitCode.HALTED] * 7
        assert len(linked.contacts("erp")) == 80

    def test_are_reported_as_such(self, linked: Databases) -> None:
        for gone in (10, 20, 30):
            mass_delete(linked, gone)
            ended = linked.run(**PROPAGATE)
        assert ended.message["reason"].startswith(
            "10 of 80 contact records are gone from crm and would be deleted in erp, which with 20 more "
            "in the last 24 hours is more than the 20 % that safety.maxDeletes allows: 21, 22, 23 and 7 more; "
        )

    def test_do_not_count_when_they_were_confirmed(self, linked: Databases) -> None:
        mass_delete(linked, 30)
        confirmation = {"SYNC_ALLOW_DELETES": str(linked.run(**PROPAGATE).message["run"])}
        assert linked.run(**PROPAGATE, environment=confirmation).code == 0
        mass_delete(linked, 40)
        assert linked.run(**PROPAGATE).code == 0

    def test_do_not_count_after_a_day(self, linked: Databases) -> None:
        for gone in (20, 30):
            mass_delete(linked, gone)
            assert linked.run(**PROPAGATE).code == 0
            with closing(sqlite3.connect(linked.cache / FILE)) as cache, cache:
                cache.execute("UPDATE deleted SET at = at - 86401")


def test_records_that_are_gone_from_both_sides_are_not_counted(linked: Databases) -> None:
    for side in ("crm", "erp"):
        linked.query(side, "DELETE FROM contact WHERE email < 'p5'")
    assert linked.run(**PROPAGATE).code == 0


def test_a_record_that_disappears_after_the_scan_is_deleted_by_the_next_run(linked: Databases) -> None:
    linked.query("erp", "UPDATE contact SET phone = '1' WHERE id <= 50")
    waits = count()

    def vanish() -> bool:
        if next(waits) == 5:  # when everything has been read and the guard has passed
            mass_delete(linked, 50)
        return False

    assert linked.run(**PROPAGATE, interrupted=vanish).pushed == {"crm": "", "erp": ""}
    assert len(linked.contacts("erp")) == 100
    assert linked.run(**PROPAGATE).code == ExitCode.HALTED


class TestAFieldBlankInManyRecords:
    """Is an accident as likely as records that are gone: the other side's would be emptied."""

    BLANK = "name is blank now in 30 of the 100 contact records of crm that had one, and would be emptied in erp, more "

    def blank(self, databases: Databases, first: int, last: int, field: str = "name") -> None:
        databases.query("crm", f"UPDATE contact SET {field} = NULL WHERE id BETWEEN ? AND ?", first, last)  # noqa: S608

    def confirmation(self, halted: Ended) -> dict[str, str]:
        return {"SYNC_ALLOW_DELETES": str(halted.message["run"]), "SYNC_CONFIRMED": json.dumps(halted.message["found"])}

    def test_halts_the_run_before_it_writes_anything(self, linked: Databases) -> None:
        self.blank(linked, 1, 30)
        linked.edit("crm", "p99@x", name="an edit that waits as well")
        before = linked.everything()
        ended = linked.run()
        assert ended.code == ExitCode.HALTED
        assert ended.message["reason"] == (
            f"{self.BLANK}than the 20 % that safety.maxBlanked allows: 1, 2, 3 and 27 more; "
            "restore what was not emptied on purpose"
        )
        assert linked.everything() == before

    def test_is_reported_with_the_field_and_a_count(self, linked: Databases) -> None:
        self.blank(linked, 1, 30)
        ended = linked.run()
        (found,) = ended.message["found"]
        named = {"object": "contact", "connector": "crm", "what": "blanked", "field": "name", "count": 30}
        assert found == {**named, "digest": found["digest"]}
        lines = [line for line in ended.lines if line["type"] == "blank"]
        assert lines[0] == {"type": "blank", "object": "contact", "connector": "crm", "id": 1, "field": "name"}
        assert len(lines) == 30

    def test_halts_a_read_only_run_before_it_accepts_anything(self, linked: Databases) -> None:
        self.blank(linked, 1, 30)
        ended = linked.run(push=False)
        assert ended.code == ExitCode.HALTED
        assert "would be accepted as it is, more than the 20 % that safety.maxBlanked" in ended.message["reason"]
        for n in range(30):
            linked.edit("crm", f"p{n}@x", name=f"name {n}")
        linked.edit("crm", "p99@x", name="an edit")
        assert linked.run().pushed == {"crm": "", "erp": "1 update"}

    def test_halts_runs_of_scope_changes_until_the_values_are_restored(self, linked: Databases) -> None:
        by_cursor: dict[str, Any] = {"crm": WITH_CURSOR, "erp": WITH_CURSOR}
        linked.run(**by_cursor)
        self.blank(linked, 1, 30)
        assert [linked.run("changes", **by_cursor).code for _ in range(2)] == [ExitCode.HALTED] * 2
        for n in range(30):
            linked.edit("crm", f"p{n}@x", name=f"name {n}")
        ended = linked.run("changes", **by_cursor)
        assert (ended.code, ended.pushed) == (0, {"crm": "", "erp": ""})

    def test_halts_a_reload_that_has_lost_it(self, linked: Databases) -> None:
        rows = linked.query("crm", "SELECT email FROM contact")
        linked.query("crm", "DELETE FROM contact")
        linked.add("crm", *((email, None, None) for (email,) in rows))
        assert linked.run().message["reason"].startswith("name is blank now in 100 of the 100 contact records of crm")

    def test_is_emptied_when_it_is_confirmed(self, linked: Databases) -> None:
        self.blank(linked, 1, 30)
        ended = linked.run(environment=self.confirmation(linked.run()))
        assert (ended.code, ended.pushed) == (0, {"crm": "", "erp": "30 update"})
        assert linked.run().code == 0

    def test_is_confirmed_for_the_listed_records(self, linked: Databases) -> None:
        self.blank(linked, 1, 30)
        confirmation = self.confirmation(linked.run())
        self.blank(linked, 31, 80)
        assert linked.run(environment=confirmation).code == ExitCode.HALTED

    def test_is_not_confirmed_by_a_confirmation_of_deletes_or_of_another_field(self, linked: Databases) -> None:
        linked.query("crm", "UPDATE contact SET phone = '1'")
        linked.run()
        mass_delete(linked, 30)
        self.blank(linked, 31, 60, "phone")
        confirmation = self.confirmation(linked.run(**PROPAGATE))
        self.blank(linked, 31, 60)
        ended = linked.run(**PROPAGATE, environment=confirmation)
        assert ended.code == ExitCode.HALTED
        assert {found.get("field") for found in ended.message["found"]} == {None, "phone", "name"}

    def test_is_counted_among_the_records_that_had_a_value(self, linked: Databases) -> None:
        linked.query("crm", "UPDATE contact SET phone = '1' WHERE id <= 12")
        linked.run()
        self.blank(linked, 1, 11, "phone")
        assert linked.run().message["reason"].startswith("phone is blank now in 11 of the 12 contact records of crm")

    @pytest.mark.parametrize(("records", "code"), [(20, 0), (21, ExitCode.HALTED)])
    def test_may_be_emptied_up_to_the_limit(self, linked: Databases, records: int, code: int) -> None:
        self.blank(linked, 1, records)
        assert linked.run().code == code

    def test_may_be_allowed_by_a_setting(self, linked: Databases) -> None:
        self.blank(linked, 1, 100)
        assert linked.run(safety={"maxBlanked": {"percent": 100}}).pushed == {"crm": "", "erp": "100 update"}

    def test_is_accepted_where_the_other_side_is_blank_too(self, linked: Databases) -> None:
        self.blank(linked, 1, 100)
        linked.query("erp", "UPDATE contact SET name = '' WHERE id <= 100")
        assert linked.run(safety={"maxBlanked": {"percent": 0, "min": 0}}).code == 0

    def test_is_accepted_where_the_field_is_not_written(self, linked: Databases) -> None:
        fields = [{**field, **({"direction": "to-crm"} if field["crm"] == "name" else {})} for field in FIELDS]
        linked.run(fields=fields)
        self.blank(linked, 1, 100)
        assert linked.run(fields=fields).code == 0


class TestFieldsThatManySmallRunsEmpty:
    """Count together for a day, as deletes do."""

    def blank(self, databases: Databases, last: int) -> None:
        databases.query("crm", "UPDATE contact SET name = NULL WHERE id <= ?", last)

    def test_halt_the_run_that_exceeds_the_limit_with_them(self, linked: Databases) -> None:
        ends = []
        for last in range(10, 100, 10):
            self.blank(linked, last)
            ended = linked.run()
            ends.append(ended.code)
        assert ends == [0, 0] + [ExitCode.HALTED] * 7
        assert len([name for _, name, _ in linked.contacts("erp") if name is None]) == 20
        assert ended.message["reason"].startswith(
            "name is blank now in 70 of the 80 contact records of crm that had one, and would be emptied in erp, which "
            "with 20 more in the last 24 hours is more than the 20 % that safety.maxBlanked allows: 21, 22, 23 and "
        )

    def test_halt_read_only_runs(self, linked: Databases) -> None:
        ends = []
        for last in (20, 30):
            self.blank(linked, last)
            ends.append(linked.run(push=False).code)
        assert ends == [0, ExitCode.HALTED]

    def test_are_counted_by_field(self, linked: Databases) -> None:
        linked.query("crm", "UPDATE contact SET phone = '1'")
        linked.run()
        self.blank(linked, 20)
        assert linked.run().code == 0
        linked.query("crm", "UPDATE contact SET phone = NULL WHERE id > 80")
        assert linked.run().code == 0

    def test_do_not_count_when_they_have_a_value_again(self, linked: Databases) -> None:
        self.blank(linked, 20)
        assert linked.run().code == 0
        linked.query("crm", "UPDATE contact SET name = 'again' WHERE name IS NULL")
        assert linked.run().code == 0
        linked.query("crm", "UPDATE contact SET name = NULL WHERE id > 80")
        assert linked.run().code == 0

    def test_count_when_the_field_is_normalized_differently_since(self, linked: Databases) -> None:
        self.blank(linked, 20)
        assert linked.run().code == 0
        self.blank(linked, 30)
        trimmed = [{**field, **({"normalize": "trim"} if field["crm"] == "name" else {})} for field in FIELDS]
        assert linked.run(fields=trimmed).code == ExitCode.HALTED

    def test_do_not_count_after_a_day(self, linked: Databases) -> None:
        for last in (20, 30):
            self.blank(linked, last)
            assert linked.run().code == 0
            with closing(sqlite3.connect(linked.cache / FILE)) as cache, cache:
                cache.execute("UPDATE emptied SET at = at - 86401")

    def test_do_not_count_when_they_were_approved(self, linked: Databases) -> None:
        self.blank(linked, 30)
        halted = linked.run().message
        approval = {"SYNC_APPROVED": str(halted["run"]), "SYNC_CONFIRMED": json.dumps(halted["found"])}
        assert linked.run(environment=approval).code == 0
        self.blank(linked, 40)
        assert linked.run().code == 0


class TestAnEmptySide:
    @pytest.mark.parametrize("deletes", ["unlink", "propagate"])
    def test_halts_the_run(self, linked: Databases, deletes: str) -> None:
        mass_delete(linked, 100)
        ended = linked.run(deletes=deletes)
        assert ended.code == ExitCode.HALTED
        assert ended.message["reason"] == (
            "crm no longer has any contact, and had 100 before: 1, 2, 3 and 97 more; "
            "restore what was not deleted on purpose"
        )
        assert len(linked.contacts("erp")) == 100

    def test_halts_the_run_although_it_has_new_records(self, linked: Databases) -> None:
        mass_delete(linked, 100)
        linked.add("crm", ("new@x", "New"))
        ended = linked.run(**PROPAGATE)
        assert ended.code == ExitCode.HALTED
        assert ended.message["reason"].startswith(
            "none of the 100 contact records that crm had before is left: 1, 2, 3 and 97 more; "
        )

    def test_halts_the_run_when_the_table_is_small_too(self, databases: Databases) -> None:
        databases.add("crm", *CONTACTS[:10])
        databases.run(**PROPAGATE)
        mass_delete(databases, 10)
        databases.add("crm", ("new@x", "New"))
        assert databases.run(**PROPAGATE).code == ExitCode.HALTED
        assert len(databases.contacts("erp")) == 10

    def test_may_be_allowed_by_a_setting(self, linked: Databases) -> None:
        mass_delete(linked, 100)
        safety = {"emptySide": "allow", "maxDeletes": {"percent": 100}}
        assert linked.run(**PROPAGATE, safety=safety).pushed == {"crm": "", "erp": "100 delete"}

    def test_is_accepted_when_it_was_empty_before(self, databases: Databases) -> None:
        databases.add("crm", CONTACTS[0])
        assert databases.run(**PROPAGATE).code == 0

    def test_halts_a_read_only_run_before_it_accepts_anything(self, linked: Databases) -> None:
        linked.query("erp", "UPDATE contact SET name = 'accepted in erp'")
        assert linked.run(push=False).code == 0
        rows = linked.query("crm", "SELECT id, email, name FROM contact")
        mass_delete(linked, 100)
        linked.edit("erp", "p7@x", phone="an edit")
        assert linked.run(push=False).code == ExitCode.HALTED
        for row in rows:
            linked.query("crm", "INSERT INTO contact (id, email, name) VALUES (?, ?, ?)", *row)
        assert linked.run("changes", conflict="crm").pushed == {"crm": "1 update", "erp": ""}
        assert linked.contacts("erp")[0][1] == "accepted in erp"
