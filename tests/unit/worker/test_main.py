"""How a run ends, as the operator sees it: an exit code, and a reason that a human can act on."""

import io
import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import tidegate
from tidegate.api.contract import ExitCode
from tidegate.worker.cache.file import FILE
from tidegate.worker.cache.pending import Pending
from tidegate.worker.cache.store import Cache
from tidegate.worker.connectors.sql import engine
from tidegate.worker.errors import SystemFailed
from tidegate.worker.main import work
from tidegate.worker.run import environment

from .databases import Databases, Ended


def test_a_complete_run_ends_with_0(databases: Databases) -> None:
    ended = databases.run()
    assert (ended.code, ended.message["outcome"]) == (ExitCode.COMPLETE, "complete")
    assert (ended.message["phase"], ended.message["checkpoint"]) == ("complete", "complete")


class TestConfigurationErrors:
    def test_end_with_2_and_all_errors(self, databases: Databases) -> None:
        ended = databases.run(config={"connectors": {}})
        assert ended.code == ExitCode.CONFIGURATION_ERROR
        assert (ended.message["outcome"], ended.message["reason"]) == ("failed", "objects is missing")
        assert (ended.message["run"], ended.message["scope"], ended.message["push"]) == (1, "full", True)

    def test_are_found_in_the_environment(self, databases: Databases) -> None:
        ended = databases.run(environment={"SYNC_SCOPE": "some", "SYNC_CONFIG": ""})
        assert ended.code == ExitCode.CONFIGURATION_ERROR
        assert ended.message["reason"] == (
            "SYNC_SCOPE must be full or changes, not 'some'; the environment variable SYNC_CONFIG is not set"
        )

    def test_are_found_where_the_file_should_be(self, databases: Databases) -> None:
        ended = databases.run(environment={"SYNC_CONFIG": "/nowhere/sync.json"})
        assert ended.code == ExitCode.CONFIGURATION_ERROR
        assert ended.message["reason"].startswith("the configuration cannot be read: ")

    def test_are_found_in_both_systems_at_once_and_leave_the_cache_usable(self, databases: Databases) -> None:
        ended = databases.run(crm={"table": "people", "id": "id"}, erp={"table": "contact", "id": "nr"})
        assert ended.code == ExitCode.CONFIGURATION_ERROR
        assert "object contact, connector crm: there is no table people" in ended.message["reason"]
        assert "object contact, connector erp: id: table contact has no column nr" in ended.message["reason"]
        assert databases.run().code == ExitCode.COMPLETE


class TestAnUnusableCache:
    def test_ends_with_4_when_it_is_of_another_epoch(self, databases: Databases) -> None:
        databases.run()
        ended = databases.run(environment={"SYNC_CACHE_EPOCH": "2"})
        assert ended.code == ExitCode.CACHE_UNUSABLE
        assert ended.message["reason"] == "the cache is of epoch 1, and the run expects epoch 2"

    def test_ends_with_4_when_it_is_damaged(self, databases: Databases) -> None:
        databases.add("crm", *[(f"p{n}@x", "name") for n in range(2000)])
        databases.run()
        data = bytearray((databases.cache / FILE).read_bytes())
        data[4096:] = b"\xff" * (len(data) - 4096)
        (databases.cache / FILE).write_bytes(data)
        ended = databases.run()
        assert ended.code == ExitCode.CACHE_UNUSABLE
        assert ended.message["reason"].startswith("the cache cannot be read: ")

    @pytest.mark.parametrize("how", ["deleted", "emptied"])
    def test_ends_with_79_when_its_file_is_missing_though_it_was_created(self, databases: Databases, how: str) -> None:
        databases.add("crm", ("a@x", "Ada"))
        databases.run()
        (databases.cache / FILE).unlink()
        if how == "emptied":
            (databases.cache / FILE).touch()
        ended = databases.run()
        assert (ended.code, ended.message["outcome"]) == (ExitCode.CACHE_LOST, "failed")
        assert ended.message["reason"].startswith("the cache is lost: its file cache.sqlite is")

    def test_is_created_by_the_first_run_that_gets_this_far(self, databases: Databases) -> None:
        (databases.cache / FILE).touch()  # a run that was killed while it made the file
        assert databases.run().code == ExitCode.COMPLETE

    def test_is_retried_when_it_is_locked(self, databases: Databases) -> None:
        databases.run()
        holder = Cache(databases.cache, "1")
        ended = databases.run()
        holder.close()
        assert (ended.code, ended.message["reason"]) == (1, "another process is working on the cache")

    def test_is_retried_when_its_disk_is_full(self, databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: Any) -> None:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorname = "SQLITE_FULL"
            raise error

        monkeypatch.setattr(Pending, "add", full)
        ended = databases.run()
        assert (ended.code, ended.message["outcome"]) == (1, "failed")
        assert ended.message["reason"] == "the cache cannot be written: database or disk is full"


def test_a_missing_database_is_a_configuration_error_as_in_other_databases(databases: Databases) -> None:
    (databases.directory / "erp.db").unlink()
    ended = databases.run()
    assert ended.code == ExitCode.CONFIGURATION_ERROR
    missing = databases.directory / "erp.db"
    assert ended.message["reason"].startswith(f"connector erp: database error: unable to open database file {missing}")


def test_a_database_that_another_client_keeps_locked_is_retried(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_LOCK_WAIT_SECONDS", 0)
    with closing(sqlite3.connect(databases.directory / "erp.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        ended = databases.run()
    assert (ended.code, ended.message["outcome"]) == (SystemFailed.exit_code, "failed")
    assert "database is locked" in ended.message["reason"]


def test_a_defect_of_the_worker_is_retried_and_logs_a_traceback(
    databases: Databases, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tidegate.worker.run.steps.scan", lambda _: 1 / 0)
    ended = databases.run()
    assert ended.code == 1
    assert ended.message["reason"] == "defect of the worker: ZeroDivisionError: division by zero"
    assert "Traceback" in capsys.readouterr().err


def test_a_pause_ends_with_75(databases: Databases) -> None:
    ended = databases.run(interrupted=lambda: True)
    assert (ended.code, ended.message["outcome"]) == (ExitCode.PAUSED, "paused")


class TestAsAProcess:
    """The worker as the operator's Jobs run it."""

    def start(self, databases: Databases) -> "subprocess.Popen[str]":
        databases.write_config(databases.config(pace={"recordsPerSecond": 2}))
        variables = {**databases.environment(1), "PYTHONPATH": str(Path(tidegate.__file__).parents[1])}
        program = [sys.executable, "-m", "tidegate.worker.main"]
        return subprocess.Popen(program, env=variables, stdout=subprocess.PIPE, text=True)

    def ended(self, databases: Databases, process: "subprocess.Popen[str]", lines: list[str]) -> Ended:
        out, _ = process.communicate()
        message = json.loads((databases.directory / "message").read_text())
        return Ended(process.returncode, message, [json.loads(line) for line in [*lines, *out.splitlines()]])

    def test_logs_its_progress_as_json_lines(self, databases: Databases) -> None:
        ended = self.ended(databases, self.start(databases), [])
        assert ended.code == 0
        assert ended.lines[0]["type"] == "progress"
        assert ended.lines[-1] == {"type": "end", **ended.message}

    def test_pauses_on_sigterm_with_75(self, databases: Databases) -> None:
        databases.add("crm", *[(f"p{n}@x", "name") for n in range(1000)])  # eight minutes at this pace
        process = self.start(databases)
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        ended = self.ended(databases, process, [first])
        assert (ended.code, ended.message["outcome"]) == (ExitCode.PAUSED, "paused")
        assert databases.run(run=1).code == 0

    def test_is_unaffected_by_a_signal_after_its_work_is_done(self, databases: Databases) -> None:
        databases.write_config(databases.config())
        program = (
            "import atexit, os, signal, sys\n"
            "from tidegate.worker.main import main\n"
            "for _ in range(2): atexit.register(os.kill, os.getpid(), signal.SIGTERM)\n"
            "sys.exit(main())"
        )
        variables = {**databases.environment(1), "PYTHONPATH": str(Path(tidegate.__file__).parents[1])}
        assert subprocess.run([sys.executable, "-c", program], env=variables, check=False).returncode == 0


def test_the_message_is_written_to_kubernetes_default_path_when_none_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert environment.TERMINATION_LOG == "/dev/termination-log"
    monkeypatch.setattr(environment, "TERMINATION_LOG", str(tmp_path / "message"))
    assert work({}, io.StringIO(), lambda: False) == ExitCode.CONFIGURATION_ERROR
    assert json.loads((tmp_path / "message").read_text())["outcome"] == "failed"
