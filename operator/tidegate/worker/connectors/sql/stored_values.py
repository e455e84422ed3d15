"""What the values of a record become in the columns of a table: in a new row, and in an update."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Table
from sqlalchemy.engine import Dialect

from tidegate.worker.connectors import Description
from tidegate.worker.connectors.sql.column_types import adapter, column_type
from tidegate.worker.connectors.sql.columns import makes_key, needs_text, new_key
from tidegate.worker.values.kinds import Unfit
from tidegate.worker.values.normal_form import Value


class StoredValues:
    """The columns of an object's fields in one table, with their types; those that the sync writes, with defaults."""

    def __init__(
        self, table: Table, description: Description, dialect: Dialect, id_columns: Sequence[Column[Any]]
    ) -> None:
        """`id_columns` identify a row: none of them is set to NULL, and some may be given a new value."""
        self._fields = [table.columns[field.name] for field in description.fields]
        self.types = tuple(column_type(column, dialect) for column in self._fields)
        self._written = [i for i, field in enumerate(description.fields) if field.written]
        self.columns = frozenset(self._fields[i].name for i in self._written)
        ids = {column.name for column in id_columns}
        self._nullable = [
            column.name for i in self._written if (column := self._fields[i]).nullable and column.name not in ids
        ]
        self._empty = {self._fields[i].name: "" for i in self._written if needs_text(self._fields[i])}
        # A new row leaves all other columns to their defaults.
        self._empty_at_first = {
            name: text for name, text in self._empty.items() if table.columns[name].server_default is None
        }
        self._constants = {name: adapter(table.columns[name], dialect)(value) for name, value in description.constants}
        self._made = [column for column in id_columns if makes_key(column)]

    def of_new(self, values: Sequence[Value]) -> dict[str, Value]:
        """The columns of a new row. Raises Unfit for a value that its column cannot hold."""
        row = {
            self._fields[i].name: stored for i in self._written if (stored := self._stored(i, values[i])) is not None
        }
        # A nullable column is set to NULL, whatever its default; a NOT NULL column is left to its default.
        row |= {name: None for name in self._nullable if name not in row}
        row = {**self._empty_at_first, **self._constants, **row}
        return {column.name: new_key(column) for column in self._made} | row

    def of_update(self, values: Mapping[int, Value]) -> dict[str, Value]:
        """The columns that an update sets, for the new values by field. Raises Unfit likewise."""
        row = {self._fields[i].name: self._stored(i, value) for i, value in values.items() if i in self._written}
        return {name: self._empty.get(name) if value is None else value for name, value in row.items()}

    def _stored(self, field: int, value: Value) -> Value:
        try:
            return self.types[field].stored(value)
        except Unfit as error:
            column, type_ = self._fields[field], self.types[field]
            raise Unfit(f"column {column.name} is of type {type_.name}: {error}") from None
