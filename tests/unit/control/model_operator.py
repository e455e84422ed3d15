"""An operator in the model: the real `reconcile`, stopped before each of its writes.

Each pass is a coroutine that is driven by hand. Before each request the test chooses whether it is answered, fails, is
done without an answer, or never returns because the operator crashes; a crash may leave the request on its way.
"""

import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from tidegate.control.act import RefusedError, StaleViewError, Writer
from tidegate.control.reconcile import Reconciler
from tidegate.control.view import ClusterView

from .model import UID, ModelView, ModelWriter, Request, Server


@dataclass
class InFlight:
    """A request whose sender is gone; it may still arrive."""

    request: Request
    until: timedelta


@dataclass
class ModelOperator:
    """One operator process after the other."""

    server: Server
    clock: Callable[[], datetime]
    view: ModelView = field(init=False)
    pending: Request | None = None  # what the present pass is about to ask the API server
    wake_at: datetime | None = None
    _reconciler: Reconciler = field(init=False)
    _pass: Coroutine[tuple[Request, float], Any, datetime | None] | None = None
    _pending_until: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        self.restart(self.server.revision)

    def restart(self, revision: int) -> None:
        """Forget everything, and list what there was at a revision."""
        self._end_pass()
        self.server.ledger.operator_started()
        self.view = ModelView(self.server, revision)
        writer = ModelWriter(self.server)
        self._reconciler = Reconciler(
            cast(ClusterView, self.view),
            cast(Writer, writer),
            self.clock,
            seconds=lambda: self.server.time.total_seconds(),
        )

    def crash(self, revision: int) -> InFlight | None:
        """Restart in the middle of whatever it was doing."""
        in_flight = InFlight(self.pending, self._pending_until) if self.pending else None
        self.restart(revision)
        return in_flight

    def begin(self) -> None:
        """Look at the integration, up to the first request."""
        if self._pass is None:
            self._pass = self._reconciler.reconcile(UID)
            self._go_on(None)

    def answer(self) -> None:
        """Let the pending request happen, and the pass go on to the next one."""
        if self.server.errors:
            self.server.errors -= 1
            self.fail(done=False)
            return
        try:
            answer = self._ask()
        except (StaleViewError, RefusedError) as refused:
            self._go_on(refused)
        else:
            self._go_on(answer)

    def fail(self, *, done: bool) -> None:
        """The pending request gets no answer, whether it was done or not."""
        if done:
            arrive(self._ask)
        self._go_on(TimeoutError())

    def complete(self) -> None:
        """A whole pass without any disturbance."""
        self.begin()
        while self.pending is not None:
            self.answer()

    def see_everything(self) -> None:
        for key in self.view.behind():
            self.view.show(key)

    def time_passes(self) -> None:
        """A request that takes too long is given up."""
        if self.pending is not None and self.server.time > self._pending_until:
            self._go_on(TimeoutError())

    def _ask(self) -> Any:
        assert self.pending is not None
        return self.pending()

    def _go_on(self, answer: Any) -> None:
        assert self._pass is not None
        self.pending = None
        try:
            asked = self._pass.throw(answer) if isinstance(answer, Exception) else self._pass.send(answer)
            self.pending, within = asked
            self._pending_until = self.server.time + timedelta(seconds=within)
        except StopIteration as stop:
            self._pass, self.wake_at = None, stop.value
        except TimeoutError:
            self._pass, self.wake_at = None, None

    def _end_pass(self) -> None:
        if self._pass is not None:
            self._pass.close()
        self._pass, self.pending, self.wake_at = None, None, None


def arrive(request: Request) -> None:
    """A request reaches the API server; nobody hears the answer."""
    with contextlib.suppress(StaleViewError, RefusedError):
        request()
