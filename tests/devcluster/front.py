"""The named clusters of a user: the first kind of cluster that this machine allows, started once and found again."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from devcluster import cluster, images, kind, toolchain
from devcluster.errors import DevclusterError
from devcluster.images import Image
from devcluster.lock import file_lock
from devcluster.paths import cache_home, clusters_home
from devcluster.progress import Reporter, Silent

DEFAULT_NAME = "dev"
_USE_KUBECONFIG = "TIDEGATE_USE_KUBECONFIG"


class DevelopmentCluster(Protocol):
    """A running cluster, wherever it came from."""

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""

    @property
    def has_node(self) -> bool:
        """Whether pods can run."""

    @property
    def rung(self) -> str:
        """Which kind of cluster it is: `kubeconfig`, `kind` or `processes`."""

    def load_images(self, wanted: Iterable[Image] = images.ALL, progress: Reporter | None = None) -> None:
        """Build the images and have them on the node; what has not changed is not done again."""

    def stop(self) -> None:
        """End it, if it is ours to end."""


@dataclass(frozen=True)
class GivenCluster:
    """The user's own cluster, used because they asked for it."""

    kubeconfig: Path
    has_node: bool = True
    rung: str = "kubeconfig"

    def load_images(self, wanted: Iterable[Image] = images.ALL, progress: Reporter | None = None) -> None:
        names = ", ".join(image.name for image in wanted)
        raise DevclusterError(
            f"images cannot be loaded into the cluster of KUBECONFIG: build {names} from the Dockerfile (and "
            "tests/devcluster/postgres), push them where that cluster pulls from, and name them to the Helm chart"
        )

    def stop(self) -> None:
        pass  # not ours


def up(
    name: str = DEFAULT_NAME,
    *,
    control_plane_only: bool = False,
    use_kubeconfig: bool = False,
    progress: Reporter | None = None,
) -> DevelopmentCluster:
    """The cluster `name`, started if it does not run. It outlives this process."""
    reporter = progress or Silent()
    if given := _given(use_kubeconfig):
        return given
    directory = _directory(name)
    with file_lock(_lock(name), reporter, f"starts or stops the cluster {name}"):
        if running := _find(name):
            if running.has_node or control_plane_only:
                reporter.say(f"The cluster {name} runs already.")
                return running
            reporter.say(f"The cluster {name} runs without a node: it is replaced by one that has a node.")
        rung = _choose(control_plane_only)
        _clear(name)
        if rung == "kind":
            return kind.start(directory, _kind_name(name), reporter)
        return cluster.start(directory, node=not control_plane_only, progress=reporter, outlive=True)


def down(name: str = DEFAULT_NAME, *, progress: Reporter | None = None) -> None:
    """End the cluster `name`, complete or not; it may be gone already."""
    reporter = progress or Silent()
    with file_lock(_lock(name), reporter, f"starts or stops the cluster {name}"):
        if not _directory(name).exists():
            reporter.say(f"There is no cluster {name}.")
            return
        with reporter.step(f"Removing the cluster {name}"):
            _clear(name)


def find(name: str = DEFAULT_NAME, *, use_kubeconfig: bool = False) -> DevelopmentCluster | None:
    """The cluster `name`, if it runs."""
    return _given(use_kubeconfig) or _find(name)


def names() -> list[str]:
    """All named clusters of this user, running or not."""
    home = clusters_home()
    return sorted(path.name for path in home.iterdir() if path.is_dir()) if home.is_dir() else []


def _given(asked: bool) -> GivenCluster | None:
    if not asked and os.environ.get(_USE_KUBECONFIG, "") not in ("1", "true", "yes"):
        return None  # a KUBECONFIG in the environment may be production: it is never taken unasked
    value = os.environ.get("KUBECONFIG", "")
    path = Path(value)
    if not path.is_file():
        raise DevclusterError(f"the cluster of KUBECONFIG was asked for, but KUBECONFIG names no file: `{value}`")
    probe = [str(toolchain.kubectl()), f"--kubeconfig={path}", "--request-timeout=10s", "get", "--raw=/readyz"]
    answer = subprocess.run(probe, capture_output=True, text=True)
    if answer.returncode != 0:
        raise DevclusterError(f"the cluster of KUBECONFIG={path} does not answer:\n{answer.stderr}")
    return GivenCluster(path)


def _choose(control_plane_only: bool) -> str:
    if not control_plane_only and kind.docker_answers():
        return "kind"
    lacking = []
    if not sys.platform.startswith("linux"):
        lacking.append("Linux")
    if shutil.which("go") is None and not toolchain.built(control_plane_only):
        lacking.append("Go 1.26 or later (https://go.dev/dl/)")
    if not control_plane_only and os.geteuid() != 0:
        lacking.append("root, for containers (run as root, or ask for the control plane alone: --control-plane-only)")
    if not lacking:
        return "processes"
    raise DevclusterError(
        "no cluster can be had here. One of these would do:\n"
        f"  - your own cluster: set KUBECONFIG and {_USE_KUBECONFIG}=1\n"
        "  - Docker, for kind: no daemon answers `docker info` (https://docs.docker.com/engine/install/)\n"
        f"  - processes on this machine, for which is missing: {'; '.join(lacking)}"
    )


def _find(name: str) -> DevelopmentCluster | None:
    directory = _directory(name)
    if kind.is_here(directory):
        return kind.find(directory, _kind_name(name))
    return cluster.find(directory)


def _clear(name: str) -> None:
    directory = _directory(name)
    if kind.is_here(directory):
        kind.KindCluster(directory, _kind_name(name)).stop()
    else:
        cluster.remove(directory)


def _directory(name: str) -> Path:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?", name):
        raise DevclusterError(f"`{name}` cannot name a cluster: use up to 30 of a-z, 0-9 and -")
    return clusters_home() / name


def _lock(name: str) -> Path:
    return cache_home() / "locks" / _directory(name).name  # not in the home of clusters: a lock outlives its cluster


def _kind_name(name: str) -> str:
    return f"tidegate-{name}"
