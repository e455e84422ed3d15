"""The path of a new user: all of README.md, in its own order, on a cluster without Tidegate; nothing is left."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.namespace import wait_for
from demo import installation, story
from demo.databases import Comparison, Databases
from demo.kubectl import Kubectl
from demo.screen import Screen
from devcluster import toolchain
from devcluster.front import DevelopmentCluster
from devcluster.paths import ROOT
from documentation.pages import Page, Shell, play
from e2e.conftest import PATIENCE, install, inventory

README = Page.read("README.md")
REMOVE = Page.read("docs/install.md").section("Remove")

# Of the images that are on the node: there is no registry to pull from.
PRESENT = "repository=tidegate-{0},{0}.image.tag=dev"
OVERRIDES = " ".join(f"--set {part}.image.{PRESENT.format(part)}" for part in ("operator", "worker"))


def typed(command: str) -> str:
    """As the reader types it; tests/unit/test_readme.py checks that make and Docker know what is asked of them."""
    if command.startswith(("make ", "docker ")):
        return ":"
    return f"{command} {OVERRIDES} --wait" if command.startswith("helm upgrade ") else command


@pytest.fixture
def removed(cluster: DevelopmentCluster, namespace: Kubectl) -> Iterator[None]:
    """Tidegate is removed before the test, and there again after it."""
    installation.helm(cluster.kubeconfig, "uninstall", installation.RELEASE, f"--namespace={installation.NAMESPACE}")
    namespace.run("delete", "crd", "syncintegrations.tidegate.dev", PATIENCE)
    namespace.run("delete", "namespace", installation.NAMESPACE, PATIENCE)
    yield
    install(cluster)


@pytest.mark.usefixtures("removed")
def test_the_readme_s_commands_work_from_installation_to_removal(
    cluster: DevelopmentCluster, namespace: Kubectl, pristine: frozenset[str], tmp_path: Path
) -> None:
    databases = Databases(namespace, Screen())
    databases.start(story.DATABASES_MANIFEST)
    (manifest,) = README.blocks("yaml")
    (tmp_path / "contacts.yaml").write_text(manifest)
    (tmp_path / "charts").symlink_to(ROOT / "charts")
    shell = Shell.open(namespace.kubeconfig, tmp_path, toolchain.kubectl(), toolchain.helm())
    try:
        for command, printed in play(README, shell, typed=typed):
            if command == "kubectl get sync contacts":  # which follows a wait
                assert "✓ run" in printed
            if "wait sync contacts" in command:
                assert databases.compare() == Comparison(crm=3500, billing=3500)
    except AssertionError as error:
        error.add_note(namespace.run("describe", "sync"))
        raise
    for _ in play(REMOVE, shell, typed=lambda command: ":" if command.startswith("helm ") else command):
        pass  # helm uninstall is the README's last word already
    namespace.run("delete", "namespace", namespace.namespace, PATIENCE)
    wait_for("a cluster as it was before", lambda: inventory(cluster) <= pristine)
