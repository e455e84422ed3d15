"""What the watches show becomes the view, and nothing is decided before all of it has been shown."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from kopf._cogs.clients.watching import Bookmark

from tidegate.api import names
from tidegate.control.freshness import Freshness
from tidegate.control.queue import WorkQueue
from tidegate.control.view import CLAIMS, JOBS, PODS, ClusterView
from tidegate.control.watch import Informer

from .test_parse import job_body, pod_body, terminated

SYNCS = (names.PLURAL, "")
Event = Bookmark | Mapping[str, Any]


def sync(uid: str, version: int = 1, **spec: Any) -> dict[str, Any]:
    metadata = {"name": uid, "namespace": "sales", "uid": uid, "generation": 1, "resourceVersion": str(version)}
    return {"kind": "SyncIntegration", "metadata": metadata, "spec": {"status": "ON", **spec}}


def listed(*bodies: dict[str, Any]) -> list[Event]:
    return [*({"type": None, "object": body} for body in bodies), Bookmark.LISTED]


def event(type_: str, body: dict[str, Any]) -> Event:
    return {"type": type_, "object": body}


class Watching:
    """An informer, and what it fills."""

    def __init__(self) -> None:
        self.view, self.queue, self.freshness = ClusterView(), WorkQueue(), Freshness()
        self.informer = Informer(self.view, self.queue, self.freshness)

    async def show(self, *events: Event, stream: tuple[str, str] = SYNCS) -> None:
        async def told() -> AsyncIterator[Event]:
            for each in events:
                yield each

        await self.informer.follow(stream, told())

    def names(self) -> set[str]:
        return {integration.name for integration in self.view.integrations()}

    async def woken(self) -> set[str]:
        """Take what is queued."""
        uids = {await self.queue.take() for _ in range(self.queue.depth)}
        for uid in uids:
            await self.queue.done(uid)
        return uids


@pytest.fixture
def watching() -> Watching:
    return Watching()


async def test_the_view_is_complete_when_the_last_first_list_was_shown(watching: Watching) -> None:
    complete = asyncio.ensure_future(watching.informer.wait_until_complete())
    await watching.show(*listed(sync("a")))
    await watching.show(*listed(), stream=(JOBS, ""))
    await watching.show(*listed(), stream=(PODS, ""))
    await watching.show(*listed()[:-1], stream=(CLAIMS, ""))  # it broke off
    await asyncio.sleep(0)
    assert not complete.done()
    await watching.show(*listed(), stream=(CLAIMS, ""))
    await complete


async def test_each_watched_namespace_has_to_be_listed() -> None:
    informer = Informer(ClusterView(), WorkQueue(), Freshness(), ["sales", "erp"])
    complete = asyncio.ensure_future(informer.wait_until_complete())

    async def nothing() -> AsyncIterator[Event]:
        yield Bookmark.LISTED

    for namespace in ("sales", "erp"):
        await asyncio.sleep(0)
        assert not complete.done()
        for resource in (names.PLURAL, JOBS, PODS, CLAIMS):
            await informer.follow((resource, namespace), nothing())
    await complete


async def test_an_event_replaces_the_known_object_and_requeues_its_integration(watching: Watching) -> None:
    await watching.show(*listed(sync("a", 1)))
    assert await watching.woken() == {"a"}
    await watching.show(event("MODIFIED", sync("a", 2, delay="1h")))
    seen = watching.view.observe("a")
    assert seen is not None
    assert seen.integration.resource_version == "2"
    assert await watching.woken() == {"a"}
    await watching.show(event("DELETED", sync("a", 3)))
    assert watching.view.observe("a") is None
    assert await watching.woken() == {"a"}


async def test_an_object_missing_from_a_later_list_is_gone(watching: Watching) -> None:
    """A watch that was away for long begins again with a list; nobody says what was deleted meanwhile."""
    await watching.show(*listed(sync("a"), sync("b")))
    await watching.woken()
    await watching.show(*listed(sync("b"), sync("c")))
    assert watching.names() == {"b", "c"}
    assert await watching.woken() == {"a", "b", "c"}
    assert watching.freshness.so_far(SYNCS).versions.keys() == {"b", "c"}


async def test_an_incomplete_list_forgets_nothing(watching: Watching) -> None:
    await watching.show(*listed(sync("a"), sync("b")))
    await watching.show(*listed(sync("a"))[:-1])
    assert watching.names() == {"a", "b"}
    await watching.show(*listed(sync("b")))
    assert watching.names() == {"b"}


async def test_a_job_belongs_to_its_integration_until_its_owner_changes(watching: Watching) -> None:
    job = job_body()
    uid = job["metadata"]["ownerReferences"][0]["uid"]
    await watching.show(*listed(sync(uid), sync("other")))
    await watching.woken()

    def jobs_of(owner: str) -> int:
        seen = watching.view.observe(owner)
        assert seen is not None
        return len(seen.jobs)

    await watching.show(*listed(job), stream=(JOBS, ""))
    assert (jobs_of(uid), jobs_of("other")) == (1, 0)
    assert await watching.woken() == {uid}
    job["metadata"]["ownerReferences"][0]["uid"] = "other"
    await watching.show(event("MODIFIED", job), stream=(JOBS, ""))
    assert (jobs_of(uid), jobs_of("other")) == (0, 1)
    assert await watching.woken() == {uid, "other"}
    await watching.show(event("DELETED", job), stream=(JOBS, ""))
    assert (jobs_of(uid), jobs_of("other")) == (0, 0)
    assert await watching.woken() == {"other"}


async def test_an_unreadable_object_is_reported_and_hides_no_other(
    watching: Watching, caplog: pytest.LogCaptureFixture
) -> None:
    await watching.show(*listed(sync("a", delay="soon"), {**sync("b"), "spec": 5}, sync("c")))
    assert watching.names() == {"c"}
    assert "ignoring SyncIntegration sales/a" in caplog.text
    assert "ignoring SyncIntegration sales/b" in caplog.text


async def test_a_bookmark_advances_a_watch_without_changes(watching: Watching) -> None:
    await watching.show(*listed(sync("a", 1)), event("BOOKMARK", {"metadata": {"resourceVersion": "90"}}))
    assert watching.freshness.so_far(SYNCS).newest == 90
    assert watching.names() == {"a"}


async def test_what_a_pod_said_at_its_end_is_known_as_long_as_its_job(watching: Watching) -> None:
    uid = "integration-1"
    name = names.job_name(uid, uid, 12)
    job = job_body()
    job["metadata"] |= {"name": name, "uid": "job-12"}
    job["metadata"]["ownerReferences"][0]["uid"] = uid
    pod = pod_body("Failed", terminated("sync", 3))
    pod["metadata"] |= {
        "labels": {names.INTEGRATION_UID_LABEL: uid},
        "ownerReferences": [
            {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": "job-12", "controller": True}
        ],
    }
    await watching.show(*listed(sync(uid)))
    await watching.show(*listed(job), stream=(JOBS, ""))
    await watching.show(*listed(), event("ADDED", pod), event("DELETED", pod), stream=(PODS, ""))
    seen = watching.view.observe(uid)
    assert seen is not None
    assert [(each.exit_code, each.live) for each in seen.pods] == [(3, False)]
    await watching.show(event("DELETED", job), stream=(JOBS, ""))
    await watching.show(event("ADDED", job), stream=(JOBS, ""))
    seen = watching.view.observe(uid)
    assert seen is not None
    assert seen.pods == ()
