"""Reconcile: one pass over one integration, in the order of the flow: observe → decide → report → act."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TypeGuard

from tidegate.api.status import SyncIntegrationStatus
from tidegate.control.act import RefusedError, StaleViewError, Writer
from tidegate.control.decide import decide
from tidegate.control.history import CREATION_PATIENCE
from tidegate.control.metrics import Metrics
from tidegate.control.observation import NO_RUN, Body, Integration, Observation, Refusal
from tidegate.control.report import report
from tidegate.control.step import (
    Action,
    Announce,
    Chore,
    CreateCache,
    CreateJob,
    DeleteJob,
    EvictPod,
    LookUpJob,
    Step,
    SuspendJob,
)
from tidegate.control.view import ClusterView

logger = logging.getLogger(__name__)

# The watch shows an own write within milliseconds; after this long the write is no longer waited for, and the
# preconditions of the next writes are what protects from an old view.
WRITE_VISIBLE_WITHIN = timedelta(seconds=10)

_NEVER = datetime.min.replace(tzinfo=UTC)

FIRST_ATTEMPT_AFTER_REFUSAL = timedelta(seconds=5)
LONGEST_WAIT_AFTER_REFUSAL = timedelta(minutes=1)
LONGEST_WAIT_FOR_HUMAN = timedelta(minutes=5)

# A run is created or resumed so soon after its claim, or not at all: some time before the claim may be given up, since
# the API server may still be at work on a request that is given up here.
START_WITHIN = CREATION_PATIENCE - timedelta(seconds=5)

TRY_AGAIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class _AtRest:
    """What a pass saw that found nothing to do, and until when that is certain (invariant I6)."""

    seen: Observation
    since: datetime
    look_again_at: datetime | None

    def covers(self, seen: Observation, now: datetime) -> bool:
        """Whether a pass at `now` would find nothing to do either; unknown, so False, when the clock was set back."""
        return self.since <= now and (self.look_again_at is None or now < self.look_again_at) and seen == self.seen


@dataclass
class _Memory:
    """What is known of an integration beyond the watches; losing it costs a request, never correctness."""

    written: dict[str, int] = field(default_factory=dict)  # object → resourceVersion of our last write
    deleted: set[str] = field(default_factory=set)  # UIDs of Jobs and Pods
    written_at: datetime = _NEVER
    refusal: Refusal | None = None
    refusals: int = 0
    put_off: dict[str, datetime] = field(default_factory=dict)  # UIDs of Jobs and Pods whose end was refused → until
    attempt: str = ""
    at_rest: _AtRest | None = None
    exact: Body | None = None  # a stored status that is to the letter what we write


_STATUS = "status"
_CACHE = "cache"


def _earliest(*times: datetime | None) -> datetime | None:
    return min((at for at in times if at is not None), default=None)


def _starts(action: Action) -> bool:
    """Whether a Pod follows: a Job is created or resumed."""
    return isinstance(action, CreateJob) or (isinstance(action, SuspendJob) and not action.suspend)


def _is_housekeeping(action: Action) -> TypeGuard[DeleteJob]:
    return isinstance(action, DeleteJob) and action.housekeeping


def _attempt(status: SyncIntegrationStatus, write: str) -> str:
    run, last = status.run, status.last_run
    return f"{write}: {status.phase}, run {run and run.number}, after {last and last.number}"


def _wire(status: SyncIntegrationStatus, integration: Integration, memory: _Memory) -> Body:
    """The status as JSON: what is stored, where that is the same. Most passes change nothing, and JSON costs time."""
    stored = integration.stored_status
    return stored if status == integration.status and memory.exact == stored else status.to_wire()


class Reconciler:
    """Brings one integration after the other to what is declared."""

    def __init__(
        self,
        view: ClusterView,
        writer: Writer,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        metrics: Metrics | None = None,
        wake: Callable[[str], Awaitable[None]] | None = None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """`wake` has an integration reconciled soon, by its UID; `seconds` is a monotonic clock."""
        self._view = view
        self._writer = writer
        self._metrics = metrics or Metrics()
        self._clock = clock
        self._wake = wake
        self._seconds = seconds
        self._memories: dict[str, _Memory] = {}

    def attempt(self, uid: str) -> str:
        """What the last pass over this integration tried last; the same for a repetition of it."""
        memory = self._memories.get(uid)
        return memory.attempt if memory else ""

    async def reconcile(self, uid: str) -> datetime | None:
        """Reconcile the integration with this UID once; return when to requeue it, if time alone can change anything.

        Raises ApiException and aiohttp's errors when the API server is not available: retry later.
        """
        seen = self._view.observe(uid)
        if seen is None:
            self._memories.pop(uid, None)
            self._metrics.forgot(uid)
            return None
        memory = self._memories.setdefault(uid, _Memory())
        now = self._clock()
        if self._is_older_than_own_writes(seen, memory) and now < memory.written_at + WRITE_VISIBLE_WITHIN:
            return memory.written_at + WRITE_VISIBLE_WITHIN
        memory.written.clear()
        memory.deleted.clear()
        seen = replace(seen, refusal=memory.refusal)
        if memory.at_rest is not None and memory.at_rest.covers(seen, now):
            # So that objects that the view has replaced are freed.
            memory.at_rest = replace(memory.at_rest, seen=seen)
            memory.exact = seen.integration.stored_status
            return memory.at_rest.look_again_at
        memory.at_rest = None
        step = decide(seen, now)
        began = self._seconds()
        look_up = next((action for action in step.actions if isinstance(action, LookUpJob)), None)
        if look_up is not None and await self._writer.job_is_absent(seen.integration, look_up.name):
            seen = replace(seen, absent_job=look_up.name)
            now, began = self._clock(), self._seconds()
            step = decide(seen, now)
        try:
            return await self._carry_out(seen, step, memory, now, began)
        except StaleViewError as error:
            logger.info("%s/%s: %s", seen.integration.namespace, seen.integration.name, error)
            return now + timedelta(seconds=1)

    async def _carry_out(
        self, seen: Observation, step: Step, memory: _Memory, now: datetime, began: float
    ) -> datetime | None:
        starts = any(_starts(action) for action in step.actions)
        integration = seen.integration
        status = report(seen, step, now)
        wire = _wire(status, integration, memory)
        # A run is claimed by a write even where the status reads the same: the write is the fence.
        is_new = starts or wire != integration.stored_status
        if is_new:
            logger.debug("%s/%s: %s: %s", integration.namespace, integration.name, status.phase, status.message)
            memory.attempt = _attempt(status, "status")
            version = await self._writer.write_status(integration, wire)
            memory.exact = wire
            self._remember(memory, _STATUS, version, now)
            self._metrics.wrote(integration, status)
        else:
            memory.exact = integration.stored_status
        announcements = [action for action in step.actions if isinstance(action, Announce)]
        chores = [action for action in step.actions if isinstance(action, EvictPod) or _is_housekeeping(action)]
        deeds = [action for action in step.actions if action not in announcements and action not in chores]
        try:
            await self._take(integration, status, deeds, memory, now, began)
        except RefusedError as refused:
            return self._remember_refusal(seen, step, refused, memory, now)
        finally:
            # The status says it already; what is in doubt is only whether the rest could be done.
            for announcement in announcements:
                await self._writer.attempt(integration, announcement)
        look_again_at = _earliest(step.look_again_at, await self._do_chores(integration, chores, memory, now))
        if not is_new and not step.actions:
            memory.at_rest = _AtRest(seen, now, look_again_at)
        return look_again_at

    async def _take(
        self,
        integration: Integration,
        status: SyncIntegrationStatus,
        deeds: Sequence[Action],
        memory: _Memory,
        now: datetime,
        began: float,
    ) -> None:
        for action in deeds:
            logger.debug("%s/%s: %s", integration.namespace, integration.name, action)
            memory.attempt = _attempt(status, type(action).__name__)
            # From the claim on, as `now` has it: all requests together are given up before OFF may end the claim.
            within = START_WITHIN.total_seconds() - (self._seconds() - began)
            if isinstance(action, CreateCache | CreateJob) or _starts(action):
                if within <= 0:
                    raise StaleViewError("the API server is too slow: the claim is too old for its run to start")
                written = await self._writer.take(integration, action, within)
            else:
                written = await self._writer.take(integration, action)
            match action:
                case CreateJob(run):
                    was_refused = memory.refusal is not None
                    memory.refusal, memory.refusals = None, 0
                    self._remember(memory, run.job_name, written, now)
                    if was_refused:
                        await self._retry_what_is_refused(now)
                case SuspendJob(name=name):
                    self._remember(memory, name, written, now)
                case CreateCache():
                    self._remember(memory, _CACHE, written, now)
                case DeleteJob(uid=job_uid):
                    memory.deleted.add(job_uid)
                    memory.written_at = now

    async def _do_chores(
        self, integration: Integration, chores: Sequence[Chore], memory: _Memory, now: datetime
    ) -> datetime | None:
        """End what is not needed any more; return when to retry, if some of it is refused."""
        memory.put_off = {chore.uid: memory.put_off.get(chore.uid, now) for chore in chores}
        for chore in chores:
            if memory.put_off[chore.uid] > now:
                continue
            if await self._writer.attempt(integration, chore):
                del memory.put_off[chore.uid]
                memory.deleted.add(chore.uid)
                memory.written_at = now
            else:
                memory.put_off[chore.uid] = now + TRY_AGAIN
        return _earliest(*memory.put_off.values())

    async def _retry_what_is_refused(self, now: datetime) -> None:
        """A creation that had been refused has succeeded: what it was refused for may be gone for the others too."""
        for uid, memory in self._memories.items():
            if memory.refusal is not None and memory.refusal.retry_at > now:
                memory.refusal = replace(memory.refusal, retry_at=now)
                if self._wake is not None:
                    await self._wake(uid)

    def _remember(self, memory: _Memory, what: str, version: str | None, now: datetime) -> None:
        if version is not None:
            memory.written[what] = int(version)
            memory.written_at = now

    def _is_older_than_own_writes(self, seen: Observation, memory: _Memory) -> bool:
        # Resource versions of one kind are ordered (KEP-5504).
        shown = {job.name: int(job.resource_version) for job in seen.jobs}
        shown[_STATUS] = int(seen.integration.resource_version)
        shown[_CACHE] = int(seen.cache.resource_version) if seen.cache else 0
        if any(shown.get(what, 0) < version for what, version in memory.written.items()):
            return True
        if any(pod.uid in memory.deleted and pod.live and not pod.terminating for pod in seen.pods):
            return True
        return any(job.uid in memory.deleted for job in seen.jobs)

    def _remember_refusal(
        self, seen: Observation, step: Step, refused: RefusedError, memory: _Memory, now: datetime
    ) -> datetime:
        run = step.status.run
        memory.refusals += 1
        longest = LONGEST_WAIT_FOR_HUMAN if refused.needs_human else LONGEST_WAIT_AFTER_REFUSAL
        wait = min(FIRST_ATTEMPT_AFTER_REFUSAL * (1 << min(memory.refusals - 1, 10)), longest)
        memory.refusal = Refusal(
            run=run.number if run else NO_RUN,
            generation=seen.integration.generation,
            message=str(refused),
            needs_human=refused.needs_human,
            retry_at=now + wait,
        )
        logger.warning("%s/%s: %s", seen.integration.namespace, seen.integration.name, refused)
        return now  # at once, so that the status says so
