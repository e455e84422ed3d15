"""The setting `deleted`: a field that marks records which stay in their system after they are deleted.

A marked record counts as absent wherever records are read. Connectors whose systems mark records have this setting;
`sql/deleted` interprets marks in a database's own types.
"""

from typing import Annotated, Any

from pydantic import AfterValidator

from tidegate.worker.connectors import Description, Part
from tidegate.worker.values.normal_form import normal

MarkValue = str | int | bool

# Values that mean "not deleted" where the setting lists no values; compared in normal form and in lower case.
NOT_A_MARK = frozenset({None, "false", "0"})


def _not_empty(values: list[MarkValue] | None) -> list[MarkValue] | None:
    if values is not None and not values:
        raise ValueError("write at least one value, or leave values out where any value marks a deleted record")
    return values


class Deleted(Part):
    """The field that marks a deleted record.

    Any value marks it but null, false, 0 and an empty text; with `values`, one of these does.
    """

    field: str
    """The field's name."""
    values: Annotated[list[MarkValue] | None, AfterValidator(_not_empty)] = None
    """The values that mark a deleted record; without them any value except null, false, 0 and an empty text does."""

    def is_mark(self, value: Any) -> bool:
        """Whether this value of the field marks its record as deleted."""
        if isinstance(value, (dict, list)):
            return self.values is None and bool(value)
        form = normal(value)
        if self.values is not None:
            return form in {normal(mark) for mark in self.values}
        return (form if form is None else form.lower()) not in NOT_A_MARK


def complaints(deleted: Deleted | None, description: Description) -> list[str]:
    """Problems of the setting: a value that the sync writes must not delete a record."""
    if deleted is None or not any(use.written and use.name == deleted.field for use in description.fields):
        return []
    return [
        f"deleted: field {deleted.field} is also synced to this side, so that a value from the other side would delete "
        "the record; set the field's direction to the other side, or remove the field"
    ]
