"""`kubectl sync` turns syncs ON and OFF, and waits: the installed script, the real API server and operator."""

from cluster.command_line import CommandLine
from cluster.namespace import Namespace
from cluster.operator_process import OperatorProcess
from cluster.played_logs import PlayedLogs
from cluster.played_node import Ending, PlayedNode

DECLARED_POLICY = "tidegate.dev/declared-off-policy"


def test_on_waits_until_it_has_caught_up(
    namespace: Namespace, node: PlayedNode, shared_operator: OperatorProcess, sync: CommandLine
) -> None:
    namespace.create_integration(status="OFF", mode="FutureOnly", reset=True, delay="1h")
    node.end_every_run(Ending())
    done = sync("on", "contacts", "--wait")
    assert done.code == 0, done.err
    turned, caught_up = done.out.splitlines()
    assert turned.startswith("contacts: turned ON: a full sync reads both sides and pushes what has changed")
    assert caught_up.startswith("contacts: caught up; waiting until ")
    spec, status = namespace.integration()["spec"], namespace.status()
    assert (spec["status"], spec["mode"], spec["reset"], spec["delay"]) == ("ON", "PastAndFuture", False, "1h")
    assert status["cacheEpoch"] == 1, "a reset that was left in the spec is not done"


def test_a_reset_happens_once(
    namespace: Namespace, node: PlayedNode, shared_operator: OperatorProcess, sync: CommandLine
) -> None:
    namespace.create_integration(status="ON", delay="1h")
    node.end_every_run(Ending())
    namespace.wait_condition("Ready")
    assert sync("off", "contacts", "--wait").code == 0
    assert sync("on", "contacts", "--reset", "--future-only", "--wait").code == 0
    status = namespace.status()
    assert (status["cacheEpoch"], status["activation"]["reset"], status["activation"]["mode"]) == (
        2,
        True,
        "FutureOnly",
    )
    assert sync("off", "contacts", "--wait").code == 0
    namespace.patch(status="ON")  # by somebody who knows nothing of it
    namespace.wait_condition("Ready")
    assert namespace.status()["cacheEpoch"] == 2


def test_reset_waits_for_the_full_sync_after_it(
    namespace: Namespace, node: PlayedNode, shared_operator: OperatorProcess, sync: CommandLine
) -> None:
    namespace.create_integration(status="ON", delay="1h")
    node.end(1)
    namespace.wait_phase("Waiting")
    resetting = sync.start("reset", "contacts", "--wait", "--yes")
    resetting.hear("run 2 is in progress: full sync")
    node.end(2)
    done = resetting.end()
    assert done.code == 0, done.err
    assert namespace.status()["cacheEpoch"] == 2


def test_a_mode_that_would_not_take_effect_is_refused(
    namespace: Namespace, node: PlayedNode, shared_operator: OperatorProcess, sync: CommandLine
) -> None:
    namespace.create_integration(status="ON", delay="1h")
    namespace.wait_phase("Syncing")
    refused = sync("on", "contacts", "--future-only")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("Error: contacts: it was turned ON with PastAndFuture")
    assert namespace.integration()["spec"]["mode"] == "PastAndFuture"


def test_off_waits_for_the_running_run(
    namespace: Namespace, node: PlayedNode, shared_operator: OperatorProcess, sync: CommandLine
) -> None:
    namespace.create_integration(status="ON", delay="1h")
    namespace.wait_phase("Syncing")
    turning_off = sync.start("off", "contacts", "--wait")
    turning_off.hear("contacts: TurningOff: waiting for run 1 to finish before turning OFF")
    assert turning_off.running()
    node.end(1)
    done = turning_off.end()
    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        "contacts: turning OFF: run 1 finishes first",
        "contacts: OFF: no sync is running",
    ]
    assert [entry["summary"] for entry in namespace.status()["recentActivity"]] == ["✓ run 1"]


def test_off_with_pause_applies_to_one_off_only(
    namespace: Namespace, node: PlayedNode, shared_operator: OperatorProcess, sync: CommandLine
) -> None:
    namespace.create_integration(status="ON", delay="1h")
    namespace.wait_phase("Syncing")
    paused = sync("off", "contacts", "--pause", "--wait")
    assert paused.code == 0, paused.err
    assert "contacts: run 1 is paused; turning ON continues it where it left off" in paused.out
    job = namespace.job(1)["metadata"]["uid"]
    resumed = sync("on", "contacts")
    assert resumed.out == "contacts: turned ON: run 1 picks up where it left off, with PastAndFuture\n"
    integration = namespace.integration()
    assert integration["spec"]["offPolicy"] == "FinishRun"
    assert DECLARED_POLICY not in integration["metadata"].get("annotations", {})
    node.end(1)
    namespace.wait_ended(1)
    assert namespace.job(1)["metadata"]["uid"] == job


def test_run_waits_for_the_run_that_it_requested(
    namespace: Namespace, node: PlayedNode, shared_operator: OperatorProcess, sync: CommandLine
) -> None:
    namespace.create_integration(status="ON", delay="1h")
    namespace.wait_phase("Syncing")
    running = sync.start("run", "contacts", "--wait")
    running.hear_out("contacts: requested run 2, to start when run 1 has ended")
    node.end(1)
    running.hear("run 2 is in progress")
    node.end(2)
    done = running.end()
    assert (done.code, done.out) == (0, "contacts: ✓ run 2\n")


def test_a_run_that_fails_gives_its_reason(
    namespace: Namespace, node: PlayedNode, shared_operator: OperatorProcess, sync: CommandLine
) -> None:
    namespace.create_integration(status="ON", delay="1h", retries=0)
    node.end(1)
    namespace.wait_phase("Waiting")
    running = sync.start("run", "contacts", "--wait")
    running.hear_out("contacts: requested run 2, to start at once")
    node.end(2, 1, '{"outcome": "failed", "reason": "no route to crm"}')
    failed = running.end()
    assert failed.code == 1
    assert failed.err.splitlines()[-1] == "Error: contacts: ✗ run 2: no route to crm"


def test_a_stalled_sync_ends_the_wait(
    namespace: Namespace, node: PlayedNode, shared_operator: OperatorProcess, sync: CommandLine
) -> None:
    namespace.create_integration(status="OFF")
    node.end_every_run(Ending(2, '{"reason": "connector crm: url is missing"}'))
    stalled = sync("on", "contacts", "--wait")
    assert stalled.code == 3
    assert "run 1 stopped: connector crm: url is missing; fix spec.sync or spec.template" in stalled.err


def test_a_wait_ends_when_another_client_turns_it_on_again(
    namespace: Namespace, node: PlayedNode, shared_operator: OperatorProcess, sync: CommandLine
) -> None:
    namespace.create_integration(status="ON")
    namespace.wait_phase("Syncing")
    turning_off = sync.start("off", "contacts", "--wait")
    turning_off.hear("TurningOff")
    namespace.patch(status="ON")
    ended = turning_off.end()
    assert (ended.code, ended.err.splitlines()[-1]) == (1, "Error: contacts: turned ON by another client")


def test_ctrl_c_ends_the_wait_and_nothing_else(
    namespace: Namespace, node: PlayedNode, shared_operator: OperatorProcess, sync: CommandLine
) -> None:
    namespace.create_integration(status="ON")
    namespace.wait_phase("Syncing")
    turning_off = sync.start("off", "contacts", "--wait")
    turning_off.hear("TurningOff")
    turning_off.interrupt()
    done = turning_off.end()
    assert (done.code, done.err.splitlines()[-1]) == (130, "Stopped waiting; the operation continues in the cluster.")
    assert namespace.integration()["spec"]["status"] == "OFF"


def test_on_asks_for_the_mode_on_a_terminal(
    namespace: Namespace, node: PlayedNode, shared_operator: OperatorProcess, logs: PlayedLogs, sync: CommandLine
) -> None:
    namespace.create_integration(status="OFF", delay="1h")
    namespace.wait_phase("Off")
    with sync.terminal("on", "contacts", "--wait") as terminal:
        terminal.see("See what it would do first?")
        terminal.type("n\r")
        terminal.see("What about the changes that were made while contacts was OFF?")
        terminal.see("1  Past and future: ")
        terminal.see("2  Future only: ")
        terminal.type("2\r")
        terminal.see("contacts Syncing run 1 is in progress: full sync, read-only")
        logs.say(1, {"type": "progress", "read": {"crm": 1200}, "pushed": {}})
        terminal.see("read crm 1,200")
        node.end(1)
        logs.close(1)
        terminal.see("contacts: caught up")
        assert terminal.end() == 0
    assert namespace.status()["activation"]["mode"] == "FutureOnly"


def test_on_does_not_ask_when_the_activation_continues(
    namespace: Namespace, node: PlayedNode, shared_operator: OperatorProcess, sync: CommandLine
) -> None:
    namespace.create_integration(status="ON", delay="1h", offPolicy="PauseRun")
    namespace.wait_phase("Syncing")
    assert sync("off", "contacts", "--wait").code == 0
    with sync.terminal("on", "contacts") as terminal:
        terminal.see("run 1 picks up where it left off")
        assert terminal.end() == 0
        assert "What about" not in terminal.drawn
        assert "See what it would do first?" not in terminal.drawn
