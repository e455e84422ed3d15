"""Users of a namespace, each with rights of its own: who attacks, and who does the same thing rightly."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kubernetes import config
from kubernetes.dynamic import DynamicClient

from cluster.namespace import Namespace, Object

_SYNCS: Object = {
    "apiGroups": ["tidegate.dev"],
    "resources": ["syncintegrations"],
    "verbs": ["get", "create", "update", "patch"],
}
_JOBS: Object = {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create"]}
_TOKENS_OF_SYNCER: Object = {
    "apiGroups": [""],
    "resources": ["serviceaccounts/token"],
    "resourceNames": ["syncer"],
    "verbs": ["create"],
}

# What each user may do in the namespace, and who has a ClusterRole of Kubernetes' own there.
RULES: Mapping[str, Sequence[Object]] = {
    "toggler": (_SYNCS,),
    "jobber": (_SYNCS, _JOBS),
    "specialist": (_SYNCS, _JOBS, _TOKENS_OF_SYNCER),
}
CLUSTER_ROLES = {"editor": "edit", "viewer": "view"}


def act_as(kubeconfig: Path, user: str) -> DynamicClient:
    """A user's client: the API server takes its requests for the user's, rights and admission included."""
    client = config.new_client_from_config(str(kubeconfig))  # type: ignore[no-untyped-call]
    client.set_default_header("Impersonate-User", user)
    return DynamicClient(client)  # type: ignore[no-untyped-call]


def grant(namespace: Namespace) -> None:
    """Bind the users' rights in the namespace. `outsider` has none here."""
    for user, rules in RULES.items():
        namespace.create_object(_role(user, rules))
        namespace.create_object(binding(user, "Role", user))
    for user, role in CLUSTER_ROLES.items():
        namespace.create_object(binding(user, "ClusterRole", role))


def _role(name: str, rules: Sequence[Object]) -> Object:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": name},
        "rules": list(rules),
    }


def binding(user: str, kind: str, role: str) -> Object:
    """Give a user a role in the namespace."""
    subject: dict[str, Any] = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": user},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": [subject],
    }
