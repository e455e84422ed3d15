"""Whether the fields of two systems can hold each other's values, as far as their types tell. Pure; serves `session`.

A field that can hold no value of the other side would have every record set aside: it is refused before the first run
writes anything. What only single values decide, such as a text that is too long, is left to them.
"""

from collections.abc import Sequence

from tidegate.worker.connectors import FieldKind, FieldType
from tidegate.worker.rules import SIDES, SyncedObject, other

# For each kind of field those of which it holds no value.
_HOLDS_NO: dict[FieldKind, frozenset[FieldKind]] = {
    "text": frozenset(),
    "number": frozenset({"text", "time", "uuid"}),
    "time": frozenset({"number", "boolean", "uuid"}),
    "boolean": frozenset({"time", "uuid"}),
    "uuid": frozenset({"number", "time", "boolean"}),
}

# By these a field says that its texts are numbers.
_SAY_NUMBER = frozenset({"number", "digits"})


def complaints(item: SyncedObject, names: tuple[str, str], types: Sequence[Sequence[FieldType | None]]) -> list[str]:
    """One sentence for each field that would be written with what it cannot hold; `types` are those of both sides."""
    found = []
    for i, rule in enumerate(item.fields):
        for side in SIDES:
            source, target = types[other(side)][i], types[side][i]
            if not rule.to[side] or rule.ref is not None or source is None or target is None:
                continue
            if source.kind not in _HOLDS_NO[target.kind]:
                continue
            says_number = source.kind == "text" and target.kind == "number"
            if says_number and _SAY_NUMBER & {*rule.normalize}:
                continue
            across = names[other(side)]
            way_out = ", or write normalize: number if all its texts are numbers" if says_number else ""
            found.append(
                f"object {item.name}, field {rule.title}: {rule.names[side]} of {names[side]} is {target.words} and "
                f"cannot hold what {rule.names[other(side)]} of {across} holds, which is {source.words}; map another "
                f"field, set direction: to-{across}{way_out}"
            )
    return found


def zone_is_missing(title: str, connector: str) -> str:
    """What to do about a cursor that is a time without a zone, where `newest` compares it with the other side's."""
    return (
        f"object {title}: conflict newest compares times, and the cursor of {connector} is a time without a zone; set "
        f"timezone of connector {connector}, such as timezone: Europe/Berlin or timezone: UTC"
    )
