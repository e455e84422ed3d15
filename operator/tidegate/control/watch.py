"""Watch: cluster events → the view, and keys for the queue. The first step of the flow.

kopf serves as the informer: it lists and watches, pages, resumes and reconnects. Its handlers are not used: for each
object they cost a task, a queue and several deep copies, and its indices make a start quadratic in the number of
objects. `continuous_watch` is what its own handlers are fed from. It is not part of kopf's public API, which is why
pyproject.toml keeps kopf to one minor version.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

import kopf
from kopf._cogs.clients import errors
from kopf._cogs.clients.watching import Bookmark, continuous_watch
from kopf._cogs.structs.references import NamespaceName

from tidegate.api import names
from tidegate.control.freshness import Freshness, Stream
from tidegate.control.queue import WorkQueue
from tidegate.control.view import CLAIMS, JOBS, PODS, ClusterView

WATCHED = (
    kopf.Resource(names.GROUP, names.VERSION, names.PLURAL, namespaced=True),
    kopf.Resource("batch", "v1", JOBS, namespaced=True),
    kopf.Resource("", "v1", PODS, namespaced=True),
    kopf.Resource("", "v1", CLAIMS, namespaced=True),
)


class Informer:
    """Keeps the view as the API server has it, fills the queue, and tells `freshness` of everything it is shown."""

    def __init__(
        self, view: ClusterView, queue: WorkQueue, freshness: Freshness, namespaces: Sequence[str] = ()
    ) -> None:
        """`namespaces` are those that are watched; none: the whole cluster."""
        self._view = view
        self._queue = queue
        self._freshness = freshness
        self._streams = [(resource, namespace) for resource in WATCHED for namespace in namespaces or (None,)]
        self._unlisted = {_stream(resource, namespace) for resource, namespace in self._streams}
        self._complete = asyncio.Event()

    async def wait_until_complete(self) -> None:
        """Wait until the first list of each resource has been shown: nothing can be decided from a part of it."""
        await self._complete.wait()

    async def run(self, settings: kopf.OperatorSettings) -> None:
        """Watch forever, as a task of kopf's operator, which logs in. Raises what ends a watch permanently."""
        watches = [
            asyncio.create_task(self._follow(settings, resource, namespace)) for resource, namespace in self._streams
        ]
        try:
            await asyncio.gather(*watches)
        finally:
            for watch in watches:
                watch.cancel()

    async def _follow(self, settings: kopf.OperatorSettings, resource: kopf.Resource, namespace: str | None) -> None:
        never_paused = asyncio.get_running_loop().create_future()
        while True:
            with contextlib.suppress(errors.APITooManyRequestsError):  # after all of kopf's own attempts
                events = continuous_watch(
                    settings=settings,
                    resource=resource,
                    namespace=None if namespace is None else NamespaceName(namespace),
                    operator_pause_waiter=never_paused,
                )
                async with contextlib.aclosing(events):  # type: ignore[type-var]  # kopf says iterator, and not generator
                    await self.follow(_stream(resource, namespace), events)
            await asyncio.sleep(settings.watching.reconnect_backoff)

    async def follow(self, stream: Stream, events: AsyncIterator[Bookmark | Mapping[str, Any]]) -> None:
        """Take in a list, whose events have no type, the bookmark at its end, and what changes from then on.

        A list is the whole truth: what it does not show any more was deleted while nothing was watched.
        """
        listed: set[str] = set()
        async for event in events:
            if event is Bookmark.LISTED:
                for uid in self._freshness.so_far(stream).versions.keys() - listed:
                    await self._gone(stream, uid)
                listed.clear()
                self._listed(stream)
            elif not isinstance(event, Bookmark):
                if event["type"] is None:
                    listed.add(event["object"]["metadata"]["uid"])
                await self._saw(stream, event)

    async def _saw(self, stream: Stream, event: Mapping[str, Any]) -> None:
        body = event["object"]
        version = int(body["metadata"]["resourceVersion"])
        if event["type"] == "BOOKMARK":
            self._freshness.heard(stream, version)
            return
        uid = body["metadata"]["uid"]
        if event["type"] == "DELETED":
            self._freshness.heard(stream, version)
            await self._gone(stream, uid)
        else:
            self._freshness.saw(stream, uid, version)
            await self._wake(self._view.put(stream[0], body))

    async def _gone(self, stream: Stream, uid: str) -> None:
        self._freshness.lost(stream, uid)
        await self._wake(self._view.remove(stream[0], uid))

    async def _wake(self, integrations: Iterable[str]) -> None:
        for uid in integrations:
            await self._queue.add(uid)

    def _listed(self, stream: Stream) -> None:
        self._freshness.listed(stream)
        self._unlisted.discard(stream)
        if not self._unlisted:
            self._complete.set()


def _stream(resource: kopf.Resource, namespace: str | None) -> Stream:
    return (resource.plural, namespace or "")
