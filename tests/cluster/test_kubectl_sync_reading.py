"""`kubectl sync` tells how syncs are, and what their workers say."""

import json
from collections.abc import Iterator

import pytest

from cluster.command_line import CommandLine, plain
from cluster.namespace import Namespace
from cluster.operator_process import OperatorProcess
from cluster.played_logs import PlayedLogs
from cluster.played_node import PlayedNode
from devcluster.cluster import Cluster


@pytest.fixture(scope="module")
def operator(control_plane: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    """One operator for all namespaces: its start would take most of the time of these tests."""
    log = tmp_path_factory.mktemp("operator") / "operator.log"
    with OperatorProcess(control_plane.kubeconfig, "", log) as serving:
        yield serving


def test_status_and_activity_tell_of_the_last_run(
    namespace: Namespace, node: PlayedNode, operator: OperatorProcess, sync: CommandLine
) -> None:
    namespace.create_integration(status="ON", delay="1h")
    node.end(1, message='{"read": {"crm": 3500}, "pushed": {"crm": {"create": 2, "update": 1}}, "conflicts": 2}')
    namespace.wait_phase("Waiting")
    heading, row = sync("status").out.splitlines()
    assert heading.split() == ["NAME", "STATUS", "PHASE", "MODE", "ACTIVITY", "LAST-SYNC", "NEXT-RUN"]
    assert row.split()[:7] == ["contacts", "ON", "Waiting", "PastAndFuture", "✓", "run", "1"]
    assert "  pushed     crm 3\n" in sync("status", "contacts").out
    assert sync("activity", "contacts").out.splitlines()[1].startswith("✓ run 1  Full  Succeeded  ")
    (entry,) = json.loads(sync("activity", "contacts", "-o", "json").out)
    assert entry == namespace.status()["recentActivity"][0]


def test_watch_tells_each_change(
    namespace: Namespace, node: PlayedNode, operator: OperatorProcess, sync: CommandLine
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


def test_logs_are_those_of_the_run(
    namespace: Namespace, node: PlayedNode, operator: OperatorProcess, logs: PlayedLogs, sync: CommandLine
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
        "Error: no log of run 7 is left: the newest 10 runs keep theirs (activityLimit)\n",
    )


def test_following_a_log_outlives_the_pod(
    namespace: Namespace, node: PlayedNode, operator: OperatorProcess, logs: PlayedLogs, sync: CommandLine
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
    namespace: Namespace, node: PlayedNode, operator: OperatorProcess, logs: PlayedLogs, sync: CommandLine
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
    assert done.err == "as of run 1, 1 waits for a human\n"
    assert json.loads(sync("conflicts", "contacts", "-o", "json").out)["waiting"] == 1


@pytest.mark.parametrize(
    ("arguments", "environment", "colours"),
    [([], {}, True), (["--no-color"], {}, False), ([], {"NO_COLOR": "1"}, False), ([], {"TERM": "dumb"}, False)],
)
def test_colours_are_for_terminals_that_want_them(
    namespace: Namespace,
    node: PlayedNode,
    operator: OperatorProcess,
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
