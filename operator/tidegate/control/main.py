"""The operator process: settings in, kopf and the reconcile workers side by side, until a signal ends them."""

import asyncio
import gc
import logging
import os
import socket
import sys
import time
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import aiohttp
import kopf
import yaml
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from tidegate.api import names
from tidegate.control import deep_json, logs, outage
from tidegate.control.act import Writer, words
from tidegate.control.endpoint import Endpoint, PortError
from tidegate.control.freshness import Freshness
from tidegate.control.leadership import Leadership, LeadershipLostError
from tidegate.control.metrics import Metrics
from tidegate.control.queue import WorkQueue
from tidegate.control.reconcile import Reconciler
from tidegate.control.rest import Rest, api_client
from tidegate.control.settings import Settings, parse
from tidegate.control.view import ClusterView
from tidegate.control.watch import Informer
from tidegate.control.watchdog import BlindError, Watchdog

logger = logging.getLogger(__name__)

_WRONG_USAGE = 2  # argparse's own


# What the view holds is plain data without cycles, and Python's collector would go through all of it again and again:
# a seventh of a start's CPU with 2,000 resources, and a larger part with more.
_RARE_COLLECTIONS = (50_000, 20, 100)


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
    deep_json.accept()
    gc.set_threshold(*_RARE_COLLECTIONS)
    logs.configure(settings.log_level, settings.log_format)
    try:
        asyncio.run(run(settings))
    except ConfigException as error:
        sys.exit(f"tidegate-operator: no cluster configured: {error}. Set KUBECONFIG, or run inside a cluster.")
    except PortError as error:
        print(f"tidegate-operator: {error}. Free it, or choose another one with --port", file=sys.stderr)
        sys.exit(_WRONG_USAGE)
    except (BlindError, LeadershipLostError) as error:
        sys.exit(f"tidegate-operator: {error}; exiting so that Kubernetes restarts the operator")
    except Exception as error:
        explained = outage.explain(error)
        if explained is None:
            raise
        sys.exit(f"tidegate-operator: {explained}; exiting so that Kubernetes restarts the operator")


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT stops kopf.

    Raises ConfigException when there is neither a kubeconfig nor a service account, BlindError when a watch has died,
    LeadershipLostError when the Lease could not be renewed.
    """
    await _load_cluster_access()
    queue = WorkQueue()
    view, freshness = ClusterView(), Freshness()
    informer = Informer(view, queue, freshness, settings.namespaces)
    metrics = Metrics()
    metrics.observe(view.integrations, queue, freshness)
    async with api_client() as api, AsyncExitStack() as stack:
        rest = Rest(api)
        watchdog = Watchdog(
            rest,
            freshness,
            settings.namespaces,
            period=settings.watch_check_period,
            patience=settings.watch_patience,
        )
        if settings.port is not None:
            await stack.enter_async_context(Endpoint(settings.port, watchdog, metrics))
        instance = socket.gethostname()
        reconciler = Reconciler(view, Writer(rest, settings, instance), metrics=metrics, wake=queue.add)
        leadership = None
        if settings.lease is not None:
            leadership = await stack.enter_async_context(Leadership(api, *settings.lease, instance))
        metrics.observe_process(
            ready=lambda: watchdog.sighted and not watchdog.blind,
            leading=lambda: leadership is None or leadership.held,
        )
        await _until_one_ends(
            _kopf(informer, settings),
            watchdog.run(),
            *([leadership.run()] if leadership else []),
            *(_work(informer, queue, reconciler, metrics, leadership) for _ in range(settings.concurrency)),
        )


async def _until_one_ends(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run all of them; when one has ended, end the others. Raises what it raised.

    Only kopf ends without an error, when a signal stops it. A task that ends has met a defect or a dead watch, and the
    process must not live on without it.
    """
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        if not task.cancelled():  # kopf cancels all other tasks when it stops
            task.result()


async def _load_cluster_access() -> None:
    if os.environ.get("KUBECONFIG") or not os.environ.get("KUBERNETES_SERVICE_HOST"):
        try:
            await load_kube_config()  # type: ignore[no-untyped-call]
        except (AttributeError, LookupError, TypeError, ValueError, yaml.YAMLError) as error:
            files = os.environ.get("KUBECONFIG") or "~/.kube/config"
            raise ConfigException(f"{files} is empty, or not a kubeconfig") from error
    else:
        load_incluster_config()  # type: ignore[no-untyped-call]


async def _kopf(informer: Informer, settings: Settings) -> None:
    """kopf's process: its login, its signals and its end, around the watches in the place of its handlers."""
    registry, of_kopf = kopf.OperatorRegistry(), _kopf_settings()
    kopf.on.login(registry=registry)(kopf.login_via_client)
    await kopf.operator(
        registry=registry,
        settings=of_kopf,
        standalone=True,
        clusterwide=not settings.namespaces,
        namespaces=settings.namespaces,
        _command=informer.run(of_kopf),
    )


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


async def _work(
    informer: Informer, queue: WorkQueue, reconciler: Reconciler, metrics: Metrics, leadership: Leadership | None
) -> None:
    await informer.wait_until_complete()
    if leadership is not None:
        await leadership.wait()
    while True:
        uid = await queue.take()
        began = time.monotonic()
        failed = False
        try:
            look_again_at = await reconciler.reconcile(uid)
            if look_again_at is not None:
                await queue.add_after(uid, (look_again_at - datetime.now(UTC)).total_seconds())
        except (ApiException, aiohttp.ClientError, TimeoutError) as error:
            said = words(error) if isinstance(error, ApiException) else repr(error)
            logger.warning("API request failed, retrying: %s", said)
            metrics.failed("api")
            failed = True
        except Exception:
            # One integration that meets a defect must not take the others down with it.
            logger.exception("reconciling %s failed, retrying", uid)
            metrics.failed("defect")
            failed = True
        finally:
            metrics.reconciled(time.monotonic() - began)
            await queue.done(uid, failed=failed, attempt=reconciler.attempt(uid))


if __name__ == "__main__":
    main()
