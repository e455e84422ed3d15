"""`tidegate-worker conflicts`: list what needs a decision, from the cache. Called by `main`.

With values, both systems are asked what they hold now: the cache holds no values.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

from tidegate.api.contract import Environment
from tidegate.worker.cache.file import FILE
from tidegate.worker.cache.parked import Waiting
from tidegate.worker.cache.store import Cache
from tidegate.worker.commands.shown import inert, shown
from tidegate.worker.config.parse import parse
from tidegate.worker.connectors import Key, Record
from tidegate.worker.errors import ConfigurationError
from tidegate.worker.run.session import connect, open_pairs
from tidegate.worker.run.source import Source

# Records whose values are held at once.
_AT_ONCE = 500

# What a side holds now, by the number of its source and the id.
Held = Mapping[tuple[int, Key], Record]


def list_conflicts(environ: Mapping[str, str], out: TextIO, *, values: bool) -> None:
    """Print all that waits, the oldest first. Raises RunEnded when the cache cannot be read now."""
    with ExitStack() as open_until_then:
        cache = Cache(_place(environ), None)
        open_until_then.callback(cache.close)
        waiting = cache.parked.oldest(-1)
        sides = [name for name, _ in cache.recall("sides") or []]
        objects = {entry["number"]: name for name, entry in (cache.recall("objects") or {}).items()}
        sources = _sources(environ, cache, open_until_then) if values and waiting else {}
        for start in range(0, len(waiting), _AT_ONCE):
            some = waiting[start : start + _AT_ONCE]
            held = _held(some, sources)
            for each in some:
                print(_line(each, objects[each.source // 2], sides), file=out)
                for name, value in _values(each, sources, held):
                    print(f"    {inert(name)}: {shown(value)}", file=out)
    last = f"{len(waiting)} waiting for a decision: edit the record in either system, and the next run applies the edit"
    print(last if waiting else "nothing waits for a decision", file=out)


def _place(environ: Mapping[str, str]) -> Path:
    place = environ.get(Environment.CACHE_DIR)
    if not place:
        raise ConfigurationError(f"the environment variable {Environment.CACHE_DIR} is not set")
    if not (Path(place) / FILE).exists():
        raise ConfigurationError(f"there is no cache in {place}: no run has been made with it")
    return Path(place)


def _line(waiting: Waiting, title: str, sides: list[str]) -> str:
    side = waiting.source % 2
    records = f"{title} {shown(waiting.key)} of {sides[side]}"
    if waiting.across is not None:
        records += f" and {shown(waiting.across)} of {sides[1 - side]}"
    field = f", field {waiting.field}" if waiting.field else ""
    return inert(f"{records}{field}, since run {waiting.run}: {waiting.reason}")


def _sources(environ: Mapping[str, str], cache: Cache, open_until_then: ExitStack) -> dict[int, Source]:
    place = environ.get(Environment.CONFIG)
    if not place:
        raise ConfigurationError(f"the environment variable {Environment.CONFIG} is not set: values need the systems")
    sync = parse(Path(place).read_bytes())
    connectors = connect(sync, environ)
    for connector in connectors:
        open_until_then.callback(connector.close)
    pairs = open_pairs(sync, connectors, cache, learn=False, pushes=False)
    return {source.number: source for both in pairs for source in both.sources}


def _held(waiting: Sequence[Waiting], sources: Mapping[int, Source]) -> Held:
    """What both systems hold now of these; nothing where there are no sources."""
    found: dict[tuple[int, Key], Record] = {}
    for number, source in sources.items():
        keys = sorted({key for each in waiting for at, key in _places(each) if at == number}, key=str)
        for start in range(0, len(keys), source.collection.batch):
            records = source.get(keys[start : start + source.collection.batch])
            found |= {(number, key): record for key, record in records.items()}
    return found


def _places(waiting: Waiting) -> Iterator[tuple[int, Key]]:
    yield waiting.source, waiting.key
    if waiting.across is not None:
        yield waiting.source ^ 1, waiting.across


def _values(waiting: Waiting, sources: Mapping[int, Source], held: Held) -> Iterator[tuple[str, Any]]:
    """Its match key, and what each side holds now in the field that waits."""
    there = [(sources[place[0]], held[place]) for place in _places(waiting) if place in held]
    for source, record in there[:1]:
        for i in source.item.match:
            yield f"match {source.item.fields[i].title}", record.values[i]
    for source, record in there:
        titles = [rule.title for rule in source.item.fields]
        if waiting.field in titles:
            yield source.name, record.values[titles.index(waiting.field)]
