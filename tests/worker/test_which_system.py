"""What PostgreSQL and MariaDB tell about themselves: the same on every way to one database, another for a copy."""

from collections.abc import Mapping
from typing import Any

from tidegate.worker.connectors import Description, Identified
from tidegate.worker.connectors.registry import CONNECTORS

from .mariadb import Database as MariaDatabase
from .mariadb import MariaDB
from .postgresql import Database, PostgreSQL

_TABLE = "CREATE TABLE contact (id integer PRIMARY KEY)"


def signals_of(url: str, table: str = "contact") -> Mapping[str, str]:
    kind = CONNECTORS["sql"]
    connector = kind.connect(kind.settings.model_validate({"type": "sql", "url": url}), {}, "crm")
    assert isinstance(connector, Identified)
    settings: Any = kind.object_settings.model_validate({"table": table, "id": "id"})
    try:
        return connector.system(Description("object contact, connector crm", settings, (), (), False))
    finally:
        connector.close()


class TestPostgreSQL:
    def test_is_identified_by_cluster_database_and_schema(
        self, postgresql_server: PostgreSQL, postgresql_database: Database
    ) -> None:
        database = postgresql_database
        database.sql(f"{_TABLE}; GRANT SELECT ON contact TO worker")
        told = signals_of(database.worker_url)
        ((number,),) = database.sql("SELECT system_identifier FROM pg_control_system()")
        ((oid,),) = database.sql("SELECT oid FROM pg_database WHERE datname = current_database()")
        assert told == {
            "server": str(number), "database": database.name, "database oid": str(oid), "schema": "public",
        }  # fmt: skip
        assert signals_of(postgresql_server.url(database.name)) == told, "another user"
        assert signals_of(database.worker_url, "public.contact") == told, "the same table with its schema"

    def test_is_identified_by_the_schema_of_the_search_path(self, postgresql_database: Database) -> None:
        database = postgresql_database
        database.sql(f"{_TABLE}; CREATE SCHEMA tenant; GRANT USAGE ON SCHEMA tenant TO worker")
        database.sql("CREATE TABLE tenant.contact (id integer PRIMARY KEY)")
        assert signals_of(f"{database.worker_url}&options=-csearch_path%3Dtenant,public")["schema"] == "tenant"

    def test_is_identified_by_its_address_without_the_privilege_to_read_its_number(
        self, postgresql_database: Database
    ) -> None:
        database = postgresql_database
        database.sql(_TABLE)
        database.sql("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
        told = signals_of(database.worker_url)
        assert "server" not in told
        assert told["address"]


class TestMariaDB:
    def test_is_identified_by_server_and_database(
        self, mariadb_server: MariaDB, mariadb_database: MariaDatabase
    ) -> None:
        mariadb_database.sql(_TABLE)
        told = signals_of(mariadb_server.url(mariadb_database.name))
        assert told["database"] == mariadb_database.name
        known = mariadb_database.sql("SHOW GLOBAL VARIABLES LIKE 'server\\_uid'")
        assert told.get("server") == (known[0][1] if known else None)
        assert ("address" in told) is not bool(known)
        other = mariadb_server.database()
        assert signals_of(mariadb_server.url(other.name), f"{mariadb_database.name}.contact") == told
        assert signals_of(mariadb_server.url(other.name)) != told
        other.close()
