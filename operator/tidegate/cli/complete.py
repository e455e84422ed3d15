"""Complete: what may come next on the command line, for click, and for kubectl by `kubectl_complete-sync`.

Completion never fails: where the cluster cannot be had there is nothing to suggest.
"""

from collections.abc import Callable
from datetime import timedelta

import click
from click.shell_completion import CompletionItem
from kubernetes.config import ConfigException

from tidegate.cli.cluster.client import Cluster
from tidegate.cli.cluster.kubeconfig import Connection, Kubeconfig
from tidegate.cli.decisions.integration import Key
from tidegate.cli.errors import CommandError

# Seconds: a shell that hangs is worse than one that suggests nothing.
_ANSWER = 3


def integrations(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of SyncIntegrations, with what they do."""
    already = context.params.get(parameter.name or "") or ()

    def found(cluster: Cluster) -> list[CompletionItem]:
        namespace = context.params.get("namespace") or cluster.namespace
        return [
            CompletionItem(seen.name, help=f"{seen.spec.status}, {seen.status.phase or 'not seen yet'}")
            for seen in cluster.find(namespace)
            if seen.name not in already
        ]

    return _matching(context, found, incomplete)


def namespaces(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of namespaces."""
    return _matching(context, lambda cluster: list(map(CompletionItem, cluster.namespaces())), incomplete)


def runs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Numbers of the runs of the integration that is named."""

    def found(cluster: Cluster) -> list[CompletionItem]:
        key = Key(context.params.get("namespace") or cluster.namespace, context.params.get("name") or "")
        return [CompletionItem(str(e.run), help=e.summary) for e in cluster.get(key).status.recent_activity]

    return _matching(context, found, incomplete)


def contexts(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the kubeconfig's contexts."""
    try:
        known = Kubeconfig.read(context.params.get("kubeconfig")).contexts()
    except (CommandError, OSError, ConfigException):
        return []
    return [CompletionItem(each) for each in known if each.startswith(incomplete)]


def _matching(
    context: click.Context, find: Callable[[Cluster], list[CompletionItem]], incomplete: str
) -> list[CompletionItem]:
    given = context.params
    connection = Connection(
        given.get("kubeconfig"), given.get("context"), given.get("cluster_name"), given.get("user"),
        given.get("impersonated"), given.get("groups") or (), timedelta(seconds=_ANSWER),
    )  # fmt: skip
    try:
        found = find(Cluster.connect(connection))
    except CommandError:
        return []
    return [item for item in found if str(item.value).startswith(incomplete)]
