"""Object resets: which objects of spec.sync a run is asked to reset, and what became of requests for it. Pure.

A request is taken up by the next claim. Each run is given it until one has succeeded; the worker carries it out once,
since its cache knows which resets it was made by (invariant I4).
"""

from datetime import datetime
from functools import partial

from tidegate.api import names, resets
from tidegate.api.runs import ObjectReset, Run, RunKind
from tidegate.api.spec import Mode, Switch
from tidegate.api.status import HandledRequests, SyncIntegrationStatus
from tidegate.control.observation import Observation
from tidegate.control.step import Announce


def whole_requested(seen: Observation, status: SyncIntegrationStatus) -> bool:
    """Whether a reset of the whole sync was requested by annotation and has not begun."""
    return _is_new(seen, status) and not seen.integration.requests.reset_objects and _obstacle(seen) is None


def requested(seen: Observation, status: SyncIntegrationStatus) -> tuple[str, ...]:
    """The objects whose reset was requested by annotation, and not taken up yet."""
    return seen.integration.requests.reset_objects if _is_new(seen, status) and _obstacle(seen) is None else ()


def taken_up(seen: Observation, status: SyncIntegrationStatus, mode: Mode, now: datetime) -> SyncIntegrationStatus:
    """The status with a new request among the resets that the next run is given, all of them in this mode."""
    asked, push = requested(seen, status), mode is Mode.PAST_AND_FUTURE
    earlier = [reset for reset in status.object_resets if reset.object not in asked]
    owed = (
        *(reset.replace(partial(ObjectReset, push=push)) for reset in earlier),
        *(ObjectReset(object=name, began=now, push=push) for name in asked),
    )
    handled = status.handled
    if asked:
        handled = handled.replace(partial(HandledRequests, reset_requested_at=seen.integration.requests.reset))
    return status.replace(partial(SyncIntegrationStatus, object_resets=owed, handled=handled))


def foreseen(seen: Observation, status: SyncIntegrationStatus, now: datetime) -> tuple[ObjectReset, ...]:
    """The resets that a full sync that pushes would be given now, for the plan of it: a plan takes up none of them."""
    return taken_up(seen, status, Mode.PAST_AND_FUTURE, now).object_resets


def without_done(status: SyncIntegrationStatus, run: Run) -> SyncIntegrationStatus:
    """The status after a run that was given these resets has succeeded."""
    done = {(reset.object, reset.began) for reset in run.object_resets}
    left = tuple(reset for reset in status.object_resets if (reset.object, reset.began) not in done)
    return status.replace(partial(SyncIntegrationStatus, object_resets=left))


def announce(seen: Observation, status: SyncIntegrationStatus, run: int) -> tuple[Announce, ...]:
    """The Event of a run that takes up a request."""
    asked = ", ".join(requested(seen, status))
    note = f"run {run} forgets what is cached of {asked}, and reads it as if for the first time"
    return (Announce("ObjectsReset", note),) if asked else ()


def refuse(seen: Observation, status: SyncIntegrationStatus) -> tuple[SyncIntegrationStatus, tuple[Announce, ...]]:
    """Tell once by an Event why a request is refused."""
    request, why = seen.integration.requests.reset, _obstacle(seen)
    if why is None or not _is_new(seen, status) or request == status.handled.refused_reset:
        return status, ()
    handled = status.handled.replace(partial(HandledRequests, refused_reset=request))
    told = Announce("ResetRefused", _refusal_words(why), warning=True)
    return status.replace(partial(SyncIntegrationStatus, handled=handled)), (told,)


def words(seen: Observation, status: SyncIntegrationStatus) -> str:
    """What becomes of resets of objects, for the message; "" where there are none."""
    if _is_new(seen, status) and (why := _obstacle(seen)):
        return f"; {_refusal_words(why)}"
    run = status.run if status.run and status.run.kind is not RunKind.PLAN else None
    given = {reset.object for reset in run.object_resets} if run else set()
    owed = [reset.object for reset in status.object_resets if reset.object not in given]
    which = ", ".join(dict.fromkeys((*owed, *requested(seen, status))))
    if not which:
        return f"; it resets {', '.join(sorted(given))} first, unless an earlier run has" if given else ""
    by = "the next run" if seen.integration.spec.status is Switch.ON else "the first run after the next ON"
    return f"; {by} resets {which}"


def _is_new(seen: Observation, status: SyncIntegrationStatus) -> bool:
    requested = seen.integration.requests.reset
    return requested is not None and requested != status.handled.reset_requested_at


def _refusal_words(why: str) -> str:
    return f"the reset that the annotation {names.RESET_REQUESTED_ANNOTATION} requests is refused: {why}"


def _obstacle(seen: Observation) -> str | None:
    asked = seen.integration.requests
    known = seen.integration.spec.object_names
    return None if asked.reset is None else resets.obstacle(asked.reset, asked.reset_objects, known)
