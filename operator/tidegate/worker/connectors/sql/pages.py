"""Reads a page of a query's rows, limited by bytes as well as by rows.

The rows are fetched in parts: a driver would otherwise buffer all of them before it returns the first.
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
    """The first records of an ordered query, and whether there may be more."""
    query = query.limit(limit).execution_options(stream_results=True)

    def read() -> tuple[list[Record], bool]:
        with connection.execute(query) as rows:
            return page_of(lambda count: records_of(rows.fetchmany(count)), limit)

    return read_leniently(connection, read)
