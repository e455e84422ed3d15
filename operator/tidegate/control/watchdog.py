"""Watchdog: compares what the watches show with what the API server holds, and ends a process that is blind.

kopf's watch of a resource may end for good, or hang on a dead connection, while the process lives on. A blind operator
is worse than none, since Kubernetes restarts only what ends: so the truth is asked for from time to time, by a list of
metadata, and a watch that does not show it in time ends the process (design section 5).
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp
from kubernetes.aio.client.exceptions import ApiException
from pydantic import BaseModel, Field

from tidegate.api import names
from tidegate.control import outage
from tidegate.control.freshness import Freshness, SoFar, Stream
from tidegate.control.rest import Rest, path

logger = logging.getLogger(__name__)

_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_REQUEST_TIMEOUT = 30.0
_PAGE = "1000"
_OURS = f"{names.MANAGED_BY_LABEL}={names.MANAGED_BY}"
_LOOK_AGAIN = 0.2

# A list of many objects takes many pages: they are spread, so that idleness costs little in any minute, at any size.
_REQUESTS_PER_PERIOD = 2.5
# Where so many namespaces are watched that this would take too long, a round over all watches takes so many periods.
_LONGEST_ROUND = 10
# An API server forgets the state that the pages of one list show after 5 minutes
# (https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks).
_LONGEST_LIST = 240.0


@dataclass(frozen=True, slots=True)
class Watched:
    """A resource that the operator watches: where it is listed, and under which label selector."""

    plural: str
    prefix: str
    selector: str = ""


WATCHED = (
    Watched(names.PLURAL, f"/apis/{names.GROUP}/{names.VERSION}"),
    Watched("jobs", "/apis/batch/v1", _OURS),
    Watched("pods", "/api/v1", _OURS),
    Watched("persistentvolumeclaims", "/api/v1", _OURS),
)


class BlindError(Exception):
    """A watch does not show what the API server holds: the process has to exit and restart."""


class Watchdog:
    """Compares one watch after the other with the API server, and waits `patience` seconds for each to make progress.

    It asks for `_REQUESTS_PER_PERIOD` pages in `period` seconds, evenly spread. kopf itself connects again where a
    watch has been silent for a minute, bookmarks included; this finds what that does not heal.
    """

    def __init__(
        self, rest: Rest, freshness: Freshness, namespaces: Sequence[str], *, period: float, patience: float
    ) -> None:
        self._rest = rest
        self._freshness = freshness
        self._namespaces = namespaces
        self._period = period
        self._patience = patience
        self._sighted = False
        self._blind = False
        self._listed: dict[Stream, int] = {}  # the version of the newest list of each
        self._pages: dict[Stream, int] = {}  # of the newest list of each

    @property
    def sighted(self) -> bool:
        """True when the watches have once shown all that there is: before that the operator is not ready."""
        return self._sighted

    @property
    def blind(self) -> bool:
        """True when a watch has been found to be dead or silent."""
        return self._blind

    async def run(self) -> None:
        """Check until a watch fails. Raises BlindError when a watch is dead or silent."""
        streams = [(watched, namespace) for watched in WATCHED for namespace in self._namespaces or ("",)]
        while not self._sighted:
            for stream in streams:
                if not await self._answered(*stream):
                    break
            else:
                self._sighted = True
            await asyncio.sleep(self._period)
        while True:
            pause = pause_after_request(sum(self._pages.values()), self._period)
            for stream in streams:
                await self._answered(*stream, pause)
                await asyncio.sleep(pause)

    async def _answered(self, watched: Watched, namespace: str, pause: float = 0) -> bool:
        """Compare one watch, with a pause between pages; False when the API server did not say what it holds."""
        try:
            await self._check(watched, namespace, pause)
        except (ApiException, aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            # The truth is unknown now; a restart would not find it out either.
            where = f" in namespace {namespace}" if namespace else ""
            why = outage.explain(error) or " ".join(str(error).split())
            logger.warning("cannot list %s%s to compare the watch with it: %s", watched.plural, where, why)
            return False
        return True

    async def _check(self, watched: Watched, namespace: str, pause: float) -> None:
        stream = (watched.plural, namespace)
        before = self._freshness.so_far(stream)
        version, stored = await self._list(watched, namespace, pause)
        where = f" in namespace {namespace}" if namespace else ""
        if before.is_undone_by(version, stored) or version < self._listed.get(stream, 0):
            self._blind = True
            raise BlindError(
                f"the API server holds an older state of {watched.plural}{where} than it has shown before, as after a "
                "restored backup: the watches would show nothing new for a long time"
            )
        self._listed[stream] = version
        if not await shown(self._freshness, stream, stored, before, self._patience):
            self._blind = True
            raise BlindError(
                f"the watch of {watched.plural}{where} has not shown for {self._patience:.0f} s what the API server "
                "holds: it is dead or silent"
            )

    async def _list(self, watched: Watched, namespace: str, pause: float) -> tuple[int, Mapping[str, int]]:
        """The list's own resourceVersion, and that of each object by UID. All pages show one state."""
        stream = (watched.plural, namespace)
        pause = min(pause, _LONGEST_LIST / self._pages.get(stream, 1))
        versions: dict[str, int] = {}
        page = await self._page(watched, namespace)
        own, pages = page.metadata.resource_version, 1
        versions.update(page.versions())
        while page.metadata.proceed:
            await asyncio.sleep(pause)
            try:
                page = await self._page(watched, namespace, page.metadata.proceed)
            except ApiException as error:
                if error.status == HTTPStatus.GONE and pause:  # that state is forgotten already
                    return await self._list(watched, namespace, pause=0)
                raise
            pages += 1
            versions.update(page.versions())
        self._pages[stream] = pages
        return own, versions

    async def _page(self, watched: Watched, namespace: str, proceed: str = "") -> "_Page":
        query = {"labelSelector": watched.selector, "continue": proceed, "limit": _PAGE}
        where = path(watched.prefix, watched.plural, namespace)
        named = {key: value for key, value in query.items() if value}
        page = await self._rest.ask("GET", where, query=named, accept=_METADATA_ONLY, within=_REQUEST_TIMEOUT)
        return _Page.model_validate(page)


def pause_after_request(of_round: int, period: float) -> float:
    """How many seconds to wait after a request, when a round over all watches takes so many."""
    return period / max(_REQUESTS_PER_PERIOD, of_round / _LONGEST_ROUND)


async def shown(
    freshness: Freshness, stream: Stream, stored: Mapping[str, int], before: SoFar, patience: float
) -> bool:
    """Wait until the watch shows what is `stored`. False when it makes no progress for `patience` seconds.

    A start with many objects takes long, and a process that ended for it would never start: what counts is how long
    nothing more has been shown. The API server's list is finite, so a watch that is dead is found.
    """
    clock = asyncio.get_running_loop().time
    behind = freshness.behind(stream, stored, before)
    progress_at = clock()
    while freshness.lags(stream, stored, before):
        await asyncio.sleep(_LOOK_AGAIN)
        now = freshness.behind(stream, stored, before)
        if now != behind:
            behind, progress_at = now, clock()
        elif clock() - progress_at >= patience:
            return False
    return True


class _ListMetadata(BaseModel):
    proceed: str = Field(default="", alias="continue")
    resource_version: int = Field(alias="resourceVersion")


class _Metadata(BaseModel):
    uid: str
    resource_version: int = Field(alias="resourceVersion")


class _Item(BaseModel):
    metadata: _Metadata


class _Page(BaseModel):
    """A page of a PartialObjectMetadataList."""

    metadata: _ListMetadata
    items: list[_Item] | None = None  # the API server writes null for none

    def versions(self) -> Mapping[str, int]:
        """The resourceVersion of each object, by UID."""
        return {item.metadata.uid: item.metadata.resource_version for item in self.items or ()}
