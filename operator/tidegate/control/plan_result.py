"""Plan result: how a plan ended and what its worker has found → status.plan, and nothing else of the status. Pure.

A plan is no run of the sync: it counts towards no delay, no failure, no full sync that is owed, and says nothing of
the cache (design section 7).
"""

from datetime import datetime
from functools import partial

from tidegate.api.plans import PlanStatus, what_is_planned
from tidegate.api.runs import ActivityEntry, Outcome, Run
from tidegate.api.status import SyncIntegrationStatus
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
        check=run.check,
        outcome=outcome,
        reason=reason,
        first=not run.check and (found.first or run.without_cache),
        sides=found.sides,
        would_halt=found.would_halt,
    )


def ended(
    status: SyncIntegrationStatus, plan: PlanStatus, activity: tuple[ActivityEntry, ...]
) -> SyncIntegrationStatus:
    """The status once a plan has ended."""
    return status.replace(partial(SyncIntegrationStatus, run=None, plan=plan, recent_activity=activity))


def announce(plan: PlanStatus) -> Announce:
    """The Event that tells of its end."""
    if plan.outcome is Outcome.SUCCEEDED:
        return _announce_check(plan) if plan.check else _announce_plan(plan)
    reason = "PlanCancelled" if plan.outcome is Outcome.CANCELLED else "PlanFailed"
    what = "check" if plan.check else "plan"
    return Announce(reason, f"run {plan.run} has not made the {what} that was requested: {plan.reason}", warning=True)


def _announce_plan(plan: PlanStatus) -> Announce:
    return Announce("Planned", f"run {plan.run} planned what {what_is_planned(plan.undo)} would do: see status.plan")


def _announce_check(plan: PlanStatus) -> Announce:
    if plan.would_halt:
        what = "; ".join(plan.would_halt)
        return Announce("DoesNotFit", f"run {plan.run} checked the configuration: {what}", warning=True)
    return Announce("Fits", f"run {plan.run} checked the configuration: it fits both systems")
