"""Freshness: how far the watches have come, and when they last said anything. Serves `watchdog` and `metrics`.

The handlers in `watch` report every event here, before anything is read from it.
"""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

Clock = Callable[[], float]
Stream = tuple[str, str]  # a resource (such as `jobs`), and the namespace that is watched ("": all of them)


@dataclass(slots=True)
class _Shown:
    newest: int = 0
    uids: set[str] = field(default_factory=set)
    last_event_at: float | None = None


class Freshness:
    """What each watch has shown. Times are of a monotonic clock, in seconds."""

    def __init__(self, *, per_namespace: bool, clock: Clock = time.monotonic) -> None:
        """`per_namespace`: there is a watch for each namespace rather than one for all."""
        self._per_namespace = per_namespace
        self._clock = clock
        self._shown: dict[Stream, _Shown] = {}

    def saw(self, resource: str, namespace: str, uid: str, version: int, *, deleted: bool) -> None:
        """An event of a watch has come. Resource versions of one resource are ordered (KEP-5504)."""
        shown = self._shown.setdefault((resource, namespace if self._per_namespace else ""), _Shown())
        shown.last_event_at = self._clock()
        shown.newest = max(shown.newest, version)
        if deleted:
            shown.uids.discard(uid)
        else:
            shown.uids.add(uid)

    def uids(self, stream: Stream) -> Collection[str]:
        """The objects that the watch shows as being there."""
        return frozenset(self._shown[stream].uids) if stream in self._shown else frozenset()

    def resources(self) -> Collection[str]:
        """The resources of which anything has been shown."""
        return sorted({resource for resource, _ in self._shown})

    def seconds_since_last_event(self, resource: str) -> float | None:
        """How long the most silent watch of a resource has been silent; None when none has ever shown anything."""
        times = [shown.last_event_at for (of, _), shown in self._shown.items() if of == resource]
        return max((self._clock() - at for at in times if at is not None), default=None)

    def lags(self, stream: Stream, stored: Mapping[str, int], before: Collection[str]) -> bool:
        """True while the watch has not come as far as a list that has just returned `stored`: versions by UID.

        `before` is what the watch showed when the list was asked for: what of it is not in the list has to go.
        """
        newest = self._shown[stream].newest if stream in self._shown else 0
        if newest < max(stored.values(), default=0):
            return True
        return any(uid not in stored for uid in before if uid in self.uids(stream))
