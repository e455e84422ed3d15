"""Rows that several columns identify together: each is met once, and none is taken for another."""

import json
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.worker.connectors import Rejected, Window, Write, sql
from tidegate.worker.connectors.sql.settings import TableSettings
from tidegate.worker.errors import ConfigurationError

from .opening import everything, opened, stored

LINES = (
    "CREATE TABLE line (shop TEXT DEFAULT '', order_no INTEGER DEFAULT 0, line_no INTEGER DEFAULT 0, text TEXT, "
    "PRIMARY KEY (shop, order_no, line_no))"
)
IDS = ["shop", "order_no", "line_no"]


def lines(path: Path, *fields: str, **place: Any) -> Any:
    place = {"table": "line", "id": IDS, **place}
    return opened(sql.TYPE, {"type": "sql", "url": f"sqlite:///{path}"}, place, *(fields or ("text",)))


def run(path: Path, *statements: str, rows: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            answer = connection.execute(statement).fetchall()
        connection.executemany("INSERT OR IGNORE INTO line (shop, order_no, line_no) VALUES (?, ?, ?)", rows)
        return answer


parts = st.sampled_from(["", "a", "b", "[", '"', "a,b", "ü\0x"])
numbers = st.integers(-2, 2)


@settings(deadline=None)
@given(st.sets(st.tuples(parts, numbers, numbers), max_size=30), st.integers(1, 7))
def test_a_scan_meets_every_row_once_whatever_its_parts_and_the_pages(
    directory_in_memory: Path, rows: set[tuple[str, int, int]], limit: int
) -> None:
    path = Path(tempfile.mkdtemp(dir=directory_in_memory)) / "l.db"
    run(path, LINES, rows=[*rows])
    with lines(path) as collection:
        keys = [str(record.key) for record in everything(collection, limit)]
        assert [tuple(json.loads(key)) for key in keys] == sorted(rows)
        assert collection.get(keys[::2]).keys() == {*keys[::2]}


@settings(deadline=None)
@given(st.sets(st.tuples(parts, numbers, numbers), max_size=30), st.integers(1, 7))
def test_changes_with_one_cursor_value_are_met_once_too(
    directory_in_memory: Path, rows: set[tuple[str, int, int]], limit: int
) -> None:
    path = Path(tempfile.mkdtemp(dir=directory_in_memory)) / "l.db"
    run(path, LINES, "ALTER TABLE line ADD version INTEGER DEFAULT 7", rows=[*rows])
    found: list[str] = []
    with lines(path, cursor="version") as collection:
        until, after = collection.watermark(), None
        while True:
            page = collection.scan(after, limit, Window(None, until, timedelta()))
            found += [str(record.key) for record in page.records]
            after = page.after
            if after is None:
                break
    assert sorted(tuple(json.loads(key)) for key in found) == sorted(rows)


def test_only_the_row_with_all_the_parts_is_written(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    run(path, LINES, rows=[("a", 1, 1), ("a", 1, 2), ("b", 1, 1)])
    with lines(path) as collection:
        got = collection.get(['["a",1,1]', '["b",1,1]'])
        stored(collection.update([Write(got['["a",1,1]'], {0: "new"})]))
        assert collection.delete([got['["b",1,1]']]) == [None]
    assert run(path, "SELECT * FROM line ORDER BY 1, 2, 3") == [("a", 1, 1, "new"), ("a", 1, 2, None)]


def test_a_part_of_an_id_that_a_field_maps_is_given_to_new_rows_and_never_changed(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    run(path, LINES)
    with lines(path, *IDS, "text") as collection:
        (line,) = stored(collection.create([["a", 1, 2, "x"]]))
        assert line.key == '["a",1,2]'
        (answer,) = collection.update([Write(line, {2: 3})])
        assert answer == Rejected("column line_no is part of the record's id, which cannot be changed")
    assert run(path, "SELECT * FROM line") == [("a", 1, 2, "x")]


def test_a_row_in_which_a_part_is_null_has_no_id_and_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    run(path, LINES, rows=[("a", 1, 1), ("a", None, 1), (None, 1, 1)])
    with lines(path) as collection:
        assert [record.key for record in everything(collection)] == ['["a",1,1]']


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        ("shop", r"column shop is not unique; .* index; the primary key is id: \[shop, order_no, line_no\]"),
        (["shop", "line_no"], "columns shop, line_no are not unique together; they must be the primary key or have a"),
        (["shop", "order_no", "number"], "table line has no column number; it has shop, order_no, line_no, text"),
    ],
)
def test_columns_that_do_not_identify_a_row_are_refused(tmp_path: Path, ids: Any, words: str) -> None:
    path = tmp_path / "l.db"
    run(path, LINES)
    with pytest.raises(ConfigurationError, match=words), lines(path, id=ids):
        pass


@pytest.mark.parametrize("ids", [[], ["a", "a"], ["a", 1], [""], 5, {}])
def test_an_id_is_a_column_or_different_columns(ids: Any) -> None:
    with pytest.raises(ValueError, match=r"write a column, or columns that identify a row together, such as"):
        TableSettings(table="line", id=ids)


def test_a_list_of_one_column_is_that_column() -> None:
    assert TableSettings(table="line", id=["nr"]) == TableSettings(table="line", id="nr")
