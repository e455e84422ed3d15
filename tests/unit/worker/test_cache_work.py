"""How much work the cache does: it grows with the number of records, and not with its square.

Work is counted in steps of SQLite's virtual machine, over whole runs on real databases: seconds depend on the machine.
"""

import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tidegate.worker.cache.file import FILE
from tidegate.worker.cache.store import Cache

from .databases import Databases

_STEPS = 100  # between two calls of the progress handler

NO_GUARD = {"maxDeletes": {"min": 1_000_000}, "maxBlanked": {"min": 1_000_000}, "emptySide": "allow"}
REFUSE = "CREATE TRIGGER refuse BEFORE INSERT ON contact WHEN NEW.name = 'refused' BEGIN SELECT RAISE(ABORT, 'no'); END"


class Observed:
    """What the caches that are opened meanwhile have done."""

    def __init__(self) -> None:
        self.steps = 0
        self.statements: dict[str, str] = {}

    def watch(self, connection: sqlite3.Connection) -> None:
        connection.set_progress_handler(self._progress, _STEPS)
        connection.set_trace_callback(self._trace)

    def _progress(self) -> int:
        self.steps += _STEPS
        return 0

    def _trace(self, statement: str) -> None:
        """Keep one statement of each form, whatever its values are."""
        form = re.sub(r"'(?:[^']|'')*'|\b[xX]?\d+\b", "?", re.sub(r"[xX]'[0-9A-Fa-f]*'", "?", statement))
        self.statements.setdefault(form, statement)


@pytest.fixture
def observed(monkeypatch: pytest.MonkeyPatch) -> Observed:
    observed, connect = Observed(), sqlite3.connect

    def connect_and_watch(database: Any, *args: Any, **keywords: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(database, *args, **keywords)
        if Path(str(database)).name == FILE:
            observed.watch(connection)
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect_and_watch)
    return observed


def people(first: int, count: int, name: str = "name") -> list[tuple[str, str]]:
    return [(f"p{n}@x", name) for n in range(first, first + count)]


def accepted_on_one_side(databases: Databases, size: int) -> None:
    """Records that a read-only run has let be, and as many new ones."""
    databases.add("crm", *people(0, size))
    databases.run(push=False)
    databases.add("crm", *people(size, size))


def unlinked(databases: Databases, size: int) -> None:
    """Records whose counterparts were deleted, edited since, and as many new ones."""
    databases.add("crm", *people(0, size))
    databases.run()
    databases.sql("erp", "DELETE FROM contact")
    databases.run(safety=NO_GUARD)
    databases.sql("crm", "UPDATE contact SET name = 'edited'")
    databases.add("crm", *people(size, size))


def came_back(databases: Databases, size: int) -> None:
    """Records whose counterparts were deleted, and have come back under other ids."""
    databases.add("crm", *people(0, size))
    databases.run()
    databases.sql("erp", "DELETE FROM contact")
    databases.run(safety=NO_GUARD)
    databases.add("erp", *people(0, size))


def reloaded(databases: Databases, size: int) -> None:
    """Half of the records under other ids, beside as many that one side alone has."""
    databases.add("crm", *people(0, size))
    databases.run()
    databases.add("erp", *people(size, size))
    databases.run(push=False)
    databases.sql("erp", "DELETE FROM contact WHERE id % 2")
    databases.add("erp", *people(0, size)[::2], *people(size, size)[::2])


def refused(databases: Databases, size: int) -> None:
    """Records that the other side refuses, tried again by every run."""
    databases.sql("erp", REFUSE)
    databases.add("crm", *people(0, size, "refused"))
    databases.run()
    databases.add("crm", *people(size, size, "refused"))


def alike(databases: Databases, size: int) -> None:
    """Records of one match key, on both sides."""
    for side in ("crm", "erp"):
        databases.add(side, *[("p@x", "name")] * size)
    databases.run()
    databases.add("crm", *people(size, size))


def deleted(databases: Databases, size: int) -> None:
    """Records to be deleted, beside as many that one side alone has."""
    databases.add("crm", *people(0, size))
    databases.run()
    databases.add("crm", *people(size, size))
    databases.run(push=False)
    databases.delete("erp", *[email for email, _ in people(0, size)])


LIVES = [accepted_on_one_side, unlinked, came_back, reloaded, refused, alike, deleted]


@pytest.mark.parametrize("push", [True, False], ids=["read-write", "read-only"])
@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.__name__)
def test_a_run_over_four_times_as_many_records_does_four_times_the_work(
    tmp_path: Path, observed: Observed, life: Callable[[Databases, int], None], push: bool
) -> None:
    took = []
    for size in (300, 1200):
        (tmp_path / str(size)).mkdir()
        databases = Databases(tmp_path / str(size))
        life(databases, size)
        before = observed.steps
        assert databases.run(push=push, safety=NO_GUARD, deletes="propagate").code == 0
        took.append(observed.steps - before)
    assert took[1] < 4.8 * took[0]


# How what is asked for each record or batch may be looked up: by a record's number or id, by a match key, or in order.
LOOK_UPS = {
    "INTEGER PRIMARY KEY (rowid=?)",
    "INTEGER PRIMARY KEY (rowid>?)",
    "INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
    "PRIMARY KEY (name=?)",
    "PRIMARY KEY (rid=?)",
    "PRIMARY KEY (rid=? AND field=?)",
    "INDEX sqlite_autoindex_record_1 (source=? AND id=?)",
    "INDEX sqlite_autoindex_record_1 (source=? AND id>? AND id<?)",
    "INDEX by_match (match=? AND source=?)",
    "INDEX alone (source=? AND link=? AND rowid>?)",
    "INDEX alone (source=? AND link=? AND rowid>? AND rowid<?)",
    "INDEX departed_by_match (source=? AND match=?)",
    "INDEX departed_by_id (source=? AND id=?)",
    "INDEX departed_by_id (source=?)",
    "INDEX parked_by_run (run=?)",
}
# What goes through all records of a source, or all that are pending or parked. Each is asked a few times in a run.
OF_ALL = (
    "SELECT EXISTS (",
    "SELECT coalesce(max(rid), ?) FROM record",
    "SELECT count(*) FROM parked",
    "SELECT count(*) FROM record WHERE source = ?",
    "SELECT count(*) FROM dirty CROSS JOIN record",
    "SELECT rid FROM dirty CROSS JOIN record USING (rid) WHERE gone AND source = ?",
    "SELECT rid, target, fields, match, conflicts FROM intent ORDER BY rid",
    "SELECT record.source, record.id, across.id, field, reason, run FROM parked",
    "SELECT id FROM record WHERE source = ?",
    "INSERT OR IGNORE INTO dirty SELECT rid, ? FROM parked",
    "INSERT OR IGNORE INTO shelved SELECT * FROM parked",
    "INSERT OR IGNORE INTO parked SELECT * FROM shelved",
    "DELETE FROM parked WHERE (SELECT source",
    "DELETE FROM shelved WHERE (SELECT source",
    "DELETE FROM settling WHERE source = ?",
    "DELETE FROM dirty WHERE gone AND (SELECT source",
    "DELETE FROM candidate WHERE match IN (SELECT match FROM record WHERE source = ?",
    "CREATE TEMP TABLE candidate AS SELECT old.rid",
    "UPDATE record SET shadow = (SELECT shadow FROM accepted WHERE",
    "DELETE FROM deleted WHERE at <",
    "DELETE FROM emptied WHERE at <",
    "SELECT count(*) FROM emptied CROSS JOIN record",
    "SELECT rid FROM dirty CROSS JOIN record AS r USING (rid) WHERE gone AND source = ?",
    "SELECT count(*) FROM deleted WHERE source = ?",
    "SELECT DISTINCT source, why FROM approved",
)


def through_all(plan: Sequence[str]) -> list[str]:
    """The steps of a query's plan that are no look-ups; what is listed by the query itself may be gone through."""
    listed = r"(SCAN|SEARCH) (json_each|sought|candidate|sqlite_master|CONSTANT ROW|\(subquery-1\)).*"
    steps = [step for step in plan if step.startswith(("SCAN", "SEARCH")) and not re.fullmatch(listed, step)]
    return [step for step in steps if re.sub(r"^SEARCH \w+ USING (COVERING )?| LEFT-JOIN$", "", step) not in LOOK_UPS]


def test_each_query_uses_an_index_except_those_that_a_run_makes_a_few_times(tmp_path: Path, observed: Observed) -> None:
    for life in LIVES:
        (tmp_path / life.__name__).mkdir()
        databases = Databases(tmp_path / life.__name__)
        life(databases, 30)
        assert databases.run(safety=NO_GUARD, deletes="propagate").code == 0
    cache = Cache(databases.cache, "1")
    cache.unpaired(0, b"match")
    cache.row_of(0, 1)
    cache.may_hold(0, 8, [b"hash"])
    cache.pending.among([1])
    cache.pending.any_of([1])
    cache.pending.any_from(0)
    cache.pending.gone_from(0)
    cache.parked.remove([(1, "name")])
    cache.pair([(1, 2)])
    cache.close()
    statements = dict(observed.statements)
    with closing(sqlite3.connect(databases.cache / FILE)) as connection:
        connection.execute("CREATE TEMP TABLE candidate (old, new, id, shadow, match, former)")
        found = {}
        for form, statement in statements.items():
            if form.startswith(("SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE", "CREATE TEMP TABLE")):
                query = statement.removeprefix("CREATE TEMP TABLE candidate AS ")
                plan = [step for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
                if (steps := through_all(plan)) and not form.startswith(OF_ALL):
                    found[form] = steps
    assert len(statements) > 50
    assert found == {}
