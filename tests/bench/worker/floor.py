"""The floor: the rows of a case read by the driver alone, and written by COPY alone, with no worker in between.

As a program of its own (`python -m bench.worker.floor read URL … | copy FILE URL`), so that it is measured as the
worker is.
"""

import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import psycopg

from worker.postgresql import postgresql

from . import contacts
from .measured import Measured, run

_TESTS = Path(__file__).parents[2]
_PAGE = 1000
_QUERY = f"SELECT id, {', '.join(contacts.FIELDS)} FROM contact ORDER BY id"  # noqa: S608


def read(directory: Path, urls: Sequence[str]) -> Measured:
    """What it takes to read all contacts of these databases, one after the other."""
    return _run(directory, "read", *urls)


def copy(directory: Path, file: Path) -> Measured:
    """What it takes to write all contacts of a SQLite database into an empty table of PostgreSQL."""
    with postgresql() as server, contacts.in_postgresql(server, 0) as erp:
        return _run(directory, "copy", str(file), erp.worker_url)


def _run(directory: Path, *arguments: str) -> Measured:
    command = [sys.executable, "-m", "bench.worker.floor", *arguments]
    return run(command, {"PYTHONPATH": str(_TESTS)}, directory / "floor.log")


def _rows(file: str) -> Iterator[tuple[str | int, ...]]:
    with closing(sqlite3.connect(file)) as database:
        cursor = database.execute(_QUERY)
        while page := cursor.fetchmany(_PAGE):
            yield from page


def _rows_of_postgresql(url: str) -> Iterator[tuple[str | int, ...]]:
    with psycopg.connect(url) as connection, connection.cursor("floor") as cursor:
        cursor.execute(_QUERY.encode())
        while page := cursor.fetchmany(_PAGE):
            yield from page


def _main(what: str, *arguments: str) -> None:
    if what == "read":
        for url in arguments:
            file = url.removeprefix(contacts.SQLITE)
            for _ in _rows_of_postgresql(url) if file == url else _rows(file):
                pass
        return
    file, url = arguments
    statement = f"COPY contact ({', '.join(contacts.FIELDS)}) FROM STDIN"
    with psycopg.connect(url) as connection, connection.cursor() as cursor, cursor.copy(statement.encode()) as into:
        for _, *row in _rows(file):
            into.write_row(row)


if __name__ == "__main__":
    _main(*sys.argv[1:])
