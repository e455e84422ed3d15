"""A list as one parameter of a statement: SQLite limits the number of parameters."""

from collections.abc import Iterable

import orjson

# The elements of the parameter, as a subquery.
LISTED = "SELECT value FROM json_each(?)"


def listed(numbers: Iterable[int | None]) -> str:
    """The parameter for a list."""
    return orjson.dumps([*numbers]).decode()
