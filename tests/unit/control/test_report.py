"""What people and machines read: the message, the conditions as kstatus reads them, the printer columns' fields."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.api.runs import Outcome
from tidegate.api.status import Condition, Phase, SyncIntegrationStatus
from tidegate.control.observation import JobState, Requests
from tidegate.control.report import report
from tidegate.control.step import Announce

from .decision_table.notation import ORPHAN, Row
from .situations import (
    CANNOT_START,
    CAUGHT_UP,
    CLAIMED,
    CLAIMED_ONLY,
    FINISHED,
    FIRST,
    IS_OFF,
    NEW,
    NOW,
    OFF,
    ON,
    PAUSE,
    PAUSED,
    PAUSING,
    RUNNING,
    SECOND,
    WAITING,
    Situation,
    activation,
    at_rest,
    failed,
    failing,
    job,
    pod,
    refusal,
    run,
    stalled,
    unstarted_pod,
)
from .test_decision_table import TABLE

INCREMENTAL = RUNNING.remembering(run=SECOND, activation=CAUGHT_UP, runs=2).but(
    jobs=(job(SECOND),), pods=(pod(SECOND),)
)
HELD = RUNNING.but(jobs=(replace(at_rest(FIRST), held_by="Kueue, in the queue sales"),), pods=())
CANCELLING = PAUSED.but(spec={**ON, "reset": True}).remembering(run=run(1, cancelling=True))


NAMED = f"; Pod {FIRST.job_name}-abcde is still running although its Job is gone; delete it if it does not terminate"


def shown(given: Situation) -> SyncIntegrationStatus:
    seen = given.observe()
    return report(seen, given.decide(), NOW)


def condition(given: Situation, type_: str) -> Condition:
    (found,) = (condition for condition in shown(given).conditions if condition.type == type_)
    return found


MESSAGES = [
    (NEW, "OFF: no sync is running"),
    (IS_OFF, "OFF: no sync is running"),
    (NEW.but(spec=ON), "run 1 is in progress: full sync, pushing what has changed"),
    (
        IS_OFF.but(spec={**ON, "mode": "FutureOnly"}),
        "run 2 is in progress: full sync, read-only: catching up, pushing nothing",
    ),
    (RUNNING, "run 1 is in progress: full sync, pushing what has changed"),
    (INCREMENTAL, "run 2 is in progress: incremental sync"),
    (
        INCREMENTAL.declaring(mode="FutureOnly"),
        "run 2 is in progress: incremental sync; mode FutureOnly applies when it is next turned ON",
    ),
    (
        INCREMENTAL.declaring(mode="FutureOnly", offPolicy="PauseRun"),
        "run 2 is in progress: incremental sync; mode FutureOnly applies to the next activation",
    ),
    (
        INCREMENTAL.declaring(reset=True),
        "run 2 is in progress: incremental sync; then a new activation begins with a reset, in mode PastAndFuture",
    ),
    (
        INCREMENTAL.but(requests=Requests(full_sync="now")),
        "run 2 is in progress: incremental sync; then the requested full sync follows",
    ),
    (
        INCREMENTAL.but(requests=Requests(reset="now")),
        "run 2 is in progress: incremental sync; then a new activation begins with a reset, in mode PastAndFuture",
    ),
    (
        CANNOT_START,
        f"run 1 cannot start: Unschedulable: 0/3 nodes are available (Pod {FIRST.job_name}-abcde); "
        "it will start as soon as it can; to cancel it, fix spec.template or turn OFF",
    ),
    (
        RUNNING.but(pods=()),
        f"run 1 cannot start: its Job has no Pod, see `kubectl describe job {FIRST.job_name}`; "
        "it will start as soon as it can; to cancel it, fix spec.template or turn OFF",
    ),
    (
        RUNNING.but(pods=(unstarted_pod(FIRST, ""),)),
        f"run 1 cannot start: its Pod has not started, see `kubectl describe pod {FIRST.job_name}-abcde`; "
        "it will start as soon as it can; to cancel it, fix spec.template or turn OFF",
    ),
    (
        CANNOT_START.but(pods=(unstarted_pod(FIRST, ago=5),)),
        "run 1 is in progress: full sync, pushing what has changed",
    ),
    (CANNOT_START.but(spec=OFF), "turning OFF: cancelling run 1, which never started"),
    (CANNOT_START.but(generation=2), "cancelling run 1, which never started; the next run follows"),
    (
        CANNOT_START.but(spec=OFF).remembering(run=run(1, interrupted=True)),
        "waiting for run 1 to finish, but it cannot start again: Unschedulable: 0/3 nodes are available "
        f"(Pod {FIRST.job_name}-abcde); offPolicy PauseRun pauses it instead",
    ),
    (WAITING, "waiting until 2026-11-24T12:04:31Z for the next run"),
    (
        WAITING.declaring(mode="FutureOnly"),
        "waiting until 2026-11-24T12:04:31Z for the next run; mode FutureOnly applies when it is next turned ON",
    ),
    (
        failing(3),
        "run 3 failed: the worker's own words; retrying at 2026-11-24T12:00:41Z",
    ),
    (
        failed(1, '{"reason": "connection refused"}'),
        "run 1 failed: connection refused; retrying at 2026-11-24T12:05:01Z",
    ),
    (WAITING.but(pods=(pod(FIRST),)), "waiting for the Pod of an earlier run to end"),
    (
        stalled(Outcome.CONFIGURATION_ERROR),
        "run 1 stopped: the worker's own words; fix spec.sync or spec.template to retry at once, or "
        "`kubectl sync run crm-to-billing` if it was fixed elsewhere; retrying at 2026-11-24T12:04:56Z",
    ),
    (
        stalled(Outcome.HALTED),
        "run 1 stopped: the worker's own words; "
        'approve it with `kubectl sync approve crm-to-billing --run 1` or the annotation tidegate.dev/approve: "1", or '
        "turn OFF and reset",
    ),
    (
        stalled(Outcome.CACHE_UNUSABLE),
        "run 1 stopped: the worker's own words; reset the sync to start with a new cache: "
        "`kubectl sync reset crm-to-billing`",
    ),
    (
        CLAIMED.but(refusal=refusal(needs_human=True)),
        'run 1 cannot start: unknown field "spec.template.spec.imge"; '
        "retrying periodically, and at once when the spec changes",
    ),
    (
        CLAIMED.but(refusal=refusal(needs_human=False)),
        'run 1 cannot start yet: unknown field "spec.template.spec.imge"',
    ),
    (RUNNING.but(spec=OFF), "waiting for run 1 to finish before turning OFF"),
    (
        RUNNING.but(jobs=(job(FIRST, failures=1, backoff_limit=2),), pods=(pod(FIRST), pod(FIRST, 1, message="boom"))),
        "run 1 is in progress: full sync, pushing what has changed; attempt 2 of 3, the last one failed: boom",
    ),
    (
        RUNNING.but(spec=OFF, jobs=(job(FIRST, failures=2, backoff_limit=2),), pods=(pod(FIRST), pod(FIRST, 137))),
        "waiting for run 1 to finish before turning OFF; attempt 3 of 3, the last one failed with exit code 137",
    ),
    (RUNNING.but(spec=PAUSE), "waiting for run 1 to pause before turning OFF"),
    (HELD, "run 1 cannot start yet: its Job is suspended by Kueue, in the queue sales"),
    (
        HELD.but(spec=OFF).remembering(run=run(1, interrupted=True)),
        "waiting for run 1 to finish, but it cannot start again: its Job is suspended by Kueue, in the queue sales; "
        "offPolicy PauseRun pauses it instead",
    ),
    (PAUSING, "waiting for run 1 to pause before turning OFF"),
    (PAUSING.but(spec=OFF), "waiting for run 1 to pause before turning OFF"),
    (
        RUNNING.but(spec=PAUSE, jobs=(replace(job(FIRST), resumed_by="Kueue, in the queue sales"),)),
        "waiting for run 1 to finish before turning OFF: its Job was suspended to pause it, and was resumed by "
        "Kueue, in the queue sales",
    ),
    (
        FINISHED.but(spec=PAUSE, pods=(pod(FIRST),)),
        "waiting for run 1 to finish before turning OFF",
    ),
    (
        CLAIMED.but(spec=OFF),
        "turning OFF: confirming that run 1 did not start",
    ),
    (PAUSED, "run 1 is paused; turning ON continues it where it left off"),
    (PAUSED.declaring(reset=True), "run 1 is paused; turning ON cancels it and resets"),
    (PAUSED.but(requests=Requests(reset="now")), "run 1 is paused; turning ON cancels it and resets"),
    (
        PAUSED.declaring(reset=True).remembering(activation=activation(reset=True)),
        "run 1 is paused; turning ON continues it where it left off",
    ),
    (
        PAUSED.declaring(mode="FutureOnly"),
        "run 1 is paused; turning ON continues it where it left off; mode FutureOnly applies to the next activation",
    ),
    (CANCELLING, "cancelling the paused run 1; a new activation follows"),
    (CANCELLING.but(spec=PAUSE), "turning OFF: cancelling the paused run 1"),
    (WAITING.but(spec=OFF, pods=(pod(FIRST),)), "waiting for the Pod of an earlier run to end"),
    (
        CLAIMED.but(spec=OFF, pods=ORPHAN),
        f"waiting for run 1 to finish before turning OFF{NAMED}",
    ),
    (
        WAITING.but(spec=OFF, pods=ORPHAN),
        f"waiting for the Pod of an earlier run to end{NAMED}",
    ),
    (
        WAITING.but(spec=OFF, pods=(replace(ORPHAN[0], terminating=True),)),
        "waiting for the Pod of an earlier run to end",
    ),
    (RUNNING.but(deleting=True), "deleting: stopping the current run; no new run will start"),
]


@pytest.mark.parametrize(("given", "message"), MESSAGES, ids=[message for _, message in MESSAGES])
def test_the_message_states_what_happens_and_what_would_change_it(given: Situation, message: str) -> None:
    assert shown(given).message == message


@pytest.mark.parametrize("needs_human", [True, False])
def test_the_api_server_s_message_is_shown_inert(needs_human: bool) -> None:
    hostile = replace(refusal(needs_human=needs_human), message="Invalid value: \x1b[2J\n" + "x" * 5000)
    message = shown(CLAIMED.but(refusal=hostile)).message
    assert message is not None
    assert message.isprintable()
    assert len(message) < 1000


def rows() -> Iterator[Row]:
    for section in TABLE.values():
        yield from section


@pytest.mark.parametrize("row", [pytest.param(row, id=row.words) for row in rows()])
def test_in_every_situation_the_message_is_one_line_that_names_the_run(row: Row) -> None:
    seen, step = row.given.observe(), row.given.decide(row.at)
    message = report(seen, step, row.at).message
    assert message
    assert message.isprintable()
    assert "None" not in message
    if step.status.run is not None and not seen.integration.deleting:
        assert re.search(rf"\brun {step.status.run.number}\b", message)


@pytest.mark.parametrize("row", [pytest.param(row, id=row.words) for row in rows()])
def test_in_every_situation_kstatus_finds_one_of_three_states(row: Row) -> None:
    seen, step = row.given.observe(), row.given.decide(row.at)
    holds = {c.type: c.status == "True" for c in report(seen, step, row.at).conditions}
    assert holds.keys() == {"Ready", "Reconciling", "Stalled", "Syncing"}
    assert [holds["Ready"], holds["Reconciling"], holds["Stalled"]].count(True) == 1
    assert holds["Stalled"] == (step.stalled is not None)
    if step.phase in (Phase.OFF, Phase.PAUSED) and not row.given.pods:
        assert not holds["Syncing"]


CONDITIONS = [
    ("a full sync is running", RUNNING, "Reconciling", "CatchingUp", True),
    ("an incremental run is running", INCREMENTAL, "Ready", "CaughtUp", True),
    ("waiting for the next run", WAITING, "Ready", "CaughtUp", False),
    ("waiting to retry a full sync", failing(1), "Reconciling", "Retrying", False),
    ("waiting to retry changes", failing(1).remembering(activation=CAUGHT_UP), "Reconciling", "Retrying", False),
    ("a retry is running", failing(1, ago=60), "Reconciling", "Retrying", True),
    ("turning off", RUNNING.but(spec=OFF), "Reconciling", "TurningOff", True),
    ("off", IS_OFF, "Ready", "Off", False),
    ("paused", PAUSED, "Ready", "Paused", False),
    ("halted", stalled(Outcome.HALTED), "Stalled", "Halted", False),
    ("refused for good", CLAIMED.but(refusal=refusal(needs_human=True)), "Stalled", "JobRefused", False),
    ("refused for now", CLAIMED.but(refusal=refusal(needs_human=False)), "Reconciling", "JobRefused", False),
    ("held by another controller", HELD, "Reconciling", "JobHeld", True),
    ("an orphan Pod is alive", WAITING.but(spec=OFF, pods=(pod(FIRST),)), "Reconciling", "TurningOff", True),
    ("a Pod of before is alive", IS_OFF.but(spec=ON, pods=(pod(FIRST),)), "Reconciling", "CatchingUp", True),
]


@pytest.mark.parametrize(
    ("given", "true", "reason", "syncing"), [row[1:] for row in CONDITIONS], ids=[row[0] for row in CONDITIONS]
)
def test_the_conditions(given: Situation, true: str, reason: str, syncing: bool) -> None:
    assert (condition(given, true).status, condition(given, true).reason) == ("True", reason)
    assert (condition(given, "Syncing").status == "True") is syncing
    assert {c.observed_generation for c in shown(given).conditions} == {1}


def test_a_condition_s_time_is_that_of_its_last_transition() -> None:
    before = shown(RUNNING)
    later = NOW + timedelta(minutes=7)
    given = FINISHED.but(status=before.model_copy(update={"run": FIRST, "activation": activation(), "runs": 1}))
    after = {c.type: c for c in report(given.observe(), given.decide(later), later).conditions}
    assert after["Stalled"].last_transition_time == NOW
    assert after["Syncing"].last_transition_time == later


@pytest.mark.parametrize(
    ("given", "activity"),
    [
        (NEW, None),
        (RUNNING, "▶ run 1"),
        (RUNNING.but(spec=OFF), "▶ run 1"),
        (FINISHED, "✓ run 1"),
        (failed(1), "✗ run 1"),
        (PAUSED.remembering(phase=Phase.TURNING_OFF), "⏸ run 1"),
        (CLAIMED_ONLY.but(spec=OFF), "✗ run 1"),
    ],
)
def test_the_activity_column_shows_the_newest_run(given: Situation, activity: str | None) -> None:
    assert shown(given).activity == activity


@pytest.mark.parametrize(("switch", "declared"), [("ON", "ON"), ("OFF", "OFF"), (True, "ON"), (False, "OFF")])
def test_the_status_column_shows_on_or_off_for_every_notation(switch: object, declared: str) -> None:
    assert shown(NEW.declaring(status=switch)).declared == declared


def test_the_observed_generation_is_that_of_the_spec_that_was_used() -> None:
    assert shown(NEW.but(generation=7)).observed_generation == 7


def test_nothing_relative_is_shown_so_that_an_idle_status_never_changes() -> None:
    seen = WAITING.observe()
    first = report(seen, WAITING.decide(NOW), NOW)
    stored = WAITING.but(status=SyncIntegrationStatus.model_validate(first.to_wire()))
    later = NOW + timedelta(minutes=4)
    assert report(stored.observe(), stored.decide(later), later).to_wire() == first.to_wire()


class TestRecentActivity:
    def test_an_entry_describes_its_run(self) -> None:
        message = '{"read": {"crm": 3}, "pushed": {"erp": {"create": 1, "update": 2}}, "setAside": 2, "waiting": 3}'
        entry = shown(FINISHED.but(pods=(pod(FIRST, 0, message=message),))).recent_activity[0].to_wire()
        assert entry == {
            "run": 1,
            "kind": "Full",
            "outcome": "Succeeded",
            "mark": "✓",
            "summary": "✓ run 1 (2 set aside)",
            "startedAt": "2026-11-24T11:59:00Z",
            "finishedAt": "2026-11-24T11:59:50Z",
            "duration": "50s",
            "report": {
                "read": {"crm": 3},
                "changed": {},
                "pushed": {"erp": 3},
                "created": {"erp": 1},
                "updated": {"erp": 2},
                "deleted": {},
                "withheld": {},
                "conflicts": 0,
                "setAside": 2,
                "waiting": 3,
            },
        }

    def test_the_newest_run_is_first_and_the_oldest_is_dropped(self) -> None:
        three = FINISHED.declaring(activityLimit=2)
        for number in (1, 2, 3):
            one = run(number)
            three = three.remembering(run=one, runs=number).but(jobs=(job(one, JobState.COMPLETE),), pods=())
            three = three.but(pods=(pod(one, 0),))
            three = three.but(status=shown(three))
        assert [entry.run for entry in three.status.recent_activity] == [3, 2]

    def test_a_lowered_limit_applies_at_once(self) -> None:
        entries = shown(FINISHED).recent_activity
        many = WAITING.remembering(recent_activity=entries * 5)
        assert len(shown(many.declaring(activityLimit=2)).recent_activity) == 2

    def test_a_run_that_was_paused_before_it_ended_has_one_entry(self) -> None:
        paused = shown(PAUSED.remembering(phase=Phase.TURNING_OFF))
        ended = shown(FINISHED.but(status=paused))
        assert [(entry.run, entry.mark) for entry in ended.recent_activity] == [(1, "✓")]

    def test_an_end_before_the_start_gives_zero_duration(self) -> None:
        hurried = FINISHED.but(jobs=(job(FIRST, JobState.COMPLETE, ago=3600),))
        assert shown(hurried).recent_activity[0].duration == timedelta(0)

    def test_an_end_in_the_future_is_now(self) -> None:
        ahead = FINISHED.but(jobs=(job(FIRST, JobState.COMPLETE, ago=-3600),))
        assert shown(ahead).recent_activity[0].finished_at == NOW


class TestLastRun:
    def test_a_failure_has_the_worker_s_reason(self) -> None:
        last = shown(failed(1, '{"reason": "connection refused"}')).last_run
        assert last is not None
        assert last.reason == "connection refused"

    def test_a_failure_without_a_worker_s_reason_has_the_job_s(self) -> None:
        last = shown(failed(1, failure_message="Job has reached the specified backoff limit")).last_run
        assert last is not None
        assert last.reason == "Job has reached the specified backoff limit"

    def test_a_success_has_no_reason(self) -> None:
        last = shown(FINISHED.but(pods=(pod(FIRST, 0, message='{"reason": "all is well"}'),))).last_run
        assert last is not None
        assert last.reason is None

    def test_the_last_sync_is_the_newest_that_succeeded(self) -> None:
        succeeded = shown(FINISHED)
        failing_now = failed(1).but(status=succeeded.model_copy(update={"run": FIRST}))
        assert shown(failing_now).last_synced_at == succeeded.last_synced_at == NOW - timedelta(seconds=10)


EVENTS = [
    (NEW.but(spec=ON), [("TurnedOn", "activation 1 begins with a full sync (PastAndFuture)")]),
    (
        IS_OFF.but(spec={**ON, "mode": "FutureOnly", "reset": True}),
        [
            (
                "TurnedOn",
                "activation 2 begins with a read-only full sync (FutureOnly); all cached data is deleted first",
            )
        ],
    ),
    (FINISHED, [("CaughtUp", "run 1 completed the full sync")]),
    (
        FINISHED.remembering(run=SECOND, activation=CAUGHT_UP).but(jobs=(job(SECOND, JobState.COMPLETE),), pods=()),
        [],
    ),
    (failed(1, "boom"), [("RunFailed", "run 1: boom")]),
    (failed(3, "too many deletes"), [("RunHalted", "run 1: too many deletes")]),
    (
        FINISHED.but(spec=OFF),
        [("CaughtUp", "run 1 completed the full sync"), ("TurnedOff", "OFF is honoured: no sync is running")],
    ),
    (IS_OFF, []),
    (PAUSED.remembering(phase=Phase.TURNING_OFF), [("Paused", "run 1 is paused")]),
    (HELD, [("JobHeld", "run 1 waits: its Job is suspended by Kueue, in the queue sales")]),
    (
        CLAIMED.but(refusal=refusal(needs_human=False)),
        [("JobRefused", 'run 1 cannot start: unknown field "spec.template.spec.imge"')],
    ),
    (PAUSED, []),
    (PAUSED.but(spec=ON), [("Resumed", "run 1 picks up where it left off")]),
]


@pytest.mark.parametrize(("given", "events"), EVENTS)
def test_events_report_each_change_once(given: Situation, events: list[tuple[str, str]]) -> None:
    told = [action for action in given.decide().actions if isinstance(action, Announce)]
    assert [(event.reason, event.note) for event in told] == events
    assert all(event.warning == event.reason.startswith(("Run", "JobRefused")) for event in told)
