"""A MariaDB server of the tests' own: on a Unix socket in a temporary directory, gone when they end."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import OperationalError

from devcluster.paths import in_memory
from devcluster.process import environment

from .servers import require

# Durability is not what is tested here, and small logs start fast.
_OPTIONS = (
    "--skip-networking",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-log-file-size=16M",
    "--innodb-buffer-pool-size=64M",
    "--character-set-server=utf8mb4",
    "--sql-mode=",  # a server that cuts what does not fit: strictness has to be ours
)


class MariaDB:
    """A running server."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._databases = 0

    def url(self, database: str, user: str = "root", password: str = "") -> str:
        return f"mysql://{user}:{password}@localhost/{database}?unix_socket={self._socket}"

    def database(self) -> "Database":
        """A new, empty database."""
        self._databases += 1
        name = f"test{self._databases}"
        self.sql(f"CREATE DATABASE {name}")
        return Database(self, name)

    def sql(self, statement: str) -> None:
        engine = _engine(self.url("mysql"))
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()


class Database:
    """One of its databases; `sql` is how a test acts as somebody else."""

    def __init__(self, server: MariaDB, name: str) -> None:
        self.server = server
        self.name = name
        self.url = server.url(name)
        self._engine = _engine(self.url)
        self._connection = self._engine.connect()

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement; it is committed, but within a transaction that the test has begun."""
        result = self._connection.exec_driver_sql(statement, values or None)
        return [tuple(row) for row in result] if result.returns_rows else []

    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()


def _engine(url: str) -> Engine:
    return create_engine(url.replace("mysql://", "mysql+pymysql://", 1), isolation_level="AUTOCOMMIT")


@contextmanager
def mariadb() -> Iterator[MariaDB]:
    """A server for as long as the context lasts."""
    require("mariadb-server")
    # Not in pytest's directory: the path of a socket has little room.
    directory = Path(tempfile.mkdtemp(prefix="tidegate-mariadb-", dir=in_memory()))
    try:
        # As root it would refuse to run; its package has made a user for it.
        user = "mysql" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        shutil.chown(directory, user)
        data = directory / "data"
        install = ["mariadb-install-db", "--no-defaults", f"--user={user}", f"--datadir={data}"]
        install += ["--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=16M"]
        subprocess.run(install, env=environment(), check=True, capture_output=True)
        with _running(directory, ["mariadbd", "--no-defaults", f"--user={user}", f"--datadir={data}", *_OPTIONS]) as it:
            yield it
    finally:
        shutil.rmtree(directory)


@contextmanager
def _running(directory: Path, command: Sequence[str]) -> Iterator[MariaDB]:
    socket, log = directory / "socket", directory / "log"
    with log.open("wb") as out:
        places = [f"--socket={socket}", f"--pid-file={directory / 'pid'}"]
        process = subprocess.Popen([*command, *places], env=environment(), stdout=out, stderr=out)
    try:
        server = MariaDB(socket)
        while not _answers(server):
            if process.poll() is not None:
                raise RuntimeError(f"mariadbd ended:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)
        yield server
    finally:
        process.terminate()
        process.wait()


def _answers(server: MariaDB) -> bool:
    try:
        server.sql("SELECT 1")
    except OperationalError:
        return False
    return True
