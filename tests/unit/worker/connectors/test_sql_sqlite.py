"""What is particular about SQLite, which has few types and keeps what it is given."""

import sqlite3
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tidegate.worker.connectors import Rejected, Window, sql
from tidegate.worker.values.normal_form import normal

from .opening import everything, opened, stored


def contacts(directory: Path, *fields: str, **place: Any) -> Any:
    settings = {"type": "sql", "url": f"sqlite:///{directory}/c.db"}
    return opened(sql.TYPE, settings, {"table": "contact", "id": "id", **place}, *fields)


def run(directory: Path, *statements: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(directory / "c.db", isolation_level=None)
    try:
        return [connection.execute(statement).fetchall() for statement in statements][-1]
    finally:
        connection.close()


@pytest.mark.parametrize("kind", ["DATETIME", "TIMESTAMP", "datetime(6)"])
def test_a_column_that_is_declared_as_a_time_is_read_as_one_and_written_in_sqlites_form(
    tmp_path: Path, kind: str
) -> None:
    run(tmp_path, f"CREATE TABLE contact (id INTEGER PRIMARY KEY, at {kind})")
    moment = datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=2)))
    with contacts(tmp_path, "at") as collection:
        (created,) = stored(collection.create([[moment]]))
        assert normal(created.values[0]) == normal(moment) == "2024-02-28T23:02:03.000004Z"
    assert run(tmp_path, "SELECT at FROM contact") == [("2024-02-28 23:02:03.000004",)]


def test_an_invalid_time_in_such_a_column_is_kept_unchanged(tmp_path: Path) -> None:
    values = ["2024-02-29 12:00:00", "2024-02-29T12:00Z", "2024-02-29", "tomorrow, at noon", 1709208000, None]
    run(tmp_path, "CREATE TABLE contact (id INTEGER PRIMARY KEY, at DATETIME)")
    for value in values:
        run(tmp_path, f"INSERT INTO contact (at) VALUES ({'NULL' if value is None else repr(value)})")  # noqa: S608
    noon = datetime(2024, 2, 29, 12)
    with contacts(tmp_path, "at") as collection:
        assert [record.values[0] for record in everything(collection)] == [
            noon, noon.replace(tzinfo=UTC), "2024-02-29", "tomorrow, at noon", 1709208000, None
        ]  # fmt: skip


def test_a_time_cursor_is_compared_in_its_stored_form(tmp_path: Path) -> None:
    run(tmp_path, "CREATE TABLE contact (id INTEGER PRIMARY KEY, name TEXT, at DATETIME)")
    run(tmp_path, "INSERT INTO contact VALUES (1, 'A', '2024-02-29 12:00:00'), (2, 'B', '2024-02-29 13:00:00')")
    with contacts(tmp_path, "name", "at", cursor="at") as collection:
        window = Window(None, collection.watermark(), timedelta())
        assert [record.key for record in collection.scan(None, 9, window).records] == [1, 2]
        assert [record.cursor for record in everything(collection)] == ["2024-02-29 12:00:00", "2024-02-29 13:00:00"]


def test_numbers_beyond_64_bits_are_stored_as_texts_or_refused_by_an_integer_column(tmp_path: Path) -> None:
    run(tmp_path, "CREATE TABLE contact (id INTEGER PRIMARY KEY, free, whole INTEGER)")
    with contacts(tmp_path, "free", "whole") as collection:
        fine, refused, small = collection.create([[10**30, None], [1, 2**63], [-(2**63), -(2**63)]])
        assert [record.values for record in stored([fine, small])] == [(str(10**30), None), (-(2**63), -(2**63))]
        assert refused == Rejected("column whole is of type INTEGER: SQLite would round it to a floating-point number")
        assert collection.find([(10**30,)]) == [fine]


def test_values_without_a_sqlite_type_are_stored_in_their_normal_form(tmp_path: Path) -> None:
    run(tmp_path, "CREATE TABLE contact (id INTEGER PRIMARY KEY, v)")
    values = [True, Decimal("1.50"), date(2024, 2, 29), {"b": 1}, b"\x00", "text", 1.5]
    with contacts(tmp_path, "v") as collection:
        answers = stored(collection.create([[value] for value in values]))
    assert [answer.values[0] for answer in answers] == [1, "1.5", "2024-02-29", '{"b":1}', b"\x00", "text", 1.5]


def test_the_texts_true_and_false_keep_their_meaning_in_a_boolean_column(tmp_path: Path) -> None:
    run(tmp_path, "CREATE TABLE contact (id INTEGER PRIMARY KEY, active BOOLEAN)")
    with contacts(tmp_path, "active") as collection:
        collection.create([["true"], ["False"]])
    assert run(tmp_path, "SELECT active IS TRUE FROM contact") == [(1,), (0,)]


@pytest.mark.parametrize("text", ["ann", "éva", "a\0b", "a\0c", "\"'", "7"])
def test_a_text_is_found_and_read_whatever_it_contains(tmp_path: Path, text: str) -> None:
    run(tmp_path, "CREATE TABLE contact (id TEXT PRIMARY KEY, name TEXT)", "INSERT INTO contact VALUES ('a', 'a')")
    with contacts(tmp_path, "name", "id") as collection:
        (created,) = stored(collection.create([[text, text]]))
        assert collection.find([(text,)]) == [created]
        assert collection.get([text]) == {text: created}
