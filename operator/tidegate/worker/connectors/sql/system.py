"""Identifies the database that a table is in, and tells it from a copy of the same shape.

The server's own identifier is preferred, because host names and ports change for the same server. Where a server has
none, or the role may not read it, the address in the URL replaces it. A physical copy of a PostgreSQL server has the
original's identifier, and cannot be told from a replica that was promoted.
"""

from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from tidegate.worker.connectors.sql.places import place_of
from tidegate.worker.connectors.sql.settings import TableSettings

# A cluster that answers as one server has an identifier of its own, which comes before those of its members.
_MYSQL_SERVER = ("wsrep_cluster_state_uuid", "group_replication_group_name", "server_uid", "server_uuid")
_NOT_IN_A_CLUSTER = "00000000-0000-0000-0000-000000000000"


def system_of(engine: Engine, settings: TableSettings) -> dict[str, str]:
    """The signals that identify the database that holds the table."""
    if engine.dialect.name == "sqlite":
        return _sqlite(engine)
    schema, table = place_of(engine, settings.table)
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            signals = _postgresql(connection, schema, table)
        else:
            signals = _mysql(connection, schema)
    if "server" not in signals:
        signals["address"] = f"{engine.url.host or 'localhost'}, {engine.url.port or 'default port'}"
    return signals


def _postgresql(connection: Connection, schema: str | None, table: str) -> dict[str, str]:
    signals = _postgresql_server(connection)
    database = "SELECT datname, oid FROM pg_catalog.pg_database WHERE datname = current_database()"
    name, number = connection.execute(text(database)).one()
    signals |= {"database": str(name), "database oid": str(number)}
    if schema is None:  # the schema of the search path that has the table
        found = "SELECT relnamespace::regnamespace::text FROM pg_catalog.pg_class WHERE oid = to_regclass(:table)"
        quoted = connection.dialect.identifier_preparer.quote_identifier(table)
        schema = str(connection.execute(text(found), {"table": quoted}).scalar())
    return {**signals, "schema": schema}


def _postgresql_server(connection: Connection) -> dict[str, str]:
    """The system identifier, which replicas share: a failover does not change it."""
    try:
        with connection.begin_nested():
            number = connection.execute(text("SELECT system_identifier FROM pg_control_system()")).scalar()
    except DBAPIError:  # the role may not call it
        return {}
    return {"server": str(number)}


def _mysql(connection: Connection, schema: str | None) -> dict[str, str]:
    names = ", ".join(f"'{name}'" for name in _MYSQL_SERVER)
    known: dict[str, str] = {}
    for scope in ("STATUS", "VARIABLES"):
        found = connection.execute(text(f"SHOW GLOBAL {scope} WHERE Variable_name IN ({names})"))
        known |= {str(name).lower(): str(value) for name, value in found if value not in ("", _NOT_IN_A_CLUSTER)}
    server = next((known[name] for name in _MYSQL_SERVER if name in known), None)
    database = schema or str(connection.execute(text("SELECT DATABASE()")).scalar())
    return {"database": database} if server is None else {"server": server, "database": database}


def _sqlite(engine: Engine) -> dict[str, str]:
    with engine.connect() as connection:
        file = connection.execute(text("SELECT file FROM pragma_database_list WHERE name = 'main'")).scalar()
    return {"file": str(Path(str(file)).resolve())}
