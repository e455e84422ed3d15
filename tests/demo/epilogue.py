"""What the visitor can do next, on the cluster that the demo leaves behind; and what is left when it is removed."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from demo.errors import DemoError
from demo.screen import Screen
from demo.story import NAMESPACE
from devcluster import toolchain
from devcluster.paths import cache_home

PLUGIN = Path(sys.executable).parent / "kubectl-sync"


def show(screen: Screen, kubeconfig: Path, started: float) -> None:
    """Show the sync as the plugin does, say how long it took, where the plugin is, and what to try."""
    screen.act(
        "The same from the command line",
        "`kubectl sync` is a kubectl plugin; it shows the sync and turns it ON and OFF.",
    )
    _show_status(screen, kubeconfig)
    screen.say()
    screen.title(f"All as promised, in {time.monotonic() - started:.0f} s. The cluster stays; to look around:")
    screen.say(f"   export KUBECONFIG={kubeconfig} PATH={_path()}{os.pathsep}$PATH")
    screen.say(f"   kubectl sync status contacts -n {NAMESPACE}")
    screen.say(f"   kubectl sync watch -n {NAMESPACE}")
    screen.say(f"   kubectl -n {NAMESPACE} exec deploy/crm -- psql -c 'TABLE contact LIMIT 5'")
    screen.say(f"`make demo` plays it again, on a new namespace {NAMESPACE}; `make demo-down` removes the cluster.")


def say_what_stays(screen: Screen) -> None:
    """What is kept on the disk for the next start, and how to free it."""
    cache = cache_home()
    if not cache.is_dir():
        return
    screen.say(f"Built programs and images stay in {cache} ({_size(cache)}), so that the next start is quick.")
    screen.say(f"To free it: rm -r {cache}")
    screen.say("Go keeps its own caches: go clean -cache -modcache")


def _show_status(screen: Screen, kubeconfig: Path) -> None:
    command = [str(PLUGIN), "status", "contacts", f"--namespace={NAMESPACE}"]
    screen.command(["kubectl", "sync", "status", "contacts", "-n", NAMESPACE])
    done = subprocess.run([*command, f"--kubeconfig={kubeconfig}"], capture_output=True, text=True)
    if done.returncode != 0:
        raise DemoError(f"`kubectl sync status` failed:\n{done.stderr.rstrip()}")
    screen.output(done.stdout)


def _path() -> str:
    """Where the plugin is; and kubectl, for a visitor who has none."""
    programs = [PLUGIN.parent] if shutil.which("kubectl") else [PLUGIN.parent, toolchain.kubectl().parent]
    return os.pathsep.join(map(str, programs))


def _size(directory: Path) -> str:
    taken = sum(path.lstat().st_blocks * 512 for path in directory.rglob("*"))
    return f"{taken / 1e9:.1f} GB"
