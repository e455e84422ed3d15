"""Selection: names, a selector or all → the integrations that a command is about, and what was not found."""

from collections.abc import Sequence
from dataclasses import dataclass

import click

from tidegate.cli.cluster.client import Cluster
from tidegate.cli.decisions.integration import Integration, Key
from tidegate.cli.errors import CommandError, NotFoundError, NotInstalledError

_NAMED = 5  # more namespaces are only counted


@dataclass(frozen=True, slots=True)
class Scope:
    """Where to look, as the options say."""

    namespace: str | None = None  # the context's
    all_namespaces: bool = False
    selector: str = ""
    everything: bool = False

    def where(self, cluster: Cluster) -> str | None:
        """The namespace; None: all of them."""
        return None if self.all_namespaces else self.namespace or cluster.namespace

    def emptiness(self, cluster: Cluster) -> str:
        """That nothing was found there, in kubectl's words."""
        where = self.where(cluster)
        return f"No SyncIntegrations found in {where} namespace." if where else "No SyncIntegrations found."

    def title(self, key: Key) -> str:
        """An integration's name as it is shown: with its namespace where there are several."""
        return str(key) if self.all_namespaces else key.name

    def check(self, names: Sequence[str], *, required: bool) -> None:
        """Raises UsageError when it is not clear which integrations are meant."""
        if names and (self.all_namespaces or self.selector or self.everything):
            raise click.UsageError("give either names, or -A, -l or --all")
        if self.everything and self.selector:
            raise click.UsageError("--all and --selector contradict each other: give one")
        if not required:
            return
        if self.all_namespaces and self.namespace:  # kubectl reads it as -A; nothing is to be changed on a guess
            raise click.UsageError("--all-namespaces and --namespace contradict each other: give one")
        if self.all_namespaces and not (self.selector or self.everything):
            raise click.UsageError("-A needs --all or -l: --all -A means every SyncIntegration in the cluster")
        if not (names or self.selector or self.everything):
            raise click.UsageError("name the SyncIntegrations, or give -l or --all")


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was found, and for what was not, why."""

    found: Sequence[Integration]
    errors: Sequence[CommandError] = ()
    single: bool = False  # one was named


def choose(cluster: Cluster, scope: Scope, names: Sequence[str]) -> Chosen:
    """The integrations of these names; without names, all in scope."""
    if not names:
        return Chosen(cluster.find(scope.where(cluster), scope.selector))
    found: list[Integration] = []
    errors: list[CommandError] = []
    for name in dict.fromkeys(names):
        try:
            found.append(choose_one(cluster, scope, name))
        except CommandError as error:
            errors.append(error)
    return Chosen(found, errors, single=len(names) == 1)


def choose_one(cluster: Cluster, scope: Scope, name: str) -> Integration:
    """The integration of this name. Raises NotFoundError that says where else there is one."""
    key = Key(scope.namespace or cluster.namespace, name)
    try:
        return cluster.get(key)
    except NotInstalledError:
        raise
    except NotFoundError as error:
        raise NotFoundError(absence(key, cluster.namespaces_of(name))) from error


def absence(key: Key, elsewhere: Sequence[str]) -> str:
    """That there is no such integration, and in which namespaces there is one of this name. Pure."""
    sentence = f'no SyncIntegration "{key.name}" in namespace {key.namespace}'
    if not elsewhere:
        return sentence
    if len(elsewhere) == 1:
        return f"{sentence}; there is one in {elsewhere[0]}: add -n {elsewhere[0]}"
    named = ", ".join(elsewhere[:_NAMED]) + (", …" if len(elsewhere) > _NAMED else "")
    return f"{sentence}; there are {len(elsewhere)} of this name, in {named}: say which with -n"
