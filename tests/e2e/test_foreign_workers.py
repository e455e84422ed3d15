"""The images of docs/workers/, built and run on a real node: what a process of the same program does not show."""

import json
from typing import Any

import pytest
import yaml

from demo.kubectl import Kubectl
from devcluster import images
from devcluster.front import DevelopmentCluster
from devcluster.images import Image
from devcluster.paths import ROOT
from devcluster.progress import for_stderr
from e2e.conftest import PATIENCE

pytestmark = pytest.mark.long

CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "reports"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Mi"}}},
}

RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def example(name: str) -> Image:
    inputs = ("Dockerfile", "requirements.txt", "worker.py")
    return Image(f"tidegate-example-{name}:dev", ROOT / "docs" / "workers" / name, inputs, images.WORKER.base)


@pytest.fixture
def examples(cluster: DevelopmentCluster) -> None:
    cluster.load_images([example("rclone"), example("dlt")], for_stderr())


def manifest(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """The example's own, with another image and configuration."""
    *_, integration = yaml.safe_load_all((ROOT / "docs" / "workers" / name / "sync.yaml").read_text())
    found: dict[str, Any] = integration
    found["spec"]["config"] |= config
    (worker,) = found["spec"]["template"]["spec"]["containers"]
    del worker["envFrom"]
    worker["image"] = example(name).name
    return found


def wait(kubectl: Kubectl, name: str, path: str, value: str) -> dict[str, Any]:
    """Wait for a value in the status; return the status."""
    try:
        kubectl.run("wait", f"sync/{name}", f"--for=jsonpath={{.status.{path}}}={value}", PATIENCE)
    except Exception as error:
        error.add_note(kubectl.run("describe", "sync,pods"))
        raise
    status: dict[str, Any] = kubectl.get("sync", name)["status"]
    return status


@pytest.mark.usefixtures("examples")
def test_rclone_syncs_and_halts_until_deletes_are_confirmed(namespace: Kubectl) -> None:
    integration = manifest("rclone", {"path1": "/data/left", "path2": "/data/right", "flags": []})

    def apply(people: str) -> None:
        (worker,) = integration["spec"]["template"]["spec"]["containers"]
        does = {"name": "people", "image": worker["image"], "command": ["sh", "-euc", people]}
        does |= {"volumeMounts": worker["volumeMounts"], "securityContext": RESTRICTED}
        integration["spec"]["template"]["spec"]["initContainers"] = [does]
        namespace.run("apply", "--filename=-", text=json.dumps(integration))

    namespace.run("create", "--filename=-", text=json.dumps(CLAIM))
    apply("mkdir -p /data/left /data/right; for n in 0 1 2 3 4 5 6 7 8 9; do echo $n > /data/left/$n; done")
    first = wait(namespace, "reports", "activity", "✓ run 1")["recentActivity"][0]
    assert first["report"]["pushed"] == {"path2": 10}

    apply("rm -f /data/left/[1-8]")
    namespace.run("annotate", "sync/reports", "tidegate.dev/sync-requested-at=now")
    halted = wait(namespace, "reports", "activity", "✗ run 2")
    assert "too many deletes (>25%, 8 of 10)" in halted["message"]
    assert 'the annotation tidegate.dev/approve: "2"' in halted["message"]
    namespace.run("annotate", "sync/reports", "tidegate.dev/approve=2")
    last = wait(namespace, "reports", "activity", "✓ run 3")["recentActivity"][0]
    assert last["report"]["pushed"] == {"path2": 8}
    assert last["report"]["read"] == {"path1": 2, "path2": 2}


@pytest.mark.usefixtures("examples")
def test_dlt_stalls_with_the_reason_of_a_missing_table(namespace: Kubectl) -> None:
    integration = manifest("dlt", {})
    (worker,) = integration["spec"]["template"]["spec"]["containers"]
    worker["env"] = [{"name": "SOURCE_URL", "value": "sqlite:////tmp/none.db"}]
    namespace.run("create", "--filename=-", text=json.dumps(integration))
    stalled = wait(namespace, "warehouse", "activity", "✗ run 1")
    assert "the source has no table contact; fix spec.sync or spec.template" in stalled["message"]
