"""What a cache was made for, and whether it still fits the configuration.

Policies, directions and fields may change from run to run. What gives ids, links and match keys their meaning may not:
with other tables, the remembered records would seem to be deleted; in another system, they are other records.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidegate.worker.cache import object_resets
from tidegate.worker.cache.object_resets import ObjectReset
from tidegate.worker.cache.shadow import Layout, lay_out, meaning_of, with_reference
from tidegate.worker.cache.store import Cache
from tidegate.worker.cache.systems import Another, Same, System, compare
from tidegate.worker.config.rules import SIDES, Sync, SyncedObject
from tidegate.worker.errors import CacheUnusable, Halted

_MATCH = "match"

# Per object, the systems of its two sides.
Systems = Mapping[str, tuple[System, System]]


@dataclass(frozen=True, slots=True)
class Remembered:
    """An object in the cache: its number, its fields' slots, and whether a field is new to the cache.

    With `accepts` the object was reset, and what both sides hold is to be taken as known.
    """

    number: int
    layout: Layout
    widened: bool
    accepts: bool


def recognise(
    cache: Cache, sync: Sync, systems: Systems, *, learn: bool = True, resets: Sequence[ObjectReset] = ()
) -> dict[str, Remembered]:
    """Match the configuration's objects with those of the cache, and store new ones unless `learn` is false.

    What the cache holds of an object is forgotten first for each of `resets` that has not been carried out yet.

    Raises CacheUnusable when the cache was made for something else, and Halted when only a person can tell.
    """
    sides = [list(side) for side in zip(sync.names, sync.types, strict=True)]
    known = cache.recall("sides")
    if known is not None and known != sides:
        before, now = (" and ".join(f"{name} ({type_})" for name, type_ in pair) for pair in (known, sides))
        raise CacheUnusable(f"reset needed: the cache was made for the connectors {before}, and now there are {now}")
    objects = _renamed(cache.recall("objects") or {}, sync)
    numbers: int = cache.recall("numbers") or len(objects)
    asked = {reset.object: reset for reset in resets}
    synced = {item.name for item in sync.objects}
    due = [reset.object for reset in object_resets.are_due(objects, resets) if reset.object in synced]
    forgotten = [objects.pop(name) for name in due if name in objects]
    result = {}
    reached = _reached(sync, objects, systems)
    for item in sync.objects:
        identity = _identity(item)
        entry = objects.get(item.name)
        if entry is not None and entry["identity"] != identity:
            what = _difference(entry["identity"], identity)
            raise CacheUnusable(
                f"reset needed: object {item.name}: {what}, and the cache was made for the former; a reset of object "
                f"{item.name} alone is enough (--object {item.name})"
            )
        identities = [rule.identity for rule in item.fields]
        meanings = {*map(meaning_of, identities)}
        slots, layout = lay_out(entry["slots"] if entry else [], identities)
        # A field that is new, or new again, stays pending until a whole scan has read it.
        present = [one for one in entry["present"] if meaning_of(one) in meanings] if entry else identities
        widened = not meanings <= {*map(meaning_of, present)}
        reset = asked.get(item.name)
        # A number never comes again, so that what the journal knows of an object ends with its reset.
        number = entry["number"] if entry else numbers
        numbers = max(numbers, number + 1)
        objects[item.name] = {
            "number": number, "identity": identity, "slots": slots, "present": present,
            "systems": [system.plain() for system in reached[item.name]], **object_resets.note(entry, reset),
        }  # fmt: skip
        accepts = object_resets.accepts(objects[item.name], reset)
        result[item.name] = Remembered(number, layout, widened, accepts)
    if learn:
        with cache.transaction():
            if forgotten:  # in most runs there is none
                cache.forget_all([source for entry in forgotten for source in _sources(entry)])
            if due:  # a run that is under way has read what is forgotten now
                cache.remember("progress", None)
            cache.remember("sides", sides)
            cache.remember("numbers", numbers)
            cache.remember("objects", objects)
            cache.parked.shelve_all_but(_titles(sync, result))
    return result


def _sources(entry: Mapping[str, Any]) -> tuple[int, int]:
    """The numbers of an object's two sides."""
    return 2 * entry["number"], 2 * entry["number"] + 1


def remembers(cache: Cache, source: int) -> bool:
    """Whether there is an object with this source; not since the object was reset."""
    return any(source in _sources(entry) for entry in (cache.recall("objects") or {}).values())


def _renamed(objects: Mapping[str, Any], sync: Sync) -> dict[str, Any]:
    """The remembered objects under their present names: an object with the same records is the same."""
    known = dict(objects)
    names = {item.name for item in sync.objects}
    for item in sync.objects:
        identity = _identity(item)
        missing = [
            name for name in known if name not in names and _places(known[name]["identity"]) == _places(identity)
        ]
        if item.name in known or not missing:
            continue
        former = next((name for name in missing if known[name]["identity"] == identity), missing[0])
        known[item.name] = known.pop(former)
        known = {name: _referring(entry, former, item.name) for name, entry in known.items()}
    return known


def _places(identity: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in identity.items() if name != _MATCH}


def _referring(entry: Mapping[str, Any], former: str, name: str) -> dict[str, Any]:
    """A remembered object, with references to a renamed object updated."""
    fields = {which: [with_reference(one, former, name) for one in entry[which]] for which in ("slots", "present")}
    return {**entry, **fields}


def _titles(sync: Sync, remembered: Mapping[str, Remembered]) -> dict[int, list[str]]:
    """The titles of the synced fields, per source."""
    return {
        2 * remembered[item.name].number + side: [rule.title for rule in item.fields]
        for item in sync.objects
        for side in SIDES
    }


def _reached(sync: Sync, objects: Mapping[str, Any], systems: Systems) -> Systems:
    """The systems to remember, if they are those that the cache was made for."""
    known: dict[str, tuple[System, System]] = {}
    doubts: dict[str, str] = {}
    for item in sync.objects:
        now = systems[item.name]
        if item.name not in objects:
            known[item.name] = now
            continue
        first, second = (
            compare(System.recall(remembered), system)
            for remembered, system in zip(objects[item.name]["systems"], now, strict=True)
        )
        for name, verdict in zip(sync.names, (first, second), strict=True):
            if isinstance(verdict, Another):
                raise CacheUnusable(f"reset needed: {name} is another system now: {verdict.changed}")
            if not isinstance(verdict, Same):
                doubts[name] = verdict.changed
        if isinstance(first, Same) and isinstance(second, Same):
            known[item.name] = first.known, second.known
    if doubts:
        raise Halted("; ".join(_question(name, changed) for name, changed in doubts.items()))
    return known


def _question(name: str, changed: str) -> str:
    return (
        f"{name} is not the system that the cache was made for: {changed}. If the same system has moved, name it by "
        f"identity under connectors.{name}, such as identity: {name}. If it is another system, reset this sync. "
        "No record was read or written"
    )


def fields_were_read(cache: Cache, sync: Sync) -> None:
    """Note that both sides have been read whole with the present fields."""
    objects = cache.recall("objects")
    for item in sync.objects:
        objects[item.name]["present"] = [rule.identity for rule in item.fields]
    cache.remember("objects", objects)


def objects_were_read(cache: Cache, sync: Sync) -> None:
    """Note that both sides of all objects have been read since they were reset."""
    synced = {item.name for item in sync.objects}
    objects = cache.recall("objects")
    cache.remember(
        "objects", {name: object_resets.read(each) if name in synced else each for name, each in objects.items()}
    )


def _identity(item: SyncedObject) -> dict[str, object]:
    places: dict[str, object] = {}
    for side in SIDES:
        part = item.settings[side]
        settings = part.model_dump(mode="json", by_alias=True, exclude=set(part.incidental))
        places |= {f"{name} of side {side + 1}": value for name, value in settings.items()}
    return {**places, _MATCH: [item.fields[i].identity for i in item.match]}


def _difference(before: dict[str, object], now: dict[str, object]) -> str:
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return ", ".join(f"{name} was {before.get(name)!r} and is {now.get(name)!r}" for name in names)
