"""The `sql` connector: tables of PostgreSQL, MySQL, MariaDB and SQLite, through SQLAlchemy Core.

This module has the connection; `reflect` finds the tables, `rows` reads and writes them.
"""

from collections.abc import Callable, Mapping
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from tidegate.worker.connectors import ConnectorType, Description
from tidegate.worker.connectors.settings import text_of
from tidegate.worker.connectors.sql.engine import open_engine
from tidegate.worker.connectors.sql.errors import speaking_of
from tidegate.worker.connectors.sql.reflect import reflect
from tidegate.worker.connectors.sql.rows import Rows
from tidegate.worker.connectors.sql.settings import Settings, TableSettings
from tidegate.worker.connectors.sql.system import system_of


def connect(settings: Settings, environ: Mapping[str, str], name: str) -> "Database":
    """Connect to the database that these settings describe. Raises ConfigurationError; does not connect yet."""
    zone = None if settings.timezone is None else ZoneInfo(settings.timezone)
    return Database(name, open_engine(name, text_of(settings.url, environ, name)), zone)


class Database:
    """A Connector for one database."""

    def __init__(self, name: str, engine: Engine, zone: ZoneInfo | None) -> None:
        self._name = name
        self._engine = engine
        self._zone = zone
        self._interrupted: Callable[[], bool] = lambda: False

    def stop_when(self, interrupted: Callable[[], bool], /) -> None:
        """Pages and batches are short, so only writes of single records check for a stop request."""
        self._interrupted = interrupted

    def open(self, description: Description) -> Rows:
        """Return one table's records."""
        with speaking_of(self._name):
            table = reflect(self._engine, description)
        return Rows(self._name, self._engine, table, description, self._zone, lambda: self._interrupted())

    def system(self, description: Description, /) -> Mapping[str, str]:
        """Return the identity of the database that holds the object's table."""
        settings = description.settings
        assert isinstance(settings, TableSettings)  # noqa: S101
        with speaking_of(self._name):
            return system_of(self._engine, settings)

    def close(self) -> None:
        """End all connections."""
        self._engine.dispose()


TYPE = ConnectorType(settings=Settings, object_settings=TableSettings, connect=connect, takes_constants=True)
