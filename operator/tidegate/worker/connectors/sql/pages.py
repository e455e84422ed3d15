"""A page of the rows of a query, which ends at a number of bytes as well as at a number of rows.

The rows come from the server a part at a time: a driver would otherwise hold all of them before the first is seen.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Select

from tidegate.worker.connectors import Record
from tidegate.worker.connectors.sizes import page_of
from tidegate.worker.connectors.sql.postgresql_values import read_leniently


def read_page(
    connection: Connection, query: Select[Any], records_of: Callable[[Sequence[Any]], list[Record]], limit: int
) -> tuple[list[Record], bool]:
    """The first records of a query that has an order, and whether there may be more of them."""
    query = query.limit(limit).execution_options(stream_results=True)

    def read() -> tuple[list[Record], bool]:
        with connection.execute(query) as rows:
            return page_of(lambda count: records_of(rows.fetchmany(count)), limit)

    return read_leniently(connection, read)
