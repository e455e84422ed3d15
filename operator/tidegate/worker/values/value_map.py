"""A field's `map`: which value of one side corresponds to which value of the other. Pure.

Values are looked up by their normal form. A value without an entry is Unmapped: it is not written, and equals nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tidegate.worker.values.normal_form import Normalization, Value, normal, normalized


@dataclass(frozen=True, slots=True)
class Unmapped:
    """Stands for a value that has no entry in the map."""

    value: Value


@dataclass(frozen=True)
class ValueMap:
    """Pairs of values with the same meaning, side 0's value first.

    No value corresponds to no value, unless an entry says otherwise.
    """

    pairs: tuple[tuple[Value, Value], ...]
    normalize: tuple[Normalization, ...] = ()

    def translated(self, value: Value, side: int) -> "Value | Unmapped":
        """The other side's value for a value of this side."""
        form = self.form(value)
        if form in (there := self._counterparts[side]):
            return there[form]
        return None if form is None and not self._names_nothing else Unmapped(value)

    def repeated(self, side: int) -> Sequence[Value]:
        """The values of a side that occur in more than one entry."""
        forms = [self.form(pair[side]) for pair in self.pairs]
        return [pair[side] for n, pair in enumerate(self.pairs) if forms[n] in forms[:n]]

    def form(self, value: Value) -> str | None:
        """The form in which a value is looked up."""
        return normalized(normal(value), self.normalize)

    @cached_property
    def _counterparts(self) -> tuple[Mapping[str | None, Value], Mapping[str | None, Value]]:
        # Where several values have one counterpart, which flows in one direction only, the first represents it.
        first, second = ({self.form(pair[s]): pair[1 - s] for pair in reversed(self.pairs)} for s in (0, 1))
        return first, second

    @cached_property
    def _names_nothing(self) -> bool:
        return any(self.form(value) is None for pair in self.pairs for value in pair)
