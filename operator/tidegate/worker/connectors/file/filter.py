"""A file's fields beside the object's: those that the filter's conditions name, and those that new records get.

Records are read with the former, which are then taken off again.
"""

from collections.abc import Sequence
from dataclasses import replace

from tidegate.worker.connectors import Description, FieldUse, Record
from tidegate.worker.connectors.where import Condition


def as_read(description: Description, where: Sequence[Condition]) -> Description:
    """The description of records as they are read: after the fields come those of conditions and constants."""
    conditions = (FieldUse(condition.field, written=False) for condition in where)
    constants = (FieldUse(name, written=True) for name, _ in description.constants)
    return replace(description, fields=(*description.fields, *conditions, *constants))


def split(records: Sequence[Record], count: int, where: Sequence[Condition]) -> tuple[list[Record], list[Record]]:
    """Of records as they were read those that are inside the filter, and those outside; both as the object has them.

    `count` is how many fields the object has.
    """
    if not records or len(records[0].values) == count:
        return [*records], []
    inside: list[Record] = []
    outside: list[Record] = []
    for record in records:
        values = record.values[:count]
        is_inside = all(map(Condition.is_met_by, where, record.values[count:]))
        (inside if is_inside else outside).append(record._replace(values=values))
    return inside, outside
