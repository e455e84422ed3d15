"""Reads the changes of a table since an earlier run, by its cursor.

A read returns two kinds of rows. First come those whose cursor is between the settled watermark and the newest value,
in the order of the cursor. Then come those whose cursor does not say when they changed (NULL, in the future, infinite
or zero), in the order of their ids. Every run reads the latter.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import cached_property
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Select,
    Table,
    and_,
    case,
    func,
    null,
    or_,
    select,
    true,
    type_coerce,
)
from sqlalchemy.dialects.mysql import TIMESTAMP

from tidegate.worker.connectors import Page, Record, Token, Window
from tidegate.worker.connectors.sql.cursors import (
    FIRST_TEXT,
    LAST_TEXT,
    InUTC,
    Numbers,
    Scale,
    Seen,
    Start,
    bounds_of,
    scale_of,
    token_of,
    typed_scale,
)
from tidegate.worker.connectors.sql.identity import Identity
from tidegate.worker.connectors.sql.pages import read_page
from tidegate.worker.connectors.sql.transactions import clock_of, open_transactions, still_open
from tidegate.worker.connectors.sql.watermark import Watermark, advance
from tidegate.worker.errors import ConfigurationError
from tidegate.worker.values.normal_form import Value

_log = logging.getLogger(__name__)

# Most transactions end within moments: waiting for them here avoids waiting until the next run.
_LOOKS = 4
_PAUSE_SECONDS = 0.1

_TRANSACTIONS = "while transactions could not be seen, until "


@dataclass(frozen=True)
class Changes:
    """The cursor of one table."""

    title: str
    engine: Engine
    table: Table
    identity: Identity
    cursor: Column[Any]
    zone: tzinfo | None

    @cached_property
    def readable(self) -> ColumnElement[Any]:
        """The cursor, or NULL where its value says nothing, because the driver may be unable to read that value."""
        condition = self._within(*bounds_of(self.cursor))
        if condition is None:
            return self.cursor
        cursor = type_coerce(self.cursor, InUTC()) if isinstance(self.cursor.type, TIMESTAMP) else self.cursor
        return case((condition, cursor), else_=null())

    def _within(self, floor: Value, ceiling: Value) -> ColumnElement[bool] | None:
        conditions = [self.cursor >= floor] if floor is not None else []
        conditions += [self.cursor <= ceiling] if ceiling is not None else []
        return and_(*conditions) if conditions else None

    # Watermark

    def watermark(self, last: Token | None, overlap: timedelta) -> Token:
        """The watermark after reading the table's newest value now; `last` is the previous watermark.

        The newest value is read first and the open transactions second: a transaction that ends in between is covered
        by this run.
        """
        clock = clock_of(self.engine)
        scale, newest = self._newest(clock)
        seen = Seen(token_of(newest), clock.isoformat())
        times = not (isinstance(scale, Numbers) and scale.unit is None)
        found = open_transactions(self.engine, self.table, times=times)
        for _ in range(_LOOKS - 1):
            if not found.writers:
                break
            time.sleep(_PAUSE_SECONDS)
            found = still_open(found, open_transactions(self.engine, self.table, times=times))
        if found.remark:
            _log.warning("%s: %s", self.title, found.remark)
        if found.since is not None and found.since < clock:
            seen = seen._replace(clock=found.since.isoformat())
        before = Watermark.of_token(last)
        writers = found.writers
        if writers is None:
            # The wait for unseen transactions is limited to the overlap: by the clock for times, and for numbers by the
            # value that was newest that long ago.
            writers = frozenset() if times else _presumed(before.writers, clock, overlap)
        return advance(before, seen, writers).to_token()

    def _newest(self, clock: datetime) -> tuple[Scale, Value]:
        floor, ceiling = bounds_of(self.cursor)
        typed = typed_scale(self.cursor, self.zone)
        if typed is not None:
            return typed, self._extreme(func.max, floor, typed.ceiling(clock))
        if self.engine.dialect.name == "sqlite" and isinstance(self._extreme(func.max, None, None), str):
            floor, ceiling = FIRST_TEXT, LAST_TEXT  # whatever its declared type
        lowest, highest = (self._extreme(choose, floor, ceiling) for choose in (func.min, func.max))
        try:
            scale = scale_of(self.cursor, self.zone, (token_of(lowest), token_of(highest)))
        except ValueError as error:
            raise ConfigurationError(
                f"{self.title}: cursor: column {self.cursor.name} holds texts such as {str(error)[:40]!r}, which do "
                "not sort by time; a text must begin as 2026-11-24, all in one form, and without a zone or in UTC"
            ) from None
        limit = scale.ceiling(clock)
        if limit is not None and highest is not None and highest > limit:
            highest = self._extreme(func.max, floor, limit)
        return scale, highest

    def _extreme(self, choose: Any, floor: Value, ceiling: Value) -> Value:
        query = select(choose(self.cursor))
        if (within := self._within(floor, ceiling)) is not None:
            query = query.where(within)
        with self.engine.connect() as connection:
            return connection.execute(query).scalar()

    # Pages

    def page(
        self,
        connection: Connection,
        columns: Select[Any],
        records_of: Callable[[Sequence[Any]], list[Record]],
        after: Token | None,
        limit: int,
        window: Window,
    ) -> Page:
        """A page of changes. The token is the last cursor value and key, or a key where the cursor is unusable."""
        until = Watermark.of_token(window.until).until
        found: list[Record] = []
        if until is not None and not (isinstance(after, dict)):
            scale = self._scale_of(until)
            query = columns.where(self.cursor <= scale.value(until), self._from(scale, after, window))
            found, more = read_page(connection, query.order_by(self.cursor, *self.identity.columns), records_of, limit)
            if more:
                return Page(found, [token_of(found[-1].cursor), found[-1].key])
        last = after["key"] if isinstance(after, dict) else None
        query = columns.where(self._without_place(until))
        if last is not None:
            query = query.where(self.identity.follows(last))
        rest, more = read_page(connection, query.order_by(*self.identity.columns), records_of, limit)
        if more:
            _log.warning(
                "%s: %d rows and more have no %s that says when they were changed (it is NULL, in the future, zero or "
                "infinite), and each run reads them all; give them one",
                self.title, len(rest), self.cursor.name,
            )  # fmt: skip
        met = {record.key for record in found}
        page: Sequence[Record] = [*found, *(record for record in rest if record.key not in met)]
        return Page(page, {"key": rest[-1].key} if more else None)

    def _scale_of(self, until: Token) -> Scale:
        return scale_of(self.cursor, self.zone, (until, until))

    def _from(self, scale: Scale, after: Token | None, window: Window) -> ColumnElement[bool]:
        if after is not None:
            moment, later = scale.value(after[0]), self.identity.follows(after[1])
            return and_(or_(self.cursor > moment, and_(self.cursor == moment, later)), self.cursor >= moment)
        settled = Watermark.of_token(window.since).settled
        start = scale.start(settled, window.overlap) if settled is not None else Start(None)
        if start.value is not None:
            after_it: ColumnElement[bool] = self.cursor > start.value
            return after_it if start.excluded else self.cursor >= start.value
        return true() if scale.floor is None else self.cursor >= scale.floor

    def _without_place(self, until: Token | None) -> ColumnElement[bool]:
        if until is None:
            return true()
        scale = self._scale_of(until)
        conditions = [self.cursor.is_(None), self.cursor > scale.value(until)]
        return or_(*conditions, *([self.cursor < scale.floor] if scale.floor is not None else []))


def _presumed(before: frozenset[str], clock: datetime, overlap: timedelta) -> frozenset[str]:
    """Stand-ins for transactions that this user cannot see: assumed to be open now, and to end after the overlap."""
    until = {name: name.removeprefix(_TRANSACTIONS) for name in before if name.startswith(_TRANSACTIONS)}
    waiting = [name for name, moment in until.items() if datetime.fromisoformat(moment) > clock]
    return frozenset({*waiting, f"{_TRANSACTIONS}{(clock + overlap).isoformat()}"})
