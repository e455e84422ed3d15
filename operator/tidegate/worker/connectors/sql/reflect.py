"""Finds a table in the database, and checks that the sync can work with it.

Problems are found here, before anything is read, and name the object, the connector and the column.
"""

from typing import Any

from sqlalchemy import Column, Engine, MetaData, Table, inspect
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.types import INTEGER

from tidegate.worker.connectors import Description, FieldUse, deleted
from tidegate.worker.connectors.sql import deleted as marks
from tidegate.worker.connectors.sql import mysql, postgresql_values, privileges, unique_ids, unique_keys
from tidegate.worker.connectors.sql import where as filters
from tidegate.worker.connectors.sql.column_types import adapter
from tidegate.worker.connectors.sql.columns import key_codec, makes_key
from tidegate.worker.connectors.sql.cursors import can_be_cursor
from tidegate.worker.connectors.sql.mysql import without_transactions
from tidegate.worker.connectors.sql.places import place_of
from tidegate.worker.connectors.sql.settings import TableSettings
from tidegate.worker.connectors.sql.sqlite import read_as_it_is
from tidegate.worker.errors import ConfigurationError


def reflect(engine: Engine, description: Description) -> Table:
    """The table that an object names. Raises ConfigurationError with all problems."""
    settings = description.settings
    assert isinstance(settings, TableSettings)  # noqa: S101
    try:
        schema, name = place_of(engine, settings.table)
    except ConfigurationError as error:
        raise ConfigurationError(f"{description.title}: {error}") from None
    listeners = [("column_reflect", mysql.unquote)] if engine.dialect.name == "mysql" else []
    try:
        table = Table(name, MetaData(), schema=schema, autoload_with=engine, resolve_fks=False, listeners=listeners)
    except NoSuchTableError:
        there = ", ".join(sorted(inspect(engine).get_table_names(schema))[:20]) or "no table"
        raise ConfigurationError(
            f"{description.title}: there is no table {settings.table}; the database has {there}"
        ) from None
    if engine.dialect.name == "sqlite":
        read_as_it_is(table, settings.cursor)
    if engine.dialect.name == "mysql":
        mysql.read_exactly(engine, table)
    if engine.dialect.name == "postgresql":
        postgresql_values.read_exactly(engine, table)
    complaints = _complaints(engine, table, settings, description)
    if complaints:
        raise ConfigurationError(*(f"{description.title}: {complaint}" for complaint in complaints))
    return table


def _complaints(engine: Engine, table: Table, settings: TableSettings, description: Description) -> list[str]:
    columns = table.columns
    uses = [*(("id", name) for name in settings.id_columns)]
    uses += [("cursor", settings.cursor)] if settings.cursor else []
    uses += [("deleted", settings.deleted.field)] if settings.deleted else []
    uses += [("where", condition.field) for condition in settings.where]
    uses += [("constant", name) for name, _ in description.constants]
    uses += [(f"field {field.name}", field.name) for field in description.fields]
    missing = [
        f"{use}: table {settings.table} has no column {name}; it has {', '.join(columns.keys())}"
        for use, name in uses
        if name not in columns
    ]
    if missing:
        return missing
    complaints = deleted.complaints(settings.deleted, description)
    if settings.deleted:
        complaints += marks.complaints(engine, columns[settings.deleted.field], settings.deleted)
    complaints += filters.complaints(engine, table, settings.where)
    id_columns = [columns[name] for name in settings.id_columns]
    if settings.cursor and not can_be_cursor(columns[settings.cursor]):
        complaints.append(
            f"cursor: column {settings.cursor} holds {columns[settings.cursor].type}; a cursor is a time, a date, a "
            "number, or a text that sorts by time"
        )
    unfit = [column for column in id_columns if key_codec(column) is None]
    complaints += [f"id: column {each.name} holds {each.type}; ids are whole numbers, texts or UUIDs" for each in unfit]
    if not unfit and (complaint := unique_ids.complaint(engine, table, settings.id_columns)):
        complaints.append(f"id: {complaint}")
    for name, value in description.constants:
        try:
            adapter(columns[name], engine.dialect)(value)
        except ValueError as error:
            complaints.append(f"constant: column {name} is {columns[name].type} and cannot hold {value!r}: {error}")
    for field in (*description.fields, *(FieldUse(name, written=True) for name, _ in description.constants)):
        if field.written and columns[field.name].computed is not None:
            complaints.append(f"field {field.name}: the database computes this column, so that it cannot be written")
        if field.written and (identity := columns[field.name].identity) is not None and identity.always:
            complaints.append(
                f"field {field.name}: column {field.name} is GENERATED ALWAYS AS IDENTITY and cannot be written; map "
                "another field, set the field's direction to the other side, or ALTER it to GENERATED BY DEFAULT"
            )
    writes = any(field.written for field in description.fields)
    if writes and engine.dialect.name == "mysql" and (kind := without_transactions(engine, table)):
        complaints.append(f"table {settings.table} has no transactions, and is written; ALTER its ENGINE from {kind}")
    if description.creates:
        complaints += unique_keys.complaints(engine, table, description)
        written = {field.name for field in description.fields if field.written}
        written |= {name for name, _ in description.constants}
        complaints += [
            f"records cannot be created: MySQL generates the id of column {column.name} and does not return it; "
            "use AUTO_INCREMENT, BINARY(16) without a default, or an id that a field maps"
            for column in id_columns
            if column.server_default is not None and column.name not in written and not engine.dialect.insert_returning
        ]
        complaints += [
            f"records cannot be created: column {column.name} must have a value, has no default, and no field maps it"
            for column in columns
            if column.name not in written and not column.nullable and not _gets_value(table, column)
        ]
    if description.pushes:
        complaints += privileges.complaints(engine, table, description)
    return complaints


def _gets_value(table: Table, column: Column[Any]) -> bool:
    if column.server_default is not None or column.identity is not None or column.computed is not None:
        return True
    if column.autoincrement is True or (makes_key(column) and column.primary_key):
        return True
    rowid = column.primary_key and len(table.primary_key.columns) == 1 and type(column.type) is INTEGER
    return rowid and column.autoincrement is not False
