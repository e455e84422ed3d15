"""The command line: `python -m demo [up | down]`."""

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from demo import epilogue, story
from demo.errors import DemoError
from demo.installation import install
from demo.kubectl import Kubectl
from demo.plugin import Plugin
from demo.screen import Screen
from devcluster import front, toolchain
from devcluster.errors import DevclusterError
from devcluster.progress import for_stderr

DEFAULT_CLUSTER = "demo"
_GRACE = 5  # seconds


def main() -> int:
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    screen = Screen()
    try:
        if arguments.command == "down":
            front.down(arguments.cluster, progress=for_stderr())
            epilogue.say_what_stays(screen)
        else:
            _play(arguments.cluster, screen)
    except (DemoError, DevclusterError) as error:
        screen.failure(str(error))
        return 1
    except KeyboardInterrupt:
        screen.failure("interrupted; `make demo` begins again, `make demo-down` removes the cluster")
        return 130
    return 0


def _play(cluster_name: str, screen: Screen) -> None:
    started = time.monotonic()
    screen.title("Tidegate: one toggle for a two-way sync, acted out on two PostgreSQL databases")
    _warn(cluster_name, screen)
    cluster = install(cluster_name, for_stderr())
    kubectl = Kubectl(toolchain.kubectl(), cluster.kubeconfig, story.NAMESPACE, screen)
    with tempfile.TemporaryDirectory(prefix="tidegate-demo-") as directory:
        plugin = Plugin(cluster.kubeconfig, story.NAMESPACE, Path(directory), screen)
        story.tell(kubectl, plugin, screen)
    epilogue.show(screen, cluster.kubeconfig, started)


def _warn(cluster_name: str, screen: Screen) -> None:
    """Say what an earlier demo's visitor is about to lose, while it can still be kept by Ctrl-C."""
    running = front.find(cluster_name)
    if running is None or not story.exists(Kubectl(toolchain.kubectl(), running.kubeconfig, story.NAMESPACE, screen)):
        return
    screen.say(
        f"It was played here before: its namespace {story.NAMESPACE} is deleted with all that is in it, and the Helm "
        "release gets the demo's values again."
    )
    if sys.stdin.isatty():
        screen.say(f"Ctrl-C within {_GRACE} s keeps them.")
        time.sleep(_GRACE)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description="Tidegate's toggle, acted out and checked.")
    parser.add_argument("command", nargs="?", choices=("up", "down"), default="up", help="default: %(default)s")
    parser.add_argument("--cluster", default=DEFAULT_CLUSTER, help="the development cluster's name (default: demo)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
