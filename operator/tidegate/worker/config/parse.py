"""`spec.sync`, checked and put in order (design section 6.2). The first step of a run.

What does not fit is gathered, so that a configuration is corrected once and not complaint by complaint.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from tidegate.worker.config.declared_form import spread
from tidegate.worker.config.error_messages import complaints
from tidegate.worker.config.models import NAME, RESERVED, AnyConnector, FieldPair, Object, Top
from tidegate.worker.config.rules import EVERY_OPERATION, SIDES, FieldRule, Operation, Side, Sync, SyncedObject, other
from tidegate.worker.connectors import Part
from tidegate.worker.connectors.registry import CONNECTORS
from tidegate.worker.errors import ConfigurationError
from tidegate.worker.values.normal_form import Normalization, Value
from tidegate.worker.values.value_map import ValueMap


def parse(text: bytes) -> Sync:
    """The configuration in a JSON text. Raises ConfigurationError with all complaints."""
    try:
        raw = orjson.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"the configuration is not JSON: {error}") from None
    if raw == {}:
        raise ConfigurationError("spec.sync is missing: it is the configuration of the built-in worker")
    found: list[str] = []
    top = _checked(Top, spread(raw, found), "", found)
    if top is None:
        raise ConfigurationError(*found)
    names = tuple(sorted(top.connectors))  # Kubernetes keeps no order of its own
    if len(names) != len(SIDES):
        raise ConfigurationError(f"exactly two connectors are required, found {len(names)}")
    found += [
        f"connectors: {name!r} cannot be a connector's name; use letters, digits, - and _"
        for name in names
        if not re.fullmatch(NAME, name) or name in RESERVED
    ]
    connectors = [_connector(name, settings, found) for name, settings in sorted(top.connectors.items())]
    types = [str(settings.get("type")) for _, settings in sorted(top.connectors.items())]
    pair = names[0], names[1]
    objects = [_object(raw, n, pair, types, found) for n, raw in enumerate(top.objects, 1)]
    if not objects:
        found.append("objects must not be empty")
    titles = [item.name for item in objects if item]
    found += [f"objects: there are two named {name}" for name in sorted({n for n in titles if titles.count(n) > 1})]
    found += _unknown_references([item for item in objects if item], titles)
    found += _references_to_several([item for item in objects if item], pair)
    first, second = connectors
    identities = [_identity(name, settings, found) for name, settings in sorted(top.connectors.items())]
    if found or first is None or second is None:
        raise ConfigurationError(*found)
    return Sync(
        names=pair,
        types=(types[0], types[1]),
        connectors=(first, second),
        identities=(identities[0], identities[1]),
        objects=tuple(item for item in objects if item),
        safety=top.safety,
        pace=top.pace,
        journal=top.journal,
        full_scan_every=top.full_scan_every,
        overlap=top.overlap,
    )


# Records are looked for by these: what differs in more than them is hardly a name of the same record.
_OF_MATCH_FIELDS: frozenset[Normalization] = frozenset({"casefold", "accents", "trim"})

# What may be written for a connector of any type, beside the type's own settings.
_FOR_ANY = tuple(AnyConnector.model_fields)

_Model = TypeVar("_Model", bound=BaseModel)


def _checked(
    model: type[_Model], raw: object, where: str, found: list[str], beside: tuple[str, ...] = ()
) -> _Model | None:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        found += complaints(error, where, model, beside)
        return None


def _connector(name: str, raw: dict[str, Any], found: list[str]) -> Part | None:
    kind = CONNECTORS.get(str(raw.get("type")))
    if kind is None:
        known = ", ".join(CONNECTORS)
        problem = f"type {raw['type']!r} is not known" if "type" in raw else "type is missing"
        found.append(f"connector {name}: {problem}; known are {known}")
        return None
    own = {key: value for key, value in raw.items() if key not in _FOR_ANY}
    return _checked(kind.settings, own, f"connector {name}", found, _FOR_ANY)


def _identity(name: str, raw: dict[str, Any], found: list[str]) -> str | None:
    given = {key: value for key, value in raw.items() if key in _FOR_ANY}
    checked = _checked(AnyConnector, given, f"connector {name}", found)
    return None if checked is None else checked.identity


def _object(
    raw: dict[str, Any], number: int, names: tuple[str, str], types: list[str], found: list[str]
) -> SyncedObject | None:
    where = f"object {raw['name']}" if isinstance(raw.get("name"), str) else f"object {number}"
    before = len(found)
    own = _checked(Object, {key: value for key, value in raw.items() if key not in names}, where, found, names)
    settings: list[Part | None] = []
    for name, type_ in zip(names, types, strict=True):
        kind = CONNECTORS.get(type_)
        if name not in raw:
            found.append(f"{where}: {name} is missing: where the connector {name} has these records")
        settings.append(
            _checked(kind.object_settings, raw[name], f"{where}, {name}", found) if kind and name in raw else None
        )
    if own is None:
        return None
    numbered = [*enumerate(own.fields, 1)]
    constants = [_constant(field, where, n, names, types, found) for n, field in numbered if "constant" in field]
    fields = [_field(field, where, n, names, found) for n, field in numbered if "constant" not in field]
    rules = tuple(field for field in fields if field)
    match = _match(own.match, rules, where, found) if rules and len(rules) == len(fields) else ()
    conflict = _conflict(own.conflict, settings, names, where, found)
    if not fields:
        found.append(f"{where}: fields must not be empty")
    ours, theirs = (tuple(one.pair for one in constants if one and one.side == side) for side in SIDES)
    found += _written_twice(rules, names, where, (ours, theirs))
    writes = _writes(own.writes, names, where, found)
    if any(rule.ref is not None for rule in rules):
        found += [
            f"{where}: writes: {name} may be given create without update, and a field has a ref: records that refer to "
            "each other are created without it, and it follows as an update; allow update too"
            for name, allowed in zip(names, writes, strict=True)
            if "create" in allowed and "update" not in allowed
        ]
    first, second = settings
    if first is None or second is None or len(found) > before:
        return None
    item = SyncedObject(own.name, (first, second), rules, match, conflict, own.deletes, own.ids, writes, (ours, theirs))
    found += [
        f"{where}: constant: no record is created in {names[side]}, so {item.constants[side][0][0]} is never written"
        for side in SIDES
        if item.constants[side] and not item.creates_on[side]
    ]
    return None if len(found) > before else item


class _Constant(NamedTuple):
    side: Side
    pair: tuple[str, Value]


def _constant(
    raw: dict[str, Any], where: str, number: int, names: tuple[str, str], types: list[str], found: list[str]
) -> _Constant | None:
    """What new records get in a field that only one side has."""
    before = len(found)
    named = [side for side in SIDES if names[side] in raw]
    where = f"{where}, field {raw[names[named[0]]] if named else number}"
    own = _checked(FieldPair, {key: value for key, value in raw.items() if key not in names}, where, found, names)
    if len(named) != 1:
        found.append(f"{where}: constant is for a field that only one side has: name it for {names[0]} or {names[1]}")
    elif not isinstance(raw[names[named[0]]], str) or not raw[names[named[0]]]:
        found.append(f"{where}: {names[named[0]]} must be the name of the field in {names[named[0]]}")
    elif (kind := CONNECTORS.get(types[named[0]])) is not None and not kind.takes_constants:
        found.append(f"{where}: constant: connectors of type {types[named[0]]} do not take one")
    if own is not None and own.constant is None:
        found.append(f"{where}: constant must be a text, a number, true or false, not nothing")
    found += [f"{where}: {word} cannot be used with constant" for word in _NOT_WITH_CONSTANT if word in raw]
    if own is None or len(found) > before:
        return None
    return _Constant(named[0], (raw[names[named[0]]], own.constant))


_NOT_WITH_CONSTANT = ("direction", "match", "normalize", "ref", "map")


def _writes(
    given: dict[str, list[Operation]], names: tuple[str, str], where: str, found: list[str]
) -> tuple[frozenset[Operation], frozenset[Operation]]:
    found += [
        f"{where}: writes: {name} is not one of the connectors {names[0]} and {names[1]}"
        for name in given
        if name not in names
    ]
    first, second = (frozenset(given[name]) if name in given else EVERY_OPERATION for name in names)
    return first, second


def _field(raw: dict[str, Any], where: str, number: int, names: tuple[str, str], found: list[str]) -> FieldRule | None:
    before = len(found)
    known = [raw[name] for name in names if isinstance(raw.get(name), str) and raw[name]]
    where = f"{where}, field {'/'.join(dict.fromkeys(known)) or number}"
    own = _checked(FieldPair, {key: value for key, value in raw.items() if key not in names}, where, found, names)
    for name in names:
        if not isinstance(raw.get(name), str) or not raw[name]:
            found.append(f"{where}: {name} must be the name of the field in {name}")
    directions = {None: (True, True), f"to-{names[0]}": (True, False), f"to-{names[1]}": (False, True)}
    if own is not None and own.direction not in directions:
        found.append(f"{where}: direction must be to-{names[0]} or to-{names[1]}, not {own.direction!r}")
    if own is None or len(found) > before:
        return None
    if own.ref is not None and own.normalize:
        found.append(f"{where}: normalize cannot be used with ref: an id is taken as it is")
    normalize: tuple[Normalization, ...] = (*own.normalize, *([own.match] if own.match else []))
    to = directions[own.direction]
    values = None if own.map is None else _map(own.map, to, normalize, names, where, found)
    if own.map is not None and own.ref is not None:
        found.append(f"{where}: map cannot be used with ref: an id is translated by the record that it names")
    return FieldRule((raw[names[0]], raw[names[1]]), to, normalize, own.ref, values)


def _map(
    entries: list[dict[str, Any]],
    to: tuple[bool, bool],
    normalize: tuple[Normalization, ...],
    names: tuple[str, str],
    where: str,
    found: list[str],
) -> ValueMap | None:
    """Where values flow both ways, no value has two counterparts; in one direction several may become one."""
    if not entries:
        found.append(f"{where}: map has no entry")
    wrong = [entry for entry in entries if {*entry} != {*names}]
    for entry in wrong:
        found.append(
            f"{where}: map: each entry has a value for {names[0]} and one for {names[1]}, and one has "
            f"{' and '.join(entry) or 'neither'}"
        )
    if wrong:
        return None
    values = ValueMap(tuple((entry[names[0]], entry[names[1]]) for entry in entries), normalize)
    for side in SIDES:
        across = other(side)
        if not to[across]:
            continue  # its values are not translated
        for value in values.repeated(side):
            hint = f"; to give several of {names[across]} one, set direction: to-{names[side]}" if to[side] else ""
            found.append(
                f"{where}: map: more than one entry has {value!r} for {names[side]}, and it can become one value "
                f"of {names[across]} only{hint}"
            )
    return values


def _unknown_references(objects: list[SyncedObject], titles: list[str]) -> list[str]:
    known = ", ".join(titles)
    return [
        f"object {item.name}, field {rule.title}: ref must name one of the objects {known}, not {rule.ref!r}"
        for item in objects
        for rule in item.fields
        if rule.ref is not None and rule.ref not in titles
    ]


def _references_to_several(objects: list[SyncedObject], names: tuple[str, str]) -> list[str]:
    """A field holds one value, and the id of such a record is several."""
    several = {
        item.name: f"{', '.join(columns)} of {name}"
        for item in objects
        for name, part in zip(names, item.settings, strict=True)
        if isinstance(columns := getattr(part, "id", None), list)
    }
    return [
        f"object {item.name}, field {rule.title}: ref: a {rule.ref} is identified by several columns, "
        f"{several[rule.ref]}; write a field for each column that refers to it, without ref"
        for item in objects
        for rule in item.fields
        if rule.ref in several
    ]


def _written_twice(
    rules: tuple[FieldRule, ...], names: tuple[str, str], where: str, constants: Sequence[Sequence[tuple[str, Value]]]
) -> list[str]:
    """No rule says which value would win."""
    written = [[*(r.names[s] for r in rules if r.to[s]), *(name for name, _ in constants[s])] for s in SIDES]
    return [
        f"{where}: fields: {field} of {names[side]} would be written by more than one field"
        for side in SIDES
        for field, times in Counter(written[side]).items()
        if times > 1
    ]


def _match(names: list[str], rules: tuple[FieldRule, ...], where: str, found: list[str]) -> tuple[int, ...]:
    if not names:
        found.append(f"{where}: match must name at least one field: it is what pairs records that are not yet linked")
    indexes = []
    for name in names:
        fitting = [i for i, rule in enumerate(rules) if name in rule.names]
        if len(fitting) == 1:
            indexes += fitting
        else:
            problem = "names more than one of the fields" if fitting else "is not one of the fields"
            found.append(f"{where}: match: {name} {problem} {', '.join(rule.title for rule in rules)}")
    for rule in (rules[i] for i in indexes):
        if rule.map is not None:
            found.append(f"{where}: match: {rule.title} may not have a map: both systems are asked for the same value")
        if rule.ref is not None or not {*rule.normalize} <= _OF_MATCH_FIELDS:
            found.append(
                f"{where}: match: {rule.title} may be normalized by casefold, accents and trim only, and have no ref"
            )
    return tuple(indexes)


def _conflict(
    word: str, settings: list[Part | None], names: tuple[str, str], where: str, found: list[str]
) -> Side | Literal["newest", "park"]:
    if word == "newest":
        found += [
            f"{where}: conflict newest needs a cursor, and {name} has none: set it, or choose another policy"
            for name, part in zip(names, settings, strict=True)
            if part is not None and getattr(part, "cursor", None) is None
        ]
        return "newest"
    if word == names[0]:
        return 0
    if word == names[1]:
        return 1
    if word != "park":
        found.append(f"{where}: conflict must be {names[0]}, {names[1]}, newest or park, not {word!r}")
    return "park"
