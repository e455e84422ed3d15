"""The first process in a box: gives it its own /run and states, then buries orphans until it is told to end.

Run as a file, with the standard library only: it must not matter what becomes of the checkout's own mounts.
"""

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

# Paths that kubelet, CNI plugins and containerd have built in: hidden, so that the host's are neither seen nor filled.
_HIDDEN = {"/var/lib": {"cni", "containerd", "kubelet"}, "/var/log": {"containers", "pods"}}


def main() -> None:
    hostname, ready = sys.argv[1:]
    signals = {signal.SIGCHLD, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    socket.sethostname(hostname)
    for path, names in _HIDDEN.items():
        _hide(path, names)
    _mount("-t", "tmpfs", "tmpfs", "/run")
    _mount("--make-rshared", "/")  # kubelet wants its mounts to be seen by containers
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    Path(ready).touch()
    while signal.sigwait(signals) != signal.SIGTERM:
        _bury()


def _hide(path: str, names: set[str]) -> None:
    """Replace a directory by a copy of its listing, without `names`, whose new entries are seen in here only."""
    before = os.open(path, os.O_PATH | os.O_DIRECTORY)
    directories = [entry.name for entry in os.scandir(path) if entry.is_dir(follow_symlinks=False)]
    _mount("-t", "tmpfs", "tmpfs", path)
    for name in directories:
        if name not in names:
            (Path(path) / name).mkdir()
            _mount("--rbind", f"/proc/self/fd/{before}/{name}", f"{path}/{name}", descriptor=before)
    os.close(before)


def _mount(*arguments: str, descriptor: int | None = None) -> None:
    # Not canonical: it would resolve the link of a descriptor to the path, and the path is the new directory by then.
    subprocess.run(
        ["mount", "--no-canonicalize", *arguments], check=True, pass_fds=() if descriptor is None else (descriptor,)
    )


def _bury() -> None:
    with suppress(ChildProcessError):  # no child at all
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


if __name__ == "__main__":
    main()
