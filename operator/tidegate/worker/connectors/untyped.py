"""Fields that may hold values of any kind: the cells of CSV, and the properties of JSON."""

from collections.abc import Callable
from dataclasses import dataclass

from tidegate.worker.values.kinds import Kind
from tidegate.worker.values.normal_form import Value


@dataclass(frozen=True, slots=True)
class Untyped:
    """The FieldType of a field of which only the format is known."""

    name: str
    stored: Callable[[Value], Value]
    is_json: bool = False
    kind: Kind | None = None
    zoned: bool = True
