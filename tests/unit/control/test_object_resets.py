"""Resets of objects: what the message and the Events say of them, and what the run's Pod is given."""

from dataclasses import replace
from typing import Any

import pytest

from tidegate.api.runs import ObjectReset
from tidegate.api.status import HandledRequests, SyncIntegrationStatus
from tidegate.control import render
from tidegate.control.observation import JobState, Requests
from tidegate.control.report import report
from tidegate.control.settings import Settings
from tidegate.control.step import Announce

from .decision_table.chain import CONTACT_RESET, OF_CONTACT, SYNC, WITH_OBJECTS
from .situations import IS_OFF, NOW, RUNNING, Situation, job, pod, run

UNKNOWN = WITH_OBJECTS.but(requests=Requests(reset="now", reset_objects=("kontakt",)))


def shown(given: Situation) -> SyncIntegrationStatus:
    return report(given.observe(), given.decide(), NOW)


def events(given: Situation) -> list[str]:
    return [f"{event.reason}: {event.note}" for event in given.decide().actions if isinstance(event, Announce)]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (RUNNING.declaring(sync=SYNC).but(requests=OF_CONTACT), "; the next run resets contact"),
        (IS_OFF.declaring(sync=SYNC).but(requests=OF_CONTACT), "; the first run after the next ON resets contact"),
        (
            WITH_OBJECTS.but(requests=OF_CONTACT),
            "incremental sync; it resets contact first, unless an earlier run has",
        ),
        (
            UNKNOWN,
            "; the reset that the annotation tidegate.dev/reset-requested-at requests is refused: spec.sync has no "
            "object kontakt; it has contact, account",
        ),
    ],
)
def test_the_message_says_what_becomes_of_a_request(given: Situation, words: str) -> None:
    assert (shown(given).message or "").endswith(words)


def test_the_run_that_takes_it_up_is_announced() -> None:
    asked = WITH_OBJECTS.but(requests=OF_CONTACT)
    assert events(asked) == [
        "ObjectsReset: run 2 forgets what is cached of contact, and reads it as if for the first time"
    ]
    assert asked.decide().status.handled.reset_requested_at == "now"


def test_a_refused_request_is_announced_once_and_acts_when_it_fits() -> None:
    (event,) = events(UNKNOWN)
    assert event.startswith("ResetRefused: the reset that the annotation tidegate.dev/reset-requested-at requests")
    told = UNKNOWN.remembering(handled=HandledRequests(refused_reset="now"))
    assert events(told) == []
    fits = told.declaring(sync={"objects": [{"name": "kontakt"}]}).decide().status.run
    assert fits is not None
    assert [each.object for each in fits.object_resets] == ["kontakt"]


def test_a_second_request_leaves_the_first_as_it_was() -> None:
    given = WITH_OBJECTS.but(requests=Requests(reset="later", reset_objects=("account",))).remembering(
        object_resets=CONTACT_RESET, handled=HandledRequests(reset_requested_at="now")
    )
    owed = given.decide().status.object_resets
    assert owed == (*CONTACT_RESET, ObjectReset(object="account", began=NOW, push=True))


def test_it_is_owed_until_a_run_that_was_given_it_has_succeeded() -> None:
    claimed = run(1, object_resets=CONTACT_RESET)
    ended = RUNNING.declaring(sync=SYNC).remembering(object_resets=CONTACT_RESET, run=claimed)
    failed = ended.but(jobs=(job(claimed, JobState.FAILED),), pods=(pod(claimed, 1),))
    assert failed.decide().status.object_resets == CONTACT_RESET
    succeeded = ended.but(jobs=(job(claimed, JobState.COMPLETE),), pods=(pod(claimed, 0),))
    assert succeeded.decide().status.object_resets == ()
    not_given = succeeded.remembering(run=run(1))
    assert not_given.decide().status.object_resets == CONTACT_RESET


def environment(given: Situation, **spec: Any) -> dict[str, str]:
    manifest = render.job(
        given.declaring(**spec).observe().integration,
        run(2, object_resets=given.status.object_resets),
        Settings(operator_image="operator", worker_image="worker"),
    )
    return {each["name"]: each["value"] for each in manifest["spec"]["template"]["spec"]["containers"][0]["env"]}


def test_the_worker_is_given_each_reset_with_what_tells_it_from_others() -> None:
    given = WITH_OBJECTS.remembering(object_resets=CONTACT_RESET)
    asked = environment(given)["SYNC_RESET_OBJECTS"]
    assert asked == '[{"object": "contact", "began": "2026-11-24T11:59:00.000000Z", "push": true}]'
    assert "SYNC_RESET_OBJECTS" not in environment(WITH_OBJECTS)


def test_what_it_pushes_needs_an_approval_like_a_full_sync() -> None:
    given = WITH_OBJECTS.remembering(object_resets=CONTACT_RESET)
    assert environment(given, approval="Always")["SYNC_APPROVAL"] == "always"


class TestAPlan:
    def test_foresees_a_requested_reset_and_takes_up_nothing(self) -> None:
        given = IS_OFF.declaring(sync=SYNC).but(requests=replace(OF_CONTACT, plan="now"))
        step = given.decide()
        claimed = step.status.run
        assert claimed is not None
        assert [(reset.object, reset.push) for reset in claimed.object_resets] == [("contact", True)]
        assert step.status.object_resets == ()
        assert step.status.handled.reset_requested_at is None
        assert events(given) == []
        assert (shown(given).message or "").endswith("; the first run after the next ON resets contact")

    def test_foresees_one_that_no_run_has_carried_out(self) -> None:
        given = IS_OFF.declaring(sync=SYNC).but(requests=Requests(plan="now")).remembering(object_resets=CONTACT_RESET)
        step = given.decide()
        assert step.status.run is not None
        assert step.status.run.object_resets == CONTACT_RESET
        assert step.status.object_resets == CONTACT_RESET

    @pytest.mark.parametrize("asked", [{"plan_undo": "1"}, {"plan_check": True}])
    def test_of_an_undo_and_a_check_resets_nothing(self, asked: dict[str, Any]) -> None:
        given = IS_OFF.declaring(sync=SYNC).but(requests=replace(OF_CONTACT, plan="now", **asked))
        claimed = given.decide().status.run
        assert claimed is not None
        assert claimed.object_resets == ()
