"""What each command writes and says, by what it finds."""

from datetime import timedelta
from typing import Any

import pytest

from tidegate.api.spec import Mode, OffPolicy
from tidegate.cli.decisions.approve import Approve
from tidegate.cli.decisions.change import Change, Reset, RunNow, TurnOff, TurnOn, Wish
from tidegate.cli.decisions.request_plan import RequestPlan
from tidegate.cli.errors import RefusedError

from .situations import (
    AT,
    DECLARED_POLICY,
    PLAN_CHECK,
    PLAN_KEY,
    PLAN_REQUEST,
    PLAN_UNDO,
    RESET_REQUEST,
    conditions,
    halted,
    integration,
    off,
    paused,
    refused,
    run,
    syncing,
    turning_off,
    waiting,
)

PAST, FUTURE = Mode.PAST_AND_FUTURE, Mode.FUTURE_ONLY


def written(change: Change) -> dict[str, Any]:
    """All that a change writes."""
    return {**change.spec, **change.annotations}


BEGINS = {"status": "ON", "mode": "PastAndFuture", "reset": False}


@pytest.mark.parametrize(
    ("title", "wish", "spec", "status", "expected", "words"),
    [
        ("in a script past and future is the default", TurnOn(AT), {"switch": "OFF"}, off(), BEGINS, "pushes what"),
        (
            "the answer to the question",
            TurnOn(AT, default_mode=FUTURE),
            {"switch": "OFF"},
            off(),
            {**BEGINS, "mode": "FutureOnly"},
            "turned ON: a read-only full sync pushes nothing",
        ),
        (
            "a demanded mode replaces the one that was left",
            TurnOn(AT, PAST),
            {"switch": "OFF", "mode": "FutureOnly"},
            off(),
            BEGINS,
            "turned ON",
        ),
        (
            "a reset that was left is not done again",
            TurnOn(AT),
            {"switch": "OFF", "reset": True},
            off(),
            BEGINS,
            "removed reset: true, which was left in the spec",
        ),
        (
            "a reset is requested once, so that nothing is left to be done again",
            TurnOn(AT, reset=True),
            {"switch": "OFF", "reset": True},
            off(),
            {**BEGINS, RESET_REQUEST: AT},
            "all cached data is deleted first",
        ),
        (
            "a delay",
            TurnOn(AT, delay=timedelta(minutes=90)),
            {"switch": "OFF"},
            off(),
            {**BEGINS, "delay": "1h30m"},
            "turned ON",
        ),
        (
            "one that nobody has served yet",
            TurnOn(AT),
            {"switch": "OFF"},
            {},
            BEGINS,
            "turned ON",
        ),
        (
            "paused: the run goes on as it began",
            TurnOn(AT),
            {"switch": "OFF", "mode": "FutureOnly"},
            paused(),
            BEGINS,
            "run 13 picks up where it left off, with PastAndFuture",
        ),
        (
            "paused: the mode that it began with may be demanded",
            TurnOn(AT, PAST),
            {"switch": "OFF"},
            paused(),
            BEGINS,
            "run 13 picks up where it left off",
        ),
        (
            "paused: a reset that was left does not cost the paused run",
            TurnOn(AT),
            {"switch": "OFF", "reset": True},
            paused(),
            BEGINS,
            "picks up where it left off, with PastAndFuture (removed reset: true",
        ),
        (
            "paused: a reset gives the run up, and a mode is chosen",
            TurnOn(AT, FUTURE, reset=True),
            {"switch": "OFF"},
            paused(),
            {**BEGINS, "mode": "FutureOnly", RESET_REQUEST: AT},
            "run 13 is cancelled, and a read-only full sync",
        ),
        ("turning OFF: it goes on", TurnOn(AT), {"switch": "OFF"}, turning_off(), BEGINS, "continuing with Past"),
        (
            "turning OFF: a reset waits for the run",
            TurnOn(AT, reset=True),
            {"switch": "OFF"},
            turning_off(),
            {**BEGINS, RESET_REQUEST: AT},
            "when run 13 has ended, a full sync",
        ),
        (
            "OFF was declared and is not honoured yet",
            TurnOn(AT),
            {"switch": "OFF"},
            waiting(),
            BEGINS,
            "before the OFF took effect",
        ),
        ("ON already: nothing is written", TurnOn(AT), {"mode": "FutureOnly"}, syncing("FutureOnly"), {}, "already ON"),
        ("ON already with the demanded mode", TurnOn(AT, PAST), {}, waiting(), {}, "already ON; waiting until"),
        (
            "ON already: the delay is changed",
            TurnOn(AT, delay=timedelta(0)),
            {"delay": "5m"},
            waiting(),
            {"delay": "0s"},
            "already ON; the delay is now 0s",
        ),
        ("ON already: the delay is the same", TurnOn(AT, delay=timedelta(minutes=5)), {}, waiting(), {}, "already ON"),
        (
            "ON already: a reset begins anew",
            TurnOn(AT, reset=True),
            {"mode": "FutureOnly"},
            syncing("FutureOnly"),
            {**BEGINS, RESET_REQUEST: AT},
            "when run 13 has ended, a full sync",
        ),
        (
            "about to begin, with what is declared",
            TurnOn(AT),
            {"mode": "FutureOnly", "reset": True},
            {},
            {},
            "already ON; the operator has not picked it up yet",
        ),
        (
            "about to begin, with another mode",
            TurnOn(AT, FUTURE),
            {},
            {},
            {**BEGINS, "mode": "FutureOnly"},
            "read-only",
        ),
    ],
)
def test_on(
    title: str, wish: TurnOn, spec: dict[str, Any], status: dict[str, Any], expected: dict[str, Any], words: str
) -> None:
    change = wish.change(integration(status=status, **spec))
    assert written(change) == expected, title
    assert words in change.sentence


@pytest.mark.parametrize(
    ("wish", "spec", "status", "words"),
    [
        (TurnOn(AT, FUTURE), {}, waiting(), "turn it OFF first (kubectl sync off contacts -n sales --wait)"),
        (TurnOn(AT, FUTURE), {"switch": "OFF"}, turning_off(), "wait until it is OFF"),
        (TurnOn(AT, FUTURE), {"switch": "OFF"}, paused(), "omit the mode, or start over with --reset"),
        (TurnOn(AT, reset=True), {}, refused(), "no run can start until the spec is corrected: Job is invalid"),
    ],
)
def test_on_refuses_a_change_that_would_not_take_effect(
    wish: TurnOn, spec: dict[str, Any], status: dict[str, Any], words: str
) -> None:
    with pytest.raises(RefusedError) as refusal:
        wish.change(integration(status=status, **spec))
    assert words in refusal.value.message


def test_a_requested_reset_cancels_the_paused_run_and_is_reported() -> None:
    change = TurnOn(AT).change(integration(status=paused(), annotations={RESET_REQUEST: "now"}, switch="OFF"))
    assert change.sentence.startswith("turned ON: run 13 is cancelled, and a full sync")
    assert change.sentence.endswith("all cached data is deleted first, as requested before")


def test_a_reset_that_was_requested_while_off_is_reported() -> None:
    seen = integration(status=off(), annotations={RESET_REQUEST: "yesterday"}, switch="OFF")
    assert "all cached data is deleted first, as requested before" in TurnOn(AT).change(seen).sentence


@pytest.mark.parametrize(
    ("title", "wish", "policy", "declared", "expected"),
    [
        ("as declared: it finishes", TurnOff(), "FinishRun", None, {"status": "OFF"}),
        ("as declared: it pauses", TurnOff(), "PauseRun", None, {"status": "OFF"}),
        (
            "pause this time: what is declared is remembered",
            TurnOff(OffPolicy.PAUSE_RUN),
            "FinishRun",
            None,
            {"status": "OFF", "offPolicy": "PauseRun", DECLARED_POLICY: "FinishRun"},
        ),
        (
            "finish this time, although pausing is declared",
            TurnOff(OffPolicy.FINISH_RUN),
            "PauseRun",
            None,
            {"status": "OFF", "offPolicy": "FinishRun", DECLARED_POLICY: "PauseRun"},
        ),
        ("pausing is declared anyway", TurnOff(OffPolicy.PAUSE_RUN), "PauseRun", None, {"status": "OFF"}),
        (
            "an earlier pause was for its own OFF",
            TurnOff(),
            "PauseRun",
            "FinishRun",
            {"status": "OFF", "offPolicy": "FinishRun", DECLARED_POLICY: None},
        ),
        ("pause again", TurnOff(OffPolicy.PAUSE_RUN), "PauseRun", "FinishRun", {"status": "OFF"}),
    ],
)
def test_off(title: str, wish: TurnOff, policy: str, declared: str | None, expected: dict[str, Any]) -> None:
    annotations = {DECLARED_POLICY: declared} if declared else {}
    change = wish.change(integration(status=syncing(), annotations=annotations, offPolicy=policy))
    assert written(change) == expected, title


def test_on_puts_the_declared_policy_back() -> None:
    seen = integration(status=paused(), annotations={DECLARED_POLICY: "FinishRun"}, offPolicy="PauseRun", switch="OFF")
    assert written(TurnOn(AT).change(seen)) == {**BEGINS, "offPolicy": "FinishRun", DECLARED_POLICY: None}


@pytest.mark.parametrize(
    ("wish", "spec", "status", "words"),
    [
        (TurnOff(), {}, syncing(), "turning OFF: run 13 finishes first"),
        (
            TurnOff(OffPolicy.PAUSE_RUN),
            {},
            syncing(),
            "turning OFF: run 13 pauses at its next checkpoint unless it finishes first; the next ON resumes it",
        ),
        (
            TurnOff(OffPolicy.PAUSE_RUN),
            {"annotations": {RESET_REQUEST: "now"}},
            syncing(),
            "turning OFF: run 13 pauses at its next checkpoint unless it finishes first; the next ON cancels it and",
        ),
        (
            TurnOff(),
            {},
            syncing(conditions=conditions(reason="PodCannotStart")),
            "turning OFF: run 13 cannot start, and is cancelled unless its worker has run before",
        ),
        (
            TurnOff(),
            {},
            {},
            "turning OFF: no run is in progress, and none will start; the operator has not picked it up",
        ),
        (TurnOff(), {}, waiting(), "turning OFF: no run is in progress, and none will start"),
        (TurnOff(), {"switch": "OFF"}, turning_off(), "turning OFF: run 13 finishes first"),
        (TurnOff(), {"switch": "OFF"}, off(), "already OFF; no sync is running"),
        (TurnOff(), {"switch": "OFF"}, paused(), "already OFF; run 13 is paused; turning ON continues it"),
    ],
)
def test_off_reports_what_happens_to_the_run(
    wish: TurnOff, spec: dict[str, Any], status: dict[str, Any], words: str
) -> None:
    assert wish.change(integration(status=status, **spec)).sentence.startswith(words)


def test_off_writes_nothing_when_it_is_off() -> None:
    assert TurnOff().change(integration(status=off(), switch="OFF")).empty


def test_off_with_pause_pauses_a_finishing_run() -> None:
    change = TurnOff(OffPolicy.PAUSE_RUN).change(integration(status=turning_off(), switch="OFF"))
    assert written(change) == {"offPolicy": "PauseRun", DECLARED_POLICY: "FinishRun"}


def test_run_requests_one_run() -> None:
    change = RunNow(AT).change(integration(status=waiting()))
    assert written(change) == {"tidegate.dev/sync-requested-at": AT}
    assert change.sentence == "requested run 13, to start at once"
    assert (
        "requested run 13, to start when run 13 has ended"
        not in RunNow(AT).change(integration(status=syncing())).sentence
    )


def test_run_full_requests_one_full_sync() -> None:
    change = RunNow(AT, full=True).change(integration(status=waiting()))
    assert written(change) == {"tidegate.dev/full-sync-requested-at": AT}
    assert change.sentence == "requested run 13, a full sync, to start at once"


def test_run_full_is_refused_while_off_because_an_on_begins_with_a_full_sync() -> None:
    with pytest.raises(RefusedError, match="an ON begins with a full sync: kubectl sync on"):
        RunNow(AT, full=True).change(integration(status=off(), switch="OFF"))


@pytest.mark.parametrize("wish", [RunNow(AT), RunNow(AT, full=True), Reset(AT), TurnOn(AT)])
def test_no_outcome_is_promised_without_an_operator(wish: RunNow | Reset | TurnOn) -> None:
    switch = "OFF" if isinstance(wish, TurnOn) else "ON"
    sentence = wish.change(integration(switch=switch)).sentence
    assert sentence.startswith(("requested run 1", "requested a reset", "turned ON"))
    assert sentence.endswith("is it running, and does it serve this namespace?")
    assert "is it running" not in wish.change(integration(status=waiting(), switch=switch)).sentence


def test_run_retries_a_halted_sync() -> None:
    assert RunNow(AT).change(integration(status=halted())).sentence == "requested run 13, to start at once"


def test_reset_requests_one_reset_with_the_declared_mode() -> None:
    change = Reset(AT).change(integration(status=syncing(), mode="FutureOnly"))
    assert written(change) == {RESET_REQUEST: AT}
    assert change.sentence.startswith(
        "requested a reset: when run 13 has ended, all cached data is deleted, and a read-only full sync"
    )


@pytest.mark.parametrize("wish", [RunNow(AT), Reset(AT)])
def test_run_and_reset_require_on_and_an_accepted_job(wish: RunNow | Reset) -> None:
    with pytest.raises(RefusedError, match=r"it is OFF; .*kubectl sync on contacts -n sales"):
        wish.change(integration(status=off(), switch="OFF"))
    with pytest.raises(RefusedError, match="no run can start until the spec is corrected: Job is invalid"):
        wish.change(integration(status=refused()))


def test_run_accepts_a_fixed_spec_before_the_operator_has_observed_it() -> None:
    assert RunNow(AT).change(integration(status=refused(), generation=2)).annotations


def test_an_approval_names_the_halted_run() -> None:
    change = Approve(12).change(integration(status=halted()))
    assert written(change) == {"tidegate.dev/approve": "12"}
    assert change.sentence == "approved run 12: the next run carries out what it found"


@pytest.mark.parametrize(
    ("number", "status", "words"),
    [
        (11, halted(), "the halted run is run 12, not run 11: run 12 stopped: 900 gone"),
        (
            12,
            halted(lastRun={**halted()["lastRun"], "outcome": "Succeeded"}),
            r"run 12 has not halted \(Succeeded\), so there is nothing to approve: see kubectl sync status",
        ),
        (12, waiting(), "it has not run yet, and only a run that has halted can be approved"),
        (12, halted(run=run(13)), "run 13 is in progress, and only a run that has halted can be approved: wait"),
        (12, halted(lastRun={**halted()["lastRun"], "found": []}), "run 12 has found nothing that could be approved"),
    ],
)
def test_a_run_is_approved_only_after_it_was_shown(number: int, status: dict[str, Any], words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        Approve(number).change(integration(status=status))


PLANNING: dict[str, Any] = {"run": run(13, kind="Plan"), "runs": 13}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (off(), "requested a plan"),
        (waiting(), "requested a plan"),
        (syncing(), "requested a plan, to start when run 13 has ended"),
        (paused(), "requested a plan, to start when run 13, which is paused, has ended"),
        (off(**PLANNING), "requested a plan, to start when run 13 has ended"),
        (
            {},
            "requested a plan; the operator has not picked it up yet: is it running, and does it serve this namespace?",
        ),
    ],
)
def test_a_plan_is_requested_and_says_what_it_waits_for(status: dict[str, Any], words: str) -> None:
    change = RequestPlan(AT).change(integration(status=status, switch="OFF"))
    assert written(change) == {PLAN_REQUEST: AT, PLAN_KEY: None, PLAN_UNDO: None, PLAN_CHECK: None}, (
        "a key, an undo, or a check of an earlier request is none of this one"
    )
    assert change.sentence == words


def test_a_plan_with_values_carries_the_key_that_they_are_sealed_with() -> None:
    assert written(RequestPlan(AT, "a key").change(integration()))[PLAN_KEY] == "a key"


def test_a_plan_of_an_undo_names_the_run() -> None:
    assert written(RequestPlan(AT, undo=9).change(integration()))[PLAN_UNDO] == "9"


def test_a_check_is_a_plan_that_ends_early() -> None:
    change = RequestPlan(AT, check=True).change(integration(status=off()))
    assert written(change) == {PLAN_REQUEST: AT, PLAN_KEY: None, PLAN_UNDO: None, PLAN_CHECK: "true"}
    assert change.sentence == "requested a check"


def test_a_plan_needs_a_job_that_is_accepted() -> None:
    with pytest.raises(RefusedError, match="no run can start until the spec is corrected: Job is invalid"):
        RequestPlan(AT).change(integration(status=refused()))


@pytest.mark.parametrize(
    ("wish", "spec", "status", "words"),
    [
        (TurnOn(AT), {"switch": "OFF"}, off(**PLANNING), "turned ON: the plan, run 13, is cancelled, and a full sync"),
        (Reset(AT), {}, waiting(**PLANNING), "requested a reset: the plan, run 13, is cancelled, and all cached data"),
        (
            TurnOff(),
            {},
            waiting(**PLANNING),
            "turning OFF: no run is in progress, and none will start; the plan, run 13,",
        ),
        (RunNow(AT), {}, waiting(**PLANNING), "requested run 14, to start when run 13 has ended"),
        (RunNow(AT), {}, halted(**PLANNING), "requested run 14, to start when run 13 has ended"),
        (RequestPlan(AT), {}, halted(**PLANNING), "requested a plan, to start when run 13 has ended"),
        (Approve(12), {}, halted(**PLANNING), "approved run 12: the next run carries out what it found"),
    ],
)
def test_a_plan_in_progress_is_no_sync_that_runs(
    wish: Wish, spec: dict[str, Any], status: dict[str, Any], words: str
) -> None:
    assert wish.change(integration(status=status, **spec)).sentence.startswith(words)


OWN = {"spec": {"containers": [{"name": "sync", "image": "own:1"}]}}
OWN_THAT_PLANS = {**OWN, "metadata": {"annotations": {"tidegate.dev/worker-plans": "true"}}}


@pytest.mark.parametrize(
    ("title", "wish", "spec", "status", "offered"),
    [
        ("OFF", TurnOn(AT), {}, off(), True),
        ("not seen yet", TurnOn(AT), {}, {}, False),
        ("paused: the run continues", TurnOn(AT), {}, paused(), False),
        ("turning OFF", TurnOn(AT), {}, turning_off(), False),
        ("the cache is deleted first", TurnOn(AT, reset=True), {}, off(), False),
        ("a reset was requested before", TurnOn(AT), {"annotations": {RESET_REQUEST: "now"}}, off(), False),
        ("a worker that may not know it", TurnOn(AT), {"template": OWN}, off(), False),
        ("a worker that says that it plans", TurnOn(AT), {"template": OWN_THAT_PLANS}, off(), True),
    ],
)
def test_a_plan_is_offered_where_it_says_what_turning_on_does(
    title: str, wish: TurnOn, spec: dict[str, Any], status: dict[str, Any], offered: bool
) -> None:
    assert wish.can_be_planned(integration(switch="OFF", status=status, **spec)) == offered, title


def test_a_patch_applies_to_the_observed_version_only() -> None:
    seen = integration(status=waiting())
    assert TurnOff().change(seen).patch(seen) == {
        "metadata": {"resourceVersion": "41", "uid": "5f0c7a52"},
        "spec": {"status": "OFF"},
    }
    assert RunNow(AT).change(seen).patch(seen) == {
        "metadata": {
            "resourceVersion": "41",
            "uid": "5f0c7a52",
            "annotations": {"tidegate.dev/sync-requested-at": AT},
        }
    }
