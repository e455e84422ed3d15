"""`kubectl sync` tells how syncs are, and what their workers say."""

import json
import re
from datetime import datetime

import pytest

from cluster.command_line import UNHURRIED, CommandLine, Terminal, plain
from cluster.namespace import Namespace, wait_for
from cluster.operator_process import OperatorProcess
from cluster.played_logs import SPOKEN_AT, PlayedLogs
from cluster.played_node import PlayedNode


def test_status_and_activity_show_the_last_run(
    namespace: Namespace, node: PlayedNode, shared_operator: OperatorProcess, sync: CommandLine
) -> None:
    namespace.create_integration(status="ON", delay="1h")
    said = {"read": {"crm": 3500}, "pushed": {"crm": {"create": 2, "update": 1}}, "conflicts": 2, "waiting": 7}
    node.end(1, message=json.dumps(said))
    namespace.wait_phase("Waiting")
    heading, row = sync("status").out.splitlines()
    assert heading.split()[:6] == ["NAME", "STATUS", "PHASE", "READY", "REASON", "ACTIVITY"]
    assert heading.split()[6:] == ["UNRESOLVED", "LAST-SYNC", "NEXT-RUN"]
    cells = re.split(r"  +", row)
    assert cells[:7] == ["contacts", "ON", "Waiting", "True", "CaughtUp", "✓ run 1 (7 waiting)", "7"]
    assert "  pushed     crm 3\n" in sync("status", "contacts").out
    assert sync("activity", "contacts").out.splitlines()[1].startswith("✓ run 1 (7 waiting)  Full  Succeeded  ")
    (entry,) = json.loads(sync("activity", "contacts", "-o", "json").out)
    assert entry == namespace.status()["recentActivity"][0]


def test_watch_prints_each_change(
    namespace: Namespace, node: PlayedNode, shared_operator: OperatorProcess, sync: CommandLine
) -> None:
    namespace.create_integration(status="ON", delay="1h")
    watching = sync.start("watch")
    watching.hear_out("contacts: Syncing: run 1 is in progress")
    node.end(1)
    watching.hear_out("contacts: Waiting: waiting until")
    namespace.delete("tidegate.dev/v1alpha1", "SyncIntegration", "contacts")
    watching.hear_out("contacts: deleted")
    watching.interrupt()
    assert watching.end().code == 0


def test_logs_are_those_of_the_selected_run(
    namespace: Namespace, node: PlayedNode, shared_operator: OperatorProcess, logs: PlayedLogs, sync: CommandLine
) -> None:
    namespace.create_integration(status="ON", delay="0s")
    logs.say(1, "the first run")
    node.end(1)
    namespace.wait_until("run 2", lambda status: status["runs"] == 2)
    following = sync.start("logs", "contacts", "--follow")
    logs.say(2, "the second run begins")
    following.hear_out("the second run begins")
    logs.say(2, "and goes on")
    following.hear_out("and goes on")
    namespace.patch(status="OFF")
    node.end(2)
    logs.close(2)
    assert following.end().code == 0
    namespace.wait_phase("Off")
    assert sync("logs", "contacts").out == "the second run begins\nand goes on\n"
    assert sync("logs", "contacts", "--run", "1").out == "the first run\n"
    missing = sync("logs", "contacts", "--run", "7")
    assert (missing.code, missing.err) == (
        5,
        "Error: contacts: there is no run 7: the newest is run 2\n",
    )


def printed(terminal: Terminal) -> str:
    """What it has drawn, but for what a busy machine has made it say."""
    return UNHURRIED.sub("", plain(terminal.drawn).replace("\r", ""))


def test_logs_are_lines_on_a_terminal_and_json_elsewhere(
    namespace: Namespace, node: PlayedNode, shared_operator: OperatorProcess, logs: PlayedLogs, sync: CommandLine
) -> None:
    namespace.create_integration(status="ON", delay="1h")
    said = {"type": "progress", "checkpoint": "scan crm", "read": {"crm": 1200}, "pushed": {}}
    logs.say(1, said, "free text")
    node.end(1)
    namespace.wait_phase("Waiting")
    clock = datetime.fromisoformat(SPOKEN_AT).astimezone().strftime("%H:%M:%S")
    lines = f"{clock}  scan crm  read crm 1,200; pushed -\n{clock}  free text\n"
    (pod,) = namespace.pods()
    heading = f"run 1, attempt 1 (Pod {pod['metadata']['name']})\n"
    with sync.terminal("logs", "contacts") as terminal:
        assert terminal.end() == 0
    assert printed(terminal) == heading + lines
    asked = sync("logs", "contacts", "-o", "text")
    assert (asked.out, asked.err) == (lines, heading)
    raw = json.dumps(said) + "\nfree text\n"
    assert sync("logs", "contacts").out == raw
    with sync.terminal("logs", "contacts", "-o", "json") as terminal:
        assert terminal.end() == 0
    assert printed(terminal) == raw


def test_status_shows_the_progress_of_the_run(
    namespace: Namespace, node: PlayedNode, shared_operator: OperatorProcess, logs: PlayedLogs, sync: CommandLine
) -> None:
    namespace.create_integration(status="ON", delay="1h")
    namespace.wait_phase("Syncing")
    for read in (250, 1200):
        logs.say(1, {"type": "progress", "read": {"crm": read}, "pushed": {"erp": {"create": 3}}})
    logs.say(1, {"type": "parked", "object": "contact", "connector": "crm", "id": 7, "reason": "refused"})
    wait_for("the progress", lambda: "  progress  read crm 1,200; pushed erp 3\n" in sync("status", "contacts").out)
    node.end(1)
    namespace.wait_phase("Waiting")
    assert "  progress  " not in sync("status", "contacts").out


def test_messages_wrap_in_their_column_on_a_narrow_terminal(
    namespace: Namespace, node: PlayedNode, shared_operator: OperatorProcess, sync: CommandLine
) -> None:
    namespace.create_integration(status="ON", delay="1h")
    node.end(1, 2, json.dumps({"reason": "there is no table produkt; the database has contact, product, " + "x " * 40}))
    namespace.wait_condition("Stalled")
    for width in (80, 120):
        with sync.terminal("status", "contacts", COLUMNS=str(width)) as terminal:
            assert terminal.end() == 0
        lines = plain(terminal.drawn).splitlines()
        begins = next(n for n, line in enumerate(lines) if line.startswith("Message "))
        assert lines[begins + 1].startswith(" " * len("Message   "))
        assert max(map(len, lines)) <= width
        with sync.terminal("activity", "contacts", COLUMNS=str(width)) as terminal:
            assert terminal.end() == 0
        assert max(map(len, plain(terminal.drawn).splitlines())) <= width
    assert max(map(len, sync("status", "contacts").out.splitlines())) > 120, "a script reads whole lines"


def test_following_a_log_outlives_the_pod(
    namespace: Namespace, node: PlayedNode, shared_operator: OperatorProcess, logs: PlayedLogs, sync: CommandLine
) -> None:
    node.starts_pods = False
    namespace.create_integration(status="ON", delay="1h")
    namespace.wait_phase("Syncing")
    following = sync.start("logs", "contacts", "-f")
    node.starts_pods = True
    logs.say(1, "first Pod")
    following.hear_out("first Pod")
    first = {pod["metadata"]["name"] for pod in namespace.pods()}
    node.end(1, 1)
    logs.close(1)
    following.hear_out("first Pod")  # all that the played kubelet knows is the run: the second Pod says the same
    assert {pod["metadata"]["name"] for pod in namespace.pods()} > first
    node.end(1)
    assert following.end().code == 0


def test_conflicts_are_read_from_the_logs(
    namespace: Namespace, node: PlayedNode, shared_operator: OperatorProcess, logs: PlayedLogs, sync: CommandLine
) -> None:
    namespace.create_integration(status="ON", delay="1h")
    parked = {"type": "parked", "object": "contact", "connector": "crm", "id": 7, "field": "phone"}
    end = {"type": "end", "push": True, "outcome": "complete", "parked": 1}
    logs.say(1, {**parked, "reason": "it was changed on both sides, to different \x1b[31mvalues"}, end)
    node.end(1)
    namespace.wait_phase("Waiting")
    done = sync("conflicts", "contacts")
    assert done.code == 0
    assert [line.split("  ") for line in done.out.splitlines()][1][0] == "contact"
    assert "it was changed on both sides, to different  [31mvalues" in done.out
    assert done.err == "as of run 1, 1 record waits for a decision\n"
    assert json.loads(sync("conflicts", "contacts", "-o", "json").out)["waiting"] == 1


@pytest.mark.parametrize(
    ("arguments", "environment", "colours"),
    [([], {}, True), (["--no-color"], {}, False), ([], {"NO_COLOR": "1"}, False), ([], {"TERM": "dumb"}, False)],
)
def test_colours_appear_only_on_terminals_that_allow_them(
    namespace: Namespace,
    node: PlayedNode,
    shared_operator: OperatorProcess,
    sync: CommandLine,
    arguments: list[str],
    environment: dict[str, str],
    colours: bool,
) -> None:
    namespace.create_integration(status="ON", delay="1h")
    node.end(1)
    namespace.wait_phase("Waiting")
    with sync.terminal("status", *arguments, **environment) as terminal:
        terminal.end()
        assert "contacts" in plain(terminal.drawn)
        assert ("\x1b[3" in terminal.drawn) == colours, repr(terminal.drawn)
    assert "\x1b" not in sync("status").out
