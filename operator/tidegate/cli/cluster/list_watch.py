"""List and watch: what there is of a kind, then every change of it, renewed as often as need be."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from kubernetes import watch
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError, MaxRetryError

from tidegate.cli.cluster.api_errors import translated, words
from tidegate.cli.cluster.reader_thread import Stop
from tidegate.cli.decisions.integration import Body, Key

# Seconds. A watch that is silent for longer than the server's bookmarks take is dead, and is renewed.
CONNECT, ANSWER = 10.0, 30.0
_SILENCE = 150.0
_WATCH = 600
_LONGEST_PAUSE = 10.0

_GONE, _SERVER_ERROR = 410, 500


@dataclass(frozen=True, slots=True)
class Gone:
    """The object does not exist any more."""

    key: Key


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The API server cannot be reached; following continues as soon as it can be."""

    reason: str


@dataclass
class Follower:
    """Follows what one call of the API client lists."""

    call: Callable[..., Any]
    known: set[Key] = field(default_factory=set)  # reported already: their absence is news
    stop: Stop = field(default_factory=Stop)
    times: tuple[float, float] | None = (CONNECT, ANSWER)  # seconds, of a list; None: no limit
    version: str = ""  # the resourceVersion to go on from; none: list first
    _listed: bool = False
    _pause: float = 0.0

    def changes(self) -> Iterator[Body | Gone | Interrupted]:
        """Until it is stopped. Raises ClusterError when the API server refuses, or cannot be reached at first."""
        with translated():
            while not self.stop.asked:
                try:
                    if not self.version:
                        yield from self._list()
                    yield from self._watch()
                except ApiException as error:
                    if error.status == _GONE:  # the server has forgotten what came after this version
                        self.version = ""
                    elif self._listed and (error.status or _SERVER_ERROR) >= _SERVER_ERROR:
                        yield Interrupted(words(error))
                    else:
                        raise
                except HTTPError as error:
                    if not self._listed:
                        raise
                    # A connection that breaks or falls silent is news only if there is no other one to be had.
                    if isinstance(error, MaxRetryError) and not self.stop.asked:
                        yield Interrupted(words(error))
                self.stop.sleep(self._pause)
                self._pause = min(max(2 * self._pause, 1.0), _LONGEST_PAUSE)

    def _list(self) -> Iterator[Body | Gone]:
        listed = cast(Body, self.call(_request_timeout=self.times))
        present = {key_of(item): item for item in listed["items"]}
        yield from (Gone(key) for key in sorted(self.known - present.keys()))
        yield from present.values()
        self.known = set(present)
        self.version, self._listed = listed["metadata"]["resourceVersion"], True

    def _watch(self) -> Iterator[Body | Gone]:
        watcher = watch.Watch()  # type: ignore[no-untyped-call]
        events = watcher.stream(  # type: ignore[no-untyped-call]
            self.call,
            resource_version=self.version,
            allow_watch_bookmarks=True,
            timeout_seconds=_WATCH,
            _request_timeout=(CONNECT, _SILENCE),
        )
        with self.stop.ends_by(watcher.stop):
            for event in events:
                if event is not None:  # a line that was cut off
                    yield from self._take(event["type"], event["raw_object"])

    def _take(self, type_: str, body: Body) -> Iterator[Body | Gone]:
        self.version, self._pause = body["metadata"]["resourceVersion"], 0.0
        if type_ == "DELETED":
            self.known.discard(key_of(body))
            yield Gone(key_of(body))
        elif type_ != "BOOKMARK":
            self.known.add(key_of(body))
            yield body


def key_of(body: Body) -> Key:
    """The namespace and name of an object."""
    return Key(body["metadata"]["namespace"], body["metadata"]["name"])
