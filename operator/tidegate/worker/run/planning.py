"""Planning: take the steps of a full run that pushes, or of an undo, on systems that are never written, and say what it
would do.

One implementation for `tidegate-worker plan` and for a run that is asked for a plan: what differs is where the cache
is copied from and who reads the result.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from tidegate.worker.config.rules import Sync
from tidegate.worker.connectors import Connector
from tidegate.worker.run.details import Detail, details
from tidegate.worker.run.environment import Order
from tidegate.worker.run.planned import Changes, PlannedConnector
from tidegate.worker.run.report import Report
from tidegate.worker.run.session import Session, connect, title_of
from tidegate.worker.run.steps import complete, opened
from tidegate.worker.run.undo.written import written


@dataclass(frozen=True, slots=True)
class PlannedSide:
    """What the run would do to one object's records on one side; `set_aside` waits for a person afterwards."""

    object: str
    connector: str
    create: int
    update: int
    delete: int
    set_aside: int


@dataclass(frozen=True, slots=True)
class Planned:
    """What a run would do, each reason for which it would halt first, and the single records while it is open.

    `written` is what the run had written that an undo takes back; of any other run there is nothing.
    """

    sides: Sequence[PlannedSide]
    would_halt: Sequence[str]
    remark: str
    records: Callable[[bool], Iterator[Detail]]
    written: Callable[[bool], Iterator[Detail]]


@contextmanager
def planned_run(
    order: Order, sync: Sync, environ: Mapping[str, str], report: Report, interrupted: Callable[[], bool]
) -> Iterator[Planned]:
    """Plan the run in `order.cache_dir`, a directory of the plan's own that holds the cache, or nothing.

    Raises RunEnded where the run would end before it comes to its guard: it cannot be planned.
    """
    would_halt: list[str] = []
    with closing(Changes(order.cache_dir)) as changes:

        def connects(sync: Sync, environ: Mapping[str, str]) -> tuple[Connector, Connector]:
            first, second = connect(sync, environ)
            return PlannedConnector(first, changes), PlannedConnector(second, changes)

        with opened(order, sync, environ, report, interrupted, connects=connects, would_halt=would_halt) as session:
            remark = complete(session)
            yield Planned(
                list(_sides(session, changes)),
                would_halt,
                remark,
                lambda values: details(session, changes, values=values),
                lambda values: written(session, values=values),
            )


def _sides(session: Session, changes: Changes) -> Iterator[PlannedSide]:
    counted = session.cache.parked.count_by_source() if session.order.undo is None else {}
    for both in session.pairs:
        for source in both.sources:
            counts = changes.count(title_of(source.item, source.name))
            yield PlannedSide(source.item.name, source.name, *counts, set_aside=counted.get(source.number, 0))
