"""Leadership: one of several operators works, and another takes over when it ends; by a Lease, as in Kubernetes itself.

It saves requests and log lines, and is no safeguard: that two operators never start two runs rests on the claim and on
the Job's name alone (design section 4). All replicas watch, so that whoever takes over already knows everything.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self, cast

import aiohttp
from kubernetes.aio import client
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock

logger = logging.getLogger(__name__)

# A leader that dies is replaced after LEASE + RETRY at the latest, one that releases the Lease after RETRY.
LEASE_SECONDS = 12
RENEW_SECONDS = 8.0
RETRY_SECONDS = 1.5

# A request for the Lease times out after this time, and is retried.
REQUEST_SECONDS = 3.0
# The library looks at its deadline between requests only. Whatever hangs, or if the process was stopped for a while, a
# leader ends this long after its last renewal: before another one may follow it.
LEADER_SECONDS = 10.0
_LOOK_SECONDS = 0.5

# More than the clocks of two nodes differ. A holder that renewed its Lease longer ago than this is gone without having
# given it back: an uninstall removes the right to do so before the Pod has ended.
ABANDONED_AFTER = timedelta(seconds=60)


class LeadershipLostError(Exception):
    """The Lease could not be renewed in time: another operator may be at work, so this one has to end."""


class _Lease(LeaseLock):
    """The library's lock with five fixes (kubernetes 37.0).

    Its own `create` passes an option that the library's client refuses. It writes local time as UTC. It waits for a
    whole lease duration from its first look, even when the Lease was abandoned long before. Its requests may hang for
    minutes. And it reads the Lease before each renewal, although a leader knows what it wrote: as in Kubernetes' own
    controllers, a renewal is one write, and the Lease is read after one that fails.
    An answer that is no Lease, such as a proxy's page, is a ValueError of the client: it is retried too.
    """

    _looked = False
    _written: client.V1Lease | None = None  # as the API server stored it; None after a write that failed
    renewed_at = 0.0  # by the monotonic clock: when the newest renewal was asked for that has succeeded

    async def get(
        self, name: str, namespace: str
    ) -> tuple[bool, LeaderElectionRecord] | tuple[bool, Exception] | tuple[bool, None]:
        """The Lease as the library reads it; without a holder when the first look finds it abandoned."""
        if self._written is not None:
            return True, self.election_record(self._written)
        found: tuple[bool, LeaderElectionRecord] | tuple[bool, Exception] | tuple[bool, None]
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                found = await super().get(name, namespace)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return False, ApiException(status=0, reason=repr(error))
        if isinstance(record := found[1], LeaderElectionRecord) and not self._looked:
            self._looked = True
            spec = self.lease_reference.spec if self.lease_reference else None
            if spec and spec.renew_time and datetime.now(UTC) - spec.renew_time > ABANDONED_AFTER:
                record.holder_identity = None
        return found

    def update_lease(
        self, leader_election_record: LeaderElectionRecord, current_spec: client.V1LeaseSpec | None = None
    ) -> client.V1LeaseSpec:
        """The Lease's spec for a record, renewed now."""
        spec: client.V1LeaseSpec = super().update_lease(leader_election_record, current_spec)
        spec.renew_time = datetime.now(UTC)
        return spec

    async def update(self, name: str, namespace: str, updated_record: LeaderElectionRecord) -> bool:
        """Renew or take the Lease; False when that fails and is to be retried."""
        lease = self._written or cast(client.V1Lease, self.lease_reference)  # it was written or read before
        lease.spec = self.update_lease(updated_record, lease.spec)
        return await self._write(self.api_instance.replace_namespaced_lease(name, namespace, lease), "renewed")

    async def create(self, name: str, namespace: str, election_record: LeaderElectionRecord) -> bool:
        """Create the Lease; False when that fails and is to be retried."""
        lease = client.V1Lease(metadata=client.V1ObjectMeta(name=name), spec=self.update_lease(election_record))
        return await self._write(self.api_instance.create_namespaced_lease(namespace, lease), "created")

    async def _write(self, request: Awaitable[client.V1Lease], done: str) -> bool:
        asked_at, self._written = time.monotonic(), None
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                self._written = await request
        except (ApiException, aiohttp.ClientError, TimeoutError, ValueError) as error:
            why = error.reason if isinstance(error, ApiException) else repr(error)
            logger.warning("the Lease %s/%s cannot be %s: %s", self.namespace, self.name, done, why)
            return False
        self.renewed_at = asked_at
        return True


class Leadership:
    """One candidate for the Lease `name` in `namespace`; it gives the Lease back when it is left."""

    def __init__(self, api: client.ApiClient, namespace: str, name: str, instance: str) -> None:
        """`instance` names this process for people; it need not be unique."""
        self._leases = client.CoordinationV1Api(api)
        self._namespace = namespace
        self._name = name
        self._lock = _Lease(name, namespace, f"{instance}-{uuid.uuid4().hex[:8]}", api)
        self._held = asyncio.Event()

    @property
    def held(self) -> bool:
        """True once this process leads; it ends when it does not any more."""
        return self._held.is_set()

    async def wait(self) -> None:
        """Return as soon as this process leads."""
        await self._held.wait()

    async def run(self) -> None:
        """Stand for election, and lead for as long as the Lease can be renewed; then raise LeadershipLostError."""
        election = Config(
            self._lock,
            lease_duration=LEASE_SECONDS,
            renew_deadline=RENEW_SECONDS,
            retry_period=RETRY_SECONDS,
            onstarted_leading=self._lead,
            onstopped_leading=self._lose,
        )
        logger.info("standing by for the Lease %s/%s", self._namespace, self._name)
        standing = asyncio.create_task(LeaderElection(election).run())
        try:
            while not standing.done():
                await asyncio.wait({standing}, timeout=_LOOK_SECONDS)
                if self.held and time.monotonic() - self._lock.renewed_at > LEADER_SECONDS:
                    await self._lose()
            standing.result()
        finally:
            standing.cancel()
            await asyncio.gather(standing, return_exceptions=True)

    async def _lead(self) -> None:
        logger.info("leading: the Lease %s/%s is held by %s", self._namespace, self._name, self._lock.identity)
        self._held.set()

    async def _lose(self) -> None:
        raise LeadershipLostError(f"the Lease {self._namespace}/{self._name} could not be renewed in time")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._held.is_set() or isinstance(error, LeadershipLostError):
            return
        try:
            lease = await self._leases.read_namespaced_lease(
                self._name, self._namespace, _request_timeout=REQUEST_SECONDS
            )
            if lease.spec is not None and lease.spec.holder_identity == self._lock.identity:
                lease.spec.holder_identity = None
                await self._leases.replace_namespaced_lease(
                    self._name, self._namespace, lease, _request_timeout=REQUEST_SECONDS
                )
        except (ApiException, aiohttp.ClientError, TimeoutError, ValueError) as failure:
            why = failure.reason if isinstance(failure, ApiException) else repr(failure)
            logger.warning("the Lease could not be released and will expire: %s", why)
