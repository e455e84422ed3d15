"""A source: one object's records on one side, and how they are hashed. What every step of a run works on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from tidegate.worker.cache.reloads import is_former
from tidegate.worker.cache.shadow import Layout, Shadow
from tidegate.worker.config.rules import Side, SyncedObject
from tidegate.worker.connectors import Collection, Key, Record
from tidegate.worker.merge.crossing import Crossing, MappedCrossing
from tidegate.worker.values.normal_form import MISSING, UNKNOWN, Hash, Hasher, Value, normal, normalized

FieldHashes = tuple[Hash, ...]
Crossings = tuple[Crossing | MappedCrossing | None, ...]

_TEXTS = frozenset((str, type(None)))


@dataclass(frozen=True, slots=True)
class Source:
    """One object's records on one side. What is asked of many records at once is made field by field: it is faster."""

    number: int
    side: Side
    name: str
    item: SyncedObject
    collection: Collection
    layout: Layout
    hasher: Hasher
    widened: bool
    # Whether a value may be a floating-point number, which takes longer to be hashed.
    floats: bool = True
    # Whether what it holds is taken as known, also in a run that pushes: its object was reset with FutureOnly.
    accepts: bool = False

    @property
    def title(self) -> str:
        """The source, as the progress and messages name it."""
        return f"{self.name} {self.item.name}"

    @property
    def cursor(self) -> str | None:
        """The name of the column or property by which changes are read."""
        return getattr(self.item.settings[self.side], "cursor", None)

    def get(self, keys: Sequence[Key]) -> dict[Key, Record]:
        """The records with these ids that exist; one whose id was given to another record does not."""
        return self.collection.get([key for key in keys if not is_former(key)])

    @property
    def stale_seconds(self) -> float:
        """For how long after a write the system may answer with what was before."""
        stale_for: timedelta = getattr(self.item.settings[self.side], "stale_for", timedelta(0))
        return stale_for.total_seconds()

    def field_hashes(self, records: Sequence[Record]) -> list[FieldHashes]:
        """Of each record the hash of each field's normal form; UNKNOWN for a field that its system leaves out."""
        columns = zip(*(record.values for record in records), strict=True)
        return list(zip(*map(self._hashes, range(len(self.item.fields)), columns), strict=True))

    def seen(self, shadow: Shadow | None, values: Sequence[Value], now: Sequence[Hash]) -> tuple[Hash | None, ...]:
        """What each field held when it was last seen; None for what was never seen.

        A hash that was made while the field was normalized in another way is compared in that way: where the value is
        the same it is what the field holds now, and else it is something that is not.
        """
        seen = self.layout.unpack(shadow)
        if not self.layout.has_former:
            return seen
        return tuple(
            self._seen_formerly(i, shadow, values[i], now[i]) if hashed is None else hashed
            for i, hashed in enumerate(seen)
        )

    def had_value(self, shadow: Shadow | None, field: int) -> bool:
        """Whether a field was last seen with a value in it."""
        return self._last_seen(shadow, field) not in (None, self.hasher.blank)

    def was_blank(self, shadow: Shadow | None, field: int) -> bool:
        """Whether a field was last seen blank."""
        return self._last_seen(shadow, field) == self.hasher.blank

    def _last_seen(self, shadow: Shadow | None, field: int) -> Hash | None:
        seen = self.layout.unpack(shadow)[field]
        if seen is None and self.layout.has_former and (formerly := self.layout.formerly(shadow, field)):
            return formerly[0]
        return seen

    def _seen_formerly(self, field: int, shadow: Shadow | None, value: Value, now: Hash) -> Hash | None:
        formerly = self.layout.formerly(shadow, field)
        if formerly is None or now == UNKNOWN:
            return None
        seen, former = formerly
        (unchanged,) = self.hasher.of_texts([normalized(normal(value), former.normalize)])
        return now if unchanged == seen else self.hasher.something_else

    def hash_of(self, field: int, value: Value) -> Hash:
        """The hash of one field's normal form."""
        return self._hashes(field, [value])[0]

    def _hashes(self, field: int, values: Sequence[Value]) -> list[Hash]:
        plain = _TEXTS.issuperset(map(type, values))
        texts = values if plain else [*map(normal, values)]
        if how := self.item.fields[field].normalize:
            texts = [normalized(text, how) for text in texts]
        hashes = self.hasher.of_texts(texts)
        if plain:
            return hashes
        return [UNKNOWN if value is MISSING else hashed for value, hashed in zip(values, hashes, strict=True)]

    def digests(self, records: Sequence[Record]) -> list[Hash]:
        """One hash over each record as it is."""
        return self.hasher.of_records([record.values for record in records], floats=self.floats)

    def match_keys(self, fields: Sequence[FieldHashes]) -> list[Hash | None]:
        """What equals on both sides for records that belong together; None where a match field is blank."""
        return self._match_keys([[hashes[i] for hashes in fields] for i in self.item.match])

    def match_keys_of(self, records: Sequence[Record]) -> list[Hash | None]:
        """The same, where the other fields need not be hashed."""
        return self._match_keys([self._hashes(i, [record.values[i] for record in records]) for i in self.item.match])

    def match_keys_seen(self, shadows: Sequence[Shadow | None]) -> list[Hash | None]:
        """The match keys of records as they were last seen; None also where a match field was never seen."""
        seen = [self.layout.unpack(shadow) for shadow in shadows]
        return self._match_keys([[hashes[i] or UNKNOWN for hashes in seen] for i in self.item.match])

    def _match_keys(self, columns: Sequence[Sequence[Hash]]) -> list[Hash | None]:
        blank = {self.hasher.blank, UNKNOWN}
        if len(columns) == 1:
            return [None if key in blank else key for key in columns[0]]
        rows = zip(*columns, strict=True)
        return [None if blank.intersection(parts) else self.hasher.of_bytes(b"".join(parts)) for parts in rows]

    def shadows(self, records: Sequence[Record], fields: Sequence[Sequence[Hash | None]]) -> list[Shadow]:
        """The shadows of records that are taken as they are."""
        return [*map(self.layout.pack, self.digests(records), fields)]

    def partial_shadow(self, fields: Sequence[Hash | None]) -> Shadow:
        """The shadow of a record that has to be read again."""
        return self.layout.pack(UNKNOWN, fields)


class HashedOnce:
    """The field hashes of a page's records, each made when it is first needed and kept with its page."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._made: dict[int, FieldHashes] = {}

    def of(self, records: Sequence[Record]) -> list[FieldHashes]:
        """The field hashes of these records, which the page keeps alive."""
        missing = [record for record in records if id(record) not in self._made]
        self._made.update(zip(map(id, missing), self._source.field_hashes(missing), strict=True))
        return [self._made[id(record)] for record in records]


@dataclass(frozen=True, slots=True)
class SourcePair:
    """One object: its two sources."""

    item: SyncedObject
    sources: tuple[Source, Source]
    # How each field's values go to side 0, and to side 1.
    crossings: tuple[Crossings, Crossings] = ((), ())

    @property
    def numbers(self) -> tuple[int, int]:
        """The sources' numbers in the cache."""
        return self.sources[0].number, self.sources[1].number
