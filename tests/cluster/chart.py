"""The chart as Helm renders it, and as installed on the control plane: all but the Deployment, which needs a node."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.namespace import Object, connect
from devcluster import toolchain
from devcluster.cluster import Cluster
from devcluster.errors import DevclusterError
from devcluster.paths import ROOT

CHART = ROOT / "charts" / "tidegate"
NAMESPACE = "tidegate-system"
SERVICE_ACCOUNT = "tidegate"
EVERYTHING = (
    "--set=networkPolicy.enabled=true",
    *(f"--set=metrics.{part}.enabled=true" for part in ("service", "serviceMonitor", "rules", "dashboard")),
)
OPERATOR = f"system:serviceaccount:{NAMESPACE}:{SERVICE_ACCOUNT}"


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Helm."""
    try:
        program = toolchain.helm()
    except DevclusterError as error:
        pytest.skip(f"no Helm: {error}")
    return subprocess.run([str(program), *arguments], capture_output=True, text=True)


def rendered(*options: str) -> list[Object]:
    """The chart's objects."""
    return [document for document in yaml.safe_load_all(text_of(*options)) if document]


def text_of(*options: str) -> str:
    """The chart's objects, as YAML."""
    done = helm("template", "tidegate", str(CHART), f"--namespace={NAMESPACE}", *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def only(objects: list[Object], kind: str, name: str = "tidegate") -> Object:
    """The one object of that kind and name."""
    (found,) = (o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name)
    return found


@dataclass(frozen=True)
class Installation:
    """What an administrator has installed."""

    objects: list[Object]
    kubeconfig: Path  # of the operator's own service account
    lease: str


@contextmanager
def installed(control_plane: Cluster, directory: Path, *options: str) -> Iterator[Installation]:
    """Apply the chart, and take it away again; `options` are Helm's."""
    objects = [o for o in rendered("--set", "crds.install=false", *options) if o["kind"] != "Deployment"]
    kubectl = [str(toolchain.kubectl()), f"--kubeconfig={control_plane.kubeconfig}"]
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})

    def run(*arguments: str, text: str = "") -> str:
        done = subprocess.run([*kubectl, *arguments], input=text, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    _ensure_namespace(control_plane.kubeconfig)
    try:
        run("apply", "--server-side", "--filename=-", text=manifest)
        token = run("create", "token", SERVICE_ACCOUNT, f"--namespace={NAMESPACE}").strip()
        yield Installation(
            objects, _with_token(control_plane.kubeconfig, token, directory), f"{NAMESPACE}/{SERVICE_ACCOUNT}"
        )
    finally:
        run("delete", "--ignore-not-found", "--filename=-", text=manifest)
        run(
            "delete", "--ignore-not-found", "lease", SERVICE_ACCOUNT, f"--namespace={NAMESPACE}"
        )  # the operator made it


def _ensure_namespace(kubeconfig: Path) -> None:
    namespaces = connect(kubeconfig).resources.get(api_version="v1", kind="Namespace")
    if NAMESPACE not in {item["metadata"]["name"] for item in namespaces.get().to_dict()["items"]}:
        namespaces.create(body={"metadata": {"name": NAMESPACE}})


def _with_token(kubeconfig: Path, token: str, directory: Path) -> Path:
    config: dict[str, Any] = yaml.safe_load(kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    path = directory / "operator.kubeconfig"
    path.touch(mode=0o600)
    path.write_text(json.dumps(config))
    return path
