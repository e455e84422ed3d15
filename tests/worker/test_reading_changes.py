"""A change is read by the next run that reads changes, whatever its cursor says and however late it is committed.

Each test is told as somebody who works in the database would tell it, and as the runs that read beside them.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine

from tidegate.worker.connectors import Collection, Description, FieldUse, Key, Token, Window, sql
from tidegate.worker.connectors.sql.settings import Settings, TableSettings
from tidegate.worker.errors import ConfigurationError

from .mariadb import Database as MariaDBDatabase
from .mariadb import MariaDB
from .postgresql import Database as PostgreSQLDatabase


class Runs:
    """The runs of one sync as far as they read one table: a whole scan first, and then what has changed."""

    def __init__(self, collection: Collection, overlap: timedelta = timedelta(seconds=30), page: int = 2) -> None:
        self._collection = collection
        self._overlap = overlap
        self._page = page
        self._last: Token | None = None
        self.whole()

    def whole(self) -> None:
        until = self._collection.watermark(self._last, self._overlap)
        self._scan(None)
        self._last = json.loads(json.dumps(until))

    def read(self) -> set[Key]:
        """The ids of what a run of changes reads."""
        until = self._collection.watermark(self._last, self._overlap)
        found = self._scan(Window(self._last, json.loads(json.dumps(until)), self._overlap))
        self._last = json.loads(json.dumps(until))
        return found

    def _scan(self, window: Window | None) -> set[Key]:
        found: set[Key] = set()
        after = None
        while True:
            page = self._collection.scan(after, self._page, window)
            keys = [record.key for record in page.records]
            assert len(keys) == len({*keys}), "no record is on a page twice"
            found |= {*keys}
            after = json.loads(json.dumps(page.after))
            if after is None:
                return found


@contextmanager
def opened(url: str, cursor: str = "at", **settings: Any) -> Iterator[Collection]:
    connector = sql.TYPE.connect(Settings(type="sql", url=url, **settings), {}, "erp")
    try:
        place = TableSettings(table="contact", id="id", cursor=cursor)
        yield connector.open(
            Description("object contact, connector erp", place, (FieldUse("name", True),), (0,), False)
        )
    finally:
        connector.close()


# A trigger that counts up, as the documentation proposes.
_COUNTED = """
CREATE TABLE contact (id int PRIMARY KEY, name text, version bigint);
CREATE SEQUENCE clock;
CREATE FUNCTION tick() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.version := nextval(''clock''); RETURN NEW; END';
CREATE TRIGGER tick BEFORE INSERT OR UPDATE ON contact FOR EACH ROW EXECUTE FUNCTION tick();
"""
_TIMED = """
CREATE TABLE contact (id int PRIMARY KEY, name text, at timestamptz DEFAULT now());
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at := now(); RETURN NEW; END';
"""


class TestPostgreSQL:
    @pytest.fixture
    def database(self, postgresql_database: PostgreSQLDatabase) -> PostgreSQLDatabase:
        return postgresql_database

    def table(self, database: PostgreSQLDatabase, statements: str) -> None:
        database.sql(statements)
        database.sql("GRANT ALL ON ALL TABLES IN SCHEMA public TO worker")

    @contextmanager
    def transaction(self, database: PostgreSQLDatabase) -> Iterator[Callable[[str], None]]:
        """Somebody else's, which commits when the context ends."""
        with psycopg.connect(database.server.url(database.name)) as connection:

            def run(statement: str) -> None:
                connection.execute(statement.encode())

            yield run

    def test_a_number_that_was_drawn_before_and_committed_after_the_scan_is_read(
        self, database: PostgreSQLDatabase
    ) -> None:
        self.table(database, _COUNTED)
        with opened(database.worker_url, "version") as collection:
            runs = Runs(collection)
            with self.transaction(database) as late:
                late("INSERT INTO contact VALUES (1, 'late')")
                database.sql("INSERT INTO contact VALUES (2, 'in time')")
                assert runs.read() == {2}
                database.sql("INSERT INTO contact VALUES (3, 'later')")
                assert 3 in runs.read()
            assert 1 in runs.read()
            runs.read()
            assert runs.read() <= {3}, "and the quiet table is not read again and again"

    @pytest.mark.parametrize("table", ["PARTITION OF contact DEFAULT", "() INHERITS (contact)"])
    def test_a_number_committed_late_to_a_partition_is_read(self, database: PostgreSQLDatabase, table: str) -> None:
        partitioned = "PARTITION BY RANGE (id)" if "PARTITION" in table else ""
        self.table(database, f"CREATE TABLE contact (id int, name text, version bigserial) {partitioned}")
        self.table(database, f"CREATE TABLE part {table}")
        with opened(database.worker_url, "version") as collection:
            runs = Runs(collection)
            with self.transaction(database) as late:
                late("INSERT INTO part VALUES (1, 'late')")
                database.sql("INSERT INTO part VALUES (2, 'in time')")
                assert runs.read() == {2}
            assert 1 in runs.read()

    def test_a_change_of_a_transaction_that_began_long_before_is_read(self, database: PostgreSQLDatabase) -> None:
        # now() is when the transaction began.
        self.table(database, _TIMED)
        database.sql("GRANT pg_read_all_stats TO worker")
        try:
            with opened(database.worker_url) as collection, self.transaction(database) as late:
                late("SELECT pg_sleep(0.2)")
                runs = Runs(collection, timedelta())
                database.sql("INSERT INTO contact VALUES (2, 'in time')")
                assert runs.read() == {2}
                late("INSERT INTO contact VALUES (1, 'late')")
                late("COMMIT")
                assert 1 in runs.read()
                runs.read()
                assert runs.read() <= {2}
        finally:
            database.sql("REVOKE pg_read_all_stats FROM worker")

    def test_a_change_of_a_transaction_with_a_hidden_start_is_read(
        self, database: PostgreSQLDatabase, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.table(database, _TIMED)
        with opened(database.worker_url) as collection:
            runs = Runs(collection, timedelta())
            with self.transaction(database) as late:
                late("INSERT INTO contact VALUES (1, 'late')")
                database.sql("INSERT INTO contact VALUES (2, 'in time')")
                assert runs.read() == {2}
            assert 1 in runs.read()
        assert "GRANT pg_read_all_stats" in caplog.text

    @pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date"])
    def test_odd_times_neither_stop_nor_blind_the_runs_and_their_rows_are_read_by_each(
        self, database: PostgreSQLDatabase, kind: str
    ) -> None:
        self.table(database, f"CREATE TABLE contact (id int PRIMARY KEY, name text, at {kind})")
        odd = {*range(6)}
        database.sql(
            "INSERT INTO contact VALUES (0, 'x', NULL), (1, 'x', 'infinity'), (2, 'x', '-infinity'), "
            "(3, 'x', '2099-01-01'), (4, 'x', '0001-01-01 BC'), (5, 'x', '9999-12-31 23:59:59')"
        )
        database.sql("INSERT INTO contact VALUES (6, 'usual', now() - interval '9 days')")
        with opened(database.worker_url) as collection:
            runs = Runs(collection)
            database.sql("INSERT INTO contact SELECT n, 'new', now() FROM generate_series(7, 11) AS n")
            assert runs.read() == {*odd, *range(7, 12)} | ({6} if kind == "date" else set())
            database.sql("UPDATE contact SET name = 'edited', at = clock_timestamp() WHERE id = 6")
            assert runs.read() >= {*odd, 6}

    @pytest.mark.parametrize("kind", ["numeric", "double precision"])
    def test_nan_cursors_do_not_stop_the_runs(self, database: PostgreSQLDatabase, kind: str) -> None:
        self.table(database, f"CREATE TABLE contact (id int PRIMARY KEY, name text, at {kind})")
        database.sql("INSERT INTO contact VALUES (1, 'odd', 'NaN'), (2, 'usual', 7.5)")
        with opened(database.worker_url) as collection:
            runs = Runs(collection)
            database.sql("INSERT INTO contact VALUES (3, 'new', 8.25)")
            assert runs.read() == {1, 2, 3}
            assert runs.read() == {1, 3}

    def test_an_epoch_in_the_future_does_not_hide_changes(self, database: PostgreSQLDatabase) -> None:
        self.table(database, "CREATE TABLE contact (id int PRIMARY KEY, name text, at bigint)")
        database.sql("INSERT INTO contact VALUES (1, 'odd', extract(epoch FROM timestamptz '2099-01-01'))")
        with opened(database.worker_url) as collection:
            runs = Runs(collection)
            database.sql("INSERT INTO contact VALUES (2, 'new', extract(epoch FROM now()))")
            assert runs.read() == {1, 2}
            database.sql("INSERT INTO contact VALUES (3, 'late', extract(epoch FROM now()) - 20)")
            assert 3 in runs.read(), "within the overlap"

    def test_a_finished_bulk_change_is_not_read_again_by_each_run(self, database: PostgreSQLDatabase) -> None:
        self.table(database, _TIMED)
        bulk = "INSERT INTO contact SELECT n, 'bulk', now() - interval '1.5 minutes' FROM generate_series(1, 50) AS n"
        with opened(database.worker_url) as collection:
            runs = Runs(collection)
            database.sql(bulk)
            assert len(runs.read()) == 50
            assert runs.read() == set()
            database.sql("INSERT INTO contact VALUES (51, 'new')")
            assert runs.read() == {51}

    def test_texts_that_sort_by_time_are_read_like_times(self, database: PostgreSQLDatabase) -> None:
        self.table(database, "CREATE TABLE contact (id int PRIMARY KEY, name text, at text)")

        def add(key: int, when: str) -> None:
            database.sql(f"INSERT INTO contact VALUES ({key}, 'x', to_char({when}, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'))")  # noqa: S608

        add(1, "timestamptz '2099-01-01'")
        add(2, "now() AT TIME ZONE 'UTC'")
        database.sql("INSERT INTO contact VALUES (3, 'x', ''), (4, 'x', 'n/a'), (5, 'x', NULL)")
        with opened(database.worker_url) as collection:
            runs = Runs(collection)
            add(6, "now() AT TIME ZONE 'UTC' - interval '20 seconds'")
            add(7, "now() AT TIME ZONE 'UTC' - interval '2 hours'")
            assert runs.read() == {1, 2, 3, 4, 5, 6}

    @pytest.mark.parametrize("text", ["24.11.2026", "2026-11-24T12:00:00+02:00", "20:15"])
    def test_texts_that_do_not_sort_by_time_are_refused(self, database: PostgreSQLDatabase, text: str) -> None:
        self.table(database, "CREATE TABLE contact (id int PRIMARY KEY, name text, at text)")
        database.sql("INSERT INTO contact VALUES (1, 'x', %s), (2, 'x', '2026-11-24T11:00:00Z')", text)
        with (
            opened(database.worker_url) as collection,
            pytest.raises(ConfigurationError, match=r"cursor: column at holds texts such as '.*', which do not sort"),
        ):
            collection.watermark()

    def test_a_column_that_cannot_be_a_cursor_is_refused(self, database: PostgreSQLDatabase) -> None:
        self.table(database, "CREATE TABLE contact (id int PRIMARY KEY, name text, at uuid)")
        with pytest.raises(ConfigurationError, match="cursor: column at holds UUID; a cursor is a time"):  # noqa: SIM117
            with opened(database.worker_url):
                pass


class TestMariaDB:
    @pytest.fixture
    def database(self, mariadb_database: MariaDBDatabase) -> MariaDBDatabase:
        return mariadb_database

    @contextmanager
    def transaction(self, database: MariaDBDatabase) -> Iterator[Callable[[str], None]]:
        engine = create_engine(database.url.replace("mysql://", "mysql+pymysql://", 1))
        with engine.begin() as connection:

            def run(statement: str) -> None:
                connection.exec_driver_sql(statement)

            yield run
        engine.dispose()

    def counted(self, database: MariaDBDatabase) -> None:
        database.sql("CREATE TABLE contact (id INT PRIMARY KEY, name TEXT, version BIGINT)")
        database.sql("CREATE SEQUENCE clock")
        database.sql("CREATE TRIGGER t BEFORE INSERT ON contact FOR EACH ROW SET NEW.version = nextval(clock)")

    def test_a_number_that_was_drawn_before_and_committed_after_the_scan_is_read(
        self, database: MariaDBDatabase
    ) -> None:
        self.counted(database)
        with opened(database.url, "version") as collection:
            runs = Runs(collection)
            with self.transaction(database) as late:
                late("INSERT INTO contact VALUES (1, 'late', NULL)")
                database.sql("INSERT INTO contact VALUES (2, 'in time', NULL)")
                assert runs.read() == {2}
                assert runs.read() == {2}
            assert runs.read() >= {1}
            runs.read()
            assert runs.read() <= {2}

    def test_a_time_that_was_set_before_and_committed_after_the_scan_is_read(self, database: MariaDBDatabase) -> None:
        database.sql(
            "CREATE TABLE contact (id INT PRIMARY KEY, name TEXT, at TIMESTAMP(6) DEFAULT CURRENT_TIMESTAMP(6))"
        )
        with opened(database.url) as collection:
            runs = Runs(collection, timedelta())
            with self.transaction(database) as late:
                late("INSERT INTO contact (id) VALUES (1)")
                database.sql("INSERT INTO contact (id) VALUES (2)")
                assert runs.read() == {2}
            assert 1 in runs.read()
            runs.read()
            assert runs.read() <= {2}

    def test_without_the_privilege_to_see_transactions_numbers_are_read_again_within_the_overlap(
        self, database: MariaDBDatabase, mariadb_server: MariaDB, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.counted(database)
        mariadb_server.sql("CREATE OR REPLACE USER plain@localhost")
        mariadb_server.sql(f"GRANT ALL ON {database.name}.* TO plain@localhost")
        with opened(mariadb_server.url(database.name, "plain"), "version") as collection:
            runs = Runs(collection)
            with self.transaction(database) as late:
                late("INSERT INTO contact VALUES (1, 'late', NULL)")
                database.sql("INSERT INTO contact VALUES (2, 'in time', NULL)")
                assert runs.read() == {2}
            assert runs.read() == {1, 2}
        assert "GRANT PROCESS ON *.*" in caplog.text

    @pytest.mark.parametrize("kind", ["DATETIME", "DATETIME(6)", "DATE"])
    def test_odd_times_neither_stop_nor_blind_the_runs_and_their_rows_are_read_by_each(
        self, database: MariaDBDatabase, kind: str
    ) -> None:
        database.sql(f"CREATE TABLE contact (id INT PRIMARY KEY, name TEXT, at {kind})")
        odd = {*range(5)}
        for key, value in enumerate((None, "0000-00-00", "0001-01-01", "2099-01-01", "9999-12-31")):
            database.sql("INSERT INTO contact VALUES (%s, 'x', %s)", key, value)
        # Not a whole minute: such a time has low precision, and is read again by the next run.
        database.sql("INSERT INTO contact VALUES (6, 'usual', timestamp(current_date - interval 9 day, '12:00:07'))")
        with opened(database.url) as collection:
            runs = Runs(collection)
            database.sql("INSERT INTO contact SELECT seq, 'new', now() FROM seq_7_to_11")
            assert runs.read() == {*odd, *range(7, 12)} | ({6} if kind == "DATE" else set())
            database.sql("UPDATE contact SET name = 'edited', at = now() WHERE id = 6")
            assert runs.read() >= {*odd, 6}

    def test_a_column_of_only_zero_dates_is_read_by_each_run(self, database: MariaDBDatabase) -> None:
        database.sql("CREATE TABLE contact (id INT PRIMARY KEY, name TEXT, at DATETIME)")
        database.sql("INSERT INTO contact VALUES (1, 'x', '0000-00-00'), (2, 'x', '0000-00-00')")
        with opened(database.url) as collection:
            assert Runs(collection).read() == {1, 2}

    @pytest.mark.parametrize(("zone", "hours"), [("America/Lima", -5), ("Asia/Kolkata", 5.5), (None, -12), (None, 14)])
    def test_local_times_are_in_the_declared_zone_or_else_in_any(
        self, database: MariaDBDatabase, zone: str | None, hours: float
    ) -> None:
        database.sql("CREATE TABLE contact (id INT PRIMARY KEY, name TEXT, at DATETIME)")

        def write(key: int, ago: str = "0 second") -> None:
            now = f"utc_timestamp() + interval {hours * 60} minute - interval {ago}"
            database.sql(f"REPLACE INTO contact VALUES ({key}, 'x', {now})")  # noqa: S608

        for key in range(3):
            write(key, f"{key} hour")
        with opened(database.url, timezone=zone) as collection:
            runs = Runs(collection)
            write(2)
            found = runs.read()
            assert 2 in found
            assert 1 not in found or zone is None, "the overlap is not half a day"


class TestSQLite:
    def test_a_time_that_was_set_before_and_committed_after_the_scan_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "c.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("CREATE TABLE contact (id INTEGER PRIMARY KEY, name TEXT, at TEXT)")
            database.execute("INSERT INTO contact VALUES (1, 'x', '2020-01-01 10:00:07')")
            with opened(f"sqlite:///{path}", timezone="UTC") as collection:
                runs = Runs(collection, timedelta())
                database.execute("BEGIN")
                database.execute("INSERT INTO contact VALUES (2, 'late', datetime('now', '-2 seconds'))")
                assert runs.read() == set()
                database.execute("COMMIT")
                assert runs.read() == {2}
