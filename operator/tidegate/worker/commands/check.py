"""`tidegate-worker check`: try a manifest on its systems, read one page of each object, and write nothing.

The same checks come before a run's first write. Here all that they find, and what a page looks like to the worker, is
shown at once; no value of a record but its id is.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

from tidegate.api.contract import ExitCode
from tidegate.worker.cache.store import Cache
from tidegate.worker.config.parse import parse
from tidegate.worker.config.rules import SIDES, Sync
from tidegate.worker.connectors import Key, Page
from tidegate.worker.errors import ConfigurationError, RunEnded
from tidegate.worker.run.session import connect, open_pairs, types_of
from tidegate.worker.run.source import Source
from tidegate.worker.values.normal_form import MISSING

_PAGE = 100
_NAMED = 3


@dataclass(frozen=True, slots=True)
class SeenField:
    """One field on a page: how many of its records have a value, have none, and leave the field out."""

    name: str
    type: str | None
    filled: int
    empty: int
    missing: int


@dataclass(frozen=True, slots=True)
class SeenSide:
    """What a page of one object's records on one side was taken for."""

    object: str
    connector: str
    records: int
    more: bool
    ids: Sequence[Key]
    cursor: str | None
    fields: Sequence[SeenField]
    unreadable: Sequence[str]
    doubt: str


def check(text: bytes, environ: Mapping[str, str], out: TextIO, *, as_json: bool) -> int:
    """Print what was found; returns the exit code that a run of this configuration would end with."""
    seen: list[SeenSide] = []
    try:
        sync = parse(text)
        for side in _look(sync, environ):
            seen.append(side)  # what was seen before something fails is shown, too
    except RunEnded as error:
        _print(seen, list(error.complaints) if isinstance(error, ConfigurationError) else [str(error)], out, as_json)
        return int(error.exit_code)
    _print(seen, [], out, as_json)
    return int(ExitCode.COMPLETE)


def _look(sync: Sync, environ: Mapping[str, str]) -> Iterator[SeenSide]:
    with ExitStack() as until_then:
        connectors = connect(sync, environ)
        for connector in connectors:
            until_then.callback(connector.close)
        cache = Cache(Path(until_then.enter_context(TemporaryDirectory(prefix="tidegate-check-"))), "1")
        until_then.callback(cache.close)
        for pair in open_pairs(sync, connectors, cache):
            for side in SIDES:
                source = pair.sources[side]
                yield _seen(source, source.collection.scan(None, _PAGE, None))


def _seen(source: Source, page: Page) -> SeenSide:
    rules, side = source.item.fields, source.side
    types = types_of(source.collection) or (None,) * len(rules)
    columns = list(zip(*(record.values for record in page.records), strict=True)) or [()] * len(rules)
    cursors = [record.cursor for record in page.records if record.cursor is not None]
    return SeenSide(
        object=source.item.name,
        connector=source.name,
        records=len(page.records),
        more=page.after is not None,
        ids=[record.key for record in page.records[:_NAMED]],
        cursor=str(cursors[-1]) if cursors else None,
        fields=[
            SeenField(
                rule.names[side],
                type_.name if type_ else None,
                filled=sum(value is not None and value is not MISSING for value in values),
                empty=sum(value is None for value in values),
                missing=sum(value is MISSING for value in values),
            )
            for rule, type_, values in zip(rules, types, columns, strict=True)
        ],
        unreadable=[f"{each.place}: {each.reason}" for each in page.unreadable[:_NAMED]],
        doubt=page.doubt,
    )


def _print(seen: Sequence[SeenSide], complaints: Sequence[str], out: TextIO, as_json: bool) -> None:
    if as_json:
        fits = {"fits": not complaints, "complaints": complaints, "read": [asdict(each) for each in seen]}
        print(json.dumps(fits, ensure_ascii=False, default=str), file=out)
        return
    for side in seen:
        print(*_lines(side), sep="\n", file=out)
    for complaint in complaints:
        print(f"✗ {complaint}", file=out)
    if not complaints:
        print("✓ the configuration fits both systems; nothing was written", file=out)


def _lines(side: SeenSide) -> Iterator[str]:
    more = ", and more follow" if side.more else ", which is all"
    ids = f"; ids {', '.join(map(str, side.ids))}{', …' if side.records > len(side.ids) else ''}" if side.ids else ""
    cursor = f"; cursor up to {side.cursor}" if side.cursor else ""
    yield f"{side.object} in {side.connector}: {side.records} records read{more}{ids}{cursor}"
    for each in side.fields:
        counts = ((each.filled, "filled"), (each.empty, "empty"), (each.missing, "left out"))
        type_ = f" ({each.type})" if each.type else ""
        yield f"    {each.name}{type_}: {', '.join(f'{n} {what}' for n, what in counts if n) or 'no records'}"
    for place in side.unreadable:
        yield f"    cannot be read, and would be set aside: {place}"
    if side.doubt:
        yield f"    the list may leave out records: {side.doubt}"
