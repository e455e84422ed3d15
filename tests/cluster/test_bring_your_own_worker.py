"""The manifests of docs/bring-your-own-worker.md, docs/workers/ and examples/: applied as they are, they become runs.

What their workers do is for tests/worker.
"""

import subprocess
from pathlib import Path

import pytest
import yaml

from cluster.command_line import CommandLine
from cluster.namespace import Namespace
from cluster.operator_process import WORKER_IMAGE, OperatorProcess
from cluster.played_node import PlayedNode
from devcluster.cluster import Cluster
from devcluster.paths import ROOT
from devcluster.toolchain import kubectl
from documentation.pages import Page

_PAGE = Page.read("docs/bring-your-own-worker.md")
(OUTBOX,) = (block for block in _PAGE.blocks("yaml") if "kind: SyncIntegration" in block)
MANIFESTS = {
    "outbox": OUTBOX,
    **{path.parent.name: path.read_text() for path in (ROOT / "docs" / "workers").glob("*/sync.yaml")},
    **{path.stem: path.read_text() for path in (ROOT / "examples").glob("*.yaml")},
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_becomes_a_run_of_its_worker(
    name: str,
    control_plane: Cluster,
    namespace: Namespace,
    operator: OperatorProcess,
    node: PlayedNode,
    tmp_path: Path,
) -> None:
    *_, integration = yaml.safe_load_all(MANIFESTS[name])
    (declared,) = integration["spec"]["template"]["spec"]["containers"]
    volumes = integration["spec"]["template"]["spec"].get("volumes", [])
    kubeconfig = CommandLine.open(control_plane.kubeconfig, namespace.name, tmp_path).kubeconfig
    restricted = ["label", "namespace", namespace.name, "pod-security.kubernetes.io/enforce=restricted"]
    for arguments, text in ((restricted, ""), (["apply", "--filename", "-"], MANIFESTS[name])):
        command = [str(kubectl()), f"--kubeconfig={kubeconfig}", *arguments]
        done = subprocess.run(command, input=text, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    node.end(1)
    (worker,) = namespace.job(1)["spec"]["template"]["spec"]["containers"]
    assert worker["image"] == declared.get("image", WORKER_IMAGE)
    assert {"cache", "config", *(volume["name"] for volume in volumes)} <= {
        mount["name"] for mount in worker["volumeMounts"]
    }
    assert worker.get("envFrom", []) == declared.get("envFrom", [])
    assert namespace.wait_ended(1, integration["metadata"]["name"])["mark"] == "✓"
