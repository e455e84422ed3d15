"""Law 1 (design section 6.2) by a generator: values of all types between all databases mean what they meant, or wait.

Random values are created and edited on either side. Afterwards both sides mean the same, by a notion of meaning that is
not the worker's own, or the field is set aside with a reason that names both types; and the next run writes nothing.
"""

import io
import json
import os
import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from documentation.pages import Page
from documentation.types import lines
from tidegate.worker.cache.file import FILE
from tidegate.worker.main import work

from .column_values import COLUMNS, Column, mean_the_same
from .mariadb import Database as MariaDB
from .postgresql import PostgreSQL
from .typed_databases import Database, on_mariadb, on_postgresql, on_sqlite

SIDES = ("a", "b")
FIELDS_PER_TABLE = 25
NOTHING = {side: {"create": 0, "update": 0, "delete": 0} for side in SIDES}


def _field(name: str, one: Column, other: Column) -> dict[str, Any]:
    field = {"a": name, "b": name}
    # A text that flows to a number is refused at the start, but where it is said to be one.
    says_number = {one.meaning, other.meaning} & {"text", "padded"} and "number" in (one.meaning, other.meaning)
    return {**field, "normalize": "number"} if says_number else field


# Between these no value fits, and the worker refuses the configuration.
_REFUSED = [
    {"number", "uuid"}, {"number", "date"}, {"number", "moment"}, {"bool", "uuid"}, {"bool", "date"},
    {"bool", "moment"}, {"uuid", "date"}, {"uuid", "moment"},
]  # fmt: skip


def pairs_of(databases: tuple[Database, Database]) -> list[tuple[Column, Column]]:
    first, second = (COLUMNS[database.system] for database in databases)
    pairs = [(one, other) for one in first for other in second]
    return [pair for pair in pairs if {column.meaning for column in pair} not in _REFUSED]


class History:
    """Records with a field for each pair of types, on both sides, and a sync between them."""

    def __init__(
        self, directory: Path, databases: tuple[Database, Database], pairs: Sequence[tuple[Column, Column]]
    ) -> None:
        self._directory = directory
        self.databases = databases
        self.tables = [pairs[n : n + FIELDS_PER_TABLE] for n in range(0, len(pairs), FIELDS_PER_TABLE)]
        (directory / "cache").mkdir(parents=True)
        for n, table in enumerate(self.tables):
            for side, database in enumerate(databases):
                database.make(f"t{side}_{n}", [pair[side] for pair in table])
        self._configure()
        self.runs = 0

    def _configure(self) -> None:
        objects = [
            {
                "name": f"t{n}",
                **{name: {"table": f"t{side}_{n}", "id": "id"} for side, name in enumerate(SIDES)},
                "match": ["k"],
                "fields": [{"a": "k", "b": "k"}, *(_field(f"f{i}", *pair) for i, pair in enumerate(table))],
                "conflict": "a",
            }
            for n, table in enumerate(self.tables)
        ]
        connectors = {
            name: {"type": "sql", "url": database.url} for name, database in zip(SIDES, self.databases, strict=True)
        }
        (self._directory / "sync.json").write_text(json.dumps({"connectors": connectors, "objects": objects}))

    def run(self) -> dict[str, Any]:
        self.runs += 1
        environment = {
            "SYNC_PROTOCOL": "1", "SYNC_RUN": str(self.runs), "SYNC_SCOPE": "full", "SYNC_PUSH": "true",
            "SYNC_CACHE_DIR": str(self._directory / "cache"), "SYNC_CACHE_EPOCH": "1",
            "SYNC_CONFIG": str(self._directory / "sync.json"), "SYNC_TERMINATION_LOG": str(self._directory / "message"),
        }  # fmt: skip
        code = work(environment, io.StringIO(), lambda: False)
        message: dict[str, Any] = json.loads((self._directory / "message").read_text())
        assert code == 0, message["reason"]
        return message

    def waiting(self) -> dict[tuple[int, str, str], str]:
        """Why fields wait, by table, key and field; the field is "" for a record."""
        found = {}
        with closing(sqlite3.connect(self._directory / "cache" / FILE)) as cache:
            rows = cache.execute("SELECT source, id, field, reason FROM parked JOIN record USING (rid)").fetchall()
        for source, key, field, reason in rows:
            side, table = source % 2, source // 2
            ((name,),) = self.databases[side].sql(f"SELECT k FROM t{side}_{table} WHERE id = {key}")  # noqa: S608
            found[table, name, field] = reason
        return found

    def check(self) -> tuple[int, int]:
        """How many fields are the same, and how many wait; fails where one is neither."""
        waiting, same, wrong = self.waiting(), 0, []
        for n, table in enumerate(self.tables):
            one, other = (
                database.rows(f"t{side}_{n}", [pair[side] for pair in table])
                for side, database in enumerate(self.databases)
            )
            refused = {key: reason for key, reason in waiting.items() if key[0] == n and not key[2]}
            # Which UUIDs MariaDB refuses depends on its release, so that only the server can tell.
            unstorable = {key for (_, key, _), reason in refused.items() if "Incorrect uuid value" in reason}
            differing = (one.keys() ^ other.keys()) - unstorable
            assert not differing, (refused, [*enumerate((a.type, b.type) for a, b in table)])
            for key in one.keys() - unstorable:
                values = one[key]
                for i, (first, second) in enumerate(table):
                    reason = waiting.get((n, key, f"f{i}"), "")
                    if mean_the_same(first, values[i], second, other[key][i]):
                        same += 1
                    elif not ("a (" in reason and "b (" in reason):
                        wrong.append(
                            f"{first.type} {values[i]!r} and {second.type} {other[key][i]!r}, {reason or 'not told'}"
                        )
        assert not wrong, "\n".join(sorted(wrong)[:60])
        return same, len(waiting)


def the_seed(attempt: int = 0) -> random.Random:
    seed = int(os.environ.get("TYPES_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    print(f"TYPES_SEED={seed} repeats this")
    return random.Random(seed + attempt)  # noqa: S311


PAIRS = [("postgresql", "mariadb"), ("postgresql", "sqlite"), ("mariadb", "sqlite"), ("postgresql", "postgresql")]


@pytest.fixture(params=PAIRS, ids=" and ".join)
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Database, Database]:
    def make(side: int, system: str) -> Database:
        if system == "postgresql":
            return on_postgresql(request.getfixturevalue("postgresql_server"))
        if system == "mariadb":
            return on_mariadb(request.getfixturevalue("mariadb_database"))
        return on_sqlite(tmp_path / f"{side}.db")

    first, second = (make(side, system) for side, system in enumerate(request.param))
    return first, second


def live(history: History, rng: random.Random, *, records: int, rounds: int) -> None:
    for n, table in enumerate(history.tables):
        for side, database in enumerate(history.databases):
            for number in range(records):
                database.insert(f"t{side}_{n}", f"{SIDES[side]}{number}", [pair[side].value(rng) for pair in table])
    history.run()
    history.check()
    for _ in range(rounds):
        for n, table in enumerate(history.tables):
            for key in (f"{name}{number}" for name in SIDES for number in range(records)):
                for i in rng.sample(range(len(table)), len(table) // 2):
                    side = rng.randrange(2)
                    history.databases[side].edit(f"t{side}_{n}", key, i, table[i][side].value(rng))
        history.run()
        history.check()
    assert history.run()["pushed"] == NOTHING


def test_values_of_all_types_keep_their_meaning_or_wait(databases: tuple[Database, Database], tmp_path: Path) -> None:
    rng = the_seed()
    live(History(tmp_path / "sync", databases, rng.sample(pairs_of(databases), 75)), rng, records=3, rounds=1)


@pytest.mark.long
@pytest.mark.parametrize("attempt", range(5))
def test_values_keep_their_meaning_for_all_pairs_of_types(
    databases: tuple[Database, Database], tmp_path: Path, attempt: int
) -> None:
    rng = the_seed(attempt)
    live(History(tmp_path / "sync", databases, pairs_of(databases)), rng, records=8, rounds=2)


def test_the_page_of_types_matches_the_worker(
    postgresql_server: PostgreSQL, mariadb_database: MariaDB, tmp_path: Path
) -> None:
    databases = {
        "postgresql": on_postgresql(postgresql_server),
        "mariadb": on_mariadb(mariadb_database),
        "sqlite": on_sqlite(tmp_path / "types.db"),
    }
    assert Page.read("docs/types.md").text.splitlines() == [*lines(databases)], "`make types` writes it anew"
