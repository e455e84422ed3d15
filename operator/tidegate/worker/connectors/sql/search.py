"""Conditions for rows whose match fields may equal the given values.

The database compares letters without case, by rules that differ slightly from Python's: it may return more rows than
match, and must not return fewer. What no database can compare, such as texts without accents, is compared here, by
reading the match fields of all rows.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Engine, bindparam, false, func, or_, select, text

from tidegate.worker.connectors import Description
from tidegate.worker.connectors.sql.column_types import adapter
from tidegate.worker.connectors.sql.columns import ignores_accents, ignores_case, python_type
from tidegate.worker.connectors.sql.identity import Identity
from tidegate.worker.connectors.sql.one_of import are_one_of, is_one_of
from tidegate.worker.connectors.sql.postgresql_values import read_leniently
from tidegate.worker.values.normal_form import Value, normal, normalized

# PostgreSQL's collation for letters beyond ASCII, which works also in a database with the locale C.
_ICU = "und-x-icu"

# How many rows are fetched at once when all are read.
_ROWS = 5000


class Search:
    """Look-ups in one table."""

    def __init__(
        self, engine: Engine, identity: Identity, columns: Sequence[Column[Any]], description: Description
    ) -> None:
        self._engine = engine
        self._identity = identity
        self._columns = [columns[i] for i in description.match]
        self._adapters = [adapter(column, engine.dialect) for column in self._columns]
        self._folded = [
            description.fields[i].casefold and python_type(columns[i]) in (str, None) and not ignores_case(columns[i])
            for i in description.match
        ]
        self._normalize = [description.fields[i].normalize for i in description.match]
        self._is_read = any(
            "trim" in how or ("accents" in how and not ignores_accents(column))
            for how, column in zip(self._normalize, self._columns, strict=True)
        )
        self._has_icu: bool | None = None

    def condition(self, wanted: Sequence[tuple[Value, ...]]) -> ColumnElement[bool]:
        """A condition for rows whose match fields may equal one of these."""
        if self._is_read:
            return self._is_like_one_of(wanted)
        sought = self._adapted(wanted)
        # On SQLite, Python converts every letter to lower case.
        plain = [row for row in sought if self._engine.dialect.name == "sqlite" or all(map(_is_ascii, row))]
        beyond = [row for row in sought if not all(map(_is_ascii, row))] if len(plain) < len(sought) else []
        conditions: list[ColumnElement[bool]] = []
        if plain:
            conditions.append(self._is_one_of(plain))
        if beyond:
            conditions.append(self._is_beyond_ascii(beyond))
        return or_(*conditions) if conditions else false()

    def _is_like_one_of(self, wanted: Sequence[tuple[Value, ...]]) -> ColumnElement[bool]:
        sought = {*map(self._form, wanted)}
        ids = len(self._identity.columns)
        query = select(*self._identity.columns, *self._columns).execution_options(yield_per=_ROWS)
        with self._engine.connect() as connection:
            found = read_leniently(
                connection,
                lambda: [row[:ids] for row in connection.execute(query) if self._form(row[ids:]) in sought],
            )
        return self._identity.is_one_of(self._identity.keys_of(found)) if found else false()

    def _form(self, values: Sequence[Value]) -> tuple[str | None, ...]:
        return tuple(normalized(normal(value), how) for value, how in zip(values, self._normalize, strict=True))

    def _adapted(self, wanted: Sequence[tuple[Value, ...]]) -> list[tuple[Value, ...]]:
        columns = zip(*wanted, strict=True)
        try:
            adapted = [[*map(adapt, values)] for adapt, values in zip(self._adapters, columns, strict=True)]
        except ValueError:
            if len(wanted) == 1:
                return []  # a value that the column cannot hold is not in it
            return [row for each in wanted for row in self._adapted([each])]
        return [*zip(*adapted, strict=True)]

    def _is_one_of(self, rows: Sequence[tuple[Value, ...]]) -> ColumnElement[bool]:
        columns = [self._lowered(n, values) for n, values in enumerate(zip(*rows, strict=True))]
        expressions = [self._lower(n, column) for n, column in enumerate(self._columns)]
        if len(columns) == 1:
            return is_one_of(self._engine, self._columns[0], columns[0], expressions[0])
        return are_one_of(self._engine, self._columns, columns, expressions)

    def _lowered(self, n: int, values: Sequence[Value]) -> Sequence[Value]:
        return [value.lower() if isinstance(value, str) else value for value in values] if self._folded[n] else values

    def _lower(self, n: int, column: Column[Any]) -> ColumnElement[Any]:
        if not self._folded[n]:
            return column
        return func.unicode_lower(column) if self._engine.dialect.name == "sqlite" else func.lower(column)

    def _is_beyond_ascii(self, rows: Sequence[tuple[Value, ...]]) -> ColumnElement[bool]:
        """The database itself converts the values to lower case, like the column."""
        columns = [*zip(*rows, strict=True)]
        expressions = [self._database_lower(n, column) for n, column in enumerate(self._columns)]
        if len(columns) == 1:
            bound = (bindparam(None, value, type_=self._columns[0].type) for value in columns[0])
            return expressions[0].in_([self._database_lower(0, value) for value in bound])
        return are_one_of(self._engine, self._columns, columns, expressions, self._database_lower)

    def _database_lower(self, n: int, expression: ColumnElement[Any]) -> ColumnElement[Any]:
        if not self._folded[n]:
            return expression
        return func.lower(expression.collate(_ICU) if self._knows_icu() else expression)

    def _knows_icu(self) -> bool:
        if self._engine.dialect.name != "postgresql":
            return False
        if self._has_icu is None:
            query = text("SELECT EXISTS (SELECT 1 FROM pg_collation WHERE collname = :name)")
            with self._engine.connect() as connection:
                self._has_icu = bool(connection.execute(query, {"name": _ICU}).scalar())
        return self._has_icu


def _is_ascii(value: Value) -> bool:
    return not isinstance(value, str) or value.isascii()
