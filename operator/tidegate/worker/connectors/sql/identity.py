"""The columns that identify a table's rows, one or several, and their conversion to keys of the cache.

The key of several columns is the list of their values as JSON, such as `[1001,2]`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Column, ColumnElement, Engine, and_, bindparam, or_

from tidegate.worker.connectors import Key
from tidegate.worker.connectors.sql.columns import key_codec
from tidegate.worker.connectors.sql.one_of import are_one_of, is_one_of


class Identity:
    """The id columns of one table, each of a type that the cache can store."""

    def __init__(self, engine: Engine, columns: Sequence[Column[Any]]) -> None:
        codecs = [key_codec(column) for column in columns]
        assert None not in codecs  # noqa: S101 - reflect refuses such a column
        self._codecs = [codec for codec in codecs if codec is not None]
        self._engine = engine
        self.columns = tuple(columns)
        self._is_single = len(columns) == 1

    def keys_of(self, rows: Sequence[Sequence[Any]]) -> Sequence[Key]:
        """The keys of rows that begin with the id columns."""
        if self._is_single:
            convert = self._codecs[0].to_cache
            return [row[0] for row in rows] if convert is None else [convert(row[0]) for row in rows]
        converts = [codec.to_cache for codec in self._codecs]
        parts = (
            [convert(value) if convert else value for convert, value in zip(converts, row, strict=False)]
            for row in rows
        )
        return [orjson.dumps(each).decode() for each in parts]

    def _values(self, key: Key) -> Sequence[Any]:
        parts = [key] if self._is_single else orjson.loads(str(key))
        return [
            codec.from_cache(part) if codec.from_cache else part
            for codec, part in zip(self._codecs, parts, strict=True)
        ]

    def is_one_of(self, keys: Sequence[Key]) -> ColumnElement[bool]:
        """A condition for rows with these keys."""
        values = [*zip(*map(self._values, keys), strict=True)]
        if self._is_single:
            return is_one_of(self._engine, self.columns[0], [*values[0]])
        return are_one_of(self._engine, self.columns, values, self.columns)

    def follows(self, key: Key) -> ColumnElement[bool]:
        """A condition for rows after this key, in the order of the columns."""
        values = self._values(key)
        first = self.columns[0]
        after: ColumnElement[bool] = self.columns[-1] > values[-1]
        for column, value in [*zip(self.columns, values, strict=True)][-2::-1]:
            after = or_(column > value, and_(column == value, after))
        # MySQL uses an index only for a comparison of the first column alone.
        return after if self._is_single else and_(first >= values[0], after)

    def is_whole(self) -> ColumnElement[bool]:
        """A condition for rows in which no part of the id is NULL."""
        return and_(*(column.is_not(None) for column in self.columns))

    def is_bound(self) -> ColumnElement[bool]:
        """A condition for the row whose id is given by `parameters`."""
        return and_(*(column == bindparam(f"the_key{n}", type_=column.type) for n, column in enumerate(self.columns)))

    def parameters(self, key: Key) -> Mapping[str, Any]:
        """The parameters of `is_bound` for a key."""
        return {f"the_key{n}": value for n, value in enumerate(self._values(key))}
