"""What users write for a database and for a table of it."""

from typing import Literal

from tidegate.worker.connectors import Part
from tidegate.worker.connectors.settings import Text


class Settings(Part):
    """A database."""

    type: Literal["sql"]
    url: Text


class TableSettings(Part):
    """An object's table: `schema.table` or `table`, its unique id column, and the column that every change moves on."""

    table: str
    id: str
    cursor: str | None = None
