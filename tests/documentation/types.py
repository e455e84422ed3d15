"""docs/types.md, generated: `python -m documentation.types > FILE`, which `make types` calls.

The samples of each type are stored in real databases, read by the worker, and carried to each other type; what the
table says is what came of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tidegate.worker.config.rules import FieldRule, SyncedObject
from tidegate.worker.connectors import Description, FieldType, FieldUse, Part, Typed, sql
from tidegate.worker.connectors.sql.settings import Settings, TableSettings
from tidegate.worker.merge.crossing import Crossing
from tidegate.worker.merge.fit import complaints
from tidegate.worker.values.kinds import Unfit
from worker.column_values import COLUMNS, Column
from worker.mariadb import mariadb
from worker.postgresql import postgresql
from worker.typed_databases import Database, on_mariadb, on_postgresql, on_sqlite

NAMES = {"postgresql": "PostgreSQL", "mariadb": "MariaDB", "sqlite": "SQLite"}

HEAD = """\
# Which column types hold each other's values

A value means the same on both sides, or its field is set aside with a reason that names both types: nothing is coerced.
What a target would store is brought back to the source's type, and must equal the value; only what the target's type
declares is rounded: decimal places, the digits of a floating-point number, fractions of a second.

This page is made by a test (`make types`): the samples below are stored in PostgreSQL, MariaDB and SQLite, read by the
worker, and carried to each other type.

| | |
|---|---|
| ✓ | all samples arrive |
| some | some arrive, and the others wait |
| – | all wait |
| no | the configuration is refused: no value of the one type fits the other |

A time without a zone is taken as UTC. A text stands for a number, a time or a document as one is usually written:
`1.50` is 1.5, but `007` is no number. A duration is written as in ISO 8601: `P1M` is one month.
"""


def main() -> None:
    """Print it."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory()))
        server = stack.enter_context(mariadb()).database()
        stack.callback(server.close)
        databases = {
            "postgresql": on_postgresql(stack.enter_context(postgresql())),
            "mariadb": on_mariadb(server),
            "sqlite": on_sqlite(directory / "types.db"),
        }
        print("\n".join(lines(databases)))


def lines(databases: Mapping[str, Database]) -> Iterator[str]:
    """The page; the databases are empty."""
    yield from HEAD.splitlines()
    held = {system: _held(database, COLUMNS[system]) for system, database in databases.items()}
    for source in NAMES:
        for target in NAMES:
            yield from ("", f"## From {NAMES[source]} to {NAMES[target]}", "")
            yield from _table(COLUMNS[source], held[source], COLUMNS[target], held[target])
    yield from ("", "## Samples", "", "| | Type | Values |", "|---|---|---|")
    for system, columns in COLUMNS.items():
        for column in columns:
            values = ", ".join(f"`{sample}`" for sample in column.samples).replace("|", "\\|")
            yield f"| {NAMES[system]} | {_title(column)} | {values} |"


Held = Sequence[tuple[FieldType, Sequence[Any]]]


def _held(database: Database, columns: Sequence[Column]) -> Held:
    """Each column's type, and its samples as the worker reads them."""
    database.make("types", columns)
    for n in range(max(len(column.samples) for column in columns)):
        database.insert(
            "types", str(n), [column.samples[n] if n < len(column.samples) else "NULL" for column in columns]
        )
    connector = sql.TYPE.connect(Settings(type="sql", url=database.url), {}, "types")
    try:
        uses = tuple(FieldUse(f"f{n}", True) for n in range(len(columns)))
        place = TableSettings(table="types", id="id")
        rows = connector.open(Description("types", place, uses, (0,), creates=False))
        assert isinstance(rows, Typed)
        records = rows.scan(None, 100, None).records
        values = zip(*(record.values for record in records), strict=True)
        types = rows.field_types()
        return [(type_, [v for v in each if v is not None]) for type_, each in zip(types, values, strict=True)]
    finally:
        connector.close()


def _table(sources: Sequence[Column], held: Held, targets: Sequence[Column], into: Held) -> Iterator[str]:
    yield f"| | {' | '.join(map(_title, targets))} |"
    yield "|---" * (len(targets) + 1) + "|"
    for column, (type_, values) in zip(sources, held, strict=True):
        cells = [_outcome(type_, values, target) for target, _ in into]
        yield f"| {_title(column)} | {' | '.join(cells)} |"


def _title(column: Column) -> str:
    return f"`{column.type or 'no type'}`"


def _outcome(source: FieldType, values: Sequence[Any], target: FieldType) -> str:
    rule = FieldRule(("f", "f"), (False, True))
    item = SyncedObject("o", (Part(), Part()), (rule,), (0,), "park", "unlink")
    if complaints(item, ("a", "b"), ([source], [target])):
        return "no"
    way = Crossing(source, target, ("a", "b"))
    arrived = sum(_arrives(way, value) for value in values)
    return "✓" if arrived == len(values) else "some" if arrived else "–"


def _arrives(way: Crossing, value: Any) -> bool:
    try:
        way.carry(value)
    except Unfit:
        return False
    return True


if __name__ == "__main__":
    main()
