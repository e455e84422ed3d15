"""`spec.sync`, checked and put in order (design section 6.2). The first step of a run.

The models at the top are what users may write, but for each connector's own settings, which its ConnectorType
names. What does not fit is gathered, so that a configuration is corrected once and not complaint by complaint.
"""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from tidegate.worker.connectors import FieldUse, Part
from tidegate.worker.connectors.registry import CONNECTORS
from tidegate.worker.errors import ConfigurationError
from tidegate.worker.explain import complaints

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")

# Words with a meaning of their own beside an object's or a field's two connectors.
_RESERVED = {"name", "match", "fields", "conflict", "deletes", "direction", "newest", "park"}


def _duration(raw: object) -> object:
    if not isinstance(raw, str) or not re.fullmatch(r"([0-9]{1,5}(h|ms|m|s)){1,4}", raw):
        raise ValueError("write a duration such as 30s, 5m or 24h")
    return timedelta(seconds=sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"([0-9]+)(h|ms|m|s)", raw)))


Duration = Annotated[timedelta, BeforeValidator(_duration)]


class MaxDeletes(Part):
    """How many records a run may delete on one side: `min` always, beyond that no more than the percentage."""

    percent: Annotated[int, Field(ge=0, le=100)] = 20
    min: Annotated[int, Field(ge=0)] = 10


class Safety(Part):
    """When to stop and ask, before anything is pushed."""

    max_deletes: MaxDeletes = MaxDeletes()
    empty_side: Literal["halt", "allow"] = "halt"


class Pace(Part):
    """A limit that protects the connected systems: records read and records pushed, together, per second."""

    records_per_second: Annotated[int, Field(ge=1)]


class _Top(Part):
    connectors: dict[str, dict[str, Any]]
    objects: list[dict[str, Any]]
    safety: Safety = Safety()
    pace: Pace | None = None
    full_scan_every: Duration = timedelta(hours=24)
    overlap: Duration = timedelta(seconds=30)


class _Object(Part):
    name: str
    match: list[str]
    fields: list[dict[str, Any]]
    conflict: str = "park"
    deletes: Literal["unlink", "propagate"] = "unlink"


class _Field(Part):
    direction: str | None = None
    match: Literal["casefold"] | None = None


Side = Literal[0, 1]
SIDES: tuple[Side, Side] = (0, 1)


def other(side: Side) -> Side:
    """The side across."""
    return 1 if side == 0 else 0


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One field as both sides have it. Values flow to the sides for which `to` is true."""

    names: tuple[str, str]
    to: tuple[bool, bool] = (True, True)
    casefold: bool = False

    @property
    def title(self) -> str:
        """The field in a sentence for a human."""
        return self.names[0] if self.names[0] == self.names[1] else "/".join(self.names)

    @property
    def identity(self) -> str:
        """What a remembered hash of the field stands for: another identity is another field."""
        return orjson.dumps([*self.names, self.casefold]).decode()


@dataclass(frozen=True, slots=True)
class SyncedObject:
    """One kind of record. `match` holds field indexes; `conflict` is a side, or the policy's name."""

    name: str
    settings: tuple[Part, Part]
    fields: tuple[FieldRule, ...]
    match: tuple[int, ...]
    conflict: Side | Literal["newest", "park"]
    deletes: Literal["unlink", "propagate"]

    @property
    def exists_on(self) -> tuple[bool, bool]:
        """Whether records' coming and going flows to a side.

        It does where all match fields flow: a record made without them would not be found again after a reset, and
        would be made a second time.
        """
        first, second = (all(self.fields[i].to[side] for i in self.match) for side in SIDES)
        return first, second

    def uses(self, side: Side) -> tuple[FieldUse, ...]:
        """The fields as the side's connector sees them."""
        return tuple(FieldUse(rule.names[side], rule.to[side], rule.casefold) for rule in self.fields)


@dataclass(frozen=True, slots=True)
class Sync:
    """All of `spec.sync`; `names` are the two connectors' names, whose order numbers the sides."""

    names: tuple[str, str]
    types: tuple[str, str]
    connectors: tuple[Part, Part]
    objects: tuple[SyncedObject, ...]
    safety: Safety
    pace: Pace | None
    full_scan_every: timedelta
    overlap: timedelta


def parse(text: bytes) -> Sync:
    """The configuration in a JSON text. Raises ConfigurationError with all complaints."""
    try:
        raw = orjson.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"the configuration is not JSON: {error}") from None
    found: list[str] = []
    top = _checked(_Top, raw, "", found)
    if top is None:
        raise ConfigurationError(*found)
    names = tuple(sorted(top.connectors))  # Kubernetes keeps no order of its own
    if len(names) != len(SIDES):
        raise ConfigurationError(f"connectors must be two systems, and there are {len(names)}")
    found += [
        f"connectors: {name!r} cannot be a connector's name; use letters, digits, - and _"
        for name in names
        if not _NAME.fullmatch(name) or name in _RESERVED
    ]
    connectors = [_connector(name, settings, found) for name, settings in sorted(top.connectors.items())]
    types = [str(settings.get("type")) for _, settings in sorted(top.connectors.items())]
    pair = names[0], names[1]
    objects = [_object(raw, n, pair, types, found) for n, raw in enumerate(top.objects, 1)]
    if not objects:
        found.append("objects: there is none")
    titles = [item.name for item in objects if item]
    found += [f"objects: there are two named {name}" for name in sorted({n for n in titles if titles.count(n) > 1})]
    first, second = connectors
    if found or first is None or second is None:
        raise ConfigurationError(*found)
    return Sync(
        names=pair,
        types=(types[0], types[1]),
        connectors=(first, second),
        objects=tuple(item for item in objects if item),
        safety=top.safety,
        pace=top.pace,
        full_scan_every=top.full_scan_every,
        overlap=top.overlap,
    )


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
    return _checked(kind.settings, raw, f"connector {name}", found)


def _object(
    raw: dict[str, Any], number: int, names: tuple[str, str], types: list[str], found: list[str]
) -> SyncedObject | None:
    where = f"object {raw['name']}" if isinstance(raw.get("name"), str) else f"object {number}"
    before = len(found)
    own = _checked(_Object, {key: value for key, value in raw.items() if key not in names}, where, found, names)
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
    return SyncedObject(own.name, (first, second), rules, match, conflict, own.deletes)


def _field(raw: dict[str, Any], where: str, number: int, names: tuple[str, str], found: list[str]) -> FieldRule | None:
    before = len(found)
    known = [raw[name] for name in names if isinstance(raw.get(name), str) and raw[name]]
    where = f"{where}, field {'/'.join(dict.fromkeys(known)) or number}"
    own = _checked(_Field, {key: value for key, value in raw.items() if key not in names}, where, found, names)
    for name in names:
        if not isinstance(raw.get(name), str) or not raw[name]:
            found.append(f"{where}: {name} must be the name of the field in {name}")
    directions = {None: (True, True), f"to-{names[0]}": (True, False), f"to-{names[1]}": (False, True)}
    if own is not None and own.direction not in directions:
        found.append(f"{where}: direction must be to-{names[0]} or to-{names[1]}, not {own.direction!r}")
    if own is None or len(found) > before:
        return None
    return FieldRule((raw[names[0]], raw[names[1]]), directions[own.direction], own.match == "casefold")


def _written_twice(rules: tuple[FieldRule, ...], names: tuple[str, str], where: str) -> list[str]:
    """Which value would win is nobody's decision."""
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
