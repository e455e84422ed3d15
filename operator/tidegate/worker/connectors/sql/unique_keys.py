"""Unique keys that take for the same what `match` tells apart.

A record of the other side whose match field differs from one here by letter case only would be created here, and
refused as a duplicate by such a key; and this one would be created there, beside it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, Table, inspect, text

from tidegate.worker.connectors import Description
from tidegate.worker.connectors.sql.postgresql import quoted_name

_MYSQL = text("""
    SELECT column_name FROM information_schema.columns WHERE table_schema = COALESCE(:schema, DATABASE())
    AND table_name = :table AND collation_name LIKE '%\\_ci'
""")
# A citext, and a text whose collation says that other texts may be equal to it.
_POSTGRESQL = text("""
    SELECT attname FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
    LEFT JOIN pg_collation ON pg_collation.oid = attcollation
    WHERE attrelid = CAST(:name AS regclass) AND attnum > 0 AND NOT attisdropped
    AND (typname = 'citext' OR NOT COALESCE(collisdeterministic, true))
""")
_SQLITE = text("SELECT name FROM pragma_index_xinfo(:index) WHERE key = 1 AND upper(coll) = 'NOCASE'")

_LOWERED = re.compile(r"lower\(\(*\"?([^\"():]+)\"?\)*(?:::(?:text|character varying))?\)*")


def complaints(engine: Engine, table: Table, description: Description) -> list[str]:
    """What to set for each match field that a unique key takes wider than `match` does."""
    casefolded = {description.fields[i].name: description.fields[i].casefold for i in description.match}
    exact = [name for name, folds in casefolded.items() if not folds]
    if not exact:
        return []
    return [
        f"match: unique key {key} takes texts that differ only in letter case for the same, and field {name} is "
        f"matched exactly, so that records would be made twice or refused; write match: casefold for field {name}"
        for key, columns, folded in _unique_keys(engine, table)
        if {*columns} == casefolded.keys()
        for name in exact
        if name in folded
    ]


def _unique_keys(engine: Engine, table: Table) -> Iterator[tuple[str, Sequence[str], set[str]]]:
    """Each unique key: its name, its columns, and those in which it does not tell letter case."""
    inspector = inspect(engine)
    folded = _folded_columns(engine, table)
    primary = inspector.get_pk_constraint(table.name, table.schema)
    yield str(primary.get("name") or "PRIMARY KEY"), primary["constrained_columns"], folded
    for constraint in inspector.get_unique_constraints(table.name, table.schema):
        yield str(constraint["name"] or "UNIQUE"), constraint["column_names"], folded
    for index in inspector.get_indexes(table.name, table.schema):
        if index["unique"]:
            yield _index(engine, index, folded)


def _index(engine: Engine, index: Mapping[str, Any], folded: set[str]) -> tuple[str, Sequence[str], set[str]]:
    name = str(index["name"])
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            return name, index["column_names"], {*connection.execute(_SQLITE, {"index": name}).scalars()}
    expressions = index.get("expressions") or index["column_names"]
    lowered = {each: found[1] for each in expressions if each and (found := _LOWERED.fullmatch(each))}
    return name, [lowered.get(each, each) for each in expressions], folded | {*lowered.values()}


def _folded_columns(engine: Engine, table: Table) -> set[str]:
    """Columns whose own equality does not tell letter case."""
    with engine.connect() as connection:
        if engine.dialect.name == "mysql":
            return {*connection.execute(_MYSQL, {"schema": table.schema, "table": table.name}).scalars()}
        if engine.dialect.name == "postgresql":
            return {*connection.execute(_POSTGRESQL, {"name": quoted_name(engine.dialect, table)}).scalars()}
    return set()
