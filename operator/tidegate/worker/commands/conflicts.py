"""`tidegate-worker conflicts`: list what needs a decision, from the cache. Called by `main`.

There is no command to settle a conflict: who edits the record in either system, to whatever is right, settles it, and
the next run takes the edit over. With values, both systems are asked what they hold now: the cache holds no values.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

from tidegate.api.contract import Environment
from tidegate.worker.cache.file import FILE
from tidegate.worker.cache.parked import Waiting
from tidegate.worker.cache.store import Cache
from tidegate.worker.commands.shown import inert, shown
from tidegate.worker.config.parse import parse
from tidegate.worker.errors import ConfigurationError
from tidegate.worker.run.session import connect, open_pairs
from tidegate.worker.run.source import Source


def list_conflicts(environ: Mapping[str, str], out: TextIO, *, values: bool) -> None:
    """Print all that waits, the oldest first. Raises RunEnded when the cache cannot be read now."""
    with ExitStack() as open_until_then:
        cache = Cache(_place(environ), None)
        open_until_then.callback(cache.close)
        waiting = cache.parked.oldest(-1)
        sides = [name for name, _ in cache.recall("sides") or []]
        objects = {entry["number"]: name for name, entry in (cache.recall("objects") or {}).items()}
        sources = _sources(environ, cache, open_until_then) if values and waiting else {}
        for each in waiting:
            print(_line(each, objects[each.source // 2], sides), file=out)
            for name, value in _values(each, sources):
                print(f"    {name}: {shown(value)}", file=out)
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


def _values(waiting: Waiting, sources: Mapping[int, Source]) -> Iterator[tuple[str, Any]]:
    """What each side holds now in the field; nothing of a record that waits whole."""
    for number, key in ((waiting.source, waiting.key), (waiting.source ^ 1, waiting.across)):
        source = sources.get(number)
        if source is None or key is None or not waiting.field:
            continue
        record = source.get([key]).get(key)
        titles = [rule.title for rule in source.item.fields]
        if record is not None and waiting.field in titles:
            yield source.name, record.values[titles.index(waiting.field)]
