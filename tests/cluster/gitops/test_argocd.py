"""docs/gitops.md, Argo CD: its health, its actions, its syncs and its comparison, by its own code."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cluster.command_line import CommandLine
from cluster.gitops.argocd_engine import ArgoCD
from cluster.gitops.migrating_node import MigratingNode
from cluster.gitops.modules import HERE, install_definitions
from cluster.gitops.page import Reader, blocks
from cluster.namespace import API_VERSION, KIND, NAME, Namespace, Object, wait_for
from cluster.operator_process import OperatorProcess
from devcluster.cluster import Cluster

SERVER_SIDE_APPLY = {"spec": {"syncPolicy": {"syncOptions": ["ServerSideApply=true"]}}}
SERVER_SIDE_DIFF = {"metadata": {"annotations": {"argocd.argoproj.io/compare-options": "ServerSideDiff=true"}}}


@pytest.fixture(scope="session")
def application_definition(control_plane: Cluster) -> None:
    """Argo CD's own resource."""
    files = "manifests/crds/application-crd.yaml"
    install_definitions(control_plane.kubeconfig, HERE / "argocd", "github.com/argoproj/argo-cd/v3", files)


@pytest.fixture
def reader(
    control_plane: Cluster, application_definition: None, namespace: Namespace, tmp_path: Path
) -> Iterator[Reader]:
    """Who has installed Argo CD, and has done what the page says."""
    with Namespace.create(control_plane.kubeconfig, "argocd") as argocd:
        settings = {"name": "argocd-cm", "labels": {"app.kubernetes.io/part-of": "argocd"}}
        argocd.create_object({"apiVersion": "v1", "kind": "ConfigMap", "metadata": settings})
        names = {"sales": namespace.name, "argocd": argocd.name}
        reader = Reader.with_copy(tmp_path / "checkout", control_plane.kubeconfig, names)
        for command in blocks("Argo CD", "sh"):
            reader.follow(command)
        yield reader


@pytest.fixture
def argocd(reader: Reader) -> ArgoCD:
    return ArgoCD(reader.kubeconfig, reader.namespaces["argocd"])


def act(argocd: ArgoCD, action: str, namespace: Namespace) -> None:
    """Choose an action of the resource's menu."""
    live = namespace.integration()
    assert argocd.offered(live)[action], f"{action} is not offered"
    namespace.client.resources.get(api_version=API_VERSION, kind=KIND).patch(
        name=NAME,
        namespace=namespace.name,
        body=argocd.patch_of(action, live),
        content_type="application/merge-patch+json",
    )


def declared(reader: Reader, **spec: object) -> Object:
    """The page's SyncIntegration."""
    manifest = reader.manifest("repository/syncs/contacts.yaml")
    return {**manifest, "spec": {**manifest["spec"], **spec}}


def application(reader: Reader, *changes: Object) -> Object:
    """The page's Application."""
    manifest = reader.manifest("argocd/application.yaml")
    for change in changes:
        for part in ("metadata", "spec"):
            manifest[part] |= change.get(part, {})
    return manifest


def test_each_action_succeeds_and_argo_cd_shows_its_health(
    namespace: Namespace, node: MigratingNode, operator: OperatorProcess, argocd: ArgoCD
) -> None:
    def chosen() -> set[str]:
        return {name for name, enabled in argocd.offered(namespace.integration()).items() if enabled}

    def health() -> str:
        return argocd.health(namespace.integration())

    namespace.create_integration(status="OFF", delay="1h", retries=0)
    namespace.wait_phase("Off")
    assert health() == "Healthy", "it was never ON"
    assert chosen() == {"turn-on"}
    act(argocd, "turn-on", namespace)
    namespace.wait_phase("Syncing")
    assert health() == "Progressing", "the full sync is owed"
    assert chosen() == {"turn-off", "reset"}
    node.end(1)
    namespace.wait_phase("Waiting")
    assert health() == "Healthy", "caught up"
    assert chosen() == {"turn-off", "sync-now", "reset"}
    act(argocd, "sync-now", namespace)
    namespace.wait_phase("Syncing")
    assert health() == "Healthy", "an incremental run is everyday life"
    node.end(2)
    namespace.wait_ended(2)
    act(argocd, "reset", namespace)
    status = namespace.wait_until("a reset", lambda status: status.get("activation", {}).get("reset"))
    assert status["run"] | {"number": 3, "kind": "Full"} == status["run"]
    assert health() == "Progressing", "a full sync is owed again"
    act(argocd, "turn-off", namespace)
    namespace.wait_phase("TurningOff")
    assert health() == "Progressing", "OFF is not honoured yet"
    assert chosen() == {"turn-on"}
    node.end(3)
    namespace.wait_phase("Off")
    assert health() == "Healthy", "OFF is honoured"
    act(argocd, "turn-on", namespace)
    node.end(4, exit_code=2)
    namespace.wait_condition("Stalled")
    assert health() == "Degraded", "a human is needed"
    operator.kill()
    act(argocd, "turn-off", namespace)
    assert health() == "Progressing", "nobody has seen the change yet"


@pytest.mark.parametrize("how", [{}, SERVER_SIDE_APPLY, SERVER_SIDE_DIFF], ids=["client", "apply", "diff"])
def test_the_operator_s_writes_are_no_drift_and_a_manual_toggle_is(
    namespace: Namespace,
    node: MigratingNode,
    operator: OperatorProcess,
    argocd: ArgoCD,
    reader: Reader,
    sync: CommandLine,
    how: Object,
) -> None:
    shop, manifest = application(reader, how), declared(reader)
    argocd.sync(shop, manifest)
    node.end(1)
    namespace.wait_phase("Waiting")
    namespace.annotate(sync_requested_at="by hand")
    node.end(2)
    namespace.wait_ended(2)
    live = namespace.integration()
    assert live["metadata"]["generation"] == 1
    assert not argocd.differs(shop, manifest, live)
    told = sync("off", "contacts", "--wait")
    assert "the Argo CD Application syncs will revert this change" in told.err
    assert argocd.differs(shop, manifest, namespace.integration())
    (disregarding,) = (yaml.safe_load(block) for block in blocks("Argo CD", "yaml"))
    disregarding["spec"].pop("syncPolicy")
    assert not argocd.differs(application(reader, how, disregarding), manifest, namespace.integration())


def test_an_unquoted_on_is_no_drift_until_another_client_writes_it_quoted(
    namespace: Namespace, node: MigratingNode, operator: OperatorProcess, argocd: ArgoCD, reader: Reader
) -> None:
    shop, manifest = application(reader), declared(reader, status=True)
    argocd.sync(shop, manifest)
    node.end(1)
    namespace.wait_phase("Waiting")
    assert not argocd.differs(shop, manifest, namespace.integration())
    namespace.patch(status="ON")
    assert argocd.differs(shop, manifest, namespace.integration())


def test_the_next_wave_waits_until_the_sync_is_off(
    namespace: Namespace, node: MigratingNode, operator: OperatorProcess, argocd: ArgoCD, reader: Reader
) -> None:
    shop, migration = application(reader), reader.manifest("repository/migration.yaml")
    migrations = "job-name=migrate-billing"
    argocd.sync(shop, declared(reader))
    namespace.wait_phase("Syncing")
    with argocd.start_sync(shop, [declared(reader, status="OFF"), migration]) as sync:
        namespace.wait_phase("TurningOff")
        assert not namespace.objects("batch/v1", "Job", "!tidegate.dev/run")
        node.end(1)
        pod = wait_for("the migration", lambda: namespace.objects("v1", "Pod", migrations))
        assert namespace.status()["phase"] == "Off", pod
        node.end_migrations()
        sync.succeeds()


def test_the_example_has_the_name_that_the_tests_use(reader: Reader) -> None:
    assert declared(reader)["metadata"]["name"] == NAME
