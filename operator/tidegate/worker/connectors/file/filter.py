"""A file's fields beyond those of the object: fields of filter conditions, and constants of new records.

Records are read with these fields, which are then removed.
"""

from collections.abc import Sequence
from dataclasses import replace

from tidegate.worker.connectors import Description, FieldUse, Record
from tidegate.worker.connectors.where import Condition


def as_read(description: Description, where: Sequence[Condition]) -> Description:
    """The description for reading: its fields are followed by those of conditions and constants."""
    conditions = (FieldUse(condition.field, written=False) for condition in where)
    constants = (FieldUse(name, written=True) for name, _ in description.constants)
    return replace(description, fields=(*description.fields, *conditions, *constants))


def split(records: Sequence[Record], count: int, where: Sequence[Condition]) -> tuple[list[Record], list[Record]]:
    """Split records into those inside and those outside the filter, and remove the additional fields from both.

    `count` is the number of the object's fields.
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
