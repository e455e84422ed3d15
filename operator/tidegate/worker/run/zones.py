"""Zones: whether `newest` can order the cursors that were read. A type tells of a table's columns beforehand; of JSON's
and SQLite's values only a record tells.
"""

from collections.abc import Sequence

from tidegate.worker.config.rules import Sync
from tidegate.worker.connectors import Record
from tidegate.worker.merge.fit import zone_is_missing
from tidegate.worker.merge.newest import is_without_zone
from tidegate.worker.run.source import Source


def complaint_of_zone(sync: Sync, source: Source, records: Sequence[Record]) -> str:
    """Advice where `newest` compares a time without a zone, and no one says which it is in; "" where it can compare."""
    if source.item.conflict != "newest" or sync.zones[source.side] is not None:
        return ""
    if not any(is_without_zone(record.cursor) for record in records):
        return ""
    return zone_is_missing(source.item.name, source.name)
