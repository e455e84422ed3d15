"""docs/types.md, generated: `python -m documentation.types > FILE`, which `make types` calls.

The samples of each type are stored in real databases, read by the worker, and carried to each other type; what the
table says is what came of it.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tidegate.worker.config.rules import FieldRule, SyncedObject
from tidegate.worker.connectors import Connector, Description, FieldType, FieldUse, Part, Typed, file, sql
from tidegate.worker.connectors.file.settings import FileSettings
from tidegate.worker.connectors.file.settings import Settings as FileConnector
from tidegate.worker.connectors.sql.settings import Settings, TableSettings
from tidegate.worker.merge.crossing import Crossing
from tidegate.worker.merge.fit import complaints
from tidegate.worker.values.kinds import Unfit
from worker.column_values import COLUMNS, Column
from worker.mariadb import mariadb
from worker.postgresql import postgresql
from worker.typed_databases import Database, on_mariadb, on_postgresql, on_sqlite

_TEXTS = ("Zoë", "007", "1.50", "true", "2024-02-29", "2024-02-29T01:02:03Z", "10:00:00", "P1M", "[1]", "00ff")
JSON_SAMPLES: Mapping[str, Sequence[str]] = {
    "text": tuple(f'"{text}"' for text in _TEXTS),
    "number": ("0", "12", "1.5", "12345678901234567890", "0.1234567890123456789"),
    "boolean": ("true", "false"),
    "object": ('{"a": [1, 2], "b": 1}', '{"n": 1.50}'),
    "list": ("[]", '["a", 1]', "[[1]]"),
}
CELLS = (*_TEXTS, "12", "0", "-3", "NaN", " x", "a,b", "{}")

NAMES = {"postgresql": "PostgreSQL", "mariadb": "MariaDB", "sqlite": "SQLite"}

HEAD = """\
# Which column types hold each other's values

A value means the same on both sides, or its field is set aside with a reason that names both types: nothing is coerced.
What a target would store is brought back to the source's type, and must equal the value; only what the target's type
declares is rounded: decimal places, the digits of a floating-point number, fractions of a second.

This page is made by a test (`make types`): the samples below are stored in PostgreSQL, MariaDB, SQLite and files, read
by the worker, and carried to each other type. A JSON field, of a file or of a REST API, has the kind of its values so
far: a text that is written to a field of numbers becomes a number where it is one, and stays a text otherwise.

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
    shown = {NAMES[system]: _of_database(database, COLUMNS[system]) for system, database in databases.items()}
    with TemporaryDirectory() as directory:
        shown["JSON and CSV"] = _of_files(Path(directory))
    for source, sources in shown.items():
        for target, targets in shown.items():
            yield from ("", f"## From {source} to {target}", "")
            yield from _table(sources, targets)
    yield from ("", "## Samples", "", "| | Type | Values |", "|---|---|---|")
    for system, types in shown.items():
        for each in types:
            values = ", ".join(f"`{sample}`" for sample in each.samples).replace("|", "\\|")
            yield f"| {system} | `{each.title}` | {values} |"


@dataclass(frozen=True)
class Shown:
    """A type that the page shows: its samples as they are written, and as the worker reads them."""

    title: str
    samples: Sequence[str]
    type: FieldType
    values: Sequence[Any]


def _of_database(database: Database, columns: Sequence[Column]) -> Sequence[Shown]:
    database.make("types", columns)
    for n in range(max(len(column.samples) for column in columns)):
        database.insert(
            "types", str(n), [column.samples[n] if n < len(column.samples) else "NULL" for column in columns]
        )
    connector = sql.TYPE.connect(Settings(type="sql", url=database.url), {}, "types")
    fields = [(f"f{n}", column.type or "no type", column.samples) for n, column in enumerate(columns)]
    with closing(connector):
        return _fields(connector, TableSettings(table="types", id="id"), fields)


def _of_files(directory: Path) -> Sequence[Shown]:
    """The fields of a JSON Lines file, each of one kind, and a column of a CSV file."""
    connector = file.TYPE.connect(FileConnector(type="file", url=str(directory)), {}, "types")
    json_fields = [(f"f{n}", f"JSON {kind}", samples) for n, (kind, samples) in enumerate(JSON_SAMPLES.items())]
    rows = zip_longest(*JSON_SAMPLES.values(), fillvalue="null")
    documents = [", ".join(f'"f{n}": {sample}' for n, sample in enumerate(row)) for row in rows]
    text = "".join(f'{{"id": {number}, {document}}}\n' for number, document in enumerate(documents))
    (directory / "types.jsonl").write_text(text)
    with (directory / "types.csv").open("w", newline="") as cells:
        csv.writer(cells).writerows([("id", "f0"), *enumerate(CELLS)])
    with closing(connector):
        return [
            *_fields(connector, FileSettings(path="types.jsonl", id="id"), json_fields),
            *_fields(connector, FileSettings(path="types.csv", id="id"), [("f0", "CSV", CELLS)]),
        ]


def _fields(connector: Connector, place: Part, fields: Sequence[tuple[str, str, Sequence[str]]]) -> Sequence[Shown]:
    """Fields, each with its title and samples, as the worker reads them."""
    uses = tuple(FieldUse(name, True) for name, _, _ in fields)
    collection = connector.open(Description("types", place, uses, (0,), creates=False))
    assert isinstance(collection, Typed)
    records = collection.scan(None, 100, None).records
    values = zip(*(record.values for record in records), strict=True)
    return [
        Shown(title, samples, type_, [value for value in each if value is not None])
        for (_, title, samples), type_, each in zip(fields, collection.field_types(), values, strict=True)
    ]


def _table(sources: Sequence[Shown], targets: Sequence[Shown]) -> Iterator[str]:
    yield f"| | {' | '.join(f'`{target.title}`' for target in targets)} |"
    yield "|---" * (len(targets) + 1) + "|"
    for source in sources:
        cells = [_outcome(source.type, source.values, target.type) for target in targets]
        yield f"| `{source.title}` | {' | '.join(cells)} |"


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
