"""Whether the fields of two systems can hold each other's values, as far as their types show. Pure.

A field that can hold no value of the other side would set every record aside, so it is refused before the first run
writes anything. What depends on single values, such as a text that is too long, is decided per value.
"""

from collections.abc import Sequence

from tidegate.worker.config.rules import SIDES, FieldRule, Side, SyncedObject, other
from tidegate.worker.connectors import FieldType
from tidegate.worker.values.kinds import Kind

_NUMBERS = frozenset({Kind.WHOLE, Kind.DECIMAL, Kind.FLOAT})
_TIMES = frozenset({Kind.INSTANT, Kind.LOCAL, Kind.DATE})

# Per kind of field, the kinds of which it can hold no value.
_HOLDS_NO: dict[Kind, frozenset[Kind]] = {
    **dict.fromkeys(_NUMBERS, frozenset({Kind.TEXT, Kind.UUID, *_TIMES})),
    **dict.fromkeys(_TIMES, frozenset({Kind.BOOLEAN, Kind.UUID, *_NUMBERS})),
    Kind.BOOLEAN: frozenset({Kind.UUID, *_TIMES}),
    Kind.UUID: frozenset({Kind.BOOLEAN, *_NUMBERS, *_TIMES}),
}

# With these, a field declares that its texts are numbers.
_SAY_NUMBER = frozenset({"number", "digits"})


def complaints(item: SyncedObject, names: tuple[str, str], types: Sequence[Sequence[FieldType]]) -> list[str]:
    """One sentence per field that would be written with values that it cannot hold; `types` are those of both sides."""
    found = []
    for i, rule in enumerate(item.fields):
        for side in SIDES:
            source, target = types[other(side)][i], types[side][i]
            if rule.to[side] and rule.map is not None:
                found += _unfit_entries(item, rule, side, names, target)
                continue
            if not rule.to[side] or rule.ref is not None or source.kind is None or target.kind is None:
                continue
            if source.kind not in _HOLDS_NO.get(target.kind, ()):
                continue
            says_number = source.kind is Kind.TEXT and target.kind in _NUMBERS
            if says_number and _SAY_NUMBER & {*rule.normalize}:
                continue
            across = names[other(side)]
            way_out = ", or write normalize: number if all its texts are numbers" if says_number else ""
            found.append(
                f"object {item.name}, field {rule.title}: {rule.names[side]} of {names[side]} is {target.name} and "
                f"cannot hold what {rule.names[other(side)]} of {across} holds, which is {source.name}; map another "
                f"field, set direction: to-{across}{way_out}"
            )
    return found


def _unfit_entries(
    item: SyncedObject, rule: FieldRule, side: Side, names: tuple[str, str], target: FieldType
) -> list[str]:
    found = []
    for pair in rule.map.pairs if rule.map is not None else ():
        try:
            target.stored(pair[side])
        except ValueError as error:
            found.append(
                f"object {item.name}, field {rule.title}: map: {rule.names[side]} of {names[side]} is {target.name} "
                f"and cannot hold {pair[side]!r}: {error}"
            )
    return found


def zone_is_missing(title: str, connector: str) -> str:
    """Advice for a cursor of times without a zone, which `newest` compares with the other side's."""
    return (
        f"object {title}: conflict newest compares times, and the cursor of {connector} is a time without a zone; set "
        f"timezone of connector {connector}, such as timezone: Europe/Berlin or timezone: UTC"
    )
