"""docs/gitops.md, Flux: a real Flux applies the example from a repository, and the maintenance window as commits."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.command_line import CommandLine
from cluster.gitops.flux import CONTROLLERS, Flux
from cluster.gitops.git_server import GitServer
from cluster.gitops.migrating_node import MigratingNode
from cluster.gitops.modules import HERE, install_definitions
from cluster.gitops.page import Reader, blocks, commands_of_the_page, quoted
from cluster.namespace import API_VERSION, KIND, NAME, Namespace, Object, condition, wait_for
from cluster.operator_process import OperatorProcess
from devcluster.cluster import Cluster

KUSTOMIZATION = ("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "syncs")
TURN_OFF, MIGRATE, TURN_ON, NO_RESET, WAIT = blocks("A maintenance window, as commits", "sh")


@pytest.fixture(scope="module")
def flux(control_plane: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flux]:
    """Flux, installed."""
    for name in CONTROLLERS:
        install_definitions(control_plane.kubeconfig, HERE / "flux", f"github.com/fluxcd/{name}", "config/crd/bases")
    with Flux(control_plane.kubeconfig, tmp_path_factory.mktemp("flux")) as serving:
        yield serving


@dataclass(frozen=True)
class Owner:
    """Who owns the repository and the Kustomization, and works as the page says."""

    reader: Reader
    clone: Path
    sales: Namespace
    flux_system: Namespace
    flux: Flux

    def edit(self, old: str, new: str) -> None:
        """Edit the example, before it is pushed for the first time."""
        file = self.clone / "syncs" / "contacts.yaml"
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))

    def begin(self) -> None:
        """Push the example, and let Flux apply it."""
        self.commit("git add --all; git commit --quiet --message example; git push --quiet")
        for command in blocks("Flux", "sh"):
            self.reader.follow(command)
        wait_for("the sync", lambda: self.sales.find(API_VERSION, KIND, NAME), self.flux.log)

    def commit(self, commands: str) -> None:
        """Work in the clone."""
        self.reader.follow(commands, self.clone)

    @contextmanager
    def waiting(self) -> Iterator[Callable[[], bool]]:
        """Wait as the page says, until Flux is done with the commit; yields whether the wait is over."""
        process = subprocess.Popen(
            ["bash", "-euc", self.reader.own(WAIT)], cwd=self.clone, env=self.reader.environment()
        )
        try:
            yield lambda: process.poll() is not None
            assert process.wait() == 0
        finally:
            process.kill()
            process.wait()

    def ask_for_reconciliation(self) -> str:
        """Let Flux apply what it has once more; return what it will say when it is done."""
        name = KUSTOMIZATION[2]
        token = f"reconcile-{self.kustomization()['metadata']['resourceVersion']}"
        annotate = f"kubectl annotate kustomization {name} --namespace flux-system --overwrite"
        self.reader.follow(f"{annotate} reconcile.fluxcd.io/requestedAt={token}")
        return token

    def reconcile(self) -> None:
        """Let Flux apply what it has once more; it is done on return."""
        token = self.ask_for_reconciliation()
        self.wait_for("a reconciliation", lambda status: status.get("lastHandledReconcileAt") == token)

    def status(self) -> Object:
        status: Object = self.kustomization().get("status") or {}
        return status

    def kustomization(self) -> Object:
        found = self.flux_system.find(*KUSTOMIZATION)
        assert found is not None
        return found

    def wait_for(self, what: str, holds: Callable[[Object], bool]) -> Object:
        """Wait until the Kustomization's status satisfies a condition."""

        def look() -> Object | None:
            status = self.status()
            return status if holds(status) else None

        return wait_for(what, look, lambda: f"{self.kustomization()}\n{self.flux.log()}")


@pytest.fixture
def owner(control_plane: Cluster, flux: Flux, namespace: Namespace, tmp_path: Path) -> Iterator[Owner]:
    with (
        GitServer(tmp_path) as server,
        Namespace.create(control_plane.kubeconfig, "flux-system") as flux_system,
    ):
        names = {"sales": namespace.name, "flux-system": flux_system.name}
        reader = Reader.with_copy(tmp_path / "checkout", control_plane.kubeconfig, names, server.url)
        server.clone(tmp_path / "clone")
        owner = Owner(reader, tmp_path / "clone", namespace, flux_system, flux)
        reader.follow(f"cp --recursive docs/gitops/repository/. {owner.clone}")
        yield owner


def test_a_maintenance_window_runs_as_commits(
    namespace: Namespace, node: MigratingNode, operator: OperatorProcess, owner: Owner
) -> None:
    owner.begin()
    with owner.waiting() as over:
        namespace.wait_phase("Syncing")
        assert not over(), "the full sync is owed"
        node.end(1)
    namespace.annotate(sync_requested_at="now")
    namespace.wait_phase("Syncing")

    owner.commit(TURN_OFF)
    with owner.waiting() as over:
        namespace.wait_phase("TurningOff")
        assert not over(), "OFF is not honoured yet"
        node.end(2)
    assert namespace.status()["phase"] == "Off"

    owner.commit(MIGRATE)
    with owner.waiting() as over:
        wait_for("the migration", lambda: namespace.objects("v1", "Pod", "job-name=migrate-billing"))
        assert not over(), "the migration has not ended"
        node.end_migrations()

    owner.commit(TURN_ON)
    with owner.waiting() as over:
        namespace.wait_phase("Syncing")
        assert not over(), "the full sync is owed again"
        node.end(3)
    status = namespace.status()
    assert status["activation"] | {"number": 2, "reset": True, "caughtUp": True} == status["activation"]
    assert namespace.find("batch/v1", "Job", "migrate-billing") is None

    owner.commit(NO_RESET)
    with owner.waiting():
        pass
    namespace.wait_phase("Waiting")
    assert namespace.status()["lastRun"]["number"] == 3


@pytest.mark.parametrize("on", ['"ON"', "ON"], ids=["quoted", "unquoted"])
def test_the_operator_s_writes_are_no_drift_and_a_manual_toggle_is(
    namespace: Namespace, node: MigratingNode, operator: OperatorProcess, owner: Owner, sync: CommandLine, on: str
) -> None:
    owner.edit('status: "ON"', f"status: {on}")
    owner.begin()
    node.end(1)
    with owner.waiting():
        pass
    namespace.annotate(sync_requested_at="by hand")
    node.end(2)
    namespace.wait_ended(2)
    before = namespace.integration()
    owner.reconcile()
    assert namespace.integration()["metadata"] == before["metadata"], "neither spec nor annotations were written"
    told = sync("off", "contacts", "--wait")
    assert f"the Flux Kustomization {owner.flux_system.name}/syncs will revert this change" in told.err
    owner.ask_for_reconciliation()
    namespace.wait_phase("Syncing")
    assert namespace.integration()["spec"] == before["spec"]


def test_a_sync_that_flux_only_creates_can_be_toggled_manually(
    namespace: Namespace, node: MigratingNode, operator: OperatorProcess, owner: Owner, sync: CommandLine
) -> None:
    only_created = quoted("Flux", "kustomize.toolkit.fluxcd.io/ssa")
    owner.edit("  name: contacts\n", f"  name: contacts\n  annotations: {{{only_created}}}\n")
    owner.begin()
    node.end(1)
    with owner.waiting():
        pass
    told = sync("off", "contacts", "--wait")
    assert "put its spec back" not in told.err
    owner.reconcile()
    assert namespace.integration()["spec"]["status"] == "OFF"


def test_an_unobserved_or_stalled_sync_is_not_ready(
    control_plane: Cluster, namespace: Namespace, node: MigratingNode, owner: Owner, tmp_path: Path
) -> None:
    owner.begin()
    owner.wait_for("a health check", lambda status: condition(status, "Reconciling").get("status") == "True")
    with OperatorProcess(control_plane.kubeconfig, namespace.name, tmp_path / "operator.log"):
        node.end(1, exit_code=2)
        namespace.wait_condition("Stalled")
        status = owner.wait_for("a verdict", lambda status: condition(status, "Ready").get("status") != "Unknown")
    assert condition(status, "Ready")["reason"] == "HealthCheckFailed"


def test_every_command_on_the_page_is_run() -> None:
    assert commands_of_the_page() == sum(
        len(blocks(section, "sh")) for section in ("Argo CD", "Flux", "A maintenance window, as commits")
    )
