"""A run is undone on PostgreSQL: by a process that is killed on the way, and with rights that are missing."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .postgresql import PostgreSQL
from .two_databases import Contact, TwoDatabases

MANY = 4000


@pytest.fixture
def databases(postgresql_server: PostgreSQL, tmp_path: Path) -> Iterator[TwoDatabases]:
    databases = TwoDatabases(postgresql_server, tmp_path)
    databases.configure(conflict="crm", journal={}, safety={"maxDeletes": {"min": 10 * MANY}})
    yield databases
    databases.close()


def contact(n: int) -> Contact:
    return f"{n:05}@x", f"name {n}", None


def test_each_record_is_set_back_once_also_by_a_process_that_is_killed_on_the_way(
    databases: TwoDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    databases.add("crm", *map(contact, range(MANY)))
    assert databases.run(1).code == 0
    before = databases.contacts("erp")
    databases["crm"].sql("UPDATE contact SET phone = '1'")
    databases.add("crm", *map(contact, range(MANY, MANY + 500)))
    assert databases.run(2).code == 0
    databases["erp"].sql("TRUNCATE written")
    databases["erp"].sql("UPDATE contact SET name = 'edited since' WHERE email IN ('00007@x', '04007@x')")
    monkeypatch.setenv("SYNC_UNDO", "2")
    with databases.process(3, "changes") as process:
        while process.poll() is None and not databases.written("erp"):
            time.sleep(0.01)
        process.kill()
    assert databases.run(3, "changes").code == 0
    # The one that was created and has been edited since is there still.
    edited = [("00007@x", "edited since", None), ("04007@x", "edited since", "1")]
    expected = sorted(
        [*(each for each in before if each[0] != "00007@x"), edited[0], ("04007@x", "edited since", None)]
    )
    assert databases.contacts("erp") == expected
    assert databases.written("erp") == {"update": MANY, "delete": 499}
    monkeypatch.delenv("SYNC_UNDO")
    databases["crm"].sql("TRUNCATE written")
    assert databases.run(4).code == 0
    assert databases.written("crm") == {"update": 2}
    assert databases.written("erp") == {"update": MANY, "delete": 499}


def test_a_run_that_has_created_records_cannot_be_undone_without_the_right_to_delete(
    databases: TwoDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    databases.add("crm", contact(1))
    assert databases.run(1).code == 0
    databases["erp"].sql("REVOKE DELETE ON contact FROM worker")
    monkeypatch.setenv("SYNC_UNDO", "1")
    ended = databases.run(2, "changes")
    print(ended)
    assert ended.code == 2
    assert "DELETE" in ended.message["reason"]
    assert databases.contacts("erp") == [contact(1)]
