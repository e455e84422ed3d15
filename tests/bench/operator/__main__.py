"""The command line: `python -m bench.operator [--at-once N] [--resources N] [--rate N] [--seconds N] [--idle N …]`."""

import argparse
import asyncio
import signal
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from cluster.namespace import Namespace
from devcluster import cluster as devcluster
from devcluster import toolchain
from devcluster.cluster import Cluster
from devcluster.errors import DevclusterError
from devcluster.paths import ROOT
from devcluster.progress import Reporter, for_stderr

from .cases import Bench, Scale
from .cluster import NAMESPACE, RIGHTS, Client
from .report import show

_CRON_JOBS = {
    "CronJobs, default flags,": (),
    "CronJobs, 50 workers, no client throttle,": (
        *("--kube-api-qps=10000", "--kube-api-burst=10000", "--concurrent-cron-job-syncs=50"),
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.operator", description=sys.modules["bench.operator"].__doc__)
    parser.add_argument("--at-once", type=int, default=500, help="due in the same second (default: %(default)s)")
    parser.add_argument("--resources", type=int, default=1000, help="that start one after the other")
    parser.add_argument("--rate", type=int, default=10, help="starts a second (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=60, help="of starts, and of idleness (default: %(default)s)")
    parser.add_argument("--idle", type=int, nargs="*", default=[1000, 3000, 10000], help="numbers of idle resources")
    parser.add_argument("--no-cron-jobs", action="store_true", help="only our own operator")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    reporter = for_stderr()
    try:
        toolchain.ensure(toolchain.CONTROL_PLANE, reporter)
        with (
            tempfile.TemporaryDirectory(prefix="tidegate-bench-") as directory,
            devcluster.start(Path(directory) / "cluster", node=False, progress=reporter) as cluster,
        ):
            Namespace.install_definition(cluster.kubeconfig, toolchain.kubectl(), ROOT / "crds")
            asyncio.run(_measure(arguments, cluster, Path(directory), reporter))
    except (DevclusterError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


async def _measure(arguments: argparse.Namespace, cluster: Cluster, directory: Path, reporter: Reporter) -> None:
    number: int = arguments.at_once
    async with Client(cluster) as client:
        await client.create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", RIGHTS)
        await client.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        await client.until("serviceaccounts", lambda items: bool(items))
        bench = await Bench.prepare(cluster, client, directory)
        with reporter.step(f"{number:,} syncs due at once"):
            at_once = {"syncs": await bench.due_at_once(number)}
        for title, options in {} if arguments.no_cron_jobs else _CRON_JOBS.items():
            with reporter.step(f"{number:,} {title} due at once"):
                at_once[title] = await bench.cron_jobs_at_once(number, *options)
        with reporter.step(f"{arguments.resources:,} syncs, {arguments.rate} starts a second"):
            steady, offs = await bench.steady(arguments.resources, arguments.rate, arguments.seconds)
        scales: list[Scale] = []
        for size in arguments.idle:
            with reporter.step(f"{size:,} idle syncs"):
                scales.append(await bench.scale(size, arguments.seconds))
    show(at_once, steady, offs, scales, Console(width=max(Console().width, 150), highlight=False))


if __name__ == "__main__":
    sys.exit(main())
