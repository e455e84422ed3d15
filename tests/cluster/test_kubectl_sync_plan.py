"""`kubectl sync plan` and `check`, and the question at ON in numbers; node and worker's words are played."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cluster.command_line import CommandLine, plain
from cluster.namespace import Namespace, wait_for
from cluster.operator_process import OperatorProcess
from cluster.played_logs import PlayedLogs
from cluster.played_node import PlayedNode
from devcluster.toolchain import kubectl
from documentation.pages import Page, Scene, Shell, play
from tidegate.worker.run.sealed import Seal

FOUND = {
    "first": False,
    "sides": [
        {"object": "contact", "connector": "billing", "create": 900, "update": 240, "delete": 40, "setAside": 0},
        {"object": "contact", "connector": "crm", "create": 0, "update": 0, "delete": 0, "setAside": 24},
    ],
    "wouldHalt": [],
}
UPDATE = {"type": "planned", "object": "contact", "connector": "billing", "what": "update", "id": 7, "fields": ["name"]}
PARKED = {
    **{"type": "waiting", "object": "contact", "connector": "crm", "id": 7, "field": "phone"},
    **{"match": {"email": "bob@example"}, "reason": "changed on both sides"},
    **{"held": {"crm": "030 1", "billing": "030 2"}},
}
ADA = {**UPDATE, "match": {"email": "ada@x"}, "fields": {"name": ["Ada", "Ada \x1b[31mLovelace"]}}


def end(lines: int = 1, **changes: Any) -> dict[str, Any]:
    """The last line of a plan's log."""
    return {"type": "plan", **FOUND, **changes, "lines": lines}


def message(reason: str = "2 records cannot be read: see the run's log", **changes: Any) -> str:
    """The termination message of a plan."""
    return json.dumps({"v": 1, "outcome": "complete", "reason": reason, "plan": {**FOUND, **changes}})


def key_of(namespace: Namespace, run: int) -> str:
    """The public key that the worker of a run is given."""
    (worker,) = namespace.job(run)["spec"]["template"]["spec"]["containers"]
    return next(str(variable["value"]) for variable in worker["env"] if variable["name"] == "SYNC_PLAN_KEY")


@pytest.fixture
def off(namespace: Namespace, node: PlayedNode, shared_operator: OperatorProcess) -> Namespace:
    """A sync that has done run 1, and is OFF."""
    namespace.create_integration(status="ON", delay="1h")
    node.end(1)
    namespace.wait_phase("Waiting")
    bind_cache(namespace)
    namespace.patch(status="OFF")
    namespace.wait_phase("Off")
    return namespace


def bind_cache(namespace: Namespace) -> None:
    """What a provisioner of volumes does: until then there is no cache that a plan could be made with."""
    (claim,) = wait_for("the claim", lambda: namespace.objects("v1", "PersistentVolumeClaim"))
    spec = {
        "capacity": claim["spec"]["resources"]["requests"],
        "accessModes": claim["spec"]["accessModes"],
        "hostPath": {"path": "/played"},
        "claimRef": {"namespace": namespace.name, "name": claim["metadata"]["name"]},
    }
    volumes = namespace.client.resources.get(api_version="v1", kind="PersistentVolume")
    volumes.create(body={"metadata": {"name": namespace.name}, "spec": spec})
    wait_for("the volume", lambda: namespace.objects("v1", "PersistentVolumeClaim")[0]["status"]["phase"] == "Bound")


def test_a_plan_is_a_table_and_the_article_s_words(off: Namespace, node: PlayedNode, sync: CommandLine) -> None:
    node.end(2, message=message())
    done = sync("plan", "contacts")
    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        "OBJECT   SYSTEM   CREATE  UPDATE  DELETE  SET ASIDE",
        "contact  billing     900     240      40          0",
        "contact  crm           0       0       0         24",
        "While contacts was OFF, 1,204 records changed.",
        "Past and future: pushes 1,180 and sets 24 aside.",
        "Future only: lets them go.",
    ]
    assert "Warning: 2 records cannot be read: see the run's log" in done.err
    assert "contacts: run 2 has planned a full sync; nothing was written" in done.err
    assert off.status()["phase"] == "Off"
    assert off.integration()["spec"]["status"] == "OFF"


def test_values_are_sealed_until_the_one_who_asked_reads_them(
    off: Namespace, node: PlayedNode, logs: PlayedLogs, sync: CommandLine
) -> None:
    asking = sync.start("plan", "contacts", "--values", "--mode", "PastAndFuture")
    sealed = list(Seal(key_of(off, 2)).boxes([ADA]))
    logs.say(2, *sealed, end())
    node.end(2, message=message())
    done = asking.end()
    assert done.code == 0, done.err
    *_, consequence, record = done.out.splitlines()
    assert consequence == "Past and future: pushes 1,180 and sets 24 aside."
    assert record == 'update contact 7 in billing (email "ada@x"): name "Ada" → "Ada \\u001b[31mLovelace"'
    by_another = sync("logs", "contacts", "--run", "2").out + json.dumps(off.status())
    assert "Ada" not in by_another
    assert "ada@x" not in by_another


def test_what_waits_is_listed_with_both_values_for_the_one_who_asked(
    off: Namespace, node: PlayedNode, logs: PlayedLogs, sync: CommandLine
) -> None:
    parked = {"type": "parked", "object": "contact", "connector": "crm", "id": 7, "field": "phone", "reason": "both"}
    logs.say(1, parked, {"type": "end", "push": True, "outcome": "complete", "parked": 1})
    asking = sync.start("conflicts", "contacts", "--values")
    ended = {"type": "end", "push": False, "outcome": "complete", "waiting": 24}
    logs.say(2, {"type": "progress", "parked": 24}, *Seal(key_of(off, 2)).boxes([ADA, PARKED]), end(2), ended)
    node.end(2, message=message())
    done = asking.end()
    assert done.code == 0, done.err
    (shown,) = done.out.splitlines()
    assert f"```\n{shown}\n```" in Page.read("docs/decide.md").text
    assert "as of run 2, 24 records wait for a decision" in done.err
    assert sync("conflicts", "contacts").err == "as of run 1, 1 record waits for a decision\n", "a plan settles nothing"


def test_a_later_plan_without_values_carries_no_key(
    off: Namespace, node: PlayedNode, logs: PlayedLogs, sync: CommandLine
) -> None:
    node.end(2, message=message())
    assert sync("plan", "contacts", "--values").code == 0
    assert key_of(off, 2)
    node.end(3, message=message())
    assert sync("plan", "contacts").code == 0
    (worker,) = off.job(3)["spec"]["template"]["spec"]["containers"]
    assert "SYNC_PLAN_KEY" not in [variable["name"] for variable in worker["env"]]


def test_a_script_reads_the_plan_as_json(off: Namespace, node: PlayedNode, logs: PlayedLogs, sync: CommandLine) -> None:
    logs.say(2, UPDATE, end(3))
    node.end(2, message=message(wouldHalt=["900 of 1000 contact records are gone from crm"]))
    done = sync("plan", "contacts", "--details", "-o", "json")
    assert done.code == 3, "the full sync would halt"
    found = json.loads(done.out)
    missing = found.pop("detailsMissing")
    assert missing.startswith("2 of 3 records are missing here: the node keeps only the end of a long log")
    assert f"Warning: {missing}" in done.err
    assert found.pop("details") == [UPDATE]
    assert found == off.status()["plan"]


def test_it_says_what_the_plan_waits_for(
    namespace: Namespace, node: PlayedNode, shared_operator: OperatorProcess, sync: CommandLine
) -> None:
    namespace.create_integration(status="ON", delay="1h")
    namespace.wait_phase("Syncing")
    bind_cache(namespace)
    asking = sync.start("plan", "contacts")
    asking.hear("contacts: requested a plan, to start when run 1 has ended")
    asking.hear("contacts: Syncing: run 1 is in progress")
    node.end(2, message=message())
    node.end(1)
    done = asking.end()
    assert done.code == 0, done.err
    assert "Since the last run, 1,204 records changed." in done.out


def test_a_plan_that_fails_gives_its_reason(off: Namespace, node: PlayedNode, sync: CommandLine) -> None:
    node.end(2, 2, '{"reason": "connector crm: url is missing"}')
    failed = sync("plan", "contacts")
    assert (failed.code, failed.out) == (3, "")
    assert "Error: contacts: no plan was made: connector crm: url is missing" in failed.err


def test_a_worker_that_may_not_know_a_plan_is_not_asked(
    namespace: Namespace, node: PlayedNode, shared_operator: OperatorProcess, sync: CommandLine
) -> None:
    own = {"spec": {"containers": [{"name": "sync", "image": "registry.example/own:1"}]}}
    namespace.create_integration(status="OFF", template=own)
    namespace.wait_phase("Off")
    refused = sync("plan", "contacts")
    assert refused.code in (1, 3)
    assert "no plan was made" in refused.err
    assert "tidegate.dev/worker-plans" in refused.err
    assert namespace.jobs() == []


def test_a_wait_has_the_limit_that_its_user_gives(off: Namespace, node: PlayedNode, sync: CommandLine) -> None:
    late = sync("plan", "contacts", "--timeout", "1s")
    assert late.code == 4
    assert "Error: contacts: timed out after 1s: " in late.err


def test_a_plan_cancelled_by_on_is_reported(off: Namespace, node: PlayedNode, sync: CommandLine) -> None:
    asking = sync.start("plan", "contacts")
    off.job(2)
    off.patch(status="ON")
    cancelled = asking.end()
    assert cancelled.code == 1
    assert "Error: contacts: no plan was made: a plan gives way to a new activation" in cancelled.err


def test_on_offers_the_plan_and_then_asks_in_numbers(off: Namespace, node: PlayedNode, sync: CommandLine) -> None:
    node.end(2, message=message())
    with sync.terminal("on", "contacts") as terminal:
        terminal.see("See what it would do first? [Y/n]")
        terminal.type("\r")
        terminal.see("While contacts was OFF, 1,204 records changed.")
        terminal.see("1  Past and future: pushes 1,180 and sets 24 aside.")
        terminal.see("2  Future only: lets them go.")
        terminal.see("Choose")
        assert off.integration()["spec"]["status"] == "OFF", "nothing is turned ON before the answer"
        terminal.type("2\r")
        terminal.see("contacts: turned ON: a read-only full sync")
        assert terminal.end() == 0
        assert "contact  billing     900" in plain(terminal.drawn)
    assert off.integration()["spec"]["mode"] == "FutureOnly"


def test_on_asks_without_numbers_where_no_plan_can_be_made(off: Namespace, node: PlayedNode, sync: CommandLine) -> None:
    node.end(2, 2, '{"reason": "connector crm: url is missing"}')
    with sync.terminal("on", "contacts") as terminal:
        terminal.see("[Y/n]")
        terminal.type("y\r")
        terminal.see("Warning: no plan was made: connector crm: url is missing")
        terminal.see("What about the changes that were made while contacts was OFF?")
        terminal.type("1\r")
        assert terminal.end() == 0
    assert off.integration()["spec"]["mode"] == "PastAndFuture"


def test_ctrl_c_during_the_plan_turns_nothing_on(off: Namespace, node: PlayedNode, sync: CommandLine) -> None:
    with sync.terminal("on", "contacts") as terminal:
        terminal.see("[Y/n]")
        terminal.type("y\r")
        terminal.see("requested a plan")
        off.job(2)
        terminal.interrupt()
        terminal.see("stopped waiting; the plan continues in the cluster")
        assert terminal.end() == 130
    assert off.integration()["spec"]["status"] == "OFF"


def test_a_mode_that_is_given_and_a_script_are_asked_nothing(
    off: Namespace, node: PlayedNode, sync: CommandLine
) -> None:
    with sync.terminal("on", "contacts", "--future-only") as terminal:
        assert terminal.end() == 0
        assert "See what" not in terminal.drawn
    assert sync("off", "contacts").code == 0
    assert sync("on", "contacts").code == 0


def seen_side(connector: str, text: str, **more: Any) -> dict[str, Any]:
    """What a check's log says of one side."""
    return {"type": "checked", "object": "contact", "connector": connector, "records": 2, "text": text, **more}


def test_a_check_shows_what_it_read_and_what_does_not_fit(
    off: Namespace, node: PlayedNode, logs: PlayedLogs, sync: CommandLine
) -> None:
    asking = sync.start("check", "contacts")
    wait_for("the check's Job", lambda: off.status().get("run"))
    complaint = "object contact, connector billing: there is no table people"
    logs.say(2, seen_side("crm", "contact in crm: 2 records read\n    email: 2 filled"), {
        "type": "complaint", "reason": complaint})  # fmt: skip
    node.end(2, message=message(reason="", sides=[], wouldHalt=[complaint]))
    done = asking.end()
    assert (done.code, done.out.splitlines()) == (
        3,
        ["contact in crm: 2 records read", "    email: 2 filled", f"✗ {complaint}"],
    )
    assert "contacts: run 2 has checked the configuration; nothing was written" in done.err
    (worker,) = off.job(2)["spec"]["template"]["spec"]["containers"]
    assert {"name": "SYNC_CHECK", "value": "true"} in worker["env"]
    assert off.status()["plan"]["check"] is True
    assert "run 2 checked the configuration" in sync("status", "contacts").out + json.dumps(off.events())
    as_data = sync.start("check", "contacts", "-o", "json")
    wait_for("the next check's Job", lambda: (off.status().get("run") or {}).get("number") == 3)
    logs.say(3, seen_side("crm", "contact in crm: 2 records read", ids=[1, 2]))
    node.end(3, message=message(reason="", sides=[], wouldHalt=[]))
    done = as_data.end()
    assert (done.code, json.loads(done.out)) == (
        0,
        {
            "run": 3,
            "fits": True,
            "complaints": [],
            "read": [{"object": "contact", "connector": "crm", "records": 2, "ids": [1, 2]}],
        },
    )


def test_the_page_s_commands_print_what_it_shows(
    off: Namespace, node: PlayedNode, logs: PlayedLogs, sync: CommandLine, tmp_path: Path
) -> None:
    page = Page.read("docs/plan.md")
    phone = {**UPDATE, "id": 42, "match": {"email": "ada@example"}, "fields": {"phone_no": ["030 1234", "030 5678"]}}

    def seal_and_end() -> None:
        logs.say(3, *Seal(key_of(off, 3)).boxes([phone, PARKED]), end(2))
        node.end(3, message=message(reason=""))

    commands = [command.text for command in page.commands() if command.text.startswith("kubectl sync plan")]
    scenes = [
        Scene(commands[0], says="run 2 plans", meanwhile=lambda: node.end(2, message=message(reason=""))),
        Scene(commands[1], says="run 3 plans", meanwhile=seal_and_end),
    ]
    shell = Shell.open(sync.kubeconfig, tmp_path, kubectl())
    for section, scene in zip(("From the command line", "Values"), scenes, strict=True):
        list(
            play(
                page.section(section), shell, [scene], shown=lambda text: re.sub(r"^waiting for the API.*\n", "", text)
            )
        )
