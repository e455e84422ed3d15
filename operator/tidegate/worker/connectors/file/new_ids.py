"""The ids of new records in a file: the next integer where all ids are integers, otherwise UUIDs."""

import sqlite3
from typing import Literal
from uuid import uuid4

from tidegate.worker.connectors import Key

# Ids with more digits are not counters.
_DIGITS = 15

_IS_NUMBER = f"(typeof(key) = 'integer' OR (key <> '' AND NOT key GLOB '*[^0-9]*' AND length(key) <= {_DIGITS}))"
_SURVEY = f"""
SELECT count(*), count(*) FILTER (WHERE typeof(key) = 'text'), count(*) FILTER (WHERE {_IS_NUMBER}),
       max(CASE WHEN {_IS_NUMBER} THEN CAST(key AS INTEGER) END)
FROM entry WHERE key IS NOT NULL
"""  # noqa: S608


class NewIds:
    """Generates ids that no record of the file has. `texts` says that the format's ids are texts."""

    def __init__(self, db: sqlite3.Connection, policy: Literal["number", "uuid"] | None, *, texts: bool) -> None:
        count, of_text, of_number, highest = db.execute(_SURVEY).fetchone()
        self._counts = policy == "number" or (policy is None and count > 0 and of_number == count)
        self._texts = texts or of_text > 0
        self._last: int = highest or 0

    def next(self) -> Key:
        """The next unused id."""
        if not self._counts:
            return str(uuid4())
        self._last += 1
        return str(self._last) if self._texts else self._last
