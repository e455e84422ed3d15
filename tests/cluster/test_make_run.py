"""`make run`: the operator on a developer's machine, for the cluster of KUBECONFIG."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.namespace import Namespace
from devcluster.cluster import Cluster
from devcluster.paths import ROOT
from documentation.pages import Page

(COMMAND,) = (
    command.text for command in Page.read(".github/CONTRIBUTING.md").commands() if command.text.startswith("make run ")
)


@pytest.fixture
def running(control_plane: Cluster, namespace: Namespace, tmp_path: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """The page's command, for the test's namespace, with the environment that the tests have."""
    here = COMMAND.replace("make ", f"make --assume-old=.venv/.stamp BIN={Path(sys.executable).parent} ")
    here = here.replace("--namespaces=default", f"--namespaces={namespace.name}")
    environment = {**os.environ, "KUBECONFIG": str(control_plane.kubeconfig)}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", here], cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_make_run_serves_a_sync_and_logs_until_it_is_interrupted(
    running: "subprocess.Popen[bytes]", namespace: Namespace, tmp_path: Path
) -> None:
    namespace.create_integration(status="ON")
    namespace.wait_phase("Syncing")
    (worker,) = namespace.job(1)["spec"]["template"]["spec"]["containers"]
    assert worker["image"] == "tidegate-worker:dev"
    os.killpg(running.pid, signal.SIGINT)  # Ctrl-C reaches make and the operator
    running.wait()
    log = (tmp_path / "log").read_text()
    assert "DEBUG tidegate.control.reconcile" in log
    assert "Traceback" not in log
