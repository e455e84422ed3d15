"""Plan result: how a plan ended and what its worker has found → status.plan, and nothing else of the status. Pure.

A plan is no run of the sync: it counts towards no delay, no failure, no full sync that is owed, and says nothing of
the cache (design section 7).
"""

from datetime import datetime
from functools import partial

from tidegate.api.status import ActivityEntry, Outcome, PlanStatus, Run, SyncIntegrationStatus
from tidegate.control.observation import Pod
from tidegate.control.step import Announce
from tidegate.control.termination_message import Planned, planned_by, report_of

NOT_REPORTED = "its worker exited with 0 and reported no plan: see `plan` in the contract for workers"


def plan_of(
    run: Run, outcome: Outcome, finished_at: datetime, reason: str | None, pods: tuple[Pod, ...] = ()
) -> PlanStatus:
    """The plan that a run has made, from what its Pods say; one that succeeded and says nothing has failed."""
    planned, report = planned_by(pods), report_of(pods)
    if outcome is Outcome.SUCCEEDED and planned is None:
        outcome, reason = Outcome.FAILED, NOT_REPORTED
    elif outcome is Outcome.SUCCEEDED and report is not None:
        reason = report.reason
    found = planned if planned is not None and outcome is Outcome.SUCCEEDED else Planned()
    return PlanStatus(
        run=run.number,
        requested_at=run.requested_at,
        started_at=run.started_at,
        finished_at=finished_at,
        undo=run.undo,
        outcome=outcome,
        reason=reason,
        first=found.first or run.without_cache,
        sides=found.sides,
        would_halt=found.would_halt,
    )


def ended(
    status: SyncIntegrationStatus, plan: PlanStatus, activity: tuple[ActivityEntry, ...]
) -> SyncIntegrationStatus:
    """The status once a plan has ended."""
    return status.replace(partial(SyncIntegrationStatus, run=None, plan=plan, recent_activity=activity))


def plan_of_words(undo: int | None) -> str:
    """What a plan is of: a full sync, or the undo of a run."""
    return "a full sync" if undo is None else f"the undo of run {undo}"


def announce(plan: PlanStatus) -> Announce:
    """The Event that tells of its end."""
    if plan.outcome is Outcome.SUCCEEDED:
        what = plan_of_words(plan.undo)
        return Announce("Planned", f"run {plan.run} planned what {what} would do: see status.plan")
    reason = "PlanCancelled" if plan.outcome is Outcome.CANCELLED else "PlanFailed"
    return Announce(reason, f"run {plan.run} has not made the plan that was requested: {plan.reason}", warning=True)
