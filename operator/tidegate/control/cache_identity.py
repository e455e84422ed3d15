"""The cache's identity: which volume a run may take for the cache, and what follows when it is another one. Pure.

A volume that is not the one that the runs before have used is never taken for an empty
cache: after a FutureOnly sync that would push everything that it was told to leave alone (invariant I4).
"""

from datetime import datetime
from functools import partial

from tidegate.api.runs import Run
from tidegate.api.status import Activation, CacheUse, SyncIntegrationStatus
from tidegate.control.observation import Observation
from tidegate.control.step import Announce

NO_VOLUME = "none"
_UNKNOWN = "unknown"


def used(seen: Observation, status: SyncIntegrationStatus, run: Run) -> CacheUse:
    """What is known of the cache when a worker has run in it."""
    before = status.cache.volume if status.cache else _UNKNOWN
    return CacheUse(volume=_volume(seen) or before, run=run.number)


def lacks_cache(seen: Observation) -> bool:
    """Whether a PersistentVolumeClaim is wanted and not there."""
    return seen.cache is None and not seen.integration.spec.cache.none


def is_gone(seen: Observation, status: SyncIntegrationStatus) -> bool:
    """Whether the claim that the runs before have used is not there: it is created before the next run is claimed."""
    return lacks_cache(seen) and status.cache is not None and status.cache.volume != NO_VOLUME


def is_being_deleted(seen: Observation) -> bool:
    """Whether the claim is on its way out: no new Pod can use it."""
    return seen.cache is not None and seen.cache.deleting and not seen.integration.spec.cache.none


def difference(seen: Observation, status: SyncIntegrationStatus) -> str | None:
    """How the cache that is there differs from the one that the runs before have used; None: it is the same."""
    if status.cache is None or status.cache.volume == _volume(seen):
        return None
    used_by = f"that run {status.cache.run} used"
    if seen.integration.spec.cache.none:
        return f"the cache {used_by} is no longer used: spec.cache.none is true"
    name = seen.cache.name if seen.cache else ""
    if status.cache.volume == NO_VOLUME:
        return f"the cache is new: run {status.cache.run} had none"
    return f"the cache {used_by} is gone: PersistentVolumeClaim {name} is a different one"


def reset(status: SyncIntegrationStatus, now: datetime) -> SyncIntegrationStatus:
    """Begin a new epoch, in which the present cache is deleted."""
    oldest = status.cache_epoch if status.oldest_cache_epoch is None else status.oldest_cache_epoch
    return _in_new_epoch(status, oldest, status.activation, now)


def begin_again(status: SyncIntegrationStatus, why: str, now: datetime) -> SyncIntegrationStatus:
    """Begin a new epoch because the cache is lost, and owe a full sync in the activation's own mode."""
    activation = status.activation and owing(status.activation, why)
    return _in_new_epoch(status, None, activation, now)


def owing(activation: Activation, why: str) -> Activation:
    """The activation, not caught up any more."""
    return activation.replace(partial(Activation, caught_up=False, cache_lost=why))


def _in_new_epoch(
    status: SyncIntegrationStatus, oldest: int | None, activation: Activation | None, now: datetime
) -> SyncIntegrationStatus:
    return status.replace(
        partial(
            SyncIntegrationStatus,
            # The number of the run that begins it: like run numbers, an epoch never comes twice.
            cache_epoch=status.runs + 1,
            # Run numbers go back when etcd is restored from a backup, and the cache does not.
            cache_epoch_began=now,
            oldest_cache_epoch=oldest,
            cache=None,
            object_resets=(),  # nothing is remembered of any object
            activation=activation,
        )
    )


def announce(why: str) -> Announce:
    """The Event that says so."""
    return Announce("CacheLost", f"{why}; a full sync is owed again", warning=True)


def _volume(seen: Observation) -> str | None:
    if seen.integration.spec.cache.none:
        return NO_VOLUME
    return seen.cache.uid if seen.cache else None
