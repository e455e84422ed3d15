"""Wait: follow the integrations by a watch until each has reached its goal, or cannot any more."""

import math
import queue
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Protocol

from tidegate.api.base import format_duration
from tidegate.cli.cluster.client import Cluster
from tidegate.cli.cluster.list_watch import Gone, Interrupted
from tidegate.cli.cluster.reader_thread import Stop, reading
from tidegate.cli.decisions.goal import Goal, Verdict, judge, noticed
from tidegate.cli.decisions.integration import NOT_PICKED_UP, Integration, Key
from tidegate.cli.errors import ExitCode

# Seconds after which an operator that runs would have answered.
_NOTICE_WITHIN = 10.0

Event = Integration | Gone | Interrupted | Exception
Events = queue.SimpleQueue[Event]


@dataclass(frozen=True, slots=True)
class Awaited:
    """One integration, as it was when the wait began, and what it is to reach."""

    integration: Integration
    goal: Goal


class Display(Protocol):
    """Where a person follows the wait."""

    def show(self, seen: Integration, *, answered: bool) -> None:
        """An integration has changed and has not reached its goal; `answered`: its status is about what was asked."""

    def end(self, key: Key) -> None:
        """Its wait has ended."""

    def note(self, text: str) -> None:
        """Something to know beside it."""


def wait(
    cluster: Cluster,
    awaited: Sequence[Awaited],
    timeout: timedelta | None,
    display: Display,
    latest: dict[Key, Integration],
) -> dict[Key, Verdict]:
    """How each wait ended; `latest` is kept up to date with what was last seen.

    Raises ClusterError when the API server will not have them followed.
    """
    if not awaited:
        return {}
    events = Events()
    with reading(partial(_listen, cluster, [each.integration.key for each in awaited], events)):
        verdicts = _collect(events, awaited, timeout, display, latest)
    return {each.integration.key: verdicts[each.integration.key] for each in awaited}


def _collect(
    events: Events,
    awaited: Sequence[Awaited],
    timeout: timedelta | None,
    display: Display,
    latest: dict[Key, Integration],
) -> dict[Key, Verdict]:
    pending = {each.integration.key: each for each in awaited}
    verdicts: dict[Key, Verdict] = {}
    began = time.monotonic()
    give_up_at = math.inf if timeout is None else began + timeout.total_seconds()
    ask_at = began + _NOTICE_WITHIN
    while pending:
        event = _next(events, min(give_up_at, ask_at))
        now = time.monotonic()
        if event is not None:
            verdicts |= _take(event, pending, latest, display)
        if now >= ask_at:
            ask_at = math.inf
            if any(not noticed(each.goal, latest[key]) for key, each in pending.items()):
                display.note(NOT_PICKED_UP)
        if now >= give_up_at and timeout is not None:
            for key in pending:
                message = latest[key].status.message or NOT_PICKED_UP
                verdicts[key] = Verdict(ExitCode.TIMED_OUT, f"timed out after {format_duration(timeout)}: {message}")
            break
    return verdicts


def _take(
    event: Event, pending: dict[Key, Awaited], latest: dict[Key, Integration], display: Display
) -> dict[Key, Verdict]:
    """Handle one event: a verdict on its integration, or something to show."""
    if isinstance(event, Exception):
        raise event
    if isinstance(event, Interrupted):
        display.note(f"{event.reason}; retrying")
        return {}
    key = event.key
    if key not in pending:
        return {}
    if isinstance(event, Gone) or event.uid != pending[key].integration.uid:
        verdict = Verdict(ExitCode.NOT_FOUND, "deleted while waiting")
    else:
        latest[key] = event
        found = judge(pending[key].goal, event)
        if found is None:
            display.show(event, answered=noticed(pending[key].goal, event))
            return {}
        verdict = found
    del pending[key]
    display.end(key)
    return {key: verdict}


def _next(events: Events, until: float) -> Event | None:
    timeout = None if math.isinf(until) else max(until - time.monotonic(), 0.0)
    try:
        return events.get(timeout=timeout)
    except queue.Empty:
        return None


def _listen(cluster: Cluster, keys: Sequence[Key], events: Events, stop: Stop) -> None:
    """Follow them in a thread of its own, so that the wait can end at its time, and by Ctrl-C."""
    namespaces = {key.namespace for key in keys}
    namespace = namespaces.pop() if len(namespaces) == 1 else None
    name = keys[0].name if len(keys) == 1 else ""
    try:
        for event in cluster.follow(namespace, name=name, known=keys, stop=stop):
            events.put(event)
    except Exception as error:  # to be raised where it is waited
        events.put(error)
