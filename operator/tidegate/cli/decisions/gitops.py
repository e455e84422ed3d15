"""GitOps: whether a tool applies the integration from a source, and so reverts what is changed here. Pure."""

from tidegate.cli.decisions.change import Change
from tidegate.cli.decisions.integration import Integration

_ARGO_CD_TRACKING = "argocd.argoproj.io/tracking-id"  # <application>:<group>/<kind>:<namespace>/<name>
_ARGO_CD_INSTANCE = "argocd.argoproj.io/instance"
_FLUX = "toolkit.fluxcd.io"
_FLUX_KINDS = {"kustomize": "Kustomization", "helm": "HelmRelease"}

# For objects that carry no label of the tool, as configured by their owners.
_FIELD_MANAGERS = {
    "argocd-controller": "Argo CD",
    "kustomize-controller": "a Flux Kustomization",
    "helm-controller": "a Flux HelmRelease",
}


def warning(seen: Integration, change: Change) -> str | None:
    """What to edit instead, when the change will not last. Annotations stay: no source names them."""
    owner = _owner(seen)
    if owner is None or not change.spec:
        return None
    fields = ", ".join(f"{name}: {_yaml(value)}" for name, value in change.spec.items())
    return f"{owner} will revert this change; in its source, set in the spec of {seen.name}: {fields}"


def _owner(seen: Integration) -> str | None:
    return _flux(seen) or _argo_cd(seen) or _field_manager(seen)


def _flux(seen: Integration) -> str | None:
    for prefix, kind in _FLUX_KINDS.items():
        name = seen.labels.get(f"{prefix}.{_FLUX}/name")
        if name and not _flux_lets_go(seen, prefix):
            namespace = seen.labels.get(f"{prefix}.{_FLUX}/namespace")
            return f"the Flux {kind} {namespace}/{name}" if namespace else f"the Flux {kind} {name}"
    return None


def _flux_lets_go(seen: Integration, prefix: str) -> bool:
    """Flux's own settings that leave an object alone after its creation."""
    return (
        seen.annotations.get(f"{prefix}.{_FLUX}/reconcile") == "disabled"
        or seen.annotations.get(f"{prefix}.{_FLUX}/ssa") in ("IfNotPresent", "Ignore")
    )  # fmt: skip


def _argo_cd(seen: Integration) -> str | None:
    tracking = seen.annotations.get(_ARGO_CD_TRACKING, "").split(":")[0]
    application = tracking or seen.labels.get(_ARGO_CD_INSTANCE)
    return f"the Argo CD Application {application}" if application else None


def _field_manager(seen: Integration) -> str | None:
    managers = [entry.get("manager", "") for entry in seen.body["metadata"].get("managedFields") or ()]
    if any(_flux_lets_go(seen, prefix) for prefix in _FLUX_KINDS):
        return None
    return next((_FIELD_MANAGERS[manager] for manager in managers if manager in _FIELD_MANAGERS), None)


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
