"""Checks that the database's user may do what the sync needs, before anything is written.

PostgreSQL has functions for this. MySQL and MariaDB check privileges when they EXPLAIN a statement; their lists of
grants omit those of roles. SQLite has no users.
"""

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import Column, Connection, Engine, Table, text
from sqlalchemy.exc import DBAPIError

from tidegate.worker.connectors import Description
from tidegate.worker.connectors.sql.columns import makes_key
from tidegate.worker.connectors.sql.postgresql import quoted_name
from tidegate.worker.connectors.sql.settings import TableSettings

_MAY_USE_COLUMN = text("SELECT has_column_privilege(CAST(:table AS regclass), CAST(:column AS name), :privilege)")
_MAY_DELETE = text("SELECT has_table_privilege(CAST(:table AS regclass), 'DELETE')")
# The sequence of a serial column, if the user may not use it. An identity column's sequence needs no privilege.
_SEQUENCE = text("""
    SELECT sequence FROM (
        SELECT pg_get_serial_sequence(:table, attname) AS sequence FROM pg_attribute
        WHERE attrelid = CAST(:table AS regclass) AND attname = :column AND attidentity = ''
    ) AS of_the_column WHERE sequence IS NOT NULL AND NOT has_sequence_privilege(sequence, 'USAGE')
""")

# MySQL: the error numbers for a table, and for a column.
_DENIED = frozenset({1142, 1143})


def complaints(engine: Engine, table: Table, description: Description) -> list[str]:
    """The missing privileges, each with the statement that grants it."""
    settings = description.settings
    assert isinstance(settings, TableSettings)  # noqa: S101
    if engine.dialect.name == "sqlite":
        return []
    with engine.connect() as connection:
        user = str(connection.execute(text("SELECT CURRENT_USER")).scalar())
        rights = list(_missing(connection, table, description, settings))
        sequences = _sequences(connection, table, settings.id_columns) if description.creates else []
    said = []
    if rights:
        listed = ", ".join(rights)
        said.append(f"the user {user} has no right to {listed} on table {settings.table}: GRANT {listed} on it")
    return said + [
        f"the user {user} has no right to use the sequence {sequence}, which makes the ids of new records: "
        f"GRANT USAGE ON SEQUENCE {sequence}"
        for sequence in sequences
    ]


def _missing(connection: Connection, table: Table, description: Description, settings: TableSettings) -> Iterator[str]:
    fields = description.fields
    ids = {name: table.columns[name] for name in settings.id_columns}
    read = ids | {field.name: table.columns[field.name] for field in fields}
    others = [settings.cursor] if settings.cursor else []
    others += [settings.deleted.field] if settings.deleted else []
    others += [condition.field for condition in settings.where]
    read |= {name: table.columns[name] for name in others}
    written = {field.name: table.columns[field.name] for field in fields if field.written}
    constants = {name: table.columns[name] for name, _ in description.constants}
    created = written | constants | {name: column for name, column in ids.items() if makes_key(column)}
    lacks = _lacks_on_postgresql if connection.dialect.name == "postgresql" else _lacks_on_mysql
    uses: Iterable[tuple[str, Sequence[Column[object]]]] = (
        ("SELECT", [*read.values()]),
        ("INSERT", [*created.values()] if description.creates else []),
        ("UPDATE", [*written.values()] if description.updates else []),
        ("DELETE", [*ids.values()] if description.deletes else []),
    )
    return (privilege for privilege, columns in uses if columns and lacks(connection, table, privilege, columns))


def _lacks_on_postgresql(
    connection: Connection, table: Table, privilege: str, columns: Sequence[Column[object]]
) -> bool:
    name = quoted_name(connection.dialect, table)
    if privilege == "DELETE":
        return not connection.execute(_MAY_DELETE, {"table": name}).scalar()
    asked = [{"table": name, "column": column.name, "privilege": privilege} for column in columns]
    return not all(connection.execute(_MAY_USE_COLUMN, each).scalar() for each in asked)


def _sequences(connection: Connection, table: Table, id_columns: Sequence[str]) -> list[str]:
    if connection.dialect.name != "postgresql":
        return []
    name = quoted_name(connection.dialect, table)
    found = [connection.execute(_SEQUENCE, {"table": name, "column": column}).scalar() for column in id_columns]
    return [str(sequence) for sequence in found if sequence is not None]


def _lacks_on_mysql(connection: Connection, table: Table, privilege: str, columns: Sequence[Column[object]]) -> bool:
    name = quoted_name(connection.dialect, table)
    quote = connection.dialect.identifier_preparer.quote_identifier
    names = [quote(column.name).replace("%%", "%") for column in columns]
    listed, nulls = ", ".join(names), ", ".join("NULL" for _ in names)
    use = {
        "SELECT": f"SELECT {listed} FROM {name}",  # noqa: S608 - the names are quoted, here and below
        "INSERT": f"INSERT INTO {name} ({listed}) VALUES ({nulls})",  # noqa: S608
        "UPDATE": f"UPDATE {name} SET {', '.join(f'{each} = NULL' for each in names)} WHERE 1 = 0",  # noqa: S608
        "DELETE": f"DELETE FROM {name} WHERE 1 = 0",  # noqa: S608
    }
    try:
        connection.exec_driver_sql(f"EXPLAIN {use[privilege]}".replace("%", "%%")).all()  # the driver fills them in
    except DBAPIError as error:
        # Any other failure to explain the statement does not concern privileges.
        number = error.orig.args[0] if error.orig is not None and error.orig.args else None
        return number in _DENIED
    finally:
        connection.rollback()
    return False
