"""A cluster of processes in a directory: started, found again and removed, with nothing left behind."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from devcluster import box, images, packages, process, toolchain
from devcluster.certificates import Authority
from devcluster.control_plane import ControlPlane, free_loopback_address
from devcluster.errors import DevclusterError
from devcluster.images import Image
from devcluster.node import NAME as NODE_NAME
from devcluster.node import Node, load
from devcluster.paths import HERE
from devcluster.progress import Reporter, Silent

_MARK = "cluster-of-tidegate"  # in each directory that is ours to delete
_FACTS = "cluster.json"  # written when all of it is up


@dataclass(frozen=True)
class Cluster:
    """A running cluster."""

    directory: Path
    address: str
    has_node: bool
    rung: str = "processes"
    _guard: subprocess.Popen[bytes] | None = field(default=None, repr=False, compare=False)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.directory / "kubeconfig"

    def load(self, images: Path) -> None:
        """Give the node the images of a docker-archive or OCI archive."""
        self._require_node()
        ctr = toolchain.ensure(["ctr"])["ctr"]
        load(box.find(self.directory, self.address), ctr, images.resolve())

    def load_images(self, wanted: Iterable[Image] = images.ALL, progress: Reporter | None = None) -> None:
        """Build Tidegate's images and load them; what has not changed is not done again."""
        self._require_node()
        reporter = progress or Silent()
        loaded = self.directory / "images"
        loaded.mkdir(exist_ok=True)
        for image in wanted:
            archive = images.archive(image, reporter)
            record = loaded / image.name
            if not record.exists() or record.read_text() != archive.name:
                with reporter.step(f"Loading {image.name}"):
                    self.load(archive)
                record.write_text(archive.name)

    def _require_node(self) -> None:
        if not self.has_node:
            raise DevclusterError("this cluster is a control plane alone: no node could run images")

    def stop(self) -> None:
        """End the cluster and delete its directory; a second call does nothing."""
        remove(self.directory)
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()
            self._guard.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(directory: Path, *, node: bool, progress: Reporter | None = None, outlive: bool = False) -> Cluster:
    """Start a cluster of its own in `directory`, which must be new, empty, or that of an earlier cluster.

    Unless it is to `outlive` this process, the cluster is removed when the process ends, however it ends.
    """
    directory, reporter = directory.resolve(), progress or Silent()
    binaries = toolchain.ensure(toolchain.CONTROL_PLANE + (toolchain.NODE if node else ()), reporter)
    if node:
        packages.ensure(packages.NODE, reporter)
    remove(directory)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    (directory / _MARK).touch()
    guard = None if outlive else _start_guard(directory)
    try:
        home = box.start(directory, NODE_NAME) if node else None
        address = home.address if home else free_loopback_address()
        control_plane = ControlPlane(
            directory,
            address,
            binaries,
            Authority.create(directory / "pki"),
            wrap=home.wrap if home else list,
            reachable_by_pods=node,
        )
        with reporter.step("Starting the control plane"):
            control_plane.start()
        if home:
            with reporter.step("Starting the node"):
                Node(directory, home, binaries, control_plane).start()
        for daemon in process.recorded(directory):
            if not daemon.alive():
                raise DevclusterError(f"{daemon.name} has ended:\n{daemon.log_tail()}")
        (directory / _FACTS).write_text(json.dumps({"address": address, "has_node": node}))
        return Cluster(directory, address, node, _guard=guard)
    except BaseException:
        Cluster(directory, "", node, _guard=guard).stop()
        raise


def find(directory: Path) -> Cluster | None:
    """The cluster in `directory`, if all of it is up."""
    try:
        facts = json.loads((directory / _FACTS).read_text())
    except FileNotFoundError:
        return None
    daemons = process.recorded(directory)
    if not daemons or not all(daemon.alive() for daemon in daemons):
        return None
    return Cluster(directory, facts["address"], facts["has_node"])


def remove(directory: Path) -> None:
    """End whatever of a cluster runs in `directory`, complete or not, and delete the directory."""
    if not directory.exists():
        return
    if not (directory / _MARK).exists():
        if any(directory.iterdir()):
            raise DevclusterError(f"{directory} holds something that is not a cluster: choose another directory")
        return
    (directory / _FACTS).unlink(missing_ok=True)
    daemons = process.recorded(directory)
    box.remove(directory, daemons)
    # Youngest first: the API server before its etcd, so that nobody complains into a log.
    process.stop(reversed(daemons))
    # The mark goes last, so that an interrupted removal can be repeated.
    for entry in directory.iterdir():
        if entry.name != _MARK:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    shutil.rmtree(directory)


def _start_guard(directory: Path) -> subprocess.Popen[bytes]:
    """A process that waits for the end of this one, which it learns from the pipe between them."""
    return subprocess.Popen(
        [sys.executable, "-m", "devcluster.guard", str(directory)],
        cwd=HERE.parent,
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
