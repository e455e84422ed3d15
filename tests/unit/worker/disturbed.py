"""A run in this process that can be disturbed at every step at which it reads or writes something.

A step is a call of a system, the return of one that writes, and both sides of a commit of the cache: so an event comes
before an effect or after it. An event is what a user does in the meantime, or the end of the process.
"""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tidegate.worker.cache.store import Cache
from tidegate.worker.config.rules import SIDES, Sync
from tidegate.worker.connectors import Connector, Description, Identified
from tidegate.worker.run.environment import Order
from tidegate.worker.run.report import Report
from tidegate.worker.run.session import connect
from tidegate.worker.run.steps import complete, opened

Event = Callable[[], None]


class Crash(BaseException):
    """The process is gone."""


def crash() -> None:
    raise Crash


class Witness(Protocol):
    """Who sees every write of the worker, right before it and right after it."""

    def before(self, side: int, verb: str, items: Any) -> None: ...

    def after(self, side: int, verb: str, items: Any) -> None: ...


class Steps:
    """Counts the steps of a process, and lets happen what is to happen at them."""

    def __init__(self, events: Mapping[int, Event], witness: Witness) -> None:
        self.count = 0
        self.witness = witness
        self._events = events

    def step(self) -> None:
        self.count += 1
        if event := self._events.get(self.count):
            event()


class _Collection:
    """A Collection whose calls are steps."""

    batch = 3  # so that a run has many

    def __init__(self, inner: Any, side: int, steps: Steps) -> None:
        self._inner, self._side, self._steps = inner, side, steps

    def field_types(self) -> Any:
        return self._inner.field_types()

    def cursor_type(self) -> Any:
        return self._inner.cursor_type()

    @property
    def where(self) -> Any:
        return self._inner.where

    @property
    def outside(self) -> Any:
        return self._inner.outside

    def __getattr__(self, verb: str) -> Any:
        method = getattr(self._inner, verb)
        writes = verb in ("create", "update", "delete")

        def call(*values: Any) -> Any:
            if writes and not values[0]:
                return []  # the same for all: nothing is to be written
            self._steps.step()
            if not writes:
                answer = method(*values)
                self._steps.witness.after(self._side, verb, values[0] if values else None)
                return answer
            self._steps.witness.before(self._side, verb, values[0])
            answer = method(*values)
            self._steps.witness.after(self._side, verb, values[0])
            self._steps.step()
            return answer

        return call


@dataclass
class _Connector:
    systems: "Systems"
    side: int
    steps: Steps

    def open(self, description: Description) -> Any:
        return _Collection(self.systems.open(self.side, description), self.side, self.steps)

    def system(self, description: Description) -> Mapping[str, str]:
        return self.systems.system(self.side, description)

    def close(self) -> None:
        pass  # the next process uses it again: what is done outside of a transaction of theirs leaves no trace


class Systems:
    """Both systems, connected once for all processes: to find the tables each time is most of a short run's price."""

    def __init__(self, sync: Sync) -> None:
        self._connectors = connect(sync, {})
        self._collections: dict[tuple[int, str], Any] = {}
        self.exchanged = False  # whether each connector leads to the other one's system

    def open(self, side: int, description: Description) -> Any:
        place = side ^ self.exchanged, repr(description)
        if place not in self._collections:
            self._collections[place] = self._connectors[place[0]].open(description)
        return self._collections[place]

    def system(self, side: int, description: Description) -> Mapping[str, str]:
        connector = self._connectors[side ^ self.exchanged]
        assert isinstance(connector, Identified)
        return connector.system(description)

    def close(self) -> None:
        for connector in self._connectors:
            connector.close()


class _Cache(Cache):
    """A Cache whose commits are steps; it does not wait for the disk, since the machine goes on."""

    def __init__(self, directory: Path, epoch: str, steps: Steps) -> None:
        super().__init__(directory, epoch)
        self._db.execute("PRAGMA synchronous = OFF")
        self._steps = steps

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with super().transaction():
            yield
            self._steps.step()
        self._steps.step()


def attempt(order: Order, sync: Sync, systems: Systems, steps: Steps, out: io.StringIO | None = None) -> dict[str, Any]:
    """One process's share of a run, to its end; returns the termination message, and logs to `out`. Raises Crash."""
    out = out or io.StringIO()
    report = Report(Path("/dev/null"), out)

    def connects(*_: Any) -> tuple[Connector, Connector]:
        first, second = (_Connector(systems, side, steps) for side in SIDES)
        return first, second

    def opens(order: Order) -> Cache:
        return _Cache(order.cache_dir, order.cache_epoch, steps)

    with opened(order, sync, {}, report, lambda: False, connects=connects, opens=opens) as session:
        remark = complete(session)
    report.end("complete", remark)
    message: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    return message
