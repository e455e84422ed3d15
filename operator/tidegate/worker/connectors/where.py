"""The setting `where`, which selects an object's synced records, and the evaluation of its conditions. Pure.

A record that does not meet all conditions is outside the filter. It is not deleted, and its counterpart stays as it is.
`sql/where` translates the same conditions to SQL. A Collection with a filter is Filtered.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from operator import ge, gt, le, lt
from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import Field, model_validator

from tidegate.worker.connectors import Collection, Key, Part, Record
from tidegate.worker.values.normal_form import Value, normal

Operator = Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Ge", "Lt", "Le"]
Compared = str | int | float | bool

# Why a create is rejected.
OUTSIDE = (
    "the new record would be outside this side's own filter ({where}); give the field a value that meets it, or write "
    "a where for the other side too if such records are not to be synced"
)

_EXISTENCE = ("Exists", "DoesNotExist")
_LISTS = ("In", "NotIn")

ORDER: Mapping[Operator, Callable[[Any, Any], Any]] = {"Gt": gt, "Ge": ge, "Lt": lt, "Le": le}


class Condition(Part):
    """A condition on one field. A field without a value meets NotIn and DoesNotExist only."""

    field: str
    """The column or field, which need not be a synced one."""
    operator: Operator
    """In and NotIn compare with a list of values, Gt, Ge, Lt and Le with one number, time or text; Exists and
    DoesNotExist ask whether there is a value."""
    values: list[Compared] = Field(default=[])
    """What the field is compared with; none for Exists and DoesNotExist."""

    @model_validator(mode="after")
    def _fits(self) -> "Condition":
        if self.operator in _EXISTENCE and self.values:
            raise ValueError(f"{self.operator} takes no values")
        if self.operator in _LISTS and not self.values:
            raise ValueError(f"{self.operator} needs values: the list to compare with")
        if self.operator in ORDER and len(self.values) != 1:
            raise ValueError(f"{self.operator} needs values with one entry, such as values: [100]")
        return self

    def __str__(self) -> str:
        values = f" {', '.join(map(str, self.values))}" if self.values else ""
        return f"{self.field} {self.operator}{values}"

    def is_met_by(self, value: Value) -> bool:
        """Whether a record with this value in the field meets the condition."""
        form = normal(value)
        if self.operator in _EXISTENCE:
            return (form is not None) == (self.operator == "Exists")
        if self.operator in _LISTS:
            return (form in {normal(each) for each in self.values}) == (self.operator == "In")
        return form is not None and _in_order(value, self.values[0], ORDER[self.operator])


def in_words(where: Sequence[Condition]) -> str:
    """A filter in the form that messages use."""
    return " and ".join(map(str, where))


def _in_order(value: Value, bound: Compared, compare: Callable[[Any, Any], Any]) -> bool:
    """Compare numbers as numbers, times as instants, and all other values as texts."""
    for read in (_as_number, _as_instant):
        if (limit := read(bound)) is not None:
            found = read(value)
            return found is not None and bool(compare(found, limit))
    return bool(compare(normal(value), normal(bound)))


def _as_number(value: Value) -> Decimal | None:
    try:
        number = Decimal(str(normal(value)))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _as_instant(value: Value) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value.isoformat() if isinstance(value, date) else str(normal(value)))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


@runtime_checkable
class Filtered(Protocol):
    """A Collection whose filter (`where`) may exclude existing records.

    `scan`, `get` and `find` omit excluded records. A write of one returns Changed, and a create of one Rejected.
    """

    @property
    def where(self) -> Any:
        """The filter as plain JSON; None without one. Different filters have different values."""

    @property
    def outside(self) -> Mapping[Key, Record]:
        """The records that the last `get` or `find` met and omitted because they are outside the filter."""


def filter_of(collection: Collection) -> Any:
    """The collection's filter; None where it has all records."""
    return collection.where if isinstance(collection, Filtered) else None


def outside(collection: Collection) -> Mapping[Key, Record]:
    """The records that the last `get` or `find` omitted: they exist, and are not synced."""
    return collection.outside if isinstance(collection, Filtered) else {}
