"""The conversion of a field's values from one side to the other, checked by a round trip. Pure.

The round trip decides (design section 6.2): the value that the target's type would hold, converted back to the source's
type, must equal the original, or be a rounding that the target's type declares. Any other value is set aside with a
reason.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from tidegate.worker.connectors import FieldType
from tidegate.worker.values.conversions import convert
from tidegate.worker.values.kinds import JsonString, Kind, Spelling, Unfit, in_words, kind_of
from tidegate.worker.values.normal_form import Value, normal
from tidegate.worker.values.value_map import Unmapped

# JSON has no types for these, and represents them by the text of their normal form.
_NOT_IN_JSON = frozenset((Kind.LIST, Kind.DURATION, Kind.OTHER))


@dataclass(frozen=True, slots=True)
class Crossing:
    """Converts one field's values from one side to the other; `names` are the connectors', the target's last.

    `compared` converts a value to the form in which the field's values are compared.
    """

    source: FieldType
    target: FieldType
    names: tuple[str, str]
    compared: Callable[[Value], str | None] = normal

    def carry(self, value: Value) -> Value:
        """The value for the target to store. Raises Unfit with both types and the kind of the value."""
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
            return stored  # the target decides how to read a text: see `conversions`
        if isinstance(value, Decimal) and isinstance(stored, float):
            return stored  # rounded to the digits of a floating-point number
        back = self.source.stored(_as_met(stored, self.target, self.source))
        if self.source.kind is None:  # it holds any kind: SQLite stores a time as a text, and reads it as a time
            back = convert(back, kind_of(value))
        if self.compared(back) != self.compared(value):
            raise Unfit("it would come back as another value")
        return stored


@dataclass(frozen=True, slots=True)
class MappedCrossing:
    """The same for a field with a `map`: the target stores its own value of the map's entry."""

    target: FieldType | None
    names: tuple[str, str]

    def carry(self, value: Value) -> Value:
        """The value for the target to store. Raises Unfit for a value without an entry in the map."""
        has, holds = self.names
        if isinstance(value, Unmapped):
            said = "no value" if value.value is None else in_words(value.value)
            raise Unfit(f"{has} has {said} in it that map has no entry for; add one, or edit the record")
        try:
            return value if self.target is None else self.target.stored(value)
        except ValueError as error:
            raise Unfit(f"{holds} cannot hold what map says: {error}") from None


def _as_met(value: Value, source: FieldType, target: FieldType) -> Value:
    """A value of one side in the form that the other side's type receives."""
    if source.is_json and type(value) is str and target.kind is Kind.DOCUMENT:
        return JsonString(value)  # in JSON a text is already a document, and must not be parsed as one
    if target.is_json and isinstance(value, Spelling):
        return value.text
    if target.is_json and kind_of(value) in _NOT_IN_JSON:
        return convert(value, Kind.DOCUMENT)
    return value


def crossing(
    source: FieldType | None, target: FieldType | None, names: tuple[str, str], compared: Callable[[Value], str | None]
) -> Crossing | None:
    """The conversion from one type to another; None where a connector has no field types."""
    return None if source is None or target is None else Crossing(source, target, names, compared)
