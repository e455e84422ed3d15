"""`kubectl sync changes` and `undo`: a run is looked at and taken back; the node and the worker's words are played.

tests/cluster/test_undo.py has the operator's side, and tests/unit/worker/test_undo.py what the worker does.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cluster.command_line import CommandLine, plain
from cluster.namespace import Namespace
from cluster.operator_process import OperatorProcess
from cluster.played_logs import PlayedLogs
from cluster.played_node import PlayedNode
from cluster.test_kubectl_sync_plan import bind_cache, key_of
from devcluster.toolchain import kubectl
from documentation.pages import Page, Scene, Shell, play
from tidegate.worker.run.sealed import Seal
from tidegate.worker.run.undo.reverse import CHANGED

CONTACT = {"object": "contact", "connector": "billing", "what": "update"}
WROTE = [
    {"type": "written", **CONTACT, "id": 42, "fields": ["phone_no"]},
    {"type": "written", **CONTACT, "id": 43, "fields": ["phone_no"]},
]
VALUES = [
    {**WROTE[0], "match": {"email": "ada@example"}, "fields": {"phone_no": ["030 1234", "000"]}},
    {**WROTE[1], "match": {"email": "bob@example"}, "fields": {"phone_no": ["030 5678", "000"]}},
]
RESTORED = {"type": "planned", **CONTACT, "id": 42, "fields": ["phone_no"]}
LEFT = {
    **{"type": "left", "object": "contact", "connector": "billing", "id": 43, "field": "phone_no"},
    "reason": CHANGED,
}
COUNTS = {"object": "contact", "connector": "billing", "create": 0, "update": 1, "delete": 0, "setAside": 0}
FOUND = {"first": False, "sides": [COUNTS, {**COUNTS, "connector": "crm", "update": 0}], "wouldHalt": []}
LEFT_WORDS = "left unchanged: 1; see the run's log"
PUSHED = json.dumps({"read": {"billing": 100, "crm": 2}, "pushed": {"billing": {"update": 2}, "crm": {}}})


@pytest.fixture
def synced(namespace: Namespace, node: PlayedNode, shared_operator: OperatorProcess) -> Namespace:
    """A sync that is ON; run 2 has updated two records in billing."""
    namespace.create_integration(status="ON", delay="1h")
    node.end(1)
    namespace.wait_phase("Waiting")
    bind_cache(namespace)
    namespace.annotate(sync_requested_at="now")
    node.end(2, message=PUSHED)
    namespace.wait_ended(2)
    namespace.wait_phase("Waiting")
    return namespace


def end_plan(node: PlayedNode, logs: PlayedLogs, run: int, *lines: Any, **changes: Any) -> None:
    """The worker has planned the undo of run 2."""
    found = {**FOUND, **changes}
    logs.say(run, LEFT, *lines, {"type": "plan", **found, "lines": 3})
    node.end(run, message=json.dumps({"v": 1, "outcome": "complete", "reason": LEFT_WORDS, "plan": found}))


def test_the_page_s_commands_print_what_it_shows(
    synced: Namespace, node: PlayedNode, logs: PlayedLogs, sync: CommandLine, tmp_path: Path
) -> None:
    section = Page.read("docs/undo.md").section("From the command line")
    looked, planned, undone = (command.text for command in section.commands())
    scenes = [
        Scene(
            looked,
            says="run 3 plans",
            meanwhile=lambda: end_plan(node, logs, 3, *Seal(key_of(synced, 3)).boxes([*VALUES, RESTORED])),
        ),
        Scene(planned, says="run 4 plans", meanwhile=lambda: end_plan(node, logs, 4, *WROTE, RESTORED)),
        Scene(undone, says="run 5 is in progress", meanwhile=lambda: node.end(5)),
    ]
    shell = Shell.open(sync.kubeconfig, tmp_path, kubectl())
    list(play(section, shell, scenes, shown=but_for_times))
    assert synced.status()["lastRun"]["undo"] == 2
    assert "000" not in sync("logs", "contacts", "--run", "3").out


def but_for_times(text: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\dT\S+Z", "TIME", re.sub(r"^waiting for the API.*\n", "", text))


def test_on_a_terminal_it_shows_the_plan_and_asks(
    synced: Namespace, node: PlayedNode, logs: PlayedLogs, sync: CommandLine
) -> None:
    with sync.terminal("undo", "contacts", "--run", "2") as terminal:
        terminal.see("run 3 plans what the undo of run 2 would do")
        end_plan(node, logs, 3, *WROTE, RESTORED)
        terminal.see(f"left as it is: contact 43 of billing, field phone_no: {CHANGED}")
        terminal.see("update contact 42 in billing: phone_no")
        terminal.see("This undoes run 2 of contacts. Continue?")
        assert "tidegate.dev/undo-requested" not in synced.integration()["metadata"]["annotations"]
        terminal.type("y\r")
        terminal.see("contacts: requested run 4, the undo of run 2, to start at once")
        assert terminal.end() == 0
        assert "updated contact" not in plain(terminal.drawn), "what the run wrote is for `changes`"
    node.end(4)
    assert synced.wait_ended(4)["kind"] == "Undo"


def test_a_script_reads_what_a_run_wrote_and_confirms_an_undo(
    synced: Namespace, node: PlayedNode, logs: PlayedLogs, sync: CommandLine
) -> None:
    asking = sync.start("changes", "contacts", "-o", "json")
    synced.job(3)
    end_plan(node, logs, 3, *WROTE, RESTORED)
    done = asking.end()
    assert done.code == 0, done.err
    assert json.loads(done.out) == {"run": 2, "written": WROTE, "missing": None}
    unconfirmed = sync("undo", "contacts", "--run", "2")
    assert unconfirmed.code == 2
    assert "This undoes run 2 of contacts: without a terminal, confirm with --yes" in unconfirmed.err
    assert "undoRequested" not in synced.status().get("handled", {})


def test_what_the_journal_does_not_have_is_said_in_the_worker_s_words(
    synced: Namespace, node: PlayedNode, sync: CommandLine
) -> None:
    node.end(3, 2, '{"reason": "run 2 cannot be undone: spec.sync.journal is not set"}')
    refused = sync("undo", "contacts", "--run", "2", "--plan", "--timeout", "1m")
    assert (refused.code, refused.out) == (3, "")
    assert "Error: contacts: no plan was made: run 2 cannot be undone: spec.sync.journal is not set" in refused.err


BAD_INPUT = {
    ("undo", "contacts", "--run", "7", "--yes"): "Error: contacts: there is no run 7: the newest is run 2",
    ("undo", "contacts", "--run", "1", "--plan"): "Error: contacts: run 1 has written nothing",
    ("undo", "contacts"): "Missing option '--run'",
    ("undo", "contacts", "--run", "2", "--values", "--yes"): "--values lists a plan: add --plan",
    ("changes", "contacts", "--run", "0"): "Error: contacts: there is no run 0: the newest is run 2",
}


def test_bad_input_is_refused_with_words_and_changes_nothing(synced: Namespace, sync: CommandLine) -> None:
    before = synced.integration()["metadata"]["resourceVersion"]
    refused = {arguments: sync(*arguments) for arguments in BAD_INPUT}
    assert {arguments: words in refused[arguments].err for arguments, words in BAD_INPUT.items()} == dict.fromkeys(
        BAD_INPUT, True
    ), [each.err for each in refused.values()]
    assert {each.code for each in refused.values()} <= {1, 2}
    assert synced.integration()["metadata"]["resourceVersion"] == before
