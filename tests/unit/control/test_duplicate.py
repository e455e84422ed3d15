"""Two live Pods of one run: one goes, an Event and the status say which, and nothing else waits for it."""

from dataclasses import replace
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.api.status import Condition
from tidegate.control.observation import Pod
from tidegate.control.report import report
from tidegate.control.step import Announce, EvictPod

from .decision_table.duplicate import DONE, ELDER, PENDING, TWO_PODS, YOUNGER
from .situations import NOW, RUNNING, Situation


def evicted(situation: Situation) -> set[str]:
    return {action.uid for action in situation.decide().actions if isinstance(action, EvictPod)}


def told(situation: Situation) -> list[Announce]:
    return [action for action in situation.decide().actions if isinstance(action, Announce)]


def reported(situation: Situation) -> Situation:
    """The same, once its status has been written."""
    return situation.but(status=report(situation.observe(), situation.decide(), NOW))


def ready(situation: Situation) -> Condition:
    return next(c for c in reported(situation).status.conditions if c.type == "Ready")


class TestWords:
    WORDS = "run 1 has more than one Pod at once: younger is stopped, because elder began earlier"

    def test_an_event_names_the_pod_that_is_stopped(self) -> None:
        (event,) = told(TWO_PODS)
        assert (event.reason, event.note, event.warning) == ("DuplicatePod", self.WORDS, True)

    def test_an_event_is_sent_once(self) -> None:
        assert told(reported(TWO_PODS)) == []
        assert evicted(reported(TWO_PODS)) == {"younger"}

    def test_the_status_reports_it_while_it_lasts(self) -> None:
        message = reported(TWO_PODS).status.message or ""
        assert message.endswith(f"; {self.WORDS}")
        assert (ready(TWO_PODS).status, ready(TWO_PODS).reason) == ("False", "DuplicatePod")
        gone = reported(TWO_PODS).but(pods=(ELDER, replace(YOUNGER, terminating=True)))
        assert ready(gone).reason == "CatchingUp"

    def test_the_pod_that_has_completed_the_run_is_named(self) -> None:
        (event,) = told(RUNNING.but(pods=(DONE, YOUNGER)))
        assert event.note.endswith("younger is stopped, because done has completed the run")


PODS = st.builds(
    lambda base, number, terminating: replace(base, name=f"pod-{number}", uid=f"pod-{number}", terminating=terminating),
    st.sampled_from([ELDER, YOUNGER, PENDING, DONE]),
    st.integers(0, 9),
    st.booleans(),
)


def goes(pod: Pod, evictions: set[str]) -> bool:
    return pod.terminating or pod.uid in evictions


@given(st.lists(PODS, max_size=4, unique_by=lambda pod: pod.uid))
def test_exactly_one_pod_decides_the_run_in_any_order_of_events(pods: list[Pod]) -> None:
    first = evicted(RUNNING.but(pods=tuple(pods)))
    assert all(evicted(RUNNING.but(pods=order)) == first for order in permutations(pods))
    staying = [pod for pod in pods if pod.live and not goes(pod, first)]
    has_succeeded = any(pod.exit_code == 0 for pod in pods)
    may_stay = [pod for pod in pods if pod.live and not pod.terminating]
    assert len(staying) == (0 if has_succeeded else min(1, len(may_stay)))
