"""Every command and manifest of README.md, run as a reader would, in the README's own order."""

import os
import subprocess
from pathlib import Path

from demo import story
from demo.databases import Comparison, Databases
from demo.kubectl import Kubectl
from demo.screen import Screen
from devcluster import toolchain
from devcluster.paths import ROOT
from e2e import readme

# Run elsewhere, or checked without running; tests/unit/test_readme.py checks that make and Docker know the targets.
ELSEWHERE = ("make ", "docker ")


def test_the_readme_s_commands_work_in_order(namespace: Kubectl, tmp_path: Path) -> None:
    databases = Databases(namespace, Screen())
    databases.start(story.DATABASES_MANIFEST)
    (tmp_path / "contacts.yaml").write_text(readme.manifest())
    (tmp_path / "charts").symlink_to(ROOT / "charts")
    programs = f"{toolchain.kubectl().parent}{os.pathsep}{toolchain.helm().parent}"
    environment = {
        **os.environ,
        "KUBECONFIG": str(namespace.kubeconfig),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
    }
    for command in readme.commands():
        if command.startswith(ELSEWHERE):
            continue
        if command.startswith("helm "):  # installed already, and without a registry
            command += " --dry-run=server" if " upgrade " in command else " --dry-run"
        done = subprocess.run(["bash", "-euc", command], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}{namespace.run('describe', 'sync')}"
        if command == "kubectl get sync contacts":  # which follows a wait
            assert "✓ run" in done.stdout
        if "wait sync contacts" in command:
            assert databases.compare() == Comparison(crm=3500, billing=3500)
