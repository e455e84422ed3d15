"""The demo, run as a visitor runs it: it checks itself, and fails when anything is not as it says."""

import os
import subprocess
import sys

from demo import story
from devcluster.front import DevelopmentCluster
from devcluster.paths import ROOT
from e2e.conftest import administrator


def test_the_demo_proves_every_claim(cluster: DevelopmentCluster, cluster_name: str) -> None:
    command = [sys.executable, "-m", "demo", "up", "--cluster", cluster_name]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "All as promised" in done.stdout
    assert f"$ kubectl sync status contacts -n {story.NAMESPACE}\n" in done.stdout
    administrator(cluster).run("delete", "namespace", story.NAMESPACE, "--wait=false")
