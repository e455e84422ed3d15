"""A file's filter: its records are read with the fields that the conditions name, and then those fields go."""

from collections.abc import Sequence
from dataclasses import replace

from tidegate.worker.connectors import Description, FieldUse, Record
from tidegate.worker.connectors.where import Condition


def with_conditions(description: Description, where: Sequence[Condition]) -> Description:
    """The description of records as they are read: after the object's fields come those of the conditions."""
    fields = (FieldUse(condition.field, written=False) for condition in where)
    return replace(description, fields=(*description.fields, *fields))


def split(records: Sequence[Record], where: Sequence[Condition]) -> tuple[list[Record], list[Record]]:
    """Of records as they were read those that are inside the filter, and those outside; both as the object has them."""
    if not where:
        return [*records], []
    inside: list[Record] = []
    outside: list[Record] = []
    for record in records:
        values = record.values[: -len(where)]
        is_inside = all(map(Condition.is_met_by, where, record.values[-len(where) :]))
        (inside if is_inside else outside).append(record._replace(values=values))
    return inside, outside
