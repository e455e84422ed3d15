"""The command line: `python -m devcluster up | down | status | kubeconfig | images | tools | program`."""

import argparse
import signal
import sys

from devcluster import front, images, packages, toolchain
from devcluster.errors import DevclusterError
from devcluster.front import DevelopmentCluster
from devcluster.progress import Reporter, for_stderr


def main() -> int:
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that `timeout` and CI leave nothing behind either
    try:
        return _run(arguments, for_stderr())
    except DevclusterError as error:
        print(f"devcluster: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("devcluster: interrupted; `up` and `down` can be run again", file=sys.stderr)
    return 1


def _run(arguments: argparse.Namespace, reporter: Reporter) -> int:
    if arguments.command == "program":
        print(toolchain.program(arguments.program, reporter))
        return 0
    name, use_kubeconfig = arguments.name, arguments.use_kubeconfig
    match arguments.command:
        case "up":
            only = arguments.control_plane_only
            running = front.up(name, control_plane_only=only, use_kubeconfig=use_kubeconfig, progress=reporter)
            print(f"export KUBECONFIG={running.kubeconfig}")
        case "down":
            front.down(name, progress=reporter)
        case "status":
            return _status(front.find(name, use_kubeconfig=use_kubeconfig), name)
        case "kubeconfig":
            print(_running(name, use_kubeconfig).kubeconfig)
        case "images":
            _running(name, use_kubeconfig).load_images(images.ALL, reporter)
        case "tools":
            if not arguments.control_plane_only:
                packages.ensure({**packages.NODE, **packages.IMAGES}, reporter)
            wanted = toolchain.CONTROL_PLANE + (() if arguments.control_plane_only else toolchain.NODE)
            for path in toolchain.ensure((*wanted, "helm"), reporter).values():
                print(path)
    return 0


def _status(running: DevelopmentCluster | None, name: str) -> int:
    others = [other for other in front.names() if other != name]
    if running is None:
        print(f"{name}: does not run")
    else:
        node = "with a node" if running.has_node else "control plane only"
        print(f"{name}: runs ({running.rung}, {node}), KUBECONFIG={running.kubeconfig}")
    if others:
        print(f"other clusters: {', '.join(others)}")
    return 0 if running else 1


def _running(name: str, use_kubeconfig: bool) -> DevelopmentCluster:
    running = front.find(name, use_kubeconfig=use_kubeconfig)
    if running is None:
        raise DevclusterError(f"the cluster {name} does not run: `python -m devcluster up --name {name}` starts it")
    return running


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devcluster", description="Tidegate's development cluster.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    program = commands.add_parser("program", help="print where a program is, and build it before if need be")
    program.add_argument("program", choices=toolchain.NAMES, metavar="PROGRAM", help=", ".join(toolchain.NAMES))
    for command, summary in _COMMANDS.items():
        sub = commands.add_parser(command, help=summary, description=summary)
        sub.add_argument("--name", default=front.DEFAULT_NAME, help="of the cluster (default: %(default)s)")
        sub.add_argument("--use-kubeconfig", action="store_true", help="use the cluster that KUBECONFIG names")
        if command in ("up", "tools"):
            sub.add_argument("--control-plane-only", action="store_true", help="no node: needs neither root nor Docker")
    return parser


_COMMANDS = {
    "up": "start the cluster, unless it runs; it stays until `down`",
    "down": "end the cluster and remove all of it",
    "status": "say whether the cluster runs",
    "kubeconfig": "print the path of the cluster's kubeconfig",
    "images": "build Tidegate's images and load them into the cluster",
    "tools": "build and install what `up` needs, so that it is quick later",
}


if __name__ == "__main__":
    sys.exit(main())
