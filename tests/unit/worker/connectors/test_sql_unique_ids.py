"""Rows that have one id are refused by name, where no key of the table keeps its ids unique."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tidegate.worker.connectors import Rejected, Write, sql
from tidegate.worker.errors import ConfigurationError

from .opening import everything, opened, stored

KEYLESS = "CREATE TABLE contact (id INTEGER, mail TEXT)"
A_VIEW = "CREATE TABLE c (id INTEGER, mail TEXT); CREATE VIEW contact AS SELECT id, mail FROM c"
ROWS = "VALUES (1, 'a'), (7, 'b'), (7, 'c'), (9, 'd'), (9, 'd'), (NULL, 'e')"


def run(path: Path, *scripts: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for script in scripts:
            connection.executescript(script)


def contacts(path: Path, *fields: str, **place: Any) -> Any:
    return opened(
        sql.TYPE,
        {"type": "sql", "url": f"sqlite:///{path}"},
        {"table": "contact", "id": "id", **place},
        *(fields or ("mail",)),
    )


@pytest.mark.parametrize(
    ("schema", "rows"),
    [(KEYLESS, "INSERT INTO contact " + ROWS), (A_VIEW, "INSERT INTO c " + ROWS)],
    ids=["table", "view"],
)
def test_doubled_ids_are_named_before_anything_is_read(tmp_path: Path, schema: str, rows: str) -> None:
    path = tmp_path / "c.db"
    run(path, schema, rows)
    words = r"crm: id: more than one row has the id 7, 9; delete one of them, or name columns that identify each row$"
    with pytest.raises(ConfigurationError, match=words), contacts(path):
        pass


def test_many_doubled_ids_are_named_in_part(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    run(path, KEYLESS, "INSERT INTO contact SELECT value, 'a' FROM json_each('[0,1,2,3,4,5,6,0,1,2,3,4,5,6]')")
    with pytest.raises(ConfigurationError, match="has the id 0, 1, 2, 3, 4 and others; delete"), contacts(path):
        pass


def test_columns_that_no_key_covers_may_be_unique_together(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    run(path, KEYLESS, "INSERT INTO contact VALUES (1, 'a'), (1, 'b'), (2, 'a')")
    with contacts(path, id=["id", "mail"]) as collection:
        assert [record.key for record in everything(collection, 2)] == ['[1,"a"]', '[1,"b"]', '[2,"a"]']


@pytest.mark.parametrize(
    "index",
    [
        "UNIQUE INDEX i ON contact (id) WHERE mail IS NULL",
        "UNIQUE INDEX i ON contact (id, mail)",
        "INDEX i ON contact (id)",
    ],
)
def test_an_index_that_does_not_keep_all_ids_unique_proves_nothing(tmp_path: Path, index: str) -> None:
    path = tmp_path / "c.db"
    run(path, KEYLESS, f"CREATE {index}", "INSERT INTO contact VALUES (7, 'b'), (7, 'c')")
    with pytest.raises(ConfigurationError, match="more than one row has the id 7;"), contacts(path):
        pass


def test_an_id_that_is_doubled_during_the_run_stops_it_before_either_row_is_written(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    run(path, KEYLESS, "INSERT INTO contact VALUES (1, 'a'), (7, 'b')")
    with contacts(path) as collection:
        (_, second) = everything(collection)
        run(path, "INSERT INTO contact VALUES (7, 'c')")
        for read in (
            lambda: everything(collection),
            lambda: collection.get([7]),
            lambda: collection.update([Write(second, {0: "new"})]),
            lambda: collection.delete([second]),
        ):
            with pytest.raises(ConfigurationError, match="more than one row has the id 7;"):
                read()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT * FROM contact").fetchall() == [(1, "a"), (7, "b"), (7, "c")]


def test_a_new_row_is_refused_the_id_of_another_and_the_others_are_made(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    run(path, KEYLESS, "INSERT INTO contact VALUES (7, 'b')")
    with contacts(path, "id", "mail") as collection:
        refused, made = collection.create([[7, "c"], [8, "d"]])
        assert refused == Rejected("another row has its id, which no key of the table keeps unique")
        assert [record.key for record in stored([made])] == [8]
        assert [record.key for record in everything(collection)] == [7, 8]
