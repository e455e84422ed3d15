"""Decisions about conflicts reach a run that pushes, once; what a Pod cannot be given is refused."""

import json
from typing import Any

import pytest

from tidegate.api.runs import RunKind
from tidegate.api.status import HandledRequests
from tidegate.control import render
from tidegate.control.conflict_decisions import digest_of
from tidegate.control.observation import JobState
from tidegate.control.parse import job_of
from tidegate.control.report import report
from tidegate.control.settings import Settings
from tidegate.control.step import Announce

from .decision_table.notation import asked
from .situations import (
    CLAIMED_ONLY,
    FIRST,
    IS_OFF,
    NEW,
    NOW,
    RUNNING,
    SECOND,
    WAITING,
    Situation,
    activation,
    job,
    pod,
    run,
    status,
)

DECISIONS = json.dumps([{"object": "contact", "id": 42, "connector": "crm", "field": "phone", "take": "erp"}])
ASKED = asked(decisions=DECISIONS)
NEXT = "; the next run that pushes carries out the decisions about conflicts"
REFUSED = "; no decision of the annotation tidegate.dev/decisions is carried out: "
SETTINGS = Settings(operator_image="registry.example/operator:1", worker_image="registry.example/worker:1")


def digest(given: Situation) -> str | None:
    return digest_of(given.observe().integration)


def message(given: Situation) -> str:
    return report(given.observe(), given.decide(), NOW).message or ""


def handled(decisions: str | None) -> HandledRequests:
    return HandledRequests(decisions=decisions)


DUE = WAITING.but(requests=asked(sync="now", decisions=DECISIONS))
MANY = json.dumps([{"object": "contact", "id": [*range(60_000)], "connector": "crm", "field": "phone", "take": "erp"}])


def test_a_plan_is_given_them_and_carries_none_out() -> None:
    given = IS_OFF.but(requests=asked(plan="now", decisions=DECISIONS))
    planned = given.decide().status.run
    assert planned is not None
    assert (planned.kind, planned.decisions) == (RunKind.PLAN, digest(given))
    assert message(given).endswith(NEXT)
    undo = given.but(requests=asked(plan="now", plan_undo="1", decisions=DECISIONS)).remembering(runs=1)
    planned = undo.decide().status.run
    assert planned is not None
    assert planned.decisions is None


def test_the_next_run_that_pushes_is_given_them() -> None:
    claimed = DUE.decide().status.run
    assert claimed is not None
    assert claimed.decisions == digest(DUE) is not None


def test_a_run_is_not_due_at_once_because_of_them() -> None:
    waiting = WAITING.but(requests=ASKED)
    assert waiting.decide().status.run is None
    assert message(waiting).endswith(NEXT)


@pytest.mark.parametrize(
    "given",
    [
        NEW.declaring(status="ON", mode="FutureOnly").but(requests=ASKED),
        DUE.remembering(handled=handled(digest(DUE))),
        DUE.but(requests=asked(sync="now")),
        DUE.but(requests=asked(sync="now", decisions="[")),
    ],
    ids=["a read-only run", "they are handled", "there are none", "they are refused"],
)
def test_other_runs_are_not(given: Situation) -> None:
    claimed = given.decide().status.run
    assert claimed is not None
    assert claimed.decisions is None


def test_a_run_whose_job_is_created_again_is_given_those_that_there_are_then() -> None:
    given = CLAIMED_ONLY.but(requests=ASKED)
    claimed = given.decide().status.run
    assert claimed is not None
    assert claimed.decisions == digest(given)
    assert (changed := given.but(requests=asked()).decide().status.run) is not None
    assert changed.decisions is None


@pytest.mark.parametrize(
    ("code", "state", "expected"),
    [(0, JobState.COMPLETE, "d1"), (1, JobState.FAILED, None), (2, JobState.FAILED, None), (3, JobState.FAILED, None)],
)
def test_they_are_handled_when_a_run_that_was_given_them_has_succeeded(
    code: int, state: JobState, expected: str | None
) -> None:
    given = run(1, decisions="d1")
    ended = RUNNING.but(
        requests=ASKED, status=status(run=FIRST, activation=activation()),
        jobs=(job(given, state),), pods=(pod(given, code),),
    )  # fmt: skip
    assert ended.decide().status.handled.decisions == expected


def test_what_has_been_handled_is_mentioned_no_more_and_neither_what_a_run_is_carrying_out() -> None:
    assert NEXT not in message(WAITING.but(requests=ASKED).remembering(handled=handled(digest(DUE))))
    carrying = run(1, decisions=digest(DUE))
    running = RUNNING.but(requests=ASKED, status=status(run=carrying, activation=activation()), jobs=(job(carrying),))
    assert NEXT not in message(running)


def test_while_off_they_wait() -> None:
    assert message(IS_OFF.but(requests=ASKED)) == f"OFF: no sync is running{NEXT}"


OWN_WORKER = {"template": {"spec": {"containers": [{"name": "sync", "image": "mine"}]}}}
TOO_LARGE = (
    "with spec.sync and the template's annotations it takes {:,} bytes, and a Pod holds 253,952; "
    "decide in several steps"
)
LARGE_TEMPLATE = {"template": {"metadata": {"annotations": {"example.org/a": "x" * 253_900}}}}


@pytest.mark.parametrize(
    ("text", "spec", "why"),
    [
        ("yes", {}, "it is not JSON"),
        ('[{"object": "contact"}]', {}, "entry 1 has no id"),
        (
            DECISIONS,
            OWN_WORKER,
            "only the built-in worker carries out decisions, and spec.template names another image",
        ),
        (
            MANY,
            {},
            TOO_LARGE.format(len("{}") + len(MANY)),
        ),
        (
            DECISIONS,
            LARGE_TEMPLATE,
            TOO_LARGE.format(len("{}example.org/a") + 253_900 + len(DECISIONS)),
        ),
    ],
    ids=["not JSON", "another shape", "a worker of one's own", "too many", "beside a large template"],
)
def test_what_cannot_be_given_to_a_run_is_refused_in_words_and_the_sync_goes_on(
    text: str, spec: dict[str, Any], why: str
) -> None:
    given = DUE.declaring(**spec).but(requests=asked(sync="now", decisions=text))
    step = given.decide()
    assert step.status.run is not None
    assert step.status.run.decisions is None
    assert message(given).endswith(REFUSED + why)
    told = [action for action in step.actions if isinstance(action, Announce) and action.reason == "DecisionsRefused"]
    assert [each.note for each in told] == [(REFUSED + why).removeprefix("; ")]


def test_a_refusal_is_told_once_by_an_event_and_stays_in_the_message() -> None:
    given = WAITING.but(requests=asked(decisions="yes"))
    again = given.but(status=given.decide().status)
    assert not any(isinstance(action, Announce) for action in again.decide().actions)
    assert message(again).endswith(f"{REFUSED}it is not JSON")


def test_what_was_refused_is_carried_out_once_it_fits() -> None:
    refused = WAITING.declaring(**OWN_WORKER).but(requests=ASKED)
    claimed = DUE.but(status=refused.decide().status).decide().status.run
    assert claimed is not None
    assert claimed.decisions == digest(DUE)


class TestThePod:
    def rendered(self, claimed: Any) -> dict[str, Any]:
        return render.job(DUE.observe().integration, claimed, SETTINGS)

    def test_it_has_them_as_a_file(self) -> None:
        template = self.rendered(run(2, RunKind.INCREMENTAL, decisions="d1"))["spec"]["template"]
        assert template["metadata"]["annotations"]["tidegate.dev/decisions"] == DECISIONS
        (config,) = (volume for volume in template["spec"]["volumes"] if volume["name"] == "config")
        items = {item["path"]: item["fieldRef"]["fieldPath"] for item in config["downwardAPI"]["items"]}
        assert items["decisions.json"] == "metadata.annotations['tidegate.dev/decisions']"
        (worker,) = template["spec"]["containers"]
        assert {"name": "SYNC_DECISIONS", "value": "/sync/config/decisions.json"} in worker["env"]

    def test_one_of_another_run_has_nothing_of_them(self) -> None:
        assert "decisions" not in json.dumps(self.rendered(SECOND))

    def test_its_job_says_which_ones_it_was_given(self) -> None:
        manifest = self.rendered(run(2, RunKind.INCREMENTAL, decisions="d1"))
        metadata = {
            **manifest["metadata"],
            "uid": "1",
            "resourceVersion": "1",
            "creationTimestamp": "2026-11-24T12:00:00Z",
        }
        assert job_of({**manifest, "metadata": metadata}).run.decisions == "d1"
