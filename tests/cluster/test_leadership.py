"""Two operators: one leads, the other takes over in time, and whatever happens no run is doubled."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cluster.lifecycle import Census
from cluster.namespace import Namespace, wait_for
from cluster.operator_process import OperatorProcess
from cluster.played_node import PlayedNode
from devcluster.cluster import Cluster
from tidegate.control.leadership import LEASE_SECONDS

Start = Callable[[], OperatorProcess]


@pytest.fixture
def start(control_plane: Cluster, namespace: Namespace, tmp_path: Path) -> Iterator[Start]:
    """Starts one more operator that stands for election."""
    with ExitStack() as stack:
        logs = iter(range(100))

        def one_more() -> OperatorProcess:
            log = tmp_path / f"operator-{next(logs)}.log"
            option = f"--lease={namespace.name}/tidegate"
            return stack.enter_context(OperatorProcess(control_plane.kubeconfig, namespace.name, log, option))

        yield one_more


def leads(operator: OperatorProcess) -> bool:
    assert operator.running(), operator.log()
    return "leading: the Lease" in operator.log()


def pair(start: Start) -> tuple[OperatorProcess, OperatorProcess]:
    """A leader, and one that stands by."""
    leader = start()
    wait_for("a leader", lambda: leads(leader))
    standby = start()
    wait_for("one that stands by", lambda: "standing by for the Lease" in standby.log())
    return leader, standby


def leave_lease(namespace: Namespace, renewed_ago: timedelta) -> None:
    """The Lease of an operator that is gone and could not give it back."""
    renewed = (datetime.now(UTC) - renewed_ago).isoformat().replace("+00:00", "Z")
    spec = {
        "holderIdentity": "tidegate-0-gone",
        "leaseDurationSeconds": LEASE_SECONDS,
        "acquireTime": renewed,
        "renewTime": renewed,
    }
    namespace.create_object(
        {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "tidegate"}, "spec": spec}
    )


def seconds_of_standing_by(operator: OperatorProcess) -> float:
    """From its log: how long it waited for the Lease."""
    wait_for("a leader", lambda: leads(operator))
    times = [
        datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f")
        for words in ("standing by for the Lease", "leading: the Lease")
        for line in operator.log().splitlines()
        if words in line
    ]
    return (times[1] - times[0]).total_seconds()


def test_a_reinstalled_operator_leads_at_once(namespace: Namespace, start: Start) -> None:
    """An uninstall takes the right to give the Lease back away before the operator ends."""
    leave_lease(namespace, renewed_ago=timedelta(seconds=70))
    assert seconds_of_standing_by(start()) < LEASE_SECONDS / 2


def test_a_lease_that_may_still_be_held_is_waited_for(namespace: Namespace, start: Start) -> None:
    leave_lease(namespace, renewed_ago=timedelta(seconds=30))
    assert seconds_of_standing_by(start()) > LEASE_SECONDS / 2


def test_a_holder_in_another_time_zone_is_alive(
    namespace: Namespace, node: PlayedNode, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Etc/GMT+5")  # five hours behind UTC
    leader = start()
    wait_for("a leader", lambda: leads(leader))
    monkeypatch.setenv("TZ", "UTC")
    standby = start()
    wait_for("one that stands by", lambda: "standing by for the Lease" in standby.log())
    node.end_every_run()
    namespace.create_integration(status="ON", delay="0s", activityLimit=1)
    namespace.wait_until("five runs", lambda status: status.get("lastRun", {}).get("number", 0) >= 5)
    assert not leads(standby)
    assert leader.running()


def test_the_standby_does_nothing(namespace: Namespace, node: PlayedNode, start: Start) -> None:
    node.end_every_run()
    _, standby = pair(start)
    namespace.create_integration(status="ON", delay="0s", activityLimit=1)
    namespace.wait_until("five runs", lambda status: status.get("lastRun", {}).get("number", 0) >= 5)
    assert not leads(standby)


@pytest.mark.parametrize(("signal", "seconds"), [("SIGTERM", LEASE_SECONDS / 2), ("SIGKILL", 20)])
def test_the_standby_takes_over_in_time(
    namespace: Namespace,
    node: PlayedNode,
    start: Start,
    signal: str,
    seconds: float,
    record_property: Callable[[str, object], None],
) -> None:
    census = Census(node)
    leader, standby = pair(start)
    namespace.create_integration(status="ON", delay="1h")
    namespace.wait_phase("Syncing")
    wait_for("a running Pod", lambda: [pod for pod in namespace.pods() if pod["status"]["phase"] == "Running"])
    if signal == "SIGTERM":
        assert leader.stop() == 0
    else:
        leader.kill()
    ended = time.monotonic()
    wait_for("a new leader", lambda: leads(standby))
    # The promise of the chart's documentation: at once means before the Lease would have run out.
    record_property(f"takeover after {signal}", time.monotonic() - ended)
    assert time.monotonic() - ended <= seconds
    node.end(1)
    assert namespace.wait_ended(1)["mark"] == "✓"
    assert (census.most_at_once, len(namespace.jobs())) == (1, 1)
