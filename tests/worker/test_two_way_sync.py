"""The worker as a process between two PostgreSQL databases, whose triggers count what it writes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.api.contract import ExitCode

from .postgresql import PostgreSQL
from .two_databases import Contact, TwoDatabases

ADA: Contact = ("ada@x", "Ada", "1")
BOB: Contact = ("bob@x", "Bob", "2")


@pytest.fixture
def systems(postgresql_server: PostgreSQL, tmp_path: Path) -> Iterator[TwoDatabases]:
    systems = TwoDatabases(postgresql_server, tmp_path)
    systems.configure()
    yield systems
    systems.close()


def test_a_read_only_run_writes_nothing_and_later_edits_are_pushed(systems: TwoDatabases) -> None:
    systems.add("crm", ADA, ("bob@x", "Bob", None))
    systems.add("erp", ("bob@x", "Robert", "2"))
    ended = systems.run(1, push=False)
    assert (ended.code, ended.message["read"]) == (0, {"crm": 2, "erp": 1})
    assert systems.run(2).code == 0
    assert [systems.written(name) for name in ("crm", "erp")] == [{}, {}]
    systems["crm"].sql("UPDATE contact SET phone = '22' WHERE email = 'bob@x'")
    systems.run(3, "changes")
    assert [systems.written(name) for name in ("crm", "erp")] == [{}, {"update": 1}]
    assert systems.contacts("erp") == [("bob@x", "Robert", "22")]


def test_both_sides_converge_with_as_many_writes_as_there_are_differences(systems: TwoDatabases) -> None:
    systems.configure(deletes="propagate")
    people: list[Contact] = [(f"p{n:04}@x", f"name {n}", None) for n in range(3000)]
    systems.add("crm", *people[:2000])
    systems.add("erp", *people[1000:])
    assert systems.run(1).code == 0
    assert systems.contacts("crm") == systems.contacts("erp") == people
    assert [systems.written(name) for name in ("crm", "erp")] == [{"insert": 1000}, {"insert": 1000}]
    systems["crm"].sql("UPDATE contact SET name = 'crm' WHERE email < 'p0100'")
    systems["erp"].sql("UPDATE contact SET phone = 'erp' WHERE email < 'p0050'")
    systems["erp"].sql("DELETE FROM contact WHERE email >= 'p2900'")
    assert systems.run(2).code == 0
    assert systems.contacts("crm") == systems.contacts("erp")
    assert systems.written("crm") == {"insert": 1000, "update": 50, "delete": 100}
    assert systems.written("erp") == {"insert": 1000, "update": 100}


def test_only_changes_are_read_by_the_cursor(systems: TwoDatabases) -> None:
    systems["crm"].sql("ALTER TABLE contact DISABLE TRIGGER touch")
    systems.add("crm", *[(f"p{n}@x", "name", None) for n in range(500)])
    systems["crm"].sql("UPDATE contact SET updated_at = '2020-01-01' WHERE email <> 'p1@x'")
    systems["crm"].sql("ALTER TABLE contact ENABLE TRIGGER touch")
    systems.run(1)
    systems["crm"].sql("UPDATE contact SET name = 'edited' WHERE email = 'p2@x'")
    ended = systems.run(2, "changes")
    assert ended.message["read"]["crm"] == 2, "the edit, and what is within the overlap before it"
    assert ("p2@x", "edited", None) in systems.contacts("erp")


def test_a_mass_delete_halts_before_anything_is_written(systems: TwoDatabases) -> None:
    systems.configure(deletes="propagate")
    systems.add("crm", *[(f"p{n}@x", "name", None) for n in range(100)])
    systems.run(1)
    systems["crm"].sql("DELETE FROM contact WHERE email > 'p5'; UPDATE contact SET name = 'edited'")
    ended = systems.run(2)
    assert (ended.code, ended.message["outcome"]) == (ExitCode.HALTED, "halted")
    assert systems.written("erp") == {"insert": 100}


def test_a_role_without_the_write_privilege_is_a_configuration_error(systems: TwoDatabases) -> None:
    systems["erp"].sql("REVOKE INSERT ON contact FROM worker")
    systems.add("crm", ADA)
    ended = systems.run(1)
    assert ended.code == ExitCode.CONFIGURATION_ERROR
    assert "no right to INSERT on table contact" in ended.message["reason"]


def test_an_unavailable_server_is_retried(systems: TwoDatabases, postgresql_server: PostgreSQL) -> None:
    systems.add("crm", ADA, BOB)
    systems["erp"].sql("ALTER ROLE worker CONNECTION LIMIT 0")
    try:
        assert systems.run(1).code == 1
    finally:
        systems["erp"].sql("ALTER ROLE worker CONNECTION LIMIT -1")
    assert systems.run(1).code == 0
    assert systems.contacts("erp") == [ADA, BOB]


def test_a_record_locked_by_another_session_waits_and_loses_nothing(systems: TwoDatabases) -> None:
    systems.add("crm", ADA)
    systems.run(1)
    systems["crm"].sql("UPDATE contact SET name = 'Ada L.'")
    systems["erp"].sql("BEGIN; UPDATE contact SET phone = '11'")
    with systems.process(2) as process:
        waits = "SELECT 1 FROM pg_stat_activity WHERE usename = 'worker' AND wait_event_type = 'Lock'"
        while not systems["crm"].sql(waits):
            assert process.poll() is None
        systems["erp"].sql("COMMIT")
        assert process.wait() == 0
    assert systems.contacts("crm") == systems.contacts("erp") == [("ada@x", "Ada L.", "11")]


def test_columns_that_cannot_hold_each_other_s_values_are_refused_before_anything_is_written(
    systems: TwoDatabases,
) -> None:
    systems.add("crm", ADA, BOB)
    systems["erp"].sql("ALTER TABLE contact ALTER COLUMN phone TYPE bigint USING phone::bigint")
    ended = systems.run(1)
    assert ended.code == ExitCode.CONFIGURATION_ERROR
    assert "phone of erp is BIGINT and cannot hold what phone of crm holds, which is TEXT" in ended.message["reason"]
    assert systems.written("erp") == {}
    fields = [{"crm": "email", "erp": "email"}, {"crm": "id", "erp": "id"}]
    systems.configure(fields=fields)
    ended = systems.run(2)
    assert ended.code == ExitCode.CONFIGURATION_ERROR
    assert "field id: column id is GENERATED ALWAYS AS IDENTITY and cannot be written" in ended.message["reason"]
    systems.configure(fields=[fields[0], {"crm": "phone", "erp": "phone", "normalize": "number"}])
    assert systems.run(3).code == 0
    assert systems["erp"].sql("SELECT email, phone FROM contact ORDER BY email") == [("ada@x", 1), ("bob@x", 2)]
