"""Who is warned that a change will be taken back, and of what they are told to edit."""

import pytest

from tidegate.cli.decisions import gitops
from tidegate.cli.decisions.change import RunNow, TurnOff, TurnOn

from .situations import AT, integration, off, waiting

KUSTOMIZATION = {
    "kustomize.toolkit.fluxcd.io/name": "apps",
    "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
}
TRACKING = {"argocd.argoproj.io/tracking-id": "shop:tidegate.dev/SyncIntegration:sales/contacts"}


@pytest.mark.parametrize(
    ("labels", "annotations", "managers", "owner"),
    [
        (KUSTOMIZATION, {}, (), "the Flux Kustomization flux-system/apps"),
        ({"helm.toolkit.fluxcd.io/name": "shop"}, {}, (), "the Flux HelmRelease shop"),
        ({}, TRACKING, (), "the Argo CD Application shop"),
        ({"argocd.argoproj.io/instance": "shop"}, {}, (), "the Argo CD Application shop"),
        ({}, {}, ("kubectl", "argocd-controller"), "Argo CD"),
        ({}, {}, ("kustomize-controller",), "a Flux Kustomization"),
        ({"app.kubernetes.io/managed-by": "Helm"}, {}, ("helm", "kubectl-sync"), None),
        (KUSTOMIZATION, {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}, ("kustomize-controller",), None),
        (KUSTOMIZATION, {"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"}, (), None),
    ],
)
def test_the_owner_is_named(
    labels: dict[str, str], annotations: dict[str, str], managers: tuple[str, ...], owner: str | None
) -> None:
    seen = integration(status=waiting(), labels=labels, annotations=annotations, managers=managers)
    warning = gitops.warning(seen, TurnOff().change(seen))
    if owner is None:
        assert warning is None
    else:
        assert warning is not None
        assert warning.startswith(f"{owner} will revert this change")


def test_the_fields_to_edit_are_named() -> None:
    seen = integration(status=off(), labels=KUSTOMIZATION, switch="OFF")
    warning = gitops.warning(seen, TurnOn(AT).change(seen))
    assert warning is not None
    assert warning.endswith("in its source, set in the spec of contacts: status: ON, mode: PastAndFuture, reset: false")


def test_a_request_by_annotation_causes_no_warning() -> None:
    seen = integration(status=waiting(), labels=KUSTOMIZATION)
    assert gitops.warning(seen, RunNow(AT).change(seen)) is None


def test_unchanged_fields_cause_no_warning() -> None:
    seen = integration(status=waiting(), labels=KUSTOMIZATION)
    assert gitops.warning(seen, TurnOn(AT).change(seen)) is None
