"""What a Go module ships besides its code: the CustomResourceDefinitions of the tools whose code we run."""

import json
import subprocess
from pathlib import Path

from cluster.namespace import wait_for
from devcluster.paths import ROOT
from devcluster.toolchain import kubectl

HERE = ROOT / "tests" / "cluster" / "gitops"


def install_definitions(kubeconfig: Path, requiring: Path, module: str, files: str) -> None:
    """Apply the definitions in `files` of `module`, at the version that our go.mod in `requiring` has."""
    told = subprocess.run(
        ["go", "mod", "download", "-json", module], cwd=requiring, check=True, capture_output=True, text=True
    )
    directory = Path(json.loads(told.stdout)["Dir"])
    manifests = f"--filename={directory / files}"
    command = [str(kubectl()), f"--kubeconfig={kubeconfig}"]
    subprocess.run([*command, "apply", "--server-side", manifests], check=True, capture_output=True)
    established = [*command, "wait", "--for=condition=Established", manifests, "--timeout=60s"]
    # kubectl gives up on a definition that has no conditions yet.
    wait_for(f"the definitions of {module}", lambda: subprocess.run(established, capture_output=True).returncode == 0)
