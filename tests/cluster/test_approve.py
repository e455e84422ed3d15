"""A halted run is approved: by command, by annotation, and as docs/approve.md shows it; for one run, and once."""

import json
from pathlib import Path
from typing import Any

import pytest

from cluster.command_line import CommandLine, plain
from cluster.namespace import Namespace
from cluster.operator_process import OperatorProcess
from cluster.played_logs import PlayedLogs
from cluster.played_node import PlayedNode
from devcluster.toolchain import kubectl
from documentation.pages import Page, Scene, Shell, play

PAGE = Page.read("docs/approve.md")
CREATES = {"object": "contact", "connector": "billing", "what": "creates", "count": 2, "digest": "0123456789abcdef"}
UPDATES = {**CREATES, "connector": "crm", "what": "updates", "count": 1}
WHY = "spec.approval is Always, and the run would create 2 contact records in billing, update 1 contact record in crm"
HALTED = json.dumps({"outcome": "halted", "reason": WHY, "found": [CREATES, UPDATES]})


def planned(what: str, connector: str, key: int, of: str | None = None) -> dict[str, Any]:
    said = {"type": "planned", "object": "contact", "connector": connector, "what": what, "id": key}
    return {**said, "of": of} if of else said


def environment(namespace: Namespace, run: int) -> dict[str, str]:
    (worker,) = namespace.job(run)["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry.get("value", "") for entry in worker["env"]}


@pytest.fixture
def halted(namespace: Namespace, node: PlayedNode, operator: OperatorProcess, logs: PlayedLogs) -> Namespace:
    """ON with `approval: Always`; run 1 has halted and says what it would do."""
    namespace.create_integration(status="ON", delay="1h", approval="Always")
    logs.say(1, *(planned("create", "billing", n, "crm") for n in (7, 8)), planned("update", "crm", 9))
    node.end(1, 3, HALTED)
    namespace.wait_condition("Stalled")
    return namespace


def test_the_page_shows_what_is_approved(
    halted: Namespace, node: PlayedNode, sync: CommandLine, tmp_path: Path
) -> None:
    shell = Shell.open(sync.kubeconfig, tmp_path, kubectl())

    def end_run_2() -> None:
        node.end(2)
        halted.wait_ended(2)

    list(play(PAGE, shell, [Scene("kubectl sync approve contacts --run 1 --yes", after=end_run_2)]))
    first, second = environment(halted, 1), environment(halted, 2)
    assert first["SYNC_APPROVAL"] == "always"
    assert "SYNC_APPROVED" not in first
    assert (second["SYNC_APPROVED"], json.loads(second["SYNC_CONFIRMED"])) == ("1", [CREATES, UPDATES])


def test_the_annotation_of_a_commit_approves_one_run_once(halted: Namespace, node: PlayedNode) -> None:
    assert halted.status()["lastRun"]["found"] == [CREATES, UPDATES]
    halted.annotate(approve="1")
    node.end(2, 3, HALTED)
    assert halted.wait_ended(2)["outcome"] == "Halted"
    halted.wait_condition("Stalled")
    halted.annotate(sync_requested_at="again")
    node.end(3)
    halted.wait_ended(3)
    assert environment(halted, 2)["SYNC_APPROVED"] == "1"
    assert "SYNC_APPROVED" not in environment(halted, 3)


def test_the_earlier_name_of_the_annotation_does_the_same(halted: Namespace, node: PlayedNode) -> None:
    halted.annotate(allow_deletes="1")
    node.end(2)
    halted.wait_ended(2)
    assert environment(halted, 2)["SYNC_APPROVED"] == "1"


def test_a_script_names_the_run_and_confirms(halted: Namespace, node: PlayedNode, sync: CommandLine) -> None:
    unnamed = sync("approve", "contacts", "--yes")
    assert (unnamed.code, "name the halted run: --run 1 --yes" in unnamed.err) == (2, True)
    unconfirmed = sync("approve", "contacts", "--run", "1")
    assert (unconfirmed.code, "without a terminal, confirm with --yes" in unconfirmed.err) == (2, True)
    assert "creates 2 contact records in billing" in unconfirmed.err
    other = sync("approve", "contacts", "--run", "7", "--yes")
    assert other.code == 1
    assert "the halted run is run 1, not run 7: run 1 stopped: spec.approval is Always" in other.err
    node.end(2)
    done = sync("approve", "contacts", "--run", "1", "--yes", "--wait")
    assert (done.code, done.out.splitlines()[-1]) == (0, "contacts: ✓ run 2")
    again = sync("approve", "contacts", "--run", "2", "--yes")
    assert again.code == 1
    assert "Error: contacts: run 2 has not halted (Succeeded), so there is nothing to approve" in again.err


def test_on_a_terminal_it_is_shown_and_asked(halted: Namespace, sync: CommandLine) -> None:
    with sync.terminal("approve", "contacts") as terminal:
        terminal.see("Approve run 1?")
        drawn = plain(terminal.drawn)
        assert "  creates 2 contact records in billing\r\n  updates 1 contact record in crm\r\n" in drawn
        assert "    create contact 7 of crm in billing\r\n" in drawn
        terminal.type("\r")
        assert terminal.end() == 1
    assert "tidegate.dev/approve" not in halted.integration()["metadata"].get("annotations", {})
    with sync.terminal("approve", "contacts") as terminal:
        terminal.see("[y/N]")
        terminal.type("y\r")
        terminal.see("approved run 1: the next run carries out what it found")
        assert terminal.end() == 0


def test_an_image_that_may_not_know_approvals_is_not_run(
    namespace: Namespace, node: PlayedNode, operator: OperatorProcess
) -> None:
    own = {"spec": {"containers": [{"name": "sync", "image": "registry.example/own:1"}]}}
    namespace.create_integration(status="ON", approval="Always", template=own)
    namespace.wait_condition("Stalled")
    assert 'annotation tidegate.dev/worker-approvals: "true" in spec.template.metadata' in namespace.status()["message"]
    namespace.patch(template={"metadata": {"annotations": {"tidegate.dev/worker-approvals": "true"}}, **own})
    node.end(1)
    assert namespace.wait_ended(1)["mark"] == "✓"
