from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from . import connector_systems
from .mariadb import Database, MariaDB, mariadb
from .postgresql import Database as PostgreSQLDatabase
from .postgresql import PostgreSQL, postgresql
from .rest_and_sqlite import RestAndSqlite
from .rest_server import Api, rest_server


@pytest.fixture
def tmp_path(directory_in_memory: Path) -> Iterator[Path]:
    """Waiting for the disk would be most of a short run's time."""
    with TemporaryDirectory(dir=directory_in_memory) as directory:
        yield Path(directory)


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDB]:
    with mariadb() as server:
        yield server


@pytest.fixture
def mariadb_database(mariadb_server: MariaDB) -> Iterator[Database]:
    database = mariadb_server.database()
    yield database
    database.close()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQL]:
    with postgresql() as server:
        yield server


@pytest.fixture
def postgresql_database(postgresql_server: PostgreSQL) -> Iterator[PostgreSQLDatabase]:
    database = postgresql_server.database()
    yield database
    database.close()


KINDS = ("postgresql", "mariadb", "sqlite", "csv", "json lines", "rest")
WITH_TWO_ID_COLUMNS = ("postgresql by two", "mariadb by two", "sqlite by two")


@pytest.fixture(params=KINDS + WITH_TWO_ID_COLUMNS)
def system(request: pytest.FixtureRequest, tmp_path: Path) -> connector_systems.System:
    """A system of each kind that a connector is built in for."""
    return make_system(request.param, request, tmp_path)


@pytest.fixture(params=combinations(KINDS, 2), ids=" and ".join)
def two_systems(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[connector_systems.System, ...]:
    """Two systems, of each pair of kinds."""
    return tuple(make_system(kind, request, tmp_path) for kind in request.param)


def make_system(kind: str, request: pytest.FixtureRequest, directory: Path) -> connector_systems.System:
    of = connector_systems.SqlOfTwo if kind in WITH_TWO_ID_COLUMNS else connector_systems.Sql
    if kind.startswith("postgresql"):
        return connector_systems.on_postgresql(request.getfixturevalue("postgresql_database"), of)
    if kind.startswith("mariadb"):
        return connector_systems.on_mariadb(request.getfixturevalue("mariadb_database"), of)
    if kind == "rest":
        return connector_systems.Rest(request.getfixturevalue("api"))
    if kind.startswith("sqlite"):
        return connector_systems.sqlite(directory, of)
    return connector_systems.Csv(directory) if kind == "csv" else connector_systems.Lines(directory)


@pytest.fixture
def api() -> Iterator[Api]:
    with rest_server() as server:
        yield server


@pytest.fixture
def systems(api: Api, tmp_path: Path) -> RestAndSqlite:
    """The REST API answers all contacts in one page."""
    systems = RestAndSqlite(api, tmp_path)
    systems.place |= {"paging": {"none": {}}}
    return systems
