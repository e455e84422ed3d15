"""Finds out whether the id columns of a table identify its rows.

A key of the table guarantees it. Where there is none, as in a view, a query proves it at the start of each run, and
each later read proves it for the rows that it returns: of two rows with one id, the sync would read one and write both.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Engine, Index, Table, UniqueConstraint, func, select

from tidegate.worker.connectors import Key
from tidegate.worker.connectors.sql.identity import Identity

# How many ids a message names.
_NAMED = 5

_ADVICE = "delete one of them, or name columns that identify each row"


def complaint(engine: Engine, table: Table, names: Sequence[str]) -> str | None:
    """Why these columns, which the cache can store, do not identify the rows, and what to do."""
    columns = [table.columns[name] for name in names]
    if has_key(table, columns):
        return None
    if table.primary_key.columns:
        return _not_a_key(table, names)
    return _doubled(engine, columns)


def has_key(table: Table, columns: Sequence[Column[Any]]) -> bool:
    """Whether a key of the table has no other columns than these, so that the database keeps them unique."""
    keys = [list(table.primary_key.columns), *(list(index.columns) for index in table.indexes if _is_key(index))]
    keys += [list(rule.columns) for rule in table.constraints if isinstance(rule, UniqueConstraint)]
    names = {column.name for column in columns}
    return any({column.name for column in key} <= names for key in keys if key)


def repeated(keys: Sequence[Key]) -> str | None:
    """What a read that returned these keys shows of rows with one id."""
    if len({*keys}) == len(keys):
        return None
    return _words([str(key) for key, times in Counter(keys).items() if times > 1])


def _is_key(index: Index) -> bool:
    """Whether an index is unique for all rows: not for some of them only, and not for what a function returns."""
    is_partial = any(index.dialect_options[dialect].get("where") is not None for dialect in ("postgresql", "sqlite"))
    return index.unique and not is_partial and len(index.columns) == len(index.expressions)


def _doubled(engine: Engine, columns: Sequence[Column[Any]]) -> str | None:
    identity = Identity(engine, columns)
    query = select(*columns).where(identity.is_whole()).group_by(*columns).having(func.count() > 1)
    with engine.connect() as connection:
        found = identity.keys_of(connection.execute(query.order_by(*columns).limit(_NAMED + 1)).all())
    return _words([str(key) for key in found]) if found else None


def _words(keys: Sequence[str]) -> str:
    more = " and others" if len(keys) > _NAMED else ""
    return f"more than one row has the id {', '.join(keys[:_NAMED])}{more}; {_ADVICE}"


def _not_a_key(table: Table, names: Sequence[str]) -> str:
    primary = [column.name for column in table.primary_key.columns]
    if len(names) > 1:
        return (
            f"columns {', '.join(names)} are not unique together; they must be the primary key or have a unique index"
        )
    hint = f"; the primary key is id: [{', '.join(primary)}]" if len(primary) > 1 else ""
    return f"column {names[0]} is not unique; it must be the primary key or have a unique index{hint}"
