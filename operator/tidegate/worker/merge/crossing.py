"""A field's way to the other side: its value goes there and back, and must mean what it meant. Pure.

The round trip decides (design section 6.2): what the target's type makes of a value, brought back to the source's
type, equals the value, or is a rounding that the target's type declares. What does not is set aside with words.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from tidegate.worker.connectors import FieldType
from tidegate.worker.values.conversions import convert
from tidegate.worker.values.kinds import JsonString, Kind, Spelling, Unfit, in_words, kind_of
from tidegate.worker.values.normal_form import Value, normal
from tidegate.worker.values.value_map import Unmapped

# JSON has no types for these, and the text of their normal form stands for them.
_NOT_IN_JSON = frozenset((Kind.LIST, Kind.DURATION, Kind.OTHER))


@dataclass(frozen=True, slots=True)
class Crossing:
    """How one field's values go from one side to the other; `names` are the connectors', the target's last.

    `compared` gives a value the form in which the field's values are compared.
    """

    source: FieldType
    target: FieldType
    names: tuple[str, str]
    compared: Callable[[Value], str | None] = normal

    def carry(self, value: Value) -> Value:
        """What the target is to store. Raises Unfit, which names both types and what the value is."""
        if value is None:
            return None
        try:
            return self._carry(value)
        except ValueError as error:
            has, holds = (f"{name} ({type_.name})" for name, type_ in zip(self.names, self._types, strict=True))
            raise Unfit(f"{has} has {in_words(value)} in it, which {holds} cannot hold: {error}") from None

    @property
    def _types(self) -> tuple[FieldType, FieldType]:
        return self.source, self.target

    def _carry(self, value: Value) -> Value:
        stored = self.target.stored(_as_met(value, self.source, self.target))
        if stored is value and self.source.kind is self.target.kind:
            return stored
        if type(value) is str and self.source.kind in (Kind.TEXT, None):
            return stored  # what a text is read as is left to the target: see `conversions`
        if isinstance(value, Decimal) and isinstance(stored, float):
            return stored  # rounded to as many digits as a floating-point number has
        back = self.source.stored(_as_met(stored, self.target, self.source))
        if self.source.kind is None:  # it holds any kind: SQLite stores a time as a text, and reads it as a time
            back = convert(back, kind_of(value))
        if self.compared(back) != self.compared(value):
            raise Unfit("it would come back as another value")
        return stored


@dataclass(frozen=True, slots=True)
class MappedCrossing:
    """The same of a field whose values have been translated by its `map`: what is stored is the target's own word."""

    target: FieldType | None
    names: tuple[str, str]

    def carry(self, value: Value) -> Value:
        """What the target is to store. Raises Unfit for a value that the map has no entry for."""
        has, holds = self.names
        if isinstance(value, Unmapped):
            said = "no value" if value.value is None else in_words(value.value)
            raise Unfit(f"{has} has {said} in it that map has no entry for; add one, or edit the record")
        try:
            return value if self.target is None else self.target.stored(value)
        except ValueError as error:
            raise Unfit(f"{holds} cannot hold what map says: {error}") from None


def _as_met(value: Value, source: FieldType, target: FieldType) -> Value:
    """A value of one side in the form in which the other one's type meets it."""
    if source.is_json and type(value) is str and target.kind is Kind.DOCUMENT:
        return JsonString(value)  # in JSON a text is one already, and is not to be read as a document
    if target.is_json and isinstance(value, Spelling):
        return value.text
    if target.is_json and kind_of(value) in _NOT_IN_JSON:
        return convert(value, Kind.DOCUMENT)
    return value


def crossing(
    source: FieldType | None, target: FieldType | None, names: tuple[str, str], compared: Callable[[Value], str | None]
) -> Crossing | None:
    """The way from one type to another; None where a connector does not tell its types."""
    return None if source is None or target is None else Crossing(source, target, names, compared)
