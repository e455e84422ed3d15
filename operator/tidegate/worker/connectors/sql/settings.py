"""Settings for a database and its tables."""

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from tidegate.worker.connectors import Part
from tidegate.worker.connectors.deleted import Deleted
from tidegate.worker.connectors.settings import Duration, Text, TimeZone
from tidegate.worker.connectors.where import Condition


class Settings(Part):
    """A database: PostgreSQL, MySQL, MariaDB or SQLite."""

    type: Literal["sql"]
    """sql: a database."""
    url: Text
    """The database, as postgresql://user:password@host/database, mysql://user:password@host/database or sqlite:///path;
    or {env: NAME} to read it from an environment variable."""
    timezone: TimeZone | None = None
    """The time zone of cursors that are times without a zone, such as Europe/Berlin or UTC; the values of fields are
    not converted. Without it, reading changes reaches back by half a day."""


def _one_or_several(raw: object) -> object:
    several = raw if isinstance(raw, list) else [raw]
    if not several or not all(isinstance(name, str) and name for name in several) or len({*several}) < len(several):
        raise ValueError("write a column, or columns that identify a row together, such as [order_no, line_no]")
    return several[0] if len(several) == 1 else raw


class TableSettings(Part):
    """The settings of an object's table."""

    incidental: ClassVar[frozenset[str]] = frozenset({"cursor", "deleted", "where", "stale_for"})

    table: str
    """The table: `table` or `schema.table`."""
    id: Annotated[str | Annotated[list[str], Field(min_length=1)], BeforeValidator(_one_or_several)]
    """The column that identifies a record: unique, of whole numbers, texts or UUIDs. Where it takes several columns
    together, their list: [order_no, line_no]."""
    cursor: str | None = None
    """The column that increases with every change. With it a run reads what has changed, without it the whole table."""
    deleted: Deleted | None = None
    """The column that marks a deleted row: a marked row counts as absent."""
    where: list[Condition] = Field(default=[])
    """The conditions that all rows must meet to be synced; a row that leaves them is unlinked, not deleted."""
    stale_for: Duration = timedelta(0)
    """How long after a write a row with its former values does not count as an edit: for tables that are read from a
    replica."""

    @property
    def id_columns(self) -> tuple[str, ...]:
        """The columns that identify a record together; in most tables one."""
        return (self.id,) if isinstance(self.id, str) else tuple(self.id)
