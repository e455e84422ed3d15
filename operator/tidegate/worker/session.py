"""All that the steps of a run share: the open systems and cache, the progress, and the one way to commit.

Made by `run`, and handed to each step whole.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from tidegate.worker.cache import Cache
from tidegate.worker.connectors import Collection, Connector, Description, Key, Record
from tidegate.worker.connectors.registry import CONNECTORS
from tidegate.worker.environment import Order
from tidegate.worker.errors import ConfigurationError
from tidegate.worker.identity import recognise
from tidegate.worker.pace import Pace
from tidegate.worker.progress import Progress
from tidegate.worker.report import Report
from tidegate.worker.rules import SIDES, FieldRule, Side, Sync, SyncedObject
from tidegate.worker.shadow import UNKNOWN, Layout, Shadow
from tidegate.worker.values import Hash, Hasher, Value, normal, normalized


@dataclass(frozen=True, slots=True)
class Source:
    """One object's records on one side, and how they are hashed."""

    number: int
    side: Side
    name: str
    item: SyncedObject
    collection: Collection
    layout: Layout
    hasher: Hasher
    widened: bool

    @property
    def cursor(self) -> str | None:
        """The name of the column or property by which changes are read."""
        return getattr(self.item.settings[self.side], "cursor", None)

    def field_hashes(self, record: Record) -> tuple[Hash, ...]:
        """The hash of each field's normal form."""
        texts = [value if type(value) is str else normal(value) for value in record.values]
        for i, how in self.item.normalized:
            texts[i] = normalized(texts[i], how)
        return self.hasher.of_texts(texts)

    def hash_of(self, field: int, value: Value) -> Hash:
        """The hash of one field's normal form."""
        text, how = normal(value), self.item.fields[field].normalize
        return self.hasher.of_text(normalized(text, how) if how else text)

    def digests(self, records: Iterable[Record]) -> list[Hash]:
        """One hash over each record as it is."""
        return self.hasher.of_records([record.values for record in records])

    def match_key(self, fields: Sequence[Hash]) -> Hash | None:
        """What equals on both sides for records that belong together; None when a match field is blank."""
        return self._match_key([fields[i] for i in self.item.match])

    def match_key_of(self, record: Record) -> Hash | None:
        """The same, where the other fields' hashes are not needed."""
        return self._match_key([self.hash_of(i, record.values[i]) for i in self.item.match])

    def _match_key(self, parts: Sequence[Hash]) -> Hash | None:
        return None if self.hasher.blank in parts else self.hasher.of_bytes(b"".join(parts))

    def shadow(self, record: Record, fields: Sequence[Hash]) -> Shadow:
        """The shadow of a record that is taken as it is."""
        return self.layout.pack(self.hasher.of_record(record.values), fields)

    def partial_shadow(self, fields: Sequence[Hash | None]) -> Shadow:
        """The shadow of a record that has to be looked at again."""
        return self.layout.pack(UNKNOWN, fields)


@dataclass(frozen=True, slots=True)
class SourcePair:
    """One object: its two sources."""

    item: SyncedObject
    sources: tuple[Source, Source]

    @property
    def numbers(self) -> tuple[int, int]:
        """The sources' numbers in the cache."""
        return self.sources[0].number, self.sources[1].number


class Connects(Protocol):
    """How the systems of a configuration are connected; tests put themselves in between."""

    def __call__(self, sync: Sync, environ: Mapping[str, str], /) -> tuple[Connector, Connector]:
        """The two systems, in the order of their names."""


@dataclass(frozen=True, slots=True)
class Session:
    """One process's share of a run."""

    order: Order
    sync: Sync
    cache: Cache
    pairs: tuple[SourcePair, ...]
    progress: Progress
    pace: Pace
    report: Report
    now: Callable[[], float] = time.time
    began: float = field(default_factory=time.monotonic)
    seconds_before: float = 0.0

    @contextmanager
    def commit(self) -> Iterator[None]:
        """What is done inside becomes durable together with the progress, and is reported then."""
        with self.cache.transaction():
            yield
            self.progress.seconds = self.seconds_before + time.monotonic() - self.began
            self.cache.remember("progress", self.progress.plain())
        self.report.checkpoint(self.progress, self.position(), self.cache.parked.count())

    def position(self) -> str:
        """Where the run stands, for a human: no value of a record but its id."""
        progress = self.progress
        if progress.phase != "scan":
            return progress.phase
        sources = [source for pair in self.pairs for source in pair.sources]
        if progress.sources_done >= len(sources):
            return "scan"
        source = sources[progress.sources_done]
        return f"scan {source.name} {source.item.name}" + (f" > {progress.after}" if progress.after else "")

    def park(self, source: Source, rid: int, key: Key, rule: FieldRule | None, reason: str) -> None:
        """Set a field, or the whole record, aside for a human, and say so."""
        title = rule.title if rule else ""
        self.cache.parked.add(rid, title, reason, self.order.run)
        self.report.parked(source.item.name, source.name, key, title, reason)


def connect(sync: Sync, environ: Mapping[str, str]) -> tuple[Connector, Connector]:
    """Connect both systems. Raises ConfigurationError with the complaints of both."""
    opened: list[Connector] = []
    complaints: list[str] = []
    for name, type_, settings in zip(sync.names, sync.types, sync.connectors, strict=True):
        try:
            opened.append(CONNECTORS[type_].connect(settings, environ, name))
        except ConfigurationError as error:
            complaints += error.complaints
    if complaints:
        raise ConfigurationError(*complaints)
    return opened[0], opened[1]


def open_pairs(sync: Sync, connectors: tuple[Connector, Connector], cache: Cache) -> tuple[SourcePair, ...]:
    """Open all objects on both sides. Raises ConfigurationError with all complaints, before the cache is touched."""
    collections: dict[tuple[str, Side], Collection] = {}
    complaints: list[str] = []
    for item in sync.objects:
        for side in SIDES:
            title = f"object {item.name}, connector {sync.names[side]}"
            creates = item.exists_on[side]
            description = Description(title, item.settings[side], item.uses(side), item.match, creates)
            try:
                collections[item.name, side] = connectors[side].open(description)
            except ConfigurationError as error:
                complaints += error.complaints
    if complaints:
        raise ConfigurationError(*complaints)
    remembered = recognise(cache, sync)
    hasher = Hasher(bytes.fromhex(cache.recall("salt")))

    def source(item: SyncedObject, side: Side) -> Source:
        known = remembered[item.name]
        number = 2 * known.number + side
        collection = collections[item.name, side]
        return Source(number, side, sync.names[side], item, collection, known.layout, hasher, known.widened)

    return tuple(SourcePair(item, (source(item, 0), source(item, 1))) for item in sync.objects)
