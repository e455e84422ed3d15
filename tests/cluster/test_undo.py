"""An undo, as its user requests it: once, in the order of runs, never while OFF, and approved as any halted run is."""

import json

import pytest

from cluster.namespace import Namespace, Object, wait_for
from cluster.played_node import PlayedNode

pytestmark = pytest.mark.usefixtures("operator")

WAITS_FOR_ON = "the requested undo of run 1 waits until the sync is ON: turn it ON"
FOUND = [{"object": "contact", "connector": "erp", "what": "undo", "count": 30, "digest": "0123456789abcdef"}]


def is_waiting(namespace: Namespace, node: PlayedNode) -> None:
    """Run 1 has caught up, and the next one would start in an hour."""
    namespace.create_integration(status="ON", delay="1h", offPolicy="PauseRun")
    node.end(1)
    namespace.wait_phase("Waiting")


def wait_claimed(namespace: Namespace, run: int) -> Object:
    return namespace.wait_until("the claim", lambda status: status.get("run", {}).get("number") == run)


def variables(namespace: Namespace, run: int) -> dict[str, str]:
    """What the worker of a run is given."""
    (container,) = namespace.job(run)["spec"]["template"]["spec"]["containers"]
    return {variable["name"]: variable["value"] for variable in container["env"]}


def test_it_starts_at_once_is_done_once_and_the_next_request_undoes_the_undo(
    namespace: Namespace, node: PlayedNode
) -> None:
    is_waiting(namespace, node)
    namespace.annotate(undo_requested="1")
    status = wait_claimed(namespace, 2)
    assert (status["run"]["kind"], status["run"]["undo"]) == ("Undo", 1)
    assert status["message"] == "run 2 is in progress: undoing run 1"
    given = variables(namespace, 2)
    assert (given["SYNC_UNDO"], given["SYNC_SCOPE"], given["SYNC_PUSH"]) == ("1", "changes", "true")
    node.end(2)
    namespace.wait_ended(2)
    status = namespace.wait_phase("Waiting")
    assert (status["handled"]["undoRequested"], status["activity"]) == ("1", "✓ run 2 (undo of run 1)")
    assert status["runs"] == 2
    namespace.annotate(undo_requested="2")
    assert wait_claimed(namespace, 3)["run"]["undo"] == 2


def test_while_off_it_waits_and_on_begins_with_it(namespace: Namespace, node: PlayedNode) -> None:
    is_waiting(namespace, node)
    namespace.patch(status="OFF")
    namespace.wait_phase("Off")
    namespace.annotate(undo_requested="1")
    status = namespace.wait_until("the words", lambda status: WAITS_FOR_ON in status["message"])
    assert (status["phase"], status["runs"]) == ("Off", 1)
    namespace.patch(status="ON")
    assert wait_claimed(namespace, 2)["run"]["kind"] == "Undo"
    node.end(2)
    namespace.wait_ended(2)
    namespace.annotate(sync_requested_at="now")
    assert wait_claimed(namespace, 3)["run"]["kind"] == "Full"


def test_off_pauses_it_on_continues_it_and_a_reset_follows(namespace: Namespace, node: PlayedNode) -> None:
    is_waiting(namespace, node)
    namespace.annotate(undo_requested="1")
    wait_claimed(namespace, 2)
    wait_for("a running Pod", lambda: [pod for pod in namespace.pods() if pod["status"]["phase"] == "Running"])
    uid = namespace.job(2)["metadata"]["uid"]
    namespace.patch(status="OFF")
    assert namespace.wait_phase("Paused")["run"]["undo"] == 1
    namespace.patch(status="ON")
    namespace.wait_phase("Syncing")
    namespace.annotate(reset_requested_at="now")
    node.end(2)
    namespace.wait_ended(2)
    assert namespace.job(2)["metadata"]["uid"] == uid
    status = wait_claimed(namespace, 3)
    assert (status["run"]["kind"], status["activation"]["reset"]) == ("Full", True)
    assert status["handled"]["undoRequested"] == "1"


def test_one_that_halts_is_approved_and_runs_again_as_an_undo(namespace: Namespace, node: PlayedNode) -> None:
    is_waiting(namespace, node)
    namespace.annotate(undo_requested="1")
    node.end(2, 3, message=json.dumps({"reason": "the undo deletes 30 of 40", "found": FOUND}))
    assert "kubectl sync approve" in namespace.wait_condition("Stalled")["message"]
    assert namespace.status()["handled"]["undoRequested"] == "1"
    namespace.annotate(approve="2")
    status = wait_claimed(namespace, 3)
    assert (status["run"]["undo"], status["run"]["approved"], status["run"]["confirmed"]) == (1, 2, FOUND)
    given = variables(namespace, 3)
    assert (given["SYNC_UNDO"], given["SYNC_APPROVED"]) == ("1", "2")


def test_what_is_no_run_is_refused_with_words_and_its_plan_too(namespace: Namespace, node: PlayedNode) -> None:
    is_waiting(namespace, node)
    namespace.annotate(undo_requested="7", plan_requested_at="now", plan_undo="seven")
    why = "there is no run 7 yet; the newest is run 1"
    status = namespace.wait_until("the refusal", lambda status: status.get("handled", {}).get("undoRefused") == why)
    assert why in status["message"]
    assert status["runs"] == 1
    assert status["plan"]["reason"].endswith('it must be the number of a run, not "seven"')
    wait_for("the Event", lambda: [event for event in namespace.events() if event["reason"] == "UndoRefused"])


def test_the_plan_of_an_undo_is_made_while_off(namespace: Namespace, node: PlayedNode) -> None:
    is_waiting(namespace, node)
    namespace.patch(status="OFF")
    namespace.wait_phase("Off")
    namespace.annotate(plan_requested_at="now", plan_undo="1")
    status = wait_claimed(namespace, 2)
    assert (status["phase"], status["run"]["kind"], status["run"]["undo"]) == ("Off", "Plan", 1)
    given = variables(namespace, 2)
    assert (given["SYNC_UNDO"], given["SYNC_PLAN"], given["SYNC_PUSH"]) == ("1", "true", "false")
    node.end(
        2, message='{"plan": {"sides": [{"object": "contact", "connector": "erp", "update": 3}], "wouldHalt": []}}'
    )
    status = namespace.wait_until("the plan", lambda status: status.get("plan"))
    assert (status["plan"]["undo"], status["plan"]["outcome"]) == (1, "Succeeded")
