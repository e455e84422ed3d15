"""Tables that accept what they do not keep: the worker as a process between two PostgreSQL databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .postgresql import PostgreSQL
from .two_databases import Contact, TwoDatabases

ADA: Contact = ("ada@x", "Ada", "1")
BOB: Contact = ("bob@x", "Bob", "2")
EVE: Contact = ("eve@x", "Eve", "3")


@pytest.fixture
def systems(postgresql_server: PostgreSQL, tmp_path: Path) -> Iterator[TwoDatabases]:
    """Ada and Bob on both sides, synced; erp is written to through a view of those who are not hidden."""
    systems = TwoDatabases(postgresql_server, tmp_path)
    systems["erp"].sql(
        "CREATE VIEW shown AS SELECT id, email, name, phone, updated_at FROM contact WHERE name IS DISTINCT FROM 'hide'"
    )
    systems["erp"].sql("GRANT SELECT, INSERT, UPDATE, DELETE ON shown TO worker")
    systems.configure(erp={"table": "shown", "id": "id"}, deletes="propagate")
    systems.add("crm", ADA, BOB)
    assert systems.run(1).code == 0
    yield systems
    systems.close()


def function(systems: TwoDatabases, when: str, body: str) -> None:
    """A trigger of erp."""
    systems["erp"].sql(
        f"CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$; "
        f"CREATE TRIGGER odd {when} ON contact FOR EACH ROW EXECUTE FUNCTION odd();"
    )


def test_a_view_without_check_option_gets_no_row_outside_it(systems: TwoDatabases) -> None:
    systems.add("crm", EVE, ("new@x", "hide", None))
    for run in (2, 3, 4):
        ended = systems.run(run)
        assert (ended.code, ended.message["waiting"]) == (0, 1)
    assert systems.contacts("erp") == [ADA, BOB, EVE]


def test_a_row_that_would_leave_the_view_is_not_written(systems: TwoDatabases) -> None:
    systems["crm"].sql("UPDATE contact SET name = 'hide' WHERE email = 'ada@x'")
    systems["crm"].sql("UPDATE contact SET name = 'Bob B.' WHERE email = 'bob@x'")
    for run in (2, 3):
        ended = systems.run(run)
        assert (ended.code, ended.message["waiting"]) == (0, 1)
    assert systems.contacts("erp") == [ADA, ("bob@x", "Bob B.", "2")]
    assert systems.contacts("crm")[0] == ("ada@x", "hide", "1")


def test_a_trigger_that_drops_a_new_row_stops_no_other_row(systems: TwoDatabases) -> None:
    function(systems, "BEFORE INSERT", "IF NEW.email = 'eve@x' THEN RETURN NULL; END IF; RETURN NEW;")
    systems.add("crm", EVE, ("new@x", "New", None))
    ended = systems.run(2)
    assert (ended.code, ended.message["waiting"]) == (0, 1)
    assert systems.contacts("erp") == [ADA, BOB, ("new@x", "New", None)]


def test_a_trigger_that_drops_an_update_is_reported_once(systems: TwoDatabases) -> None:
    function(systems, "BEFORE UPDATE", "IF OLD.email = 'ada@x' THEN RETURN NULL; END IF; RETURN NEW;")
    systems["crm"].sql("UPDATE contact SET phone = '11'")
    for run, updates in ((2, 1), (3, 0)):
        ended = systems.run(run)
        assert (ended.code, ended.message["waiting"], ended.message["pushed"]["erp"]["update"]) == (0, 1, updates)
    assert systems.contacts("erp") == [ADA, ("bob@x", "Bob", "11")]


def test_a_trigger_that_marks_deleted_rows_restores_nothing(systems: TwoDatabases) -> None:
    function(systems, "BEFORE DELETE", "UPDATE contact SET phone = 'deleted' WHERE id = OLD.id; RETURN NULL;")
    systems["crm"].sql("DELETE FROM contact WHERE email = 'ada@x'")
    for run in (2, 3, 4):
        ended = systems.run(run)
        assert (ended.code, ended.message["waiting"], ended.message["pushed"]["erp"]["delete"]) == (0, 1, 0)
    assert systems.contacts("crm") == [BOB]
    assert systems.contacts("erp") == [("ada@x", "Ada", "deleted"), BOB]


def test_rows_that_a_policy_protects_are_reported(postgresql_server: PostgreSQL, tmp_path: Path) -> None:
    systems = TwoDatabases(postgresql_server, tmp_path)
    systems.configure(deletes="propagate")
    systems.add("crm", ADA, BOB)
    systems.run(2)
    systems["erp"].sql("ALTER TABLE contact ENABLE ROW LEVEL SECURITY")
    systems["erp"].sql("CREATE POLICY read ON contact FOR SELECT TO worker USING (true)")
    systems["erp"].sql("CREATE POLICY change ON contact FOR UPDATE TO worker USING (email = 'bob@x')")
    systems["erp"].sql("CREATE POLICY remove ON contact FOR DELETE TO worker USING (email = 'bob@x')")
    systems["erp"].sql("CREATE POLICY add ON contact FOR INSERT TO worker WITH CHECK (true)")
    systems.add("crm", EVE)
    systems["crm"].sql("UPDATE contact SET phone = '11' WHERE email <> 'eve@x'")
    for run in (3, 4):
        ended = systems.run(run)
        assert (ended.code, ended.message["pushed"]["erp"]["update"]) == (0, 1 if run == 3 else 0)
    systems["crm"].sql("DELETE FROM contact WHERE email = 'ada@x'")
    for run in (5, 6):
        ended = systems.run(run)
        assert (ended.code, ended.message["pushed"]["erp"]["delete"]) == (0, 0)
    assert systems.contacts("erp") == [ADA, ("bob@x", "Bob", "11"), EVE]
    assert [contact[0] for contact in systems.contacts("crm")] == ["bob@x", "eve@x"]
    systems.close()
