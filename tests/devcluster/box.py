"""The namespaces that a cluster with a node lives in, like a machine of its own.

Own mounts, network, processes, host name and IPC. Two clusters do not see each other, and when the first process ends,
the kernel ends all others, containers too, and takes their mounts and network devices with it.
"""

import hashlib
import ipaddress
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from devcluster import process
from devcluster.errors import DevclusterError
from devcluster.lock import file_lock
from devcluster.paths import HERE
from devcluster.process import Daemon
from devcluster.progress import Silent

_NAME = "box"
_CGROUPS = Path("/sys/fs/cgroup")
# For tests of network equipment (RFC 2544), so that no real network is hidden by it.
_NETWORKS = list(ipaddress.IPv4Network("198.18.0.0/15").subnets(new_prefix=30))
_LOCK = Path("/run/tidegate-devcluster.lock")


@dataclass(frozen=True)
class Box:
    """The namespaces of the cluster in one directory."""

    init: int  # the pid, seen from outside, of the first process inside
    identity: str
    address: str  # of the cluster, as host and pods reach it

    def wrap(self, command: Sequence[str]) -> list[str]:
        """The command that runs `command` inside."""
        namespaces = ["--mount", "--net", "--pid", "--uts", "--ipc"]
        return ["nsenter", f"--target={self.init}", *namespaces, "--", *command]

    @property
    def cgroup(self) -> str:
        """The parent of its containers' cgroups."""
        return f"/{_cgroup_name(self.identity)}"

    def run(self, *command: str, text: str | None = None) -> str:
        """Run a short command inside; return its output."""
        return _run(*self.wrap(command), text=text)


def start(directory: Path, hostname: str) -> Box:
    """Make the namespaces."""
    identity = _identity(directory)
    ready = directory / "run" / "box.ready"
    ready.unlink(missing_ok=True)
    unshare = ["unshare", "--mount", "--propagation=private", "--net", "--pid", "--uts", "--ipc"]
    first = [sys.executable, str(HERE / "box_init.py"), hostname, str(ready)]
    daemon = process.spawn(_NAME, [*unshare, "--fork", "--kill-child", "--mount-proc", "--", *first], directory)
    deadline = time.monotonic() + 20
    while not ready.exists():
        if not daemon.alive() or time.monotonic() > deadline:
            raise DevclusterError(
                f"the namespaces for the node cannot be made here:\n{daemon.log_tail()}\n"
                "The control plane alone needs none of this: --control-plane-only"
            )
        time.sleep(0.01)
    init = _init_of(daemon)
    for cgroup in _cgroups(identity):
        cgroup.mkdir(exist_ok=True)
    return Box(init, identity, _connect(init, identity))


def find(directory: Path, address: str) -> Box:
    """The box of a cluster that runs."""
    for daemon in process.recorded(directory):
        if daemon.name == _NAME and daemon.alive():
            return Box(_init_of(daemon), _identity(directory), address)
    raise DevclusterError(f"the cluster in {directory} has ended")


def remove(directory: Path, daemons: Sequence[Daemon]) -> None:
    """End everything inside, and take away what the kernel leaves outside."""
    process.stop(daemon for daemon in daemons if daemon.name == _NAME)
    # Looked for even where no first process is recorded: an earlier removal may have come this far only.
    identity = _identity(directory)
    if Path("/sys/class/net", _link_name(identity)).exists():
        # By now the kernel may have deleted it by itself.
        subprocess.run(["ip", "link", "delete", _link_name(identity)], capture_output=True, env=process.environment())
    for cgroup in _cgroups(identity):
        _remove_cgroup(cgroup)


def _init_of(daemon: Daemon) -> int:
    # `unshare` has one child, which is the first process of the new namespaces.
    return int(Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split()[0])


def _identity(directory: Path) -> str:
    return hashlib.sha256(str(directory).encode()).hexdigest()[:8]


def _link_name(identity: str) -> str:
    return f"tg{identity}"  # at most 15 characters


def _connect(init: int, identity: str) -> str:
    """Lay a cable between the host and the box; return the box's end."""
    link = _link_name(identity)
    with file_lock(_LOCK, Silent(), "chooses a network"):
        host, guest = _free_network(identity).hosts()
        _run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", str(init))
        _run("ip", "address", "add", f"{host}/30", "dev", link)
    _run("ip", "link", "set", link, "up")
    inside = ["nsenter", f"--target={init}", "--net", "--", "ip"]
    _run(*inside, "address", "add", f"{guest}/30", "dev", "eth0")
    _run(*inside, "link", "set", "eth0", "up")
    # Leads nowhere beyond the host; but without a route the kernel refuses ClusterIPs before they are translated.
    _run(*inside, "route", "add", "default", "via", str(host))
    return str(guest)


def _free_network(identity: str) -> ipaddress.IPv4Network:
    links = json.loads(_run("ip", "-json", "-4", "address"))
    taken = [
        ipaddress.IPv4Network(f"{entry['local']}/{entry['prefixlen']}", strict=False)
        for link in links
        for entry in link["addr_info"]
    ]
    first = int(identity, 16)
    for offset in range(len(_NETWORKS)):
        network = _NETWORKS[(first + offset) % len(_NETWORKS)]
        if not any(network.overlaps(other) for other in taken):
            return network
    raise DevclusterError("198.18.0.0/15 is taken by a network interface of this machine: see `ip address`")


def _cgroup_name(identity: str) -> str:
    return f"tidegate-{identity}"


def _cgroups(identity: str) -> list[Path]:
    name = _cgroup_name(identity)
    if not _CGROUPS.exists():
        return []
    if (_CGROUPS / "cgroup.controllers").exists():
        return [_CGROUPS / name]
    # Version 1: a tree for each controller (some are links to the others).
    return [tree / name for tree in _CGROUPS.iterdir() if tree.is_dir() and not tree.is_symlink()]


def _remove_cgroup(top: Path) -> None:
    deadline = time.monotonic() + 10
    while top.exists():
        try:
            for directory in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
                directory.rmdir()
            top.rmdir()
        except OSError as error:  # the kernel is still burying the processes
            if time.monotonic() > deadline:
                raise DevclusterError(f"the cgroup {top} cannot be removed: {error}") from error
            time.sleep(0.05)


def _run(*command: str, text: str | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, input=text, env=process.environment())
    if done.returncode != 0:
        raise DevclusterError(f"`{' '.join(command)}` failed:\n{done.stderr or done.stdout}")
    return done.stdout
