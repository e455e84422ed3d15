"""What one side's values are called on the other side: a field's `map`. Pure.

Values are looked up by their normal form. What has no entry is Unmapped: it flows nowhere, and equals nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tidegate.worker.values.normal_form import Normalization, Value, normal, normalized


@dataclass(frozen=True, slots=True)
class Unmapped:
    """Stands for a value that the map has no entry for."""

    value: Value


@dataclass(frozen=True)
class ValueMap:
    """Pairs of values that mean the same, the one of side 0 first.

    No value is no value on both sides, unless an entry has another counterpart for it.
    """

    pairs: tuple[tuple[Value, Value], ...]
    normalize: tuple[Normalization, ...] = ()

    def translated(self, value: Value, side: int) -> "Value | Unmapped":
        """What the other side calls a value of this one."""
        form = self.form(value)
        if form in (there := self._counterparts[side]):
            return there[form]
        return None if form is None and not self._names_nothing else Unmapped(value)

    def repeated(self, side: int) -> Sequence[Value]:
        """The values of a side that more than one entry has."""
        forms = [self.form(pair[side]) for pair in self.pairs]
        return [pair[side] for n, pair in enumerate(self.pairs) if forms[n] in forms[:n]]

    def form(self, value: Value) -> str | None:
        """The form by which a value is looked up."""
        return normalized(normal(value), self.normalize)

    @cached_property
    def _counterparts(self) -> tuple[Mapping[str | None, Value], Mapping[str | None, Value]]:
        # Where several have one counterpart, which flows in one direction only, the first stands for it.
        first, second = ({self.form(pair[s]): pair[1 - s] for pair in reversed(self.pairs)} for s in (0, 1))
        return first, second

    @cached_property
    def _names_nothing(self) -> bool:
        return any(self.form(value) is None for pair in self.pairs for value in pair)
