"""`spec.sync`, checked and put in order (design section 6.2). The first step of a run.

What does not fit is gathered, so that a configuration is corrected once and not complaint by complaint.
"""

import re
from collections import Counter
from typing import Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from tidegate.worker.config.error_messages import complaints
from tidegate.worker.config.models import NAME, RESERVED, AnyConnector, FieldPair, Object, Top
from tidegate.worker.config.rules import SIDES, FieldRule, Side, Sync, SyncedObject
from tidegate.worker.connectors import Part
from tidegate.worker.connectors.registry import CONNECTORS
from tidegate.worker.errors import ConfigurationError
from tidegate.worker.values.normal_form import Normalization


def parse(text: bytes) -> Sync:
    """The configuration in a JSON text. Raises ConfigurationError with all complaints."""
    try:
        raw = orjson.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"the configuration is not JSON: {error}") from None
    found: list[str] = []
    top = _checked(Top, raw, "", found)
    if top is None:
        raise ConfigurationError(*found)
    names = tuple(sorted(top.connectors))  # Kubernetes keeps no order of its own
    if len(names) != len(SIDES):
        raise ConfigurationError(f"connectors must be two systems, and there are {len(names)}")
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
        found.append("objects: there is none")
    titles = [item.name for item in objects if item]
    found += [f"objects: there are two named {name}" for name in sorted({n for n in titles if titles.count(n) > 1})]
    found += _unknown_references([item for item in objects if item], titles)
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
    fields = [_field(field, where, n, names, found) for n, field in enumerate(own.fields, 1)]
    rules = tuple(field for field in fields if field)
    match = _match(own.match, rules, where, found) if rules and len(rules) == len(fields) else ()
    conflict = _conflict(own.conflict, settings, names, where, found)
    if not fields:
        found.append(f"{where}: fields: there is none")
    found += _written_twice(rules, names, where)
    first, second = settings
    if first is None or second is None or len(found) > before:
        return None
    return SyncedObject(own.name, (first, second), rules, match, conflict, own.deletes, own.ids)


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
    return FieldRule((raw[names[0]], raw[names[1]]), directions[own.direction], normalize, own.ref)


def _unknown_references(objects: list[SyncedObject], titles: list[str]) -> list[str]:
    known = ", ".join(titles)
    return [
        f"object {item.name}, field {rule.title}: ref must name one of the objects {known}, not {rule.ref!r}"
        for item in objects
        for rule in item.fields
        if rule.ref is not None and rule.ref not in titles
    ]


def _written_twice(rules: tuple[FieldRule, ...], names: tuple[str, str], where: str) -> list[str]:
    """No rule says which value would win."""
    return [
        f"{where}: fields: {field} of {names[side]} would be written by more than one field"
        for side in SIDES
        for field, times in Counter(rule.names[side] for rule in rules if rule.to[side]).items()
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
            f"{where}: conflict newest needs a cursor, and {name} has none"
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
