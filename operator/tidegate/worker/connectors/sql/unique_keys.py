"""Finds unique keys that treat values as equal which `match` tells apart.

If a record of the other side differs in its match field only in letter case, it would be created here, and such a key
would refuse it as a duplicate; this side's record would be created there, as a second one. To find out what a key
treats as equal, the database compares two texts as the column does.
"""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Connection, Engine, Table, inspect, text

from tidegate.worker.connectors import Description
from tidegate.worker.connectors.sql.postgresql import quoted_name
from tidegate.worker.values.normal_form import Normalization

_log = logging.getLogger(__name__)

# What a key ignores, for each of its text columns.
_Ignored: TypeAlias = Mapping[str, frozenset[Normalization]]

_WORDS: Mapping[Normalization, str] = {"casefold": "letter case", "accents": "accents", "trim": "trailing spaces"}

# What most of MySQL's collations ignore; trailing spaces are ignored by those that pad, such as utf8mb4_bin.
_OF_MOST_COLLATIONS: frozenset[Normalization] = frozenset({"accents", "trim"})

_MYSQL = text("""
    SELECT column_name, character_set_name, collation_name FROM information_schema.columns
    WHERE table_schema = COALESCE(:schema, DATABASE()) AND table_name = :table AND collation_name IS NOT NULL
""")
# A citext, also of a domain, and a text whose collation is nondeterministic.
_POSTGRESQL = text("""
    SELECT attname, base.oid::regtype::text, quote_ident(nspname) || '.' || quote_ident(collname)
    FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
    JOIN pg_type AS base ON base.oid = CASE pg_type.typtype WHEN 'd' THEN pg_type.typbasetype ELSE pg_type.oid END
    LEFT JOIN pg_collation ON pg_collation.oid = attcollation
    LEFT JOIN pg_namespace ON pg_namespace.oid = collnamespace
    WHERE attrelid = CAST(:name AS regclass) AND attnum > 0 AND NOT attisdropped
    AND (base.typname = 'citext' OR NOT COALESCE(collisdeterministic, true))
""")
_SQLITE = text("SELECT name, upper(coll) FROM pragma_index_xinfo(:index) WHERE key = 1 AND name IS NOT NULL")
_OF_SQLITE: _Ignored = {"NOCASE": frozenset({"casefold"}), "RTRIM": frozenset({"trim"})}

# An index expression: functions around a column, each with an optional cast.
_CALL = re.compile(r"\(*([a-z_.\"]+)\((?:.*, |(?:both|leading|trailing) from )?(.*)\)\)*", re.IGNORECASE)
_COLUMN = re.compile(r"\(*\"?([^\"():]+)\"?\)*(?:::[a-z ]+)?\)*")
_OF_FUNCTIONS: Mapping[str, Normalization] = {
    "lower": "casefold", "upper": "casefold", "unaccent": "accents", "btrim": "trim", "rtrim": "trim", "trim": "trim",
}  # fmt: skip


def complaints(engine: Engine, table: Table, description: Description) -> list[str]:
    """For each match field, what to set where a unique key ignores more than `match` does."""
    normalize = {description.fields[i].name: description.fields[i].normalize for i in description.match}
    if all({*_WORDS} <= {*how} for how in normalize.values()):
        return []
    found = []
    for key, columns, ignored in _unique_keys(engine, table):
        if {*columns} != normalize.keys():
            continue
        for name, how in normalize.items():
            wider = ignored.get(name, frozenset()) - {*how}
            if engine.dialect.name == "mysql" and wider & _OF_MOST_COLLATIONS:
                # Also for e-mail addresses: whether it matters is unknown.
                _log.warning("%s: %s", description.title, _complaint(key, name, how, wider))
                wider -= _OF_MOST_COLLATIONS
            if wider:
                found.append(_complaint(key, name, how, wider))
    return found


def _complaint(key: str, name: str, how: Sequence[Normalization], wider: frozenset[Normalization]) -> str:
    differences = " or ".join(words for each, words in _WORDS.items() if each in wider)
    wanted = [each for each in _WORDS if each in wider or each in how]
    setting = "match: casefold" if wanted == ["casefold"] else f"normalize: [{', '.join(wanted)}]"
    return (
        f"match: unique key {key} takes texts that differ only in {differences} for the same, and field {name} is "
        f"matched more exactly, so that records would be made twice or refused; write {setting} for field {name}"
    )


def _unique_keys(engine: Engine, table: Table) -> Iterator[tuple[str, Sequence[str], _Ignored]]:
    """Each unique key: its name, its columns, and what it ignores in them."""
    inspector = inspect(engine)
    ignored = _ignored(engine, table)
    # A unique constraint is an index everywhere. So is SQLite's primary key, unless it is a number.
    if engine.dialect.name != "sqlite":
        primary = inspector.get_pk_constraint(table.name, table.schema)
        yield str(primary.get("name") or "PRIMARY KEY"), primary["constrained_columns"], ignored
    for index in inspector.get_indexes(table.name, table.schema, include_auto_indexes=True):
        if index["unique"]:
            yield _index(engine, index, ignored)


def _index(engine: Engine, index: Mapping[str, Any], ignored: _Ignored) -> tuple[str, Sequence[str], _Ignored]:
    name = str(index["name"])
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            of_index = connection.execute(_SQLITE, {"index": name}).all()
            return name, index["column_names"], {column: _OF_SQLITE.get(how, frozenset()) for column, how in of_index}
    read = [_peeled(each) for each in index.get("expressions") or index["column_names"] if each]
    merged = {column: ignored.get(column, frozenset()) | by_functions for column, by_functions in read}
    return name, [column for column, _ in read], {**ignored, **merged}


def _peeled(expression: str) -> tuple[str, frozenset[Normalization]]:
    """The column inside the functions, and what these ignore; for any other expression, the expression."""
    inner, left_out = expression, set[Normalization]()
    while call := _CALL.fullmatch(inner):
        name = call[1].rpartition(".")[2].strip('"').lower()
        known = next((how for function, how in _OF_FUNCTIONS.items() if name.endswith(function)), None)
        if known is None:
            return expression, frozenset()
        left_out.add(known)
        inner = call[2]
    column = _COLUMN.fullmatch(inner)
    return (column[1] if column and left_out else inner), frozenset(left_out)


def _ignored(engine: Engine, table: Table) -> _Ignored:
    """What the columns' collations ignore."""
    with engine.connect() as connection:
        if engine.dialect.name == "mysql":
            columns = connection.execute(_MYSQL, {"schema": table.schema, "table": table.name}).all()
            forms = {(charset, how): f"CONVERT({{}} USING {charset}) COLLATE {how}" for _, charset, how in columns}
        elif engine.dialect.name == "postgresql":
            columns = connection.execute(_POSTGRESQL, {"name": quoted_name(engine.dialect, table)}).all()
            forms = {(type_, how): f"CAST({{}} AS {type_}) COLLATE {how}" for _, type_, how in columns}
        else:
            return {}
        found = {of: _compared(connection, form) for of, form in forms.items()}
    return {column: found[type_, how] for column, type_, how in columns}


_PAIRS: Mapping[Normalization, tuple[str, str]] = {
    "casefold": ("a", "A"), "accents": ("e", "\u00e9"), "trim": ("a", "a "),
}  # fmt: skip


def _compared(connection: Connection, form: str) -> frozenset[Normalization]:
    comparisons = [f"{form.format(f':{how}1')} = {form.format(f':{how}2')}" for how in _PAIRS]
    texts = {f"{how}{n}": each for how, pair in _PAIRS.items() for n, each in enumerate(pair, 1)}
    answers = connection.execute(text(f"SELECT {', '.join(comparisons)}"), texts).one()
    return frozenset(how for how, are_equal in zip(_PAIRS, answers, strict=True) if are_equal)
