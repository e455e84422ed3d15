"""Debian packages that the node and the image builds need, installed when missing and when we may."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.lock import file_lock
from devcluster.paths import cache_home
from devcluster.process import environment
from devcluster.progress import Reporter

# Package: a file of it whose absence shows that it is missing; a path may be a pattern.
NODE = {
    "runc": "runc",
    "containernetworking-plugins": "/usr/lib/cni/ptp",
    "nftables": "nft",
    "iproute2": "ip",
    "mount": "mount",
    "openssl": "openssl",
    "busybox-static": "/bin/busybox",
}
IMAGES = {"mmdebstrap": "mmdebstrap", "buildah": "buildah"}
# The database servers that the worker's tests start.
SERVERS = {"mariadb-server": "mariadbd", "postgresql": "/usr/lib/postgresql/*/bin/postgres"}
# What the tests of alerts and dashboard ask.
MONITORING = {"prometheus": "promtool"}


def missing(packages: Mapping[str, str]) -> list[str]:
    """Those of `packages` that are not installed."""
    return [package for package, file in packages.items() if find(file) is None]


def ensure(packages: Mapping[str, str], reporter: Reporter) -> None:
    """Have `packages` installed."""
    if not missing(packages):
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise DevclusterError(f"missing, to be installed by an administrator: {', '.join(missing(packages))}")
    with file_lock(cache_home() / "packages.lock", reporter, "installs packages"):
        if names := missing(packages):
            with reporter.step(f"Installing {', '.join(names)}", "a minute or less"):
                _install(names)


def find(file: str) -> str | None:
    """Where a program or file is, in its newest version; None when it is missing."""
    if file.startswith("/"):
        return max(map(str, Path("/").glob(file[1:])), default=None)
    return shutil.which(file, path=environment()["PATH"])


def _install(names: list[str]) -> None:
    variables = {**environment(), "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *names]
    # The lists may be old or absent: only then are they fetched.
    for command in (install, ["apt-get", "update"], install):
        done = subprocess.run(command, env=variables, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if command is install and done.returncode == 0:
            return
    raise DevclusterError(f"apt-get could not install {', '.join(names)}:\n{done.stderr[-2000:]}")
