"""The tenant policy: nobody gets by a SyncIntegration what they could not have by a Job of their own."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
import yaml
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient

from cluster import chart, tenant
from cluster.namespace import API_VERSION, KIND, NAME, UNSEEN, Namespace, Object, wait_for
from cluster.writes_of_tenants import (
    CHANGES,
    CREATIONS,
    NO_JOBS,
    PLAIN,
    PRIVILEGED,
    RUNNING,
    Creation,
    ForbiddenChange,
    ForbiddenCreation,
    annotations,
    pod,
)
from devcluster.cluster import Cluster
from documentation.pages import Page

PAGE = Page.read("docs/tenants.md")
MERGE_PATCH, JSON_PATCH, APPLY = (
    f"application/{kind}" for kind in ("merge-patch+json", "json-patch+json", "apply-patch+yaml")
)


class Tenants:
    """The users of one namespace; nothing that they write is kept, so that no case meets another."""

    def __init__(self, control_plane: Cluster, namespace: Namespace) -> None:
        self.namespace = namespace
        self._kubeconfig = control_plane.kubeconfig
        self._clients: dict[str, DynamicClient] = {}

    def syncs(self, user: str) -> Any:
        """The SyncIntegrations as `user` may handle them."""
        if user not in self._clients:
            self._clients[user] = tenant.act_as(self._kubeconfig, user)
        return self._clients[user].resources.get(api_version=API_VERSION, kind=KIND)

    def create(self, user: str, body: Object) -> None:
        self.syncs(user).create(body=body, namespace=self.namespace.name, dry_run="All")

    def patch(self, user: str, name: str, body: Any, content_type: str = MERGE_PATCH, **options: Any) -> None:
        self.syncs(user).patch(
            name=name, namespace=self.namespace.name, body=body, content_type=content_type, dry_run="All", **options
        )


@pytest.fixture(scope="module")
def tenants(control_plane: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    """A namespace with users and two SyncIntegrations, and the chart's policy in force."""
    with (
        chart.installed(control_plane, tmp_path_factory.mktemp("chart")),
        Namespace.create(control_plane.kubeconfig, "tenants") as namespace,
    ):
        tenant.grant(namespace)
        stop_only = yaml.safe_load(PAGE.section("Stopping is always allowed").blocks("yaml")[0])
        namespace.create_object(stop_only)
        namespace.create_object(tenant.binding("stopper", "Role", stop_only["metadata"]["name"]))
        namespace.create_integration(PLAIN, status="OFF")
        namespace.create_integration(RUNNING, status="ON", delay="1m")
        asked = annotations(sync_requested_at="once")["annotations"]
        namespace.create_integration(PRIVILEGED, asked, status="OFF", template=pod(serviceAccountName="deployer"))
        ready = Tenants(control_plane, namespace)
        wait_for(
            "the policy", lambda: NO_JOBS in (refusal(ready.create, "toggler", Creation("toggler").body(NAME)) or "")
        )
        wait_for("the rights", lambda: refusal(ready.create, "editor", Creation("editor").body(NAME)) is None)
        yield ready


def refusal(act: Any, *arguments: Any, **options: Any) -> str | None:
    """What the API server says when it refuses with 403; None: it does as it is asked."""
    try:
        act(*arguments, **options)
    except ApiException as error:
        if error.status != HTTPStatus.FORBIDDEN:
            raise
        return str(error.body).replace('\\"', '"')
    return None


@pytest.mark.parametrize("case", CREATIONS, ids=lambda case: case.what)
def test_a_creation_beyond_the_author_s_rights_is_refused(tenants: Tenants, case: ForbiddenCreation) -> None:
    said = refusal(tenants.create, case.attempt.user, case.attempt.body(NAME))
    assert said is not None
    assert case.words in said
    assert case.attempt.user in said
    assert refusal(tenants.create, case.twin.user, case.twin.body(NAME)) is None


@pytest.mark.parametrize("case", CHANGES, ids=lambda case: case.what)
def test_a_change_beyond_the_author_s_rights_is_refused(tenants: Tenants, case: ForbiddenChange) -> None:
    said = refusal(tenants.patch, case.attempt.user, case.attempt.of, case.attempt.body())
    assert said is not None
    assert case.words in said
    assert refusal(tenants.patch, case.twin.user, case.twin.of, case.twin.body()) is None


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (JSON_PATCH, [{"op": "replace", "path": "/spec/status", "value": "ON"}]),
        (APPLY, Creation("toggler").body(PLAIN)),
    ],
    ids=["JSON patch", "server-side apply"],
)
def test_every_kind_of_write_is_checked(tenants: Tenants, content_type: str, body: Any) -> None:
    options = {"field_manager": "somebody", "force_conflicts": True} if content_type == APPLY else {}
    assert NO_JOBS in (refusal(tenants.patch, "toggler", PLAIN, body, content_type, **options) or "")
    assert refusal(tenants.patch, "jobber", PLAIN, body, content_type, **options) is None


@pytest.mark.parametrize("off", ["OFF", False])
def test_a_stop_is_allowed_by_every_kind_of_write(tenants: Tenants, off: object) -> None:
    stop = [{"op": "replace", "path": "/spec/status", "value": off}]
    assert refusal(tenants.patch, "stopper", RUNNING, stop, JSON_PATCH) is None
    applied = Creation("stopper").body(RUNNING) | {"spec": {"status": off, "offPolicy": "PauseRun"}}
    assert (
        refusal(tenants.patch, "stopper", RUNNING, applied, APPLY, field_manager="somebody", force_conflicts=True)
        is None
    )


def test_a_replacement_is_checked_like_a_patch(tenants: Tenants) -> None:
    body = tenants.namespace.integration(PLAIN)

    def replace(user: str, spec: Object) -> None:
        changed = {**body, "spec": {**body["spec"], **spec}}
        tenants.syncs(user).replace(name=PLAIN, namespace=tenants.namespace.name, body=changed, dry_run="All")

    assert NO_JOBS in (refusal(replace, "toggler", {"delay": "1m"}) or "")
    assert refusal(replace, "toggler", {}) is None
    assert refusal(replace, "jobber", {"delay": "1m"}) is None


def test_only_the_operator_writes_the_status(tenants: Tenants, control_plane: Cluster) -> None:
    def forge(user: str) -> None:
        tenants.syncs(user).status.patch(
            name=PLAIN,
            namespace=tenants.namespace.name,
            body={"status": {"phase": "Off"}},
            content_type=MERGE_PATCH,
            dry_run="All",
        )

    assert 'cannot patch resource "syncintegrations/status"' in (refusal(forge, "editor") or "")
    assert refusal(forge, chart.OPERATOR) is None


def test_a_status_in_an_ordinary_write_is_not_stored(tenants: Tenants) -> None:
    body = {**Creation("editor", status="OFF").body("forged"), "status": {"phase": "Off", "runs": 7}}
    editor = tenants.syncs("editor")
    stored = editor.create(body=body, namespace=tenants.namespace.name).to_dict()
    assert stored["status"] == UNSEEN
    forged = {"status": {"runs": 7}, "spec": {"delay": "7m"}}
    stored = editor.patch(
        name="forged", namespace=tenants.namespace.name, body=forged, content_type=MERGE_PATCH
    ).to_dict()
    assert stored["status"] == UNSEEN
    assert stored["spec"]["delay"] == "7m"


@pytest.mark.parametrize(
    "change",
    [{"spec": {"status": "ON"}}, {"metadata": {"annotations": {"a": "b"}}}, {"metadata": {"finalizers": ["a.b/c"]}}],
    ids=["spec", "annotations", "finalizers"],
)
def test_the_operator_can_write_only_the_status(tenants: Tenants, change: Object) -> None:
    said = refusal(tenants.patch, chart.OPERATOR, PLAIN, change)
    assert 'cannot patch resource "syncintegrations"' in (said or "")


def test_a_user_without_the_right_to_create_jobs_can_delete(tenants: Tenants) -> None:
    """What ends a sync needs no right to start one; garbage collection of a namespace has none either."""
    name = "short-lived"
    tenants.namespace.create_integration(name, status="OFF")
    remover = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "remover"},
        "rules": [{"apiGroups": ["tidegate.dev"], "resources": ["syncintegrations"], "verbs": ["delete"]}],
    }
    tenants.namespace.create_object(remover)
    tenants.namespace.create_object(tenant.binding("remover", "Role", "remover"))
    wait_for(
        "a deletion",
        lambda: refusal(tenants.syncs("remover").delete, name=name, namespace=tenants.namespace.name) is None,
    )
    assert tenants.namespace.find(API_VERSION, KIND, name) is None


def test_garbage_collection_needs_no_right_on_jobs(tenants: Tenants) -> None:
    """A foreground deletion ends when the collector has taken its own finalizer off the SyncIntegration."""
    name = "foreground"
    tenants.namespace.create_integration(name, status="OFF")
    tenants.namespace.delete(API_VERSION, KIND, name, propagation="Foreground")
    wait_for("an end of it", lambda: tenants.namespace.find(API_VERSION, KIND, name) is None)


def test_an_orphan_loses_its_owner_without_a_right_on_jobs(tenants: Tenants) -> None:
    """The collector takes the owner reference of an orphaned SyncIntegration away: it changes nothing that runs."""
    owner = tenants.namespace.create_object(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "application"}}
    )["metadata"]
    body = Creation("admin", status="OFF").body("owned")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": owner["name"], "uid": owner["uid"]}
    body["metadata"]["ownerReferences"] = [reference]
    tenants.namespace.create_object(body)
    tenants.namespace.delete("v1", "ConfigMap", "application", propagation="Orphan")
    wait_for(
        "an orphan",
        lambda: "ownerReferences" not in tenants.namespace.integration("owned")["metadata"],
    )


def test_unserved_namespaces_are_not_checked() -> None:
    binding = chart.only(
        chart.rendered("--set", "namespaces={sales}"), "ValidatingAdmissionPolicyBinding", "tidegate-tenants"
    )
    (expression,) = binding["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"]
    assert expression == {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["sales"]}


def test_the_policy_is_optional() -> None:
    kinds = {o["kind"] for o in chart.rendered("--set", "tenantPolicy.enabled=false")}
    assert not {kind for kind in kinds if kind.startswith("ValidatingAdmissionPolicy")}
