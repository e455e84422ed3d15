"""A watch that is dead or silent ends the process, to be started anew; until then it says that it is blind."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.fault_proxy import FaultProxy
from cluster.namespace import Namespace, wait_for
from cluster.operator_process import OperatorProcess
from cluster.played_node import PlayedNode
from devcluster.free_port import free_port


def get(port: int, path: str) -> tuple[int, str]:
    """Ask the operator's endpoint; 0 while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def watchful_operator(proxy: FaultProxy, namespace: Namespace, tmp_path: Path, port: int) -> Iterator[OperatorProcess]:
    """An operator behind the proxy that looks for the truth every second."""
    options = (f"--port={port}", "--watch-check-period=1", "--watch-patience=3")
    with OperatorProcess(proxy.kubeconfig, namespace.name, tmp_path / "operator.log", *options) as serving:
        yield serving


@pytest.mark.parametrize("resource", ["syncintegrations", "jobs", "pods", "persistentvolumeclaims"])
def test_a_silent_watch_ends_the_process(
    namespace: Namespace,
    node: PlayedNode,
    proxy: FaultProxy,
    watchful_operator: OperatorProcess,
    port: int,
    resource: str,
) -> None:
    wait_for("an operator that sees", lambda: get(port, "/readyz")[0] == 200)
    assert get(port, "/healthz") == (200, "ok\n")
    proxy.silenced.add(resource)
    namespace.create_integration(status="ON", delay="1h")
    assert watchful_operator.wait() != 0
    assert f"the watch of {resource} in namespace {namespace.name} has not shown" in watchful_operator.log()


@pytest.mark.parametrize("resource", ["syncintegrations", "jobs"])
def test_a_restored_backup_ends_the_process_even_if_no_object_has_changed(
    namespace: Namespace,
    node: PlayedNode,
    proxy: FaultProxy,
    watchful_operator: OperatorProcess,
    port: int,
    resource: str,
) -> None:
    """The watch goes on in the future and shows nothing: to begin again is the only way to see."""
    namespace.create_integration(status="OFF")
    namespace.wait_phase("Off")
    wait_for("an operator that sees", lambda: get(port, "/readyz")[0] == 200)
    proxy.restored.add(resource)
    assert watchful_operator.wait() != 0
    assert f"the API server holds an older state of {resource} in namespace {namespace.name}" in watchful_operator.log()


def test_an_operator_with_live_watches_continues(
    namespace: Namespace, node: PlayedNode, proxy: FaultProxy, watchful_operator: OperatorProcess
) -> None:
    node.end_every_run()
    namespace.create_integration(status="ON", delay="0s", activityLimit=1)
    lists = "/syncintegrations"
    wait_for(
        "ten comparisons",
        lambda: sum(request.path.endswith(lists) for request in proxy.requests if not request.writes) >= 10,
    )
    namespace.wait_until("two runs", lambda status: status.get("lastRun", {}).get("number", 0) > 1)
    assert watchful_operator.running()


def test_metrics_show_what_happened(
    namespace: Namespace, node: PlayedNode, watchful_operator: OperatorProcess, port: int
) -> None:
    namespace.create_integration(status="ON", delay="1h")
    node.end(1)
    namespace.wait_phase("Waiting")
    namespace.annotate(sync_requested_at="now")
    node.end(2, exit_code=2)
    namespace.wait_condition("Stalled")
    name = f'name="contacts",namespace="{namespace.name}"'

    def metrics() -> list[str]:
        return get(port, "/metrics")[1].splitlines()

    wait_for("the present state", lambda: f"tidegate_stalled{{{name}}} 1.0" in metrics())
    told = metrics()
    labels = f'kind="{{}}",{name.split(",")[0]},{name.split(",")[1]},outcome="{{}}"'
    assert f"tidegate_runs_total{{{labels.format('Full', 'Succeeded')}}} 1.0" in told
    assert f"tidegate_runs_total{{{labels.format('Incremental', 'ConfigurationError')}}} 1.0" in told
    assert f'tidegate_phase{{{name},phase="Waiting"}} 1.0' in told
    names = {line.partition("{")[0].partition(" ")[0] for line in told if not line.startswith("#")}
    assert names >= {
        "tidegate_run_duration_seconds_count",
        "tidegate_run_start_latency_seconds_count",
        "tidegate_drain_duration_seconds_count",
        "tidegate_last_success_timestamp_seconds",
        "tidegate_reconcile_duration_seconds_count",
        "tidegate_queue_depth",
        "tidegate_watch_last_event_timestamp_seconds",
    }
    namespace.delete("tidegate.dev/v1alpha1", "SyncIntegration", "contacts")
    wait_for("no trace of what is gone", lambda: not any(name in line for line in metrics()))
