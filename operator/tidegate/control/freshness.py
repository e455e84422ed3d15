"""Freshness: how far the watches have come, and when each last had an event.

`watch` reports every event here, before anything is read from it.
"""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

Clock = Callable[[], float]
Stream = tuple[str, str]  # a resource (such as `jobs`), and the namespace that is watched ("": all of them)


@dataclass(slots=True)
class _Shown:
    newest: int = 0
    versions: dict[str, int] = field(default_factory=dict)  # by UID, of what is there
    listed: bool = False  # all of its first list; objects come in order of their names, so the newest proves nothing
    last_event_at: float | None = None


@dataclass(frozen=True, slots=True)
class SoFar:
    """What a watch has shown: the newest version that it has come to, and that of each object that is there."""

    newest: int = 0
    versions: Mapping[str, int] = field(default_factory=dict)

    def is_undone_by(self, version: int, stored: Mapping[str, int]) -> bool:
        """True when a list that was asked for afterwards is older: the API server has forgotten what it has shown.

        `version` is the list's own, `stored` those of its objects by UID. etcd was restored from a backup: it hands out
        the same versions once more, and a watch that resumes from where it was is shown nothing until they are
        reached again (https://github.com/kubernetes/kubernetes/issues/107457).
        """
        return version < self.newest or any(stored.get(uid, shown) < shown for uid, shown in self.versions.items())


class Freshness:
    """What each watch has shown. Times are of a monotonic clock, in seconds. Metrics read it from their own thread."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._shown: dict[Stream, _Shown] = {}

    def heard(self, stream: Stream, version: int) -> None:
        """A watch has come to this version. Resource versions of one resource are ordered (KEP-5504)."""
        shown = self._shown.setdefault(stream, _Shown())
        shown.last_event_at = self._clock()
        shown.newest = max(shown.newest, version)

    def saw(self, stream: Stream, uid: str, version: int) -> None:
        """A watch has shown an object in this version."""
        self.heard(stream, version)
        self._shown[stream].versions[uid] = version

    def lost(self, stream: Stream, uid: str) -> None:
        """A watch has shown that an object is gone."""
        self._shown[stream].versions.pop(uid, None)

    def listed(self, stream: Stream) -> None:
        """A watch has shown all of its first list."""
        self._shown.setdefault(stream, _Shown()).listed = True

    def so_far(self, stream: Stream) -> SoFar:
        """What the watch has shown by now."""
        shown = self._shown.get(stream, _Shown())
        return SoFar(shown.newest, dict(shown.versions))

    def resources(self) -> Collection[str]:
        """The resources of which anything has been shown."""
        return sorted({resource for resource, _ in tuple(self._shown)})

    def seconds_since_last_event(self, resource: str) -> float | None:
        """How long the most silent watch of a resource has been silent; None when none has ever shown anything."""
        times = [shown.last_event_at for (of, _), shown in tuple(self._shown.items()) if of == resource]
        return max((self._clock() - at for at in times if at is not None), default=None)

    def lags(self, stream: Stream, stored: Mapping[str, int], before: SoFar) -> bool:
        """True while the watch has not come as far as a list that has just returned `stored`: versions by UID.

        `before` is what the watch showed when the list was asked for: what of it is not in the list has to go.
        """
        now = self._shown.get(stream, _Shown())
        if not now.listed or now.newest < max(stored.values(), default=0):
            return True
        return any(uid not in stored for uid in before.versions if uid in now.versions)

    def behind(self, stream: Stream, stored: Mapping[str, int], before: SoFar) -> int:
        """How many objects of `stored` the watch has not shown, and how many deletions: less when it makes progress."""
        now = self._shown.get(stream, _Shown()).versions
        missing = sum(now.get(uid, 0) < version for uid, version in stored.items())
        return missing + sum(uid not in stored for uid in before.versions if uid in now)
