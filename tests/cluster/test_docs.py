"""The pages of docs/: their commands, typed in order into a cluster where an operator runs, do what is said there.

docs/command-line.md, which also shows what is printed, has a test of its own; so has the removal of docs/install.md,
in tests/e2e, since it takes the whole cluster's syncs away.
"""

import importlib.metadata
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cluster.chart import rendered
from cluster.command_line import CommandLine
from cluster.namespace import NAME, Namespace, Object, wait_for
from cluster.operator_process import OperatorProcess
from cluster.played_logs import PlayedLogs
from cluster.played_node import PlayedNode
from cluster.test_spec_sync import SYNC
from devcluster.cluster import Cluster
from devcluster.paths import ROOT
from devcluster.toolchain import helm, kubectl
from documentation.pages import Page, Scene, Shell, play
from tidegate.api import names
from tidegate.control.render import job
from tidegate.control.settings import Settings, parse
from unit.control.situations import FIRST, ON, Situation

INSTALL = Page.read("docs/install.md")
HOW_TO = Page.read("docs/how-to.md")
TROUBLESHOOTING = Page.read("docs/troubleshooting.md")

SYSTEM = "tidegate-system"
PROMETHEUS_OPERATOR = {"servicemonitors": "ServiceMonitor", "prometheusrules": "PrometheusRule"}

# All but the definition, which the other tests need.
REMOVE = f"""
helm uninstall tidegate --namespace {SYSTEM} --ignore-not-found
kinds=clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings
kubectl delete "$kinds" --selector app.kubernetes.io/name=tidegate
kubectl delete crd --ignore-not-found {" ".join(f"{plural}.monitoring.coreos.com" for plural in PROMETHEUS_OPERATOR)}
kubectl delete namespace {SYSTEM} --ignore-not-found
"""


@pytest.fixture
def shell(control_plane: Cluster, namespace: Namespace, tmp_path: Path) -> Shell:
    """In the test's namespace."""
    kubeconfig = CommandLine.open(control_plane.kubeconfig, namespace.name, tmp_path).kubeconfig
    return Shell.open(kubeconfig, tmp_path, kubectl(), helm())


def test_the_listed_rights_are_those_of_the_chart() -> None:
    rights = INSTALL.section("The whole cluster, or some namespaces").rows(2)
    told = " ".join(right.lower() for right, _ in rights)
    rules = [
        rule
        for o in rendered()
        if o["metadata"]["name"] in ("tidegate", "tidegate-lease")
        for rule in o.get("rules", ())
    ]
    resources = {name.removesuffix("/status").rpartition("/")[2] for rule in rules for name in rule["resources"]}
    assert len(resources) == len(rights)
    assert [name for name in resources if name.removesuffix("s") not in told] == []


class TestInstall:
    @pytest.fixture
    def repository(self, shell: Shell) -> Shell:
        """The repository is the directory, and nothing is installed before or afterwards."""
        for name in ("Makefile", "charts", "crds", "tests"):
            (shell.directory / name).symlink_to(ROOT / name)
        return shell

    @pytest.fixture(autouse=True)
    def alone(self, repository: Shell) -> Iterator[None]:
        run(repository, REMOVE)
        yield
        run(repository, REMOVE)

    def test_with_helm(self, repository: Shell, namespace: Namespace) -> None:
        kubectl_apply(repository, *(definition(plural, kind) for plural, kind in PROMETHEUS_OPERATOR.items()))
        list(play(INSTALL.section("With Helm"), repository, typed=beside_the_tests_own_definition))
        assert pods_are_admitted(namespace)
        list(play(INSTALL.section("The kubectl plugin"), repository, typed=but_for_the_installation))
        self.play_with_its_files("A registry that needs a login", repository, namespace)
        (pull_secret,) = self.run_template(namespace)["spec"]["imagePullSecrets"]
        assert namespace.find("v1", "Secret", pull_secret["name"])
        assert in_system(namespace, "v1", "Secret", pull_secret["name"])
        self.play_with_its_files("Defaults for all runs", repository, namespace)
        assert self.run_template(namespace)["spec"]["securityContext"] == {
            "runAsUser": None,
            "runAsGroup": None,
            "fsGroup": None,
        }
        self.play_with_its_files("A company's own CA", repository, namespace)
        self.a_run_is_taken(namespace)
        list(play(INSTALL.section("Metrics, alerts, dashboard"), repository))
        for kind in PROMETHEUS_OPERATOR.values():
            assert in_system(namespace, "monitoring.coreos.com/v1", kind, "tidegate")
        assert in_system(namespace, "v1", "ConfigMap", "tidegate-dashboard")
        uninstall, *_ = INSTALL.section("Remove").commands()
        run(repository, uninstall.text)
        assert not in_system(namespace, "apps/v1", "Deployment", "tidegate")
        assert namespace.client.resources.get(api_version="tidegate.dev/v1alpha1", kind="SyncIntegration")

    def play_with_its_files(self, section: str, repository: Shell, namespace: Namespace) -> None:
        """Save the section's YAML under the name that the section gives it, and type its commands."""
        page = INSTALL.section(section)
        ((name,), (text,)) = re.findall(r"`(\w+\.yaml)`", page.sentences()), page.blocks("yaml")
        (repository.directory / name).write_text(text)
        list(play(page, repository, typed=lambda command: command.replace(" sales ", f" {namespace.name} ")))

    def run_template(self, namespace: Namespace) -> Object:
        """What the operator is told of the Pods of all runs."""
        return dict(self.operator_settings(namespace).run_template)

    def operator_settings(self, namespace: Namespace) -> Settings:
        deployment = in_system(namespace, "apps/v1", "Deployment", "tidegate")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        return parse([], {entry["name"]: entry.get("value", "") for entry in container["env"]})

    def a_run_is_taken(self, namespace: Namespace) -> None:
        """By the API server, strictly: a run's Job with the defaults of this installation."""
        run = job(Situation(ON).observe().integration, FIRST, self.operator_settings(namespace))
        run["metadata"] |= {"namespace": namespace.name, "ownerReferences": []}
        namespace.create_object(run)
        pod = run["spec"]["template"]["spec"]
        assert pod["imagePullSecrets"] == [{"name": "registry"}]
        assert "company-ca" in {volume["name"] for volume in pod["volumes"]}

    def test_without_helm(self, repository: Shell, namespace: Namespace) -> None:
        list(play(INSTALL.section("Without Helm"), repository, typed=with_the_tests_own_environment))
        deployment = in_system(namespace, "apps/v1", "Deployment", "tidegate")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["image"].startswith("registry.example/tidegate-operator:")
        assert pods_are_admitted(namespace), "by a namespace that enforces the standard `restricted`"


def beside_the_tests_own_definition(command: str) -> str:
    """The definition is there already, without an owner."""
    return f"{command} --take-ownership"


def but_for_the_installation(command: str) -> str:
    """The tests have the plugin already, with what its extra names."""
    if not command.startswith("pipx "):
        return command
    assert command.startswith("pipx install '.[cli]'")
    assert "uv tool install '.[cli]'" in command
    assert "cli" in (importlib.metadata.metadata("tidegate").get_all("Provides-Extra") or ())
    return ":"


def with_the_tests_own_environment(command: str) -> str:
    """Whoever runs the tests has an environment, and may not have it in .venv."""
    return command.replace("make ", f"make --assume-old=.venv/.stamp BIN={Path(sys.executable).parent} ")


def definition(plural: str, kind: str) -> Object:
    """The CustomResourceDefinition of the Prometheus Operator's resource, as far as it is needed here."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.monitoring.coreos.com"},
        "spec": {
            "group": "monitoring.coreos.com",
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": anything}}],
        },
    }


def kubectl_apply(shell: Shell, *objects: Object) -> None:
    file = shell.directory / "objects.yaml"
    file.write_text(yaml.safe_dump_all(objects))
    run(shell, "kubectl apply --server-side --filename objects.yaml")


def run(shell: Shell, command: str) -> str:
    ended = shell.start(command).end()
    assert ended.code == 0, f"{command}\n{ended.out}"
    return ended.out


def in_system(namespace: Namespace, api_version: str, kind: str, name: str) -> Object:
    return Namespace(SYSTEM, namespace.client).find(api_version, kind, name) or {}


def pods_are_admitted(namespace: Namespace) -> bool:
    """As many as the chart has replicas; there is no node for them to run on."""
    system = Namespace(SYSTEM, namespace.client)
    return bool(wait_for("the operator's Pods", lambda: len(system.objects("v1", "Pod")) == 2))


class TestTenants:
    def test_the_policy_for_an_admin_is_accepted(self, shell: Shell, namespace: Namespace) -> None:
        page = Page.read("docs/tenants.md")
        list(play(page, shell, typed=lambda command: command.replace(" sales ", f" {namespace.name} ")))
        manifests = {manifest["kind"]: manifest for manifest in map(yaml.safe_load, page.blocks("yaml"))}
        kubectl_apply(shell, *manifests.values())
        quota = manifests["ResourceQuota"]
        assert f"count/{names.PLURAL}.{names.GROUP}" in quota["spec"]["hard"]
        restricted = "--selector pod-security.kubernetes.io/enforce=restricted"
        assert namespace.name in run(shell, f"kubectl get namespaces {restricted} --output name")


class TestSync:
    def test_a_pod_that_lists_conflicts_is_admitted(self, shell: Shell, namespace: Namespace) -> None:
        run(shell, f"kubectl label namespace {namespace.name} pod-security.kubernetes.io/enforce=restricted")
        for block in Page.read("docs/sync.md").blocks("yaml"):
            if "kind" in (manifest := yaml.safe_load(block)):
                kubectl_apply(shell, manifest)
        assert namespace.find("v1", "Pod", f"{NAME}-conflicts")


class TestHowTo:
    @pytest.fixture
    def waiting(self, namespace: Namespace, node: PlayedNode, operator: OperatorProcess) -> Namespace:
        """`contacts` is ON, and has caught up with its first run."""
        namespace.create_integration(status="ON", delay="1h")
        node.end(1)
        namespace.wait_condition("Ready")
        return namespace

    def test_turn_off_for_maintenance(self, shell: Shell, waiting: Namespace, node: PlayedNode) -> None:
        waiting.annotate(sync_requested_at="now")
        waiting.wait_phase("Syncing")

        def off() -> None:
            waiting.wait_phase("TurningOff")
            node.end(2)

        def is_off() -> None:
            assert waiting.status()["phase"] == "Off"

        def end_run_3() -> None:
            node.end(3)

        page = HOW_TO.section("Turn off for maintenance")
        patch_off, wait_off, patch_on, wait_on, *_ = (command.text for command in page.commands())
        scenes = [
            Scene(patch_off, after=off),
            Scene(wait_off, after=is_off),
            Scene(patch_on, after=end_run_3),
            Scene(wait_on),
            Scene("kubectl sync off --all --wait", after=is_off),
        ]
        list(play(page, shell, scenes))
        assert waiting.wait_phase("Syncing")["activation"]["number"] == 3

    def test_pause_a_long_run(
        self, shell: Shell, namespace: Namespace, node: PlayedNode, operator: OperatorProcess
    ) -> None:
        namespace.create_integration(status="ON")
        namespace.wait_phase("Syncing")
        page = HOW_TO.section("Pause a long run")
        pause, wait, resume = (command.text for command in page.commands())

        def is_paused() -> None:
            assert namespace.wait_phase("Paused")["run"]["number"] == 1

        list(play(page, shell, [Scene(pause), Scene(wait, after=is_paused), Scene(resume)]))
        status = namespace.wait_phase("Syncing")
        assert (status["run"]["number"], status["runs"]) == (1, 1)
        assert namespace.integration()["spec"]["offPolicy"] == "FinishRun"

    def test_read_everything_again(self, shell: Shell, waiting: Namespace, node: PlayedNode) -> None:
        node.end(2)
        list(play(HOW_TO.section("Read everything again"), shell))
        waiting.wait_ended(2)
        claim = waiting.job(2)["metadata"]["annotations"]
        assert (claim["tidegate.dev/run-kind"], claim["tidegate.dev/run-push"]) == ("Full", "true")
        assert waiting.status()["activation"]["caughtUp"]

    def test_reset_one_object(
        self, shell: Shell, namespace: Namespace, node: PlayedNode, operator: OperatorProcess
    ) -> None:
        namespace.create_integration(status="ON", mode="FutureOnly", delay="1h", retries=0, sync=SYNC)
        node.end(1)
        namespace.wait_condition("Ready")
        node.end(2, 1)
        list(play(HOW_TO.section("Reset one object"), shell))
        namespace.wait_ended(2)
        (reset,) = namespace.status()["objectResets"]
        assert (reset["object"], reset["push"]) == ("contact", False)
        (container,) = namespace.job(2)["spec"]["template"]["spec"]["containers"]
        (given,) = [each["value"] for each in container["env"] if each["name"] == "SYNC_RESET_OBJECTS"]
        assert json.loads(given) == [reset]
        refused = shell.start("kubectl sync reset contacts --object kontakt --yes").end()
        assert refused.code == 1
        assert "spec.sync has no object kontakt; it has company, contact" in refused.out
        node.end(3)
        run(shell, "kubectl sync run contacts")
        namespace.wait_ended(3)
        status = namespace.wait_phase("Waiting")
        assert not status.get("objectResets")
        assert status["activation"]["number"] == 1

    def test_reset_and_start_from_scratch(self, shell: Shell, waiting: Namespace, node: PlayedNode) -> None:
        node.end(2)
        node.end(3)
        list(play(HOW_TO.section("Reset and start from scratch"), shell))
        waiting.wait_ended(3)
        assert waiting.status()["cacheEpoch"] == 3
        assert [job["metadata"]["annotations"]["tidegate.dev/run-cache-epoch"] for job in waiting.jobs()] == [
            *("1", "2", "3")
        ]


def test_troubleshooting(
    shell: Shell,
    namespace: Namespace,
    node: PlayedNode,
    operator: OperatorProcess,
    logs: PlayedLogs,
) -> None:
    namespace.create_integration(status="ON")
    node.end(1, 2, '{"reason": "connector crm: url is missing"}')
    namespace.wait_condition("Stalled")
    logs.say(1, "connector crm: url is missing")
    logs.close(1)
    printed = dict(play(TROUBLESHOOTING, shell))
    assert "connector crm: url is missing" in printed["kubectl get sync contacts -o wide"]
    assert "ConfigurationError" in printed["kubectl describe sync contacts"]
    assert "connector crm: url is missing" in printed["kubectl sync logs contacts"]
