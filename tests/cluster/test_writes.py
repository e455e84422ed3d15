"""What the operator asks of the API server: few writes for a run, none while nothing happens, and no reads."""

import pytest

from cluster.fault_proxy import FaultProxy, Request
from cluster.namespace import Namespace, wait_for
from cluster.played_node import PlayedNode

pytestmark = pytest.mark.usefixtures("proxied_operator")

WRITES_PER_RUN = 4  # claim, Job, result, and the deletion of an old Job


def kinds(requests: list[Request]) -> list[tuple[str, str]]:
    return [(request.method, request.path.rsplit("/", 1)[1].rstrip("0123456789")) for request in requests]


def test_a_run_takes_at_most_four_writes_with_history_and_no_read(
    namespace: Namespace, node: PlayedNode, proxy: FaultProxy
) -> None:
    node.end_every_run()
    namespace.create_integration(status="ON", delay="1s", activityLimit=1)
    namespace.wait_until("three runs", lambda status: status.get("lastRun", {}).get("number", 0) >= 3)
    proxy.requests.clear()
    begun = namespace.status()["lastRun"]["number"]
    namespace.wait_until("five more", lambda status: status["lastRun"]["number"] >= begun + 5)
    requests, runs = list(proxy.requests), namespace.status()["lastRun"]["number"] - begun
    assert [request for request in requests if not request.writes] == []
    assert len(requests) <= WRITES_PER_RUN * (runs + 1), kinds(requests)


def test_nothing_is_written_while_nothing_changes(namespace: Namespace, node: PlayedNode, proxy: FaultProxy) -> None:
    node.end_every_run()
    namespace.create_integration(name="waiting", status="ON", delay="1h")
    namespace.create_integration(name="off", status="OFF")
    namespace.wait_ended(1, name="waiting")
    namespace.wait_phase("Off", name="off")
    wait_for("the Event after the status", lambda: [e for e in namespace.events() if e["reason"] == "CaughtUp"])
    proxy.requests.clear()
    # A change that has to be looked at, and shows that what came before has been looked at too.
    namespace.annotate(name="off", unknown="1")
    namespace.create_integration(name="later", status="OFF")
    namespace.wait_phase("Off", name="later")
    assert [request.path.rsplit("/", 2)[1] for request in proxy.writes] == ["later"]


def test_a_lost_status_is_written_again(namespace: Namespace, node: PlayedNode, proxy: FaultProxy) -> None:
    namespace.create_integration(status="OFF")
    namespace.wait_phase("Off")
    namespace.forge_status({"phase": "Syncing", "message": "forged"})
    wait_for("the truth", lambda: namespace.status().get("message") == "OFF: no sync is running")
