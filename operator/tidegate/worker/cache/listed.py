"""A list as one parameter of a statement: SQLite limits how many parameters a statement may have."""

from collections.abc import Iterable

import orjson

# The values of the parameter, as a subquery.
LISTED = "SELECT value FROM json_each(?)"


def listed(numbers: Iterable[int | None]) -> str:
    """The parameter."""
    return orjson.dumps([*numbers]).decode()
