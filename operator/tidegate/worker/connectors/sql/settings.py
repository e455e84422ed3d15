"""What users write for a database and for a table of it."""

from datetime import timedelta
from typing import ClassVar, Literal

from tidegate.worker.connectors import Part
from tidegate.worker.connectors.deleted import Deleted
from tidegate.worker.connectors.settings import Duration, Text, TimeZone


class Settings(Part):
    """A database.

    `timezone` is what cursors are in that are times without a zone, such as Europe/Berlin or UTC: the values of fields
    are not converted. Where it is not written, reading of changes reaches back by half a day.
    """

    type: Literal["sql"]
    url: Text
    timezone: TimeZone | None = None


class TableSettings(Part):
    """An object's table: `schema.table` or `table`, its unique id column, and the column that every change moves on.

    A row that `deleted` marks counts as absent. For `staleFor` after a write, a row that is read as it was before is
    not taken for an edit: for tables that are read from a replica.
    """

    incidental: ClassVar[frozenset[str]] = frozenset({"cursor", "deleted", "stale_for"})

    table: str
    id: str
    cursor: str | None = None
    deleted: Deleted | None = None
    stale_for: Duration = timedelta(0)
