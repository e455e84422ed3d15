"""The operator process: settings in, kopf and the reconcile workers side by side, until a signal ends them."""

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import aiohttp
import kopf
from kubernetes.aio import client
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from tidegate.api import names
from tidegate.control import watch
from tidegate.control.act import Writer
from tidegate.control.queue import WorkQueue
from tidegate.control.reconcile import Reconciler
from tidegate.control.settings import Settings, parse

logger = logging.getLogger(__name__)


class EndlessBackoff:
    """Pauses between attempts to reach the API server, in seconds, without end.

    kopf ends a watch for good when its list of pauses is used up, and leaves the process alive without it.
    """

    def __iter__(self) -> Iterator[float]:
        """1, 1, 2, 3, 5, 8, 13, 21, 30, 30, …"""
        yield from (1, 1, 2, 3, 5, 8, 13, 21)
        while True:
            yield 30


def main() -> None:
    """Entry point of `tidegate-operator`."""
    settings = parse(sys.argv[1:], os.environ)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("kopf").setLevel(logging.WARNING)
    try:
        asyncio.run(run(settings))
    except ConfigException as error:
        sys.exit(f"tidegate-operator: no cluster to work for: {error}. Set KUBECONFIG, or run inside a cluster.")


async def run(settings: Settings) -> None:
    """Serve until kopf is told to stop by SIGTERM or SIGINT.

    Raises ConfigException when there is neither a kubeconfig nor a service account.
    """
    await _load_cluster_access()
    queue = WorkQueue()
    view = watch.ClusterView()
    registry = kopf.OperatorRegistry()
    watch.register(registry, view, queue)
    kopf.on.login(registry=registry)(kopf.login_via_client)
    async with client.ApiClient() as api:
        writer = Writer(api, settings, instance=socket.gethostname())
        reconciler = Reconciler(view, writer)
        workers = [asyncio.create_task(_work(queue, reconciler)) for _ in range(settings.concurrency)]
        try:
            await _serve_until_stopped(settings, registry, workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)


async def _load_cluster_access() -> None:
    if os.environ.get("KUBECONFIG") or not os.environ.get("KUBERNETES_SERVICE_HOST"):
        await load_kube_config()  # type: ignore[no-untyped-call]
    else:
        load_incluster_config()  # type: ignore[no-untyped-call]


async def _serve_until_stopped(
    settings: Settings, registry: kopf.OperatorRegistry, workers: list[asyncio.Task[None]]
) -> None:
    endpoint = f"http://0.0.0.0:{settings.liveness_port}/healthz" if settings.liveness_port else None
    informer = asyncio.create_task(
        kopf.operator(
            registry=registry,
            settings=_kopf_settings(),
            standalone=True,
            clusterwide=not settings.namespaces,
            namespaces=settings.namespaces,
            liveness_endpoint=endpoint,
        )
    )
    # Workers never end by themselves: one that does has met a defect, and the process must not live on without it.
    done, _ = await asyncio.wait([informer, *workers], return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


def _kopf_settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.networking.error_backoffs = EndlessBackoff()
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 60
    settings.watching.server_timeout = 600
    settings.watching.client_timeout = 660
    settings.watching.chunk_size = 500
    # Below the grace period of the operator's Pod.
    settings.process.ultimate_exiting_timeout = 20
    ours = f"{names.MANAGED_BY_LABEL}={names.MANAGED_BY}"
    settings.watching.label_selectors["batch", "jobs"] = ours
    settings.watching.label_selectors["", "pods"] = ours
    settings.watching.label_selectors["", "persistentvolumeclaims"] = ours
    return settings


async def _work(queue: WorkQueue, reconciler: Reconciler) -> None:
    while True:
        uid = await queue.take()
        failed = False
        try:
            look_again_at = await reconciler.reconcile(uid)
            if look_again_at is not None:
                await queue.add_after(uid, (look_again_at - datetime.now(UTC)).total_seconds())
        except (ApiException, aiohttp.ClientError, TimeoutError) as error:
            logger.warning("the API server did not do as asked, trying again: %s", error)
            failed = True
        except Exception:
            # One integration that meets a defect must not take the others down with it.
            logger.exception("reconciling %s failed, trying again", uid)
            failed = True
        finally:
            await queue.done(uid, failed=failed)


if __name__ == "__main__":
    main()
