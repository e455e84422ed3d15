"""What a halted run has found travels from its last words, by the status, to the run that a person approves it for."""

import json

import pytest

from tidegate.api.runs import Found, Outcome
from tidegate.control.observation import JobState
from tidegate.control.report import report
from tidegate.control.termination_message import report_of

from .decision_table.notation import asked
from .situations import FIRST, NOW, RUNNING, job, pod, stalled

DELETES = {"object": "contact", "connector": "crm", "what": "deletes", "count": 30, "digest": "0123456789abcdef"}
APPROVE = 'approve it with `kubectl sync approve crm-to-billing --run 1` or the annotation tidegate.dev/approve: "1"'
FOUND = [DELETES, {**DELETES, "what": "blanked", "field": "phone"}]


@pytest.mark.parametrize(
    ("found", "what_helps"),
    [
        (
            FOUND,
            f"if that is intended, {APPROVE}; if not, restore or correct the records and "
            "`kubectl sync run crm-to-billing`",
        ),
        ([], "do what it says, and `kubectl sync run crm-to-billing`"),
        (None, f"{APPROVE}, or turn OFF and reset"),
    ],
    ids=["something that can be approved", "nothing", "a worker that does not say"],
)
def test_the_advice_depends_on_what_halted_the_run(found: object, what_helps: str) -> None:
    message = json.dumps({"outcome": "halted", "reason": "it looks wrong", "found": found})
    halted = RUNNING.but(jobs=(job(FIRST, JobState.FAILED),), pods=(pod(FIRST, 3, message=message),))
    status = report(halted.observe(), halted.decide(), NOW)
    assert status.message == f"run 1 stopped: it looks wrong; {what_helps}"


def test_the_reason_of_a_halt_is_remembered() -> None:
    message = json.dumps({"outcome": "halted", "reason": "30 are gone", "found": FOUND})
    halted = RUNNING.but(jobs=(job(FIRST, JobState.FAILED),), pods=(pod(FIRST, 3, message=message),))
    status = report(halted.observe(), halted.decide(), NOW)
    assert status.last_run is not None
    assert status.last_run.to_wire()["found"] == FOUND


@pytest.mark.parametrize(("approved", "passed_on"), [("1", FOUND), ("7", None)])
def test_the_approved_run_gets_the_approval(approved: str, passed_on: object) -> None:
    given = stalled(Outcome.HALTED)
    assert given.status.last_run is not None
    last = given.status.last_run.model_copy(update={"found": tuple(Found.model_validate(each) for each in FOUND)})
    run = given.but(requests=asked(approve=approved)).remembering(last_run=last).decide().status.run
    assert (run.to_wire().get("confirmed") if run else None) == passed_on


@pytest.mark.parametrize(
    "said",
    [
        "all of them",
        [*FOUND, "and more"],
        [{**DELETES, "count": "30"}],
        [{**DELETES, "digest": "f" * 64}],
        [{**DELETES, "field": 7}],
        [{name: value for name, value in DELETES.items() if name != "digest"}],
        FOUND * 6,
    ],
)
def test_a_malformed_confirmation_is_ignored(said: object) -> None:
    words = report_of((pod(FIRST, 3, message=json.dumps({"found": said})),))
    assert words is not None
    assert words.found is None
