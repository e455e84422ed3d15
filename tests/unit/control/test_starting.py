"""A run that never started: what becomes of the cache epoch that it was to begin, and how often its trouble is told."""

from datetime import timedelta

import pytest

from tidegate.api.status import Condition
from tidegate.control.report import report
from tidegate.control.step import Announce

from .situations import CANNOT_START, FIRST, NOW, OFF, RUNNING, Situation, unstarted_pod


def after(given: Situation) -> Situation:
    """What is remembered once the step's status is written."""
    seen = given.observe()
    return given.but(status=report(seen, given.decide(), NOW))


def events(given: Situation) -> list[tuple[str, bool]]:
    return [(action.reason, action.warning) for action in given.decide().actions if isinstance(action, Announce)]


def test_the_problem_is_reported_by_one_event() -> None:
    assert events(CANNOT_START) == [("PodCannotStart", True)]
    assert events(after(CANNOT_START)) == []
    assert events(after(CANNOT_START).but(pods=(unstarted_pod(FIRST, "ErrImagePull: no such image"),))) == []


def test_a_problem_that_returns_is_reported_again() -> None:
    started = after(after(CANNOT_START).but(pods=RUNNING.pods))
    assert events(started.but(pods=CANNOT_START.pods)) == [("PodCannotStart", True)]


def condition(given: Situation, type_: str) -> Condition:
    return next(c for c in after(given).status.conditions if c.type == type_)


@pytest.mark.parametrize("given", [CANNOT_START, RUNNING.but(pods=())], ids=["a Pod that cannot start", "no Pod"])
def test_kstatus_shows_it_as_not_ready_and_in_progress(given: Situation) -> None:
    ready = condition(given, "Ready")
    assert (ready.status, ready.reason) == ("False", "PodCannotStart")
    assert condition(given, "Reconciling").status == "True"
    assert condition(given, "Stalled").status == "False"
    assert condition(given, "Syncing").status == "True", "its Pod may start at any moment"


def test_the_row_of_kubectl_get_shows_a_run_that_has_not_started() -> None:
    status = after(CANNOT_START).status
    assert (status.phase, status.activity) == ("Waiting", "▷ run 1")


def test_a_cancelled_run_is_reported_by_an_event() -> None:
    (event,) = [action for action in CANNOT_START.but(spec=OFF).decide().actions if isinstance(action, Announce)]
    assert event == Announce(
        "RunGivenUp",
        "run 1 is cancelled, because its worker could not start: "
        f"Unschedulable: 0/3 nodes are available (Pod {FIRST.job_name}-abcde)",
        warning=True,
    )


def test_a_pod_that_cannot_start_costs_two_writes_in_all() -> None:
    """When it is late, and when it has started; and none while it lasts."""
    late = after(CANNOT_START)
    assert late.status != CANNOT_START.status
    seen = late.observe()
    later = NOW + timedelta(hours=1)
    assert report(seen, late.decide(later), later).to_wire() == late.status.to_wire()
