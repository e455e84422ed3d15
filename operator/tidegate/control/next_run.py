"""Next run: between two runs, be Off, wait, or claim the next one and create its Job. Pure.

An activation begins here; it captures mode and reset with the claim of its first run.
"""

from datetime import datetime
from functools import partial

from tidegate.api import names
from tidegate.api.runs import LastRun, Run, RunKind
from tidegate.api.spec import Mode
from tidegate.api.status import Activation, HandledRequests, Phase, SyncIntegrationStatus
from tidegate.control import cache_identity, object_resets
from tidegate.control.approvals import is_approved
from tidegate.control.conflict_decisions import for_run
from tidegate.control.declared import wants_reset, with_requests_for_runs_handled
from tidegate.control.due import full_sync_requested, wait_for_next_run
from tidegate.control.history import finished_jobs
from tidegate.control.observation import NO_RUN, Observation, Refusal
from tidegate.control.reasons import APPROVALS_UNSUPPORTED, CACHE_REQUIRED
from tidegate.control.step import LOOK_AGAIN, Action, Announce, CreateCache, CreateJob, Step
from tidegate.control.undo_request import has_failed, run_to_undo
from tidegate.control.untrusted import inert


def start_next_run(seen: Observation, status: SyncIntegrationStatus, now: datetime) -> Step:
    """Claim the next run if it is due and nothing is in its way; otherwise say what it waits for."""
    if seen.has_live_pod:
        return Step(Phase.WAITING, status, look_again_at=now + LOOK_AGAIN)
    if seen.integration.spec.lacks_cache_of_built_in_worker:
        words = (
            "the built-in worker cannot sync without a cache: every run would be like the first one; "
            "delete the SyncIntegration and create it without cache.none"
        )
        return _refuse(seen, status, CACHE_REQUIRED, words)
    if seen.integration.spec.lacks_approvals:
        words = (
            "the worker's image may not know approvals, and would push without one; set approval: Unusual, or declare "
            f'that the image knows SYNC_APPROVAL by the annotation {names.WORKER_APPROVALS_ANNOTATION}: "true" in '
            "spec.template.metadata"
        )
        return _refuse(seen, status, APPROVALS_UNSUPPORTED, words)
    activation = status.activation
    if activation is None or wants_reset(seen, status):
        return _activate(seen, status, now)
    last = status.last_run
    if last is not None and last.finished_at > now:
        # The clock was set back: the run ended before now, whatever it says.
        status = status.replace(
            partial(SyncIntegrationStatus, last_run=last.replace(partial(LastRun, finished_at=now)))
        )
    wait = wait_for_next_run(seen, status, now)
    if wait is not None:
        waiting = status.replace(partial(SyncIntegrationStatus, next_run_at=wait.until))
        return Step(Phase.WAITING, waiting, look_again_at=wait.until, stalled=wait.stalled)
    if cache_identity.is_gone(seen, status):
        return _make_cache(seen, status, now)
    if cache_identity.is_being_deleted(seen):
        return _let_cache_go(seen, status, now)
    lost = cache_identity.difference(seen, status)
    if lost is None:
        return _claim(seen, status, activation, _next_undo(seen, status), now)
    status, activation = cache_identity.begin_again(status, lost, now), cache_identity.owing(activation, lost)
    return _claim(seen, status, activation, _next_undo(seen, status), now, cache_identity.announce(lost))


def _next_undo(seen: Observation, status: SyncIntegrationStatus) -> int | None:
    """The run that the next run undoes; None: it syncs. A halted undo that was approved comes first."""
    last = status.last_run
    if last is not None and last.undo is not None and is_approved(seen, status, last):
        return last.undo
    return run_to_undo(seen, status)


def _refuse(seen: Observation, status: SyncIntegrationStatus, reason: str, words: str) -> Step:
    """Start nothing until the spec is another one."""
    told = () if seen.integration.tells_of(reason) else (Announce(reason, words, warning=True),)
    return Step(Phase.WAITING, status, told, stalled=words, reason=reason)


def _activate(seen: Observation, status: SyncIntegrationStatus, now: datetime) -> Step:
    """Begin an activation; it captures mode and reset. Its first run is claimed in the same write, so that a reset
    is done exactly once (invariant I4). The delay lies between runs of an activation: turning ON starts at once.
    """
    spec = seen.integration.spec
    reset = spec.reset or object_resets.whole_requested(seen, status)
    if cache_identity.is_being_deleted(seen):
        return _let_cache_go(seen, status, now)
    if not reset and cache_identity.is_gone(seen, status):
        return _make_cache(seen, status, now)
    lost = None if reset else cache_identity.difference(seen, status)
    if reset:
        status = cache_identity.reset(status, now)
    elif lost:
        status = cache_identity.begin_again(status, lost, now)
    activation = Activation(number=status.activations + 1, mode=spec.mode, reset=reset, started_at=now, cache_lost=lost)
    requested = seen.integration.requests.reset
    if requested is None or not reset:
        requested = status.handled.reset_requested_at
    begun = status.replace(
        partial(
            SyncIntegrationStatus,
            activation=activation,
            activations=activation.number,
            consecutive_failures=0,
            handled=status.handled.replace(partial(HandledRequests, reset_requested_at=requested)),
        )
    )
    undo = None if reset else _next_undo(seen, begun)
    what = "read-only full sync" if activation.mode is Mode.FUTURE_ONLY else "full sync"
    first = "; all cached data is deleted first" if activation.reset else ""
    order = f"the undo of run {undo}, and then a {what}" if undo is not None else f"a {what}"
    note = f"activation {activation.number} begins with {order} ({activation.mode}){first}"
    announcements = (Announce("TurnedOn", note), *((cache_identity.announce(lost),) if lost else ()))
    return _claim(seen, begun, activation, undo, now, *announcements)


def _claim(
    seen: Observation,
    status: SyncIntegrationStatus,
    activation: Activation,
    undo: int | None,
    now: datetime,
    *announcements: Announce,
) -> Step:
    integration = seen.integration
    number = status.runs + 1
    last = status.last_run
    # What was found is of a run of its kind: a run that syncs, or the undo of the same run.
    approved = last if last is not None and last.undo == undo and is_approved(seen, status, last) else None
    # A run that was requested beside an undo follows it at once. A repeated attempt at an undo answers the request
    # itself: it would be repeated without a wait.
    answers = undo is None or has_failed(last, undo)
    requested = answers and full_sync_requested(seen, status)
    # Once caught up, a full sync pushes like a run of changes: what FutureOnly left alone is known by then.
    owed = activation.caught_up and (activation.full_sync_owed or requested)
    kind = RunKind.FULL if owed or not activation.caught_up else RunKind.INCREMENTAL
    push = activation.caught_up or activation.mode is Mode.PAST_AND_FUTURE
    if undo is not None:  # it pays no full sync, and resets no object: what is owed stays owed
        kind, push = RunKind.UNDO, True
    else:
        announcements = (*announcements, *object_resets.announce(seen, status, number))
        status = object_resets.taken_up(seen, status, activation.mode, now)
    run = Run(
        number=number,
        kind=kind,
        push=push,
        cache_epoch=status.cache_epoch,
        cache_epoch_began=status.cache_epoch_began,
        # Without a volume each run finds it empty.
        cache_run=status.cache.run if status.cache and not integration.spec.cache.none else None,
        # A reset deletes any other cache. If it was cancelled, a later activation keeps the one that it finds (I4).
        oldest_cache_epoch=None if activation.reset else status.oldest_cache_epoch,
        job_name=names.job_name(integration.name, integration.uid, number),
        started_at=now,
        claimed_at=now,
        generation=integration.generation,
        spec_digest=integration.spec.digest,
        undo=undo,
        approved=approved.number if approved else None,
        confirmed=approved.found if approved else None,
        decisions=for_run(integration, status, kind, push=push),
        object_resets=status.object_resets if undo is None else (),
    )
    owing = activation.replace(partial(Activation, full_sync_owed=owed))
    numbered = status.replace(partial(SyncIntegrationStatus, runs=number, activation=owing))
    claimed = with_requests_for_runs_handled(seen, numbered) if answers else numbered
    return launch(seen, claimed, run, *announcements)


def launch(seen: Observation, status: SyncIntegrationStatus, run: Run, *announcements: Announce) -> Step:
    """Claim, then create. The claim changes the status each time, so that its write is a fence against a second
    operator and against an older self: who cannot write the claim creates nothing (invariant I1).
    """
    cache: tuple[Action, ...] = (CreateCache(),) if cache_identity.lacks_cache(seen) else ()
    claimed = status.replace(partial(SyncIntegrationStatus, run=run, next_run_at=None))
    return Step(Phase.SYNCING, claimed, (*cache, CreateJob(run), *announcements))


def be_off(seen: Observation, status: SyncIntegrationStatus) -> Step:
    """Honour OFF: nothing runs."""
    if seen.has_syncing_pod:  # the check mark must be true: no sync is running
        return Step(Phase.TURNING_OFF, status)
    off = with_requests_for_runs_handled(seen, status).replace(
        partial(SyncIntegrationStatus, activation=None, next_run_at=None, consecutive_failures=0)
    )
    announcements = (Announce("TurnedOff", "OFF is honoured: no sync is running"),) if status.activation else ()
    return Step(Phase.OFF, off, announcements)


def _make_cache(seen: Observation, status: SyncIntegrationStatus, now: datetime) -> Step:
    """Create the claim that is gone before a run is claimed: if it was there after all, it is the cache still."""
    refusal = seen.refusal
    if refusal is None or refusal.run != NO_RUN or refusal.generation != seen.integration.generation:
        return Step(Phase.WAITING, status, (CreateCache(),), look_again_at=now + LOOK_AGAIN)
    stalled = refused_words("the cache's volume cannot be created", refusal) if refusal.needs_human else None
    if now < refusal.retry_at:
        return Step(Phase.WAITING, status, look_again_at=refusal.retry_at, stalled=stalled)
    return Step(Phase.WAITING, status, (CreateCache(),), now + LOOK_AGAIN, stalled)


def _let_cache_go(seen: Observation, status: SyncIntegrationStatus, now: datetime) -> Step:
    """Delete what holds a claim that is being deleted: no Pod can start with it, and finished ones keep it there."""
    holders, due = finished_jobs(seen, now)
    return Step(Phase.WAITING, status, holders, look_again_at=due)


def refused_words(what: str, refusal: Refusal) -> str:
    """What an admin reads about a refused request that will be refused again."""
    when = "retrying periodically, and at once when the spec changes"
    return f"{what}: {inert(refusal.message)}; {when}"
