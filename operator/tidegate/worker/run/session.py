"""All that the steps of a run share: the open systems and cache, the progress, and the one way to commit.

Made by `run`, and handed to each step whole.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from tidegate.worker.cache.compatibility import recognise
from tidegate.worker.cache.object_resets import ObjectReset
from tidegate.worker.cache.parked import Kind
from tidegate.worker.cache.store import Cache
from tidegate.worker.cache.systems import System
from tidegate.worker.config.rules import SIDES, FieldRule, Side, Sync, SyncedObject
from tidegate.worker.connectors import (
    Collection,
    Connector,
    Description,
    FieldType,
    Identified,
    Interruptible,
    Key,
    Typed,
)
from tidegate.worker.connectors.registry import CONNECTORS
from tidegate.worker.errors import ConfigurationError
from tidegate.worker.merge import fit
from tidegate.worker.merge.crossing import Crossing, MappedCrossing, crossing
from tidegate.worker.run.environment import Order
from tidegate.worker.run.progress import Progress
from tidegate.worker.run.report import Report
from tidegate.worker.run.run_journal import RunJournal
from tidegate.worker.run.source import Crossings, Source, SourcePair
from tidegate.worker.run.throttle import Pace
from tidegate.worker.values.kinds import may_be_floats
from tidegate.worker.values.normal_form import Hasher, Value, normal, normalized


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
    # None where nothing is kept of what the run writes.
    journal: RunJournal | None
    now: Callable[[], float] = time.time
    # Of a planned run: why a run would halt. Other runs do halt.
    would_halt: list[str] | None = None
    began: float = field(default_factory=time.monotonic)
    seconds_before: float = 0.0

    @contextmanager
    def commit(self) -> Iterator[None]:
        """What is done inside becomes durable together with the progress, and is reported then."""
        with self.cache.transaction():
            yield
            self.progress.seconds = self.seconds_before + time.monotonic() - self.began
            self.cache.remember("progress", self.progress.plain())
        set_aside = self.cache.parked.count_new(self.order.run) + self.progress.newly_unreadable
        waiting = self.cache.parked.count() + self.progress.unreadable
        self.report.checkpoint(self.progress, self.position(), set_aside, waiting, self._withheld())

    def _withheld(self) -> dict[str, dict[str, int]]:
        """By connector and operation, how many writes were due and not allowed."""
        counts: dict[str, Counter[str]] = {}
        for source in (source for pair in self.pairs for source in pair.sources):
            if withheld := self.progress.withheld.get(source.title):
                counts.setdefault(source.name, Counter()).update(withheld)
        return {name: dict(counted) for name, counted in counts.items()}

    def accepts(self, source: Source) -> bool:
        """Whether what the source holds is taken as known: nothing that differs from the shadows is pushed."""
        return source.accepts or not self.progress.push

    def position(self) -> str:
        """Where the run stands, for a message: no value of a record but its id, and nothing of a link to a page."""
        progress = self.progress
        if progress.phase != "scan":
            return progress.phase
        sources = [source for pair in self.pairs for source in pair.sources]
        if progress.sources_done >= len(sources):
            return "scan"
        source = sources[progress.sources_done]
        after = progress.after.get("position") if isinstance(progress.after, dict) else progress.after
        return f"scan {source.name} {source.item.name}" + (f" > {after}" if after else "")

    def park(
        self, source: Source, rid: int, key: Key, rule: FieldRule | None, reason: str, kind: Kind | None = None
    ) -> None:
        """Set a field, or the whole record, aside for a person's decision, and say so."""
        title = rule.title if rule else ""
        self.cache.parked.add(rid, title, reason, self.order.run, kind or ("unsynced" if rule else "retry"))
        self.report.parked(source.item.name, source.name, key, title, reason)

    def tell_undecided(self, title: str, connector: str, key: object, field: str, reason: str) -> None:
        """A person's decision is not carried out: count it, and say why."""
        self.progress.undecided += 1
        self.report.undecided(title, connector, key, field, reason)


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


def close_with(stack: ExitStack, connectors: tuple[Connector, Connector], interrupted: Callable[[], bool]) -> None:
    """Close the connectors at the end of the stack, and have them stop waiting once the run is interrupted."""
    for connector in connectors:
        stack.callback(connector.close)
        if isinstance(connector, Interruptible):
            connector.stop_when(interrupted)


def open_pairs(
    sync: Sync,
    connectors: tuple[Connector, Connector],
    cache: Cache,
    *,
    learn: bool = True,
    pushes: bool = True,
    deleting: Set[tuple[str, str]] = frozenset(),
    resets: Sequence[ObjectReset] = (),
) -> tuple[SourcePair, ...]:
    """Open all objects on both sides; the cache learns of the configuration unless `learn` is false.

    The rights to write are asked for where the run `pushes`; `deleting` names the object and the connector of what an
    undo deletes. Before that the cache forgets the objects of `resets`, each once.

    Raises ConfigurationError with all complaints, before the cache is touched.
    """
    collections: dict[tuple[str, Side], Collection] = {}
    systems: dict[str, list[System]] = {item.name: [] for item in sync.objects}
    complaints: list[str] = []
    for item in sync.objects:
        for side in SIDES:
            title = title_of(item, sync.names[side])
            creates, deletes = item.creates_on[side], item.deletes_on[side] and item.deletes == "propagate"
            deletes |= "delete" in item.writes[side] and (item.name, sync.names[side]) in deleting
            description = Description(
                title, item.settings[side], item.uses(side), item.match, creates, deletes, pushes,
                item.updates_on[side], item.constants[side],
            )  # fmt: skip
            try:
                collections[item.name, side] = connectors[side].open(description)
                systems[item.name].append(_system(connectors[side], description, sync.identities[side]))
            except ConfigurationError as error:
                complaints += error.complaints
        complaints += _misfits(item, sync, collections)
    if complaints:
        raise ConfigurationError(*complaints)
    remembered = recognise(
        cache, sync, {name: (first, second) for name, (first, second) in systems.items()}, learn=learn, resets=resets
    )
    hasher = Hasher(bytes.fromhex(cache.recall("salt")))

    def source(item: SyncedObject, side: Side) -> Source:
        known = remembered[item.name]
        number = 2 * known.number + side
        collection = collections[item.name, side]
        types = types_of(collection)
        floats = types is None or may_be_floats(type_.kind for type_ in types)
        return Source(
            number, side, sync.names[side], item, collection, known.layout, hasher, known.widened, floats, known.accepts
        )

    def pair(item: SyncedObject) -> SourcePair:
        first, second = source(item, 0), source(item, 1)
        return SourcePair(item, (first, second), (_crossings(second, first), _crossings(first, second)))

    return tuple(map(pair, sync.objects))


def title_of(item: SyncedObject, name: str) -> str:
    """How messages of a connector name one object on one side."""
    return f"object {item.name}, connector {name}"


def _system(connector: Connector, description: Description, name: str | None) -> System:
    return System(connector.system(description) if isinstance(connector, Identified) else {}, name)


def _misfits(item: SyncedObject, sync: Sync, collections: Mapping[tuple[str, Side], Collection]) -> list[str]:
    both: list[object] = [collections.get((item.name, side)) for side in SIDES]
    typed = [(side, each) for side, each in zip(SIDES, both, strict=True) if isinstance(each, Typed)]
    zoneless = [
        fit.zone_is_missing(item.name, sync.names[side])
        for side, each in typed
        if item.conflict == "newest" and sync.zones[side] is None and (of := each.cursor_type()) and not of.zoned
    ]
    types = [each.field_types() for _, each in typed]
    return [*zoneless, *(fit.complaints(item, sync.names, types) if len(types) == len(SIDES) else [])]


def types_of(collection: Collection) -> Sequence[FieldType] | None:
    """What a collection's fields can hold, in their order; None where it does not tell."""
    return collection.field_types() if isinstance(collection, Typed) else None


def _crossings(source: Source, target: Source) -> Crossings:
    """How each field's values go from one side to the other; those of references are the other side's own ids."""
    rules = source.item.fields
    froms, tos = (types_of(each.collection) or (None,) * len(rules) for each in (source, target))
    return tuple(
        None if rule.ref is not None else _crossing(rule, from_, to, (source.name, target.name))
        for rule, from_, to in zip(rules, froms, tos, strict=True)
    )


def _crossing(
    rule: FieldRule, source: FieldType | None, target: FieldType | None, names: tuple[str, str]
) -> Crossing | MappedCrossing | None:
    if rule.map is not None:
        return MappedCrossing(target, names)
    return crossing(source, target, names, _compared(rule))


def _compared(rule: FieldRule) -> Callable[[Value], str | None]:
    return lambda value: normalized(normal(value), rule.normalize)
