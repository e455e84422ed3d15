"""Declared: what the spec and the request annotations ask of a run, and have not been given yet. Pure."""

from functools import partial

from tidegate.api.spec import Switch
from tidegate.api.status import HandledRequests, Phase, SyncIntegrationStatus
from tidegate.control import object_resets
from tidegate.control.observation import Observation


def phase_of_running(seen: Observation) -> Phase:
    """The phase while a Pod runs, or may."""
    return Phase.SYNCING if seen.integration.spec.status is Switch.ON else Phase.TURNING_OFF


def phase_between_runs(seen: Observation) -> Phase:
    """The phase while no Pod runs."""
    return Phase.WAITING if seen.integration.spec.status is Switch.ON else Phase.TURNING_OFF


def wants_reset(seen: Observation, status: SyncIntegrationStatus) -> bool:
    """True when a new activation with reset is owed: declared and not yet done in this activation, or requested."""
    declared = seen.integration.spec.reset and status.activation is not None and not status.activation.reset
    return declared or object_resets.whole_requested(seen, status)


def owes_activation(seen: Observation, status: SyncIntegrationStatus) -> bool:
    """True when a new activation is to begin: an ON has not taken effect yet, or a reset is owed."""
    on = seen.integration.spec.status is Switch.ON
    return on and (status.activation is None or wants_reset(seen, status))


def plan_requested(seen: Observation, status: SyncIntegrationStatus) -> bool:
    """True when a plan was requested by annotation that has not been claimed or refused."""
    requested = seen.integration.requests.plan
    return requested is not None and requested != status.handled.plan_requested_at


def with_plan_request_handled(seen: Observation, status: SyncIntegrationStatus) -> SyncIntegrationStatus:
    """The status, with the newest request for a plan as handled."""
    handled = status.handled.replace(partial(HandledRequests, plan_requested_at=seen.integration.requests.plan))
    return status.replace(partial(SyncIntegrationStatus, handled=handled))


def with_sync_request_handled(seen: Observation, status: SyncIntegrationStatus) -> SyncIntegrationStatus:
    """The status, with the newest request for a run as handled."""
    handled = status.handled.replace(partial(HandledRequests, sync_requested_at=seen.integration.requests.sync))
    return status.replace(partial(SyncIntegrationStatus, handled=handled))


def with_requests_for_runs_handled(seen: Observation, status: SyncIntegrationStatus) -> SyncIntegrationStatus:
    """The status, with the newest requests for a run and for a full sync as handled."""
    handled = status.handled.replace(
        partial(HandledRequests, full_sync_requested_at=seen.integration.requests.full_sync)
    )
    return with_sync_request_handled(seen, status.replace(partial(SyncIntegrationStatus, handled=handled)))
