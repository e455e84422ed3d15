"""The example workers of docs/workers/ do what their pages say, with real rclone and dlt."""

import os
import re
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.api.contract import ExitCode

from .foreign_workers import EXAMPLES, Worker, conformance, passed
from .postgresql import Database, PostgreSQL


@pytest.mark.parametrize("name", ["rclone", "dlt"])
def test_the_pinned_versions_are_the_required_ones(name: str) -> None:
    (asked,) = (EXAMPLES / name / "requirements.in").read_text().split()
    pinned = (EXAMPLES / name / "requirements.txt").read_text()
    package = re.sub(r"\[.*\]", "", asked)
    assert f"{package} \\" in pinned.splitlines()
    assert asked.partition("==")[2] in (EXAMPLES / name / "README.md").read_text()


class TestRclone:
    @pytest.fixture
    def left(self, tmp_path: Path) -> Path:
        (tmp_path / "left" / "a folder").mkdir(parents=True)
        return tmp_path / "left"

    @pytest.fixture
    def right(self, tmp_path: Path) -> Path:
        (tmp_path / "right").mkdir()
        return tmp_path / "right"

    @pytest.fixture
    def worker(self, tmp_path: Path, left: Path, right: Path) -> Worker:
        for n in range(10):
            (left / f"left {n}").write_text(f"{n}")
            (right / f"right {n}").write_text(f"{n}")
        return Worker("rclone", tmp_path, {"path1": str(left), "path2": str(right)})

    def test_both_sides_are_equal_after_a_run(self, worker: Worker, left: Path, right: Path) -> None:
        (left / "a folder" / "dëep").write_text("below")
        first = worker.run(1, "full")
        assert (first.code, first.said["outcome"]) == (0, "complete")
        assert first.said["pushed"] == {"path1": {"create": 10}, "path2": {"create": 11}}
        assert files(left) == files(right)
        assert len(files(left)) == 21

        (left / "right 1").write_text("edited on the left")
        (right / "left 1").write_text("edited on the right")
        (right / "new").write_text("made on the right")
        (left / "right 2").unlink()
        second = worker.run(2)
        assert second.said["changed"] == {"path1": 2, "path2": 2}
        assert second.said["pushed"] == {"path1": {"create": 1, "update": 1}, "path2": {"update": 1, "delete": 1}}
        assert files(left) == files(right)
        assert files(left)["left 1"] == "edited on the right"
        assert "right 2" not in files(left)

        (left / "left 3").write_text("edited first")
        (right / "left 3").write_text("and then here as well")
        os.utime(left / "left 3", (1, 1))
        third = worker.run(3)
        assert third.said["conflicts"] == 1
        assert files(left) == files(right)
        assert files(left)["left 3"] == "and then here as well"
        assert files(left)["left 3.conflict1"] == "edited first"

    def test_a_read_only_full_sync_pushes_nothing_and_only_later_changes_are_pushed(
        self, worker: Worker, left: Path, right: Path
    ) -> None:
        (left / "both").write_text("on the left")
        (right / "both").write_text("on the right")
        before = files(left), files(right)
        assert worker.run(1, "full", push=False).code == 0
        assert worker.run(2).said["changed"] == {}
        assert (files(left), files(right)) == before

        (left / "both").write_text("on the left, edited")
        (left / "left 5").write_text("edited")
        (right / "right 6").unlink()
        assert worker.run(3).code == 0
        assert files(right) == {
            **{name: text for name, text in before[1].items() if name != "right 6"},
            "both": "on the left, edited",
            "left 5": "edited",
        }
        assert files(left) == {**before[0], "both": "on the left, edited", "left 5": "edited"}

    def test_changes_missed_while_off_are_accepted_by_a_read_only_full_sync(
        self, worker: Worker, left: Path, right: Path
    ) -> None:
        worker.run(1, "full")
        (left / "missed").write_text("made while OFF")
        (right / "left 1").unlink()
        assert worker.run(2, "full", push=False).code == 0
        assert worker.run(3).code == 0
        assert "missed" not in files(right)
        assert "left 1" in files(left)

    def test_an_empty_side_is_refused_by_a_read_only_run(self, worker: Worker, right: Path) -> None:
        for path in right.iterdir():
            path.unlink()
        refused = worker.run(1, "full", push=False)
        assert refused.code == ExitCode.CONFIGURATION_ERROR
        assert "FutureOnly needs a file on either side" in refused.said["reason"]

    def test_many_deletes_halt_it_until_they_are_confirmed_for_that_run(
        self, worker: Worker, left: Path, right: Path
    ) -> None:
        worker.run(1, "full")
        before = files(right)
        for n in range(10):
            (left / f"right {n}").unlink()
            (left / f"left {n}").write_text("edited")
        (left / "left 0").unlink()
        halted = worker.run(2)
        assert halted.code == ExitCode.HALTED
        assert "too many deletes (>50%, 11 of 20)" in halted.said["reason"]
        assert worker.run(3, allow="1").code == ExitCode.HALTED, "the confirmation of another run"
        assert files(right) == before
        assert worker.run(4, allow="3").code == 0
        assert files(right) == files(left)
        assert len(files(right)) == 9

    def test_an_empty_side_halts_it_and_a_reset_starts_over(self, worker: Worker, left: Path, right: Path) -> None:
        worker.run(1, "full")
        for path in left.glob("* *[0-9]"):
            path.unlink()
        assert worker.run(2).code == ExitCode.HALTED
        assert worker.run(3, allow="2").code == ExitCode.HALTED
        worker.reset()
        assert worker.run(4, "full").code == 0
        assert len(files(left)) == len(files(right)) == 20

    def test_two_empty_sides_can_be_synced(self, tmp_path: Path, left: Path, right: Path) -> None:
        worker = Worker("rclone", tmp_path, {"path1": str(left), "path2": str(right)})
        assert worker.run(1, "full").code == 0
        (right / "first").write_text("of all")
        assert worker.run(2).code == 0
        assert files(left) == {"first": "of all"}
        (right / "first").write_text("of all, edited")
        halted = worker.run(3)
        assert halted.code == ExitCode.HALTED
        assert "all files were changed" in halted.said["reason"]
        assert worker.run(4, allow="3").code == 0
        assert files(left) == {"first": "of all, edited"}

    def test_a_run_killed_during_a_copy_resumes_and_leaves_no_partial_file(
        self, worker: Worker, left: Path, right: Path
    ) -> None:
        worker.run(1, "full")
        (left / "large").write_bytes(b"x" * 3_000_000)
        worker.config_file.write_text(
            worker.config_file.read_text().replace("}", ', "flags": ["--bwlimit=1M", "--max-delete=90"]}')
        )
        process = worker.begin(2)
        while not any(right.glob("*.sync-partial")):
            assert process.poll() is None, "it has ended before it was killed"
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert any(right.glob("*.sync-partial"))

        worker.config_file.write_text(worker.config_file.read_text().replace("--bwlimit=1M", "--bwlimit=off"))
        assert worker.run(2).code == 0
        assert files(left) == files(right)
        assert set(files(right)) == {*(f"{side} {n}" for n in range(10) for side in ("left", "right")), "large"}

    def test_another_filter_deletes_nothing(self, worker: Worker, left: Path, right: Path) -> None:
        worker.run(1, "full")
        before = files(left)
        config = worker.config_file.read_text()
        worker.config_file.write_text(config.replace("}", ', "flags": ["--exclude=left *"]}'))
        assert worker.run(2).code == 0
        assert files(left) == files(right) == before

    @pytest.mark.parametrize(
        ("change", "code", "words"),
        [
            (
                {"path2": "archive:reports"},
                ExitCode.CONFIGURATION_ERROR,
                'didn\'t find section in config file ("archive")',
            ),
            ({"flags": ["--no-such-flag"]}, ExitCode.CONFIGURATION_ERROR, "unknown flag: --no-such-flag"),
            ({"path2": 5}, ExitCode.CONFIGURATION_ERROR, "path1 and path2 must be what rclone calls paths"),
            ({"path3": "left"}, ExitCode.CONFIGURATION_ERROR, "must hold path1, path2"),
        ],
    )
    def test_an_impossible_configuration_is_reported(
        self, tmp_path: Path, left: Path, right: Path, change: dict[str, object], code: ExitCode, words: str
    ) -> None:
        refused = Worker("rclone", tmp_path, {"path1": str(left), "path2": str(right), **change}).run(1, "full")
        assert refused.code == code
        assert words in refused.said["reason"]

    def test_a_cache_of_other_paths_needs_a_reset(self, worker: Worker, tmp_path: Path, right: Path) -> None:
        worker.run(1, "full")
        config = worker.config_file.read_text()
        worker.config_file.write_text(config.replace(str(right), str(tmp_path / "elsewhere")))
        refused = worker.run(2)
        assert refused.code == ExitCode.CACHE_UNUSABLE
        assert refused.said["reason"].endswith(": reset")


def files(directory: Path) -> dict[str, str]:
    """All files below a directory, with what is in them."""
    return {str(path.relative_to(directory)): path.read_text() for path in directory.rglob("*") if path.is_file()}


class TestDlt:
    """From one PostgreSQL database to another."""

    @pytest.fixture
    def source(self, postgresql_server: PostgreSQL) -> Iterator[Database]:
        with postgresql_server.database() as database:
            database.sql("""
                CREATE TABLE contact (id int PRIMARY KEY, email text, name text, updated_at timestamptz NOT NULL);
                INSERT INTO contact SELECT n, 'p' || n || '@x', 'name ' || n, now() + n * interval '1 s'
                FROM generate_series(1, 500) n;
                CREATE TABLE invoice (number text PRIMARY KEY, contact int, changed bigint NOT NULL);
                INSERT INTO invoice SELECT 'R-' || n, n, n FROM generate_series(1, 100) n;
                GRANT SELECT ON contact, invoice TO worker
            """)
            yield database

    @pytest.fixture
    def target(self, postgresql_server: PostgreSQL) -> Iterator[Database]:
        with postgresql_server.database() as database:
            database.sql(f"GRANT CREATE ON DATABASE {database.name} TO worker")
            yield database

    @pytest.fixture
    def worker(self, tmp_path: Path, source: Database, target: Database) -> Worker:
        # dlt insists on a password and a host; the one that libpq obeys comes last.
        credentials = target.worker_url.replace("worker@/", "worker:any@localhost/")
        return Worker(
            "dlt",
            tmp_path,
            {
                "destination": "postgres",
                "dataset": "crm",
                "tables": [{"name": "contact", "cursor": "updated_at"}, {"name": "invoice", "cursor": "changed"}],
            },
            {
                "SOURCE_URL": source.worker_url.replace("postgresql:", "postgresql+psycopg2:"),
                "DESTINATION__POSTGRES__CREDENTIALS": credentials,
            },
        )

    def test_the_target_follows_the_source_as_its_page_says(
        self, worker: Worker, source: Database, target: Database
    ) -> None:
        first = worker.run(1, "full")
        assert (first.code, first.said["outcome"]) == (0, "complete"), first.log
        assert (first.said["read"], first.said["pushed"]) == ({"source": 600}, {"destination": 600})
        assert rows(target, "crm.contact") == rows(source)
        invoices = "SELECT number, contact, changed FROM {} ORDER BY changed"
        assert target.sql(invoices.format("crm.invoice")) == source.sql(invoices.format("invoice"))

        edit(source, 7, "edited")
        source.sql("DELETE FROM contact WHERE id = 9")
        second = worker.run(2)
        assert second.said["pushed"] == {"destination": 1}
        assert set(rows(target, "crm.contact")) - set(rows(source)) == {(9, "p9@x", "name 9")}, "deletes are not seen"
        assert len(list(worker.cache.glob("run-2/*/load/loaded/*"))) == 1, "what was loaded before is not kept"
        assert worker.run(3, "full").code == 0
        assert rows(target, "crm.contact") == rows(source)

    def test_a_read_only_full_sync_pushes_nothing_and_only_later_changes_are_pushed(
        self, worker: Worker, source: Database, target: Database
    ) -> None:
        first = worker.run(1, "full", push=False)
        assert (first.code, first.said["read"], first.said["pushed"]) == (0, {"source": 600}, {}), first.log
        assert worker.run(2).said["pushed"] == {"destination": 0}
        assert target.sql("SELECT to_regclass('crm.contact')") == [(None,)]
        edit(source, 8, "edited")
        assert worker.run(3).said["pushed"] == {"destination": 1}
        assert rows(target, "crm.contact") == [(8, "p8@x", "edited")]

    def test_many_deletes_halt_it_and_a_reset_starts_over(
        self, worker: Worker, source: Database, target: Database
    ) -> None:
        worker.run(1, "full")
        source.sql("DELETE FROM contact WHERE id > 300")
        worker.reset()
        halted = worker.run(2, "full")
        assert halted.code == ExitCode.HALTED
        assert "contact has 500 rows in the destination and 300 in the source" in halted.said["reason"]
        assert len(rows(target, "crm.contact")) == 500
        confirmed = worker.run(3, "full", allow="2")
        assert (confirmed.code, confirmed.said["read"]) == (0, {"source": 400})
        assert rows(target, "crm.contact") == rows(source)

    def test_a_run_killed_during_its_load_resumes(self, worker: Worker, source: Database, target: Database) -> None:
        process = worker.begin(1, "full")
        while target.sql("SELECT to_regclass('crm_staging.contact')") == [(None,)]:
            assert process.poll() is None, "it has ended before it was killed"
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert (worker.cache / "run-1" / "all-read").exists()
        assert not (worker.cache / "baseline").exists()
        source.sql("DELETE FROM contact WHERE id > 10")  # what it has read already is not read again
        again = worker.run(1, "full")
        assert (again.code, again.said["pushed"]) == (0, {"destination": 600}), again.log
        assert len(rows(target, "crm.contact")) == 500

    @pytest.mark.parametrize(
        "only", [pytest.param("SIGTERM pauses", id="SIGTERM"), pytest.param("", id="all", marks=pytest.mark.long)]
    )
    def test_it_keeps_the_contract(
        self,
        only: str,
        worker: Worker,
        source: Database,
        target: Database,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for name, value in worker.environment.items():
            monkeypatch.setenv(name, value)
        program = tmp_path / "systems.py"
        program.write_text(SYSTEMS)
        users = [sys.executable, str(program), source.server.url(source.name), target.server.url(target.name)]
        reset, state, edit = (shlex.join([*users, what]) for what in ("reset", "state", "edit"))
        conformance((reset, state, edit), worker.command, "--config", str(worker.config_file), "--only", only)
        assert capsys.readouterr().out.splitlines() == passed(only)


SYSTEMS = """
import sys, psycopg
source, target, what = sys.argv[1:]
with psycopg.connect(source) as database, psycopg.connect(target) as copy:
    if what == "reset":
        database.execute("TRUNCATE contact")
        database.execute(
            "INSERT INTO contact SELECT n, 'p' || n || '@x', 'name ' || n, timestamp '2026-01-01' + n * interval '1 s' "
            "FROM generate_series(1, 5000) n"
        )
        copy.execute("DROP SCHEMA IF EXISTS crm CASCADE; DROP SCHEMA IF EXISTS crm_staging CASCADE")
    if what == "edit":
        database.execute(
            "UPDATE contact SET name = name || '!', "
            "updated_at = (SELECT max(updated_at) + interval '1 s' FROM contact) WHERE id = 7"
        )
    if what == "state":
        print(database.execute("SELECT * FROM contact ORDER BY 1").fetchall())
        if copy.execute("SELECT to_regclass('crm.contact')").fetchone()[0]:
            print(copy.execute("SELECT id, email, name, updated_at FROM crm.contact ORDER BY 1").fetchall())
"""


def rows(database: Database, table: str = "contact") -> list[tuple[object, ...]]:
    return database.sql(f"SELECT id, email, name FROM {table} ORDER BY 1")  # noqa: S608


def edit(database: Database, key: int, name: str) -> None:
    later = "(SELECT max(updated_at) + interval '1 s' FROM contact)"
    database.sql(f"UPDATE contact SET name = %s, updated_at = {later} WHERE id = %s", name, key)  # noqa: S608
