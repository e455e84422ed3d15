"""What users write for a database and for a table of it."""

from typing import Annotated, Literal

from pydantic import BeforeValidator

from tidegate.worker.connectors import Part


class FromEnvironment(Part):
    """A setting whose value is in an environment variable, so that a Secret's content is not in the resource."""

    env: str


def _url(raw: object) -> object:
    if isinstance(raw, str) or (isinstance(raw, dict) and list(raw) == ["env"] and isinstance(raw["env"], str)):
        return FromEnvironment(env=raw["env"]) if isinstance(raw, dict) else raw
    raise ValueError("write a URL, or {env: NAME} for one that is in an environment variable")


class Settings(Part):
    """A database."""

    type: Literal["sql"]
    url: Annotated[str | FromEnvironment, BeforeValidator(_url)]


class TableSettings(Part):
    """An object's table: `schema.table` or `table`, its unique id column, and the column that every change moves on."""

    table: str
    id: str
    cursor: str | None = None
