"""A PostgreSQL server of the tests' own: on a Unix socket in a temporary directory, gone when they end."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from devcluster import packages

from .servers import require

# Durability is not what is tested here, and a small server starts fast.
_OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "max_wal_senders": "0",
}


class PostgreSQL:
    """A running server; `worker` is the role by which the sync is known from the other users."""

    def __init__(self, directory: Path) -> None:
        self.log = directory / "log"
        self._directory = directory
        self._databases = 0

    def url(self, database: str, user: str = "tests") -> str:
        return f"postgresql://{user}@/{database}?host={self._directory}"

    def ask_for_password(self, user: str, password: str) -> None:
        """Make a role that has to log in with a password; the others need none."""
        rules = self._directory / "data" / "pg_hba.conf"
        rule = f"local all {user} scram-sha-256\n"
        with Database(self, "postgres") as maintenance:
            maintenance.sql(f"DROP ROLE IF EXISTS {user}")
            maintenance.sql(f"CREATE ROLE {user} LOGIN PASSWORD '{password}'")
            if rule not in rules.read_text():
                rules.write_text(rule + rules.read_text())
            maintenance.sql("SELECT pg_reload_conf()")
        while "password" not in _refusal(self, user):  # the server reads its rules when it gets to it
            time.sleep(0.02)

    def database(self) -> "Database":
        """A new, empty database."""
        self._databases += 1
        name = f"test{self._databases}"
        with Database(self, "postgres") as maintenance:
            maintenance.sql(f"CREATE DATABASE {name}")
        return Database(self, name)


class Database:
    """One of its databases; `sql` is how a test acts as somebody else."""

    def __init__(self, server: PostgreSQL, name: str) -> None:
        self.server = server
        self.name = name
        self.worker_url = server.url(name, "worker")
        self._connection = psycopg.connect(server.url(name), autocommit=True)

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement; it is committed at once."""
        # Without values psycopg runs several statements at once. Bytes: what it takes as text is literals only.
        text = statement.encode()
        cursor = self._connection.execute(text, values) if values else self._connection.execute(text)
        return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """A server for as long as the context lasts."""
    require("postgresql")
    programs = Path(packages.find(packages.SERVERS["postgresql"]) or "").parent
    # Not in pytest's directory: the path of a socket has little room.
    directory = Path(tempfile.mkdtemp(prefix="tidegate-postgresql-"))
    try:
        # As root it would refuse to run; its package has made a user for it.
        user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        shutil.chown(directory, user)
        data = directory / "data"
        make = [f"{programs}/initdb", "--no-sync", "--auth=trust", "--username=tests", "--encoding=UTF8", str(data)]
        with _running(directory, programs / "postgres", make, user) as server:
            yield server
    finally:
        shutil.rmtree(directory)


@contextmanager
def _running(directory: Path, program: Path, make: Sequence[str], user: str) -> Iterator[PostgreSQL]:
    as_user: dict[str, Any] = {"user": user, "group": user, "extra_groups": ()} if os.geteuid() == 0 else {}
    subprocess.run(make, check=True, capture_output=True, cwd=directory, **as_user)
    options = [f"--{name}={value}" for name, value in _OPTIONS.items()]
    server = PostgreSQL(directory)
    with server.log.open("wb") as out:
        # It ends with the tests even when these are killed.
        command = [
            "setpriv",
            "--pdeathsig=INT",
            str(program),
            "-D",
            f"{directory}/data",
            "-k",
            str(directory),
            *options,
        ]
        process = subprocess.Popen(command, stdout=out, stderr=out, cwd=directory, **as_user)
    try:
        while not _answers(server):
            if process.poll() is not None:
                raise RuntimeError(f"postgres ended:\n{server.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)
        with Database(server, "postgres") as maintenance:
            maintenance.sql("CREATE ROLE worker LOGIN")
        yield server
    finally:
        process.send_signal(signal.SIGINT)  # with clients still connected, if a test has failed
        process.wait()


def _refusal(server: PostgreSQL, user: str) -> str:
    try:
        psycopg.connect(server.url("postgres", user)).close()
    except psycopg.OperationalError as error:
        return str(error)
    return ""


def _answers(server: PostgreSQL) -> bool:
    try:
        Database(server, "postgres").close()
    except psycopg.OperationalError:
        return False
    return True
