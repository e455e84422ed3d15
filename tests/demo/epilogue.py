"""What the visitor can do next, on the cluster that the demo leaves behind."""

import os
import shutil
import time
from pathlib import Path

from demo.screen import Screen
from demo.story import NAMESPACE
from devcluster import toolchain


def show(screen: Screen, kubeconfig: Path, started: float) -> None:
    """Say how long it took and which three commands to try."""
    screen.say()
    screen.title(f"All as promised, in {time.monotonic() - started:.0f} s. The cluster stays; to look around:")
    screen.say(f"   export KUBECONFIG={kubeconfig}{_path()}")
    screen.say(f"   kubectl -n {NAMESPACE} get sync --watch")
    screen.say(f"   kubectl -n {NAMESPACE} describe sync contacts")
    screen.say(f"   kubectl -n {NAMESPACE} exec deploy/crm -- psql -c 'TABLE contact LIMIT 5'")
    screen.say("`make demo` plays it again, `make demo-down` removes the cluster.")


def _path() -> str:
    if shutil.which("kubectl"):
        return ""
    return f" PATH={toolchain.kubectl().parent}{os.pathsep}$PATH"
