"""Conditions for rows that have one of many values in a column.

The values are one array parameter where possible: sending thousands of parameters takes longer than the query itself.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import orjson
from sqlalchemy import Column, ColumnElement, Engine, and_, any_, bindparam, column, func, select, tuple_

from tidegate.worker.connectors.sql.postgresql import array_of
from tidegate.worker.values.normal_form import Value

# The type in which the n-th column is compared.
ComparedAs: TypeAlias = Callable[[int, ColumnElement[Any]], ColumnElement[Any]]


def is_one_of(
    engine: Engine, of: Column[Any], values: Sequence[Value], expression: ColumnElement[Any] | None = None
) -> ColumnElement[bool]:
    """A condition that is true where the column, or an expression of its type, has one of these values."""
    sought = of if expression is None else expression
    if engine.dialect.name == "postgresql" and (array := array_of(of, values)) is not None:
        return sought == any_(array)
    if engine.dialect.name == "sqlite" and all(map(_is_plain, values)):
        each = func.json_each(bindparam(None, orjson.dumps(values).decode())).table_valued("value")
        return sought.in_(select(each.columns.value))
    return sought.in_(values)


def are_one_of(
    engine: Engine,
    of: Sequence[Column[Any]],
    values: Sequence[Sequence[Value]],
    expressions: Sequence[ColumnElement[Any]],
    compared_as: ComparedAs | None = None,
) -> ColumnElement[bool]:
    """The same for several columns: `values` has one sequence per column."""
    sought = tuple_(*expressions)
    if engine.dialect.name == "postgresql":
        arrays = [array for each in zip(of, values, strict=True) if (array := array_of(*each)) is not None]
        if len(arrays) == len(of):
            return _are_in_arrays(sought, arrays, of, expressions, compared_as)
    if compared_as is None:
        return sought.in_([*zip(*values, strict=True)])
    bound = ([bindparam(None, value, type_=of[n].type) for value in each] for n, each in enumerate(values))
    compared = [[compared_as(n, value) for value in each] for n, each in enumerate(bound)]
    return sought.in_([tuple_(*row) for row in zip(*compared, strict=True)])


def _are_in_arrays(
    sought: ColumnElement[Any],
    arrays: Sequence[ColumnElement[Any]],
    of: Sequence[Column[Any]],
    expressions: Sequence[ColumnElement[Any]],
    compared_as: ComparedAs | None,
) -> ColumnElement[bool]:
    # The rows are joined, because the database would scan an IN list from its start for each row of the table. A column
    # that is compared unchanged is also matched with its own array, which can use an index.
    names = [column(f"c{n}", each.type) for n, each in enumerate(of)]
    rows = [*func.unnest(*arrays).table_valued(*names, name="sought").render_derived().columns]
    compared = [compared_as(n, each) if compared_as else each for n, each in enumerate(rows)]
    alone = [expressions[n] == any_(arrays[n]) for n, each in enumerate(rows) if compared[n] is each]
    return and_(*alone, sought.in_(select(*compared)))


def _is_plain(value: Value) -> bool:
    # SQLite ends a text of JSON at a zero.
    return type(value) is int or (type(value) is str and value.isascii() and "\0" not in value)
