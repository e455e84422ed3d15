"""A cluster in Docker, by kind."""

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from devcluster import images, toolchain
from devcluster.errors import DevclusterError
from devcluster.images import Image
from devcluster.progress import Reporter, Silent

_MARK = "kind"  # in the directory of each cluster of kind
_READY = "kind-ready"  # when it was created to the end


def docker_answers() -> bool:
    """Whether there is a Docker daemon that we may use."""
    if shutil.which("docker") is None:
        return False
    try:
        return subprocess.run(["docker", "info"], capture_output=True, timeout=15).returncode == 0
    except subprocess.TimeoutExpired:
        return False


@dataclass(frozen=True)
class KindCluster:
    """A running cluster of kind; the directory holds its kubeconfig."""

    directory: Path
    name: str
    has_node: bool = True
    rung: str = "kind"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.directory / "kubeconfig"

    def load_images(self, wanted: Iterable[Image] = images.ALL, progress: Reporter | None = None) -> None:
        """Build the images and have them on the node; what has not changed is not done again."""
        reporter = progress or Silent()
        for image in wanted:
            images.build_with_docker(image, reporter)
            with reporter.step(f"Loading {image.name}"):
                _kind("load", "docker-image", image.name, f"--name={self.name}")

    def stop(self) -> None:
        """Delete the cluster and its directory."""
        _delete(self.directory, self.name)
        shutil.rmtree(self.directory, ignore_errors=True)


def start(directory: Path, name: str, reporter: Reporter) -> KindCluster:
    """Create the cluster, or create it anew where an earlier attempt came to nothing."""
    if find(directory, name) is None:
        _delete(directory, name)
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        (directory / _MARK).touch()
        (directory / _READY).unlink(missing_ok=True)
        with reporter.step(f"Creating the kind cluster {name}", "a few minutes and 1 GB the first time"):
            _kind("create", "cluster", f"--name={name}", f"--kubeconfig={directory / 'kubeconfig'}", "--wait=180s")
        (directory / _READY).touch()
    return KindCluster(directory, name)


def find(directory: Path, name: str) -> KindCluster | None:
    """The cluster, if it was created to the end and still answers."""
    if not (directory / _READY).exists():
        return None
    kubectl = [str(toolchain.kubectl()), f"--kubeconfig={directory / 'kubeconfig'}", "--request-timeout=10s"]
    answer = subprocess.run([*kubectl, "get", "--raw=/readyz"], capture_output=True)
    return KindCluster(directory, name) if answer.returncode == 0 else None


def is_here(directory: Path) -> bool:
    """Whether the directory belongs to a kind cluster, complete or not."""
    return (directory / _MARK).exists()


def _delete(directory: Path, name: str) -> None:
    # Succeeds where there is none; and with a kubeconfig named, leaves that of the user alone.
    _kind("delete", "cluster", f"--name={name}", f"--kubeconfig={directory / 'kubeconfig'}")


def _kind(*arguments: str) -> str:
    command = [str(toolchain.kind()), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise DevclusterError(f"`kind {' '.join(arguments)}` failed:\n{done.stderr[-3000:]}")
    return done.stdout
