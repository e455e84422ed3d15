"""How tools judge a SyncIntegration in every phase: kstatus (Flux), Argo CD's health script, and `kubectl wait`."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from lupa.lua54 import LuaRuntime

from cluster.namespace import Namespace, Object, wait_for
from cluster.operator_process import OperatorProcess
from cluster.played_node import PlayedNode
from devcluster import toolchain
from devcluster.cluster import Cluster
from devcluster.paths import ROOT

CUSTOMIZATIONS = ROOT / "docs" / "gitops" / "argocd" / "customizations.yaml"
HEALTH_SCRIPT = yaml.safe_load(CUSTOMIZATIONS.read_text())["data"][
    "resource.customizations.health.tidegate.dev_SyncIntegration"
]


@pytest.fixture(scope="session")
def kstatus() -> Path:
    """A program of kstatus' own code."""
    return toolchain.ensure(["kstatus"])["kstatus"]


def judge(kstatus: Path, namespace: Namespace) -> tuple[str, str]:
    """What kstatus and Argo CD make of the integration."""
    integration = namespace.integration()
    done = subprocess.run([kstatus], input=json.dumps(integration), capture_output=True, text=True, check=True)
    return done.stdout.partition("\t")[0], argo_health(integration)["status"]


def argo_health(integration: Object) -> dict[str, Any]:
    """Run the health script as Argo CD does: `obj` is the resource, and it returns a table."""
    lua: Any = LuaRuntime(unpack_returned_tuples=True)
    lua.globals()["obj"] = lua.table_from(integration, recursive=True)
    return dict(lua.execute(HEALTH_SCRIPT))


def running(namespace: Namespace) -> None:
    wait_for("a running Pod", lambda: [pod for pod in namespace.pods() if pod["status"]["phase"] == "Running"])


def test_kstatus_computes_the_right_state_for_every_phase(
    namespace: Namespace, node: PlayedNode, operator: OperatorProcess, kstatus: Path
) -> None:
    namespace.create_integration(status="ON", delay="1h", retries=0, offPolicy="PauseRun")
    namespace.wait_phase("Syncing")
    assert judge(kstatus, namespace) == ("InProgress", "Progressing"), "the full sync is owed"
    node.end(1)
    namespace.wait_phase("Waiting")
    assert judge(kstatus, namespace) == ("Current", "Healthy"), "caught up"
    namespace.annotate(sync_requested_at="2")
    namespace.wait_phase("Syncing")
    assert judge(kstatus, namespace) == ("Current", "Healthy"), "an incremental run is everyday life"
    running(namespace)
    namespace.patch(status="OFF")
    namespace.wait_phase("Paused")
    assert judge(kstatus, namespace) == ("Current", "Healthy"), "a pause is an honoured OFF"
    namespace.patch(status="ON", offPolicy="FinishRun")
    namespace.wait_phase("Syncing")
    running(namespace)
    namespace.patch(status="OFF")
    namespace.wait_phase("TurningOff")
    assert judge(kstatus, namespace) == ("InProgress", "Progressing"), "OFF is not honoured yet"
    node.end(2)
    namespace.wait_phase("Off")
    assert judge(kstatus, namespace) == ("Current", "Healthy"), "OFF is honoured"
    namespace.patch(status="ON")
    node.end(3, exit_code=1)
    namespace.wait_ended(3)
    assert judge(kstatus, namespace) == ("InProgress", "Progressing"), "failed, and tried again"
    for run in (4, 5):  # run 4 may have started by itself
        node.end(run, exit_code=2)
    namespace.annotate(sync_requested_at="4")
    namespace.wait_until(
        "its end", lambda status: status["handled"].get("syncRequestedAt") == "4" and not status.get("run")
    )
    namespace.wait_condition("Stalled")
    assert judge(kstatus, namespace) == ("Failed", "Degraded"), "a human is needed"
    operator.kill()
    namespace.patch(status="OFF")
    assert judge(kstatus, namespace) == ("InProgress", "Progressing"), "nobody has seen the change yet"


def test_an_unobserved_resource_is_in_progress(namespace: Namespace, kstatus: Path) -> None:
    namespace.create_integration(status="ON")
    assert judge(kstatus, namespace) == ("InProgress", "Progressing")


@pytest.mark.parametrize(
    "condition",
    [
        "condition=Syncing=False",
        "condition=Ready",
        "jsonpath={.status.phase}=Off",
        "jsonpath={.status.conditions[?(@.type=='Stalled')].status}=False",
    ],
)
def test_kubectl_wait_ends_when_off_is_honoured(
    control_plane: Cluster, namespace: Namespace, node: PlayedNode, operator: OperatorProcess, condition: str
) -> None:
    namespace.create_integration(status="ON", delay="1h")
    running(namespace)
    namespace.patch(status="OFF")
    namespace.wait_phase("TurningOff")
    command = [str(toolchain.kubectl()), f"--kubeconfig={control_plane.kubeconfig}", f"--namespace={namespace.name}"]
    waiting = subprocess.Popen([*command, "wait", "sync/contacts", f"--for={condition}", "--timeout=300s"])
    node.end(1)
    assert waiting.wait() == 0


def test_the_row_of_kubectl_get_shows_the_state(
    control_plane: Cluster, namespace: Namespace, node: PlayedNode, operator: OperatorProcess
) -> None:
    namespace.create_integration(status=True, delay="5m")
    node.end(1)
    namespace.wait_phase("Waiting")
    command = [str(toolchain.kubectl()), f"--kubeconfig={control_plane.kubeconfig}", f"--namespace={namespace.name}"]
    told = subprocess.run([*command, "get", "sync", "--output=wide"], capture_output=True, text=True, check=True)
    header, row = told.stdout.splitlines()
    columns = "NAME STATUS PHASE READY MODE ACTIVITY LAST-SYNC DELAY AGE REASON MESSAGE"
    assert header.split() == columns.split()
    assert row.split()[:8] == ["contacts", "ON", "Waiting", "True", "PastAndFuture", "✓", "run", "1"]
    assert "waiting until" in row
