"""Which rows of a table are records of an object: those that are not marked as deleted and are inside its filter."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, Select, Table, not_, select

from tidegate.worker.connectors import Key, Page, Record, Rejected
from tidegate.worker.connectors.sql.deleted import is_deleted
from tidegate.worker.connectors.sql.identity import Identity
from tidegate.worker.connectors.sql.settings import TableSettings
from tidegate.worker.connectors.sql.where import is_inside
from tidegate.worker.connectors.where import OUTSIDE, in_words

_New = TypeVar("_New")
Created: TypeAlias = Record | Rejected
Insert: TypeAlias = Callable[[Connection, Sequence[_New]], list[Created]]


class Membership:
    """The rows of one table. `everywhere` selects rows outside the filter too, `inside` does not."""

    def __init__(
        self,
        engine: Engine,
        table: Table,
        settings: TableSettings,
        everything: Select[Any],
        identity: Identity,
    ) -> None:
        self._identity = identity
        self._where = settings.where
        self._deleted: ColumnElement[bool] | None = None
        if settings.deleted is not None:
            self._deleted = is_deleted(engine, table.columns[settings.deleted.field], settings.deleted)
        self.condition = is_inside(engine, table, settings.where) if settings.where else None
        self.everywhere = everything if self._deleted is None else everything.where(not_(self._deleted))
        self.inside = self.everywhere if self.condition is None else self.everywhere.where(self.condition)

    def outside(self, connection: Connection, records: Sequence[Record]) -> set[Key]:
        """The ids of those records that are outside the filter."""
        return self._those(connection, records, None if self.condition is None else not_(self.condition))

    def create_inside(self, connection: Connection, records: Sequence[_New], insert: Insert[_New]) -> list[Created]:
        """Create records; those that turn out to be outside the filter are deleted again.

        What the database stores, after defaults and triggers, is known only after the insert.
        """
        answers: dict[int, Created] = {}
        left = [*range(len(records))]
        while left:
            with connection.begin_nested() as attempt:
                made = dict(zip(left, insert(connection, [records[n] for n in left]), strict=True))
                outside = self.outside(connection, [each for each in made.values() if isinstance(each, Record)])
                refused = {n for n, each in made.items() if isinstance(each, Record) and each.key in outside}
                if not refused:
                    answers |= made
                    break
                attempt.rollback()
            answers |= {n: Rejected(OUTSIDE.format(where=in_words(self._where))) for n in refused}
            left = [n for n in left if n not in refused]
        return [answers[n] for n in range(len(records))]

    def sort_out(self, connection: Connection, page: Page) -> Page:
        """Move changed rows that are now marked as deleted, or outside the filter, out of the page's records."""
        gone = self._those(connection, page.records, self._deleted)
        outside = self.outside(connection, page.records) - gone
        records = [each for each in page.records if each.key not in gone and each.key not in outside]
        return page._replace(records=records, gone=[*gone], outside=[*outside])

    def _those(
        self, connection: Connection, records: Sequence[Record], condition: ColumnElement[bool] | None
    ) -> set[Key]:
        if condition is None or not records:
            return set()
        among = self._identity.is_one_of([record.key for record in records])
        found = connection.execute(select(*self._identity.columns).where(among, condition)).all()
        return {*self._identity.keys_of(found)}
