"""The chart installs the generated CRD, grants what is listed here and nothing else, and runs restricted Pods."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.chart import CHART, NAMESPACE, helm, only, rendered, text_of
from cluster.namespace import Namespace, Object
from devcluster import toolchain
from devcluster.cluster import Cluster
from devcluster.paths import ROOT

CRD = ROOT / "crds" / "tidegate.dev_syncintegrations.yaml"

RIGHTS = {
    ("tidegate.dev", "syncintegrations"): {"list", "watch"},
    ("tidegate.dev", "syncintegrations/status"): {"patch"},
    ("batch", "jobs"): {"get", "list", "watch", "create", "patch", "delete"},
    ("", "pods"): {"list", "watch"},
    ("", "persistentvolumeclaims"): {"get", "list", "watch", "create"},
    ("events.k8s.io", "events"): {"create"},
}

EVERYTHING = (
    "--set=networkPolicy.enabled=true",
    *(f"--set=metrics.{part}.enabled=true" for part in ("serviceMonitor", "rules", "dashboard")),
)


def rights(role: Object) -> dict[tuple[str, str], set[str]]:
    return {
        (group, resource): set(rule["verbs"])
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def operator_pod(*options: str) -> Object:
    pod: Object = only(rendered(*options), "Deployment")["spec"]["template"]["spec"]
    return pod


def environment(pod: Object) -> dict[str, Any]:
    (container,) = pod["containers"]
    return {entry["name"]: entry.get("value") for entry in container["env"]}


class TestDefinition:
    def test_is_the_generated_one_and_survives_an_uninstall(self) -> None:
        crd = only(rendered(), "CustomResourceDefinition", "syncintegrations.tidegate.dev")
        assert crd["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
        assert crd == yaml.safe_load(CRD.read_text())

    def test_can_be_left_out(self) -> None:
        kinds = {o["kind"] for o in rendered("--set", "crds.install=false")}
        assert "CustomResourceDefinition" not in kinds

    def test_is_among_the_templates_so_that_an_upgrade_upgrades_it(self) -> None:
        assert not (CHART / "crds").exists(), "Helm installs what is there and never upgrades it"

    def test_is_in_a_package_of_the_chart(self, tmp_path: Path) -> None:
        done = helm("package", str(CHART), "--destination", str(tmp_path))
        assert done.returncode == 0, done.stderr
        (package,) = tmp_path.iterdir()
        packed = ["tar", "-xzOf", str(package), "tidegate/files/syncintegrations.yaml"]
        assert subprocess.run(packed, capture_output=True).stdout == CRD.read_bytes()


class TestRights:
    def test_are_exactly_these_everywhere(self) -> None:
        objects = rendered()
        assert rights(only(objects, "ClusterRole")) == RIGHTS
        assert [o["metadata"]["name"] for o in objects if o["kind"] == "Role"] == ["tidegate-lease"]

    def test_are_in_the_given_namespaces_only(self) -> None:
        objects = rendered("--set", "namespaces={sales,support}")
        roles = [o for o in objects if o["kind"] == "Role" and o["metadata"]["name"] == "tidegate"]
        assert {role["metadata"]["namespace"] for role in roles} == {"sales", "support"}
        assert all(rights(role) == RIGHTS for role in roles)
        assert not [o for o in objects if o["kind"].startswith("ClusterRole")]

    @pytest.mark.parametrize("options", [(), ("--set", "namespaces={sales}")], ids=["everywhere", "one namespace"])
    def test_name_no_wildcard_and_no_secret(self, options: tuple[str, ...]) -> None:
        for role in (o for o in rendered(*options) if o["kind"] in ("Role", "ClusterRole")):
            for rule in role["rules"]:
                said = {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
                assert not said & {"*", "secrets", "escalate", "bind", "impersonate"}

    def test_on_leases_are_for_its_own_one_in_its_own_namespace(self) -> None:
        role = only(rendered("--set", "namespaces={sales}"), "Role", "tidegate-lease")
        assert role["metadata"]["namespace"] == NAMESPACE
        assert [(rule.get("resourceNames"), rule["verbs"]) for rule in role["rules"]] == [
            (None, ["create"]),
            (["tidegate"], ["get", "update"]),
        ]
        assert environment(operator_pod())["TIDEGATE_LEASE"] == f"{NAMESPACE}/tidegate"

    @pytest.mark.parametrize(
        ("options", "there"),
        [
            ((), True),
            (("--set", "rbac.aggregate=false"), False),
            (("--set", "namespaces={sales}"), False),
            (("--set", "namespaces={sales}", "--set", "rbac.aggregate=true"), True),
        ],
        ids=["everywhere", "everywhere, declined", "one namespace", "one namespace, wanted"],
    )
    def test_of_people_are_extended_where_they_are_wanted(self, options: tuple[str, ...], there: bool) -> None:
        names = {o["metadata"]["name"] for o in rendered(*options) if o["kind"] == "ClusterRole"}
        assert (names >= {"tidegate-view", "tidegate-edit"}) is there


class TestOperator:
    def test_images_default_to_the_version_of_the_application(self) -> None:
        pod = operator_pod()
        version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
        told = environment(pod)
        assert pod["containers"][0]["image"] == told["TIDEGATE_OPERATOR_IMAGE"] == f"tidegate-operator:{version}"
        assert told["TIDEGATE_WORKER_IMAGE"] == f"tidegate-worker:{version}"

    def test_a_digest_takes_the_place_of_the_tag(self) -> None:
        digest = f"sha256:{'0' * 64}"
        pod = operator_pod("--set", f"operator.image.digest={digest}")
        assert pod["containers"][0]["image"] == f"tidegate-operator@{digest}"

    def test_arguments_and_environment_are_passed_on(self) -> None:
        options = (
            "--set",
            "operator.extraArgs={--watch-patience=120}",
            "--set",
            "operator.extraEnv[0].name=HTTPS_PROXY",
        )
        pod = operator_pod(*options, "--set", "operator.extraEnv[0].value=http://proxy")
        assert pod["containers"][0]["args"] == ["--watch-patience=120"]
        assert environment(pod)["HTTPS_PROXY"] == "http://proxy"

    def test_replicas_are_rather_on_different_nodes_unless_another_affinity_is_given(self) -> None:
        (rather,) = operator_pod()["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
        labels = only(rendered(), "Deployment")["spec"]["selector"]["matchLabels"]
        assert rather["podAffinityTerm"]["labelSelector"]["matchLabels"] == labels
        other = "operator.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution=[]"
        assert operator_pod("--set-json", other)["affinity"].keys() == {"podAffinity"}

    @pytest.mark.parametrize(("replicas", "budgets"), [(1, 0), (2, 1)])
    def test_a_disruption_budget_is_there_for_two(self, replicas: int, budgets: int) -> None:
        found = [o for o in rendered("--set", f"operator.replicas={replicas}") if o["kind"] == "PodDisruptionBudget"]
        assert len(found) == budgets, "with one replica it would keep nodes from being drained, or do nothing"

    def test_its_network_is_the_api_server_names_and_who_reads_metrics(self) -> None:
        options = ("--set", "networkPolicy.enabled=true", "--set", "networkPolicy.apiServer.cidrs={10.0.0.1/32}")
        spec = only(rendered(*options), "NetworkPolicy")["spec"]
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        dns, api_server = spec["egress"]
        assert {port["port"] for port in dns["ports"]} == {53}
        assert [port["port"] for port in api_server["ports"]] == [443, 6443]
        assert api_server["to"] == [{"ipBlock": {"cidr": "10.0.0.1/32"}}]
        (ingress,) = spec["ingress"]
        assert (ingress["ports"], ingress["from"]) == (
            [{"protocol": "TCP", "port": "http"}],
            [{"namespaceSelector": {}}],
        )


class TestValues:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"replicas": 2},
            {"namespaces": "sales"},
            {"namespaces": ["sales", "sales"]},
            {"namespaces": ["Sales"]},
            {"operator": {"replicas": "2"}},
            {"operator": {"concurrency": 0}},
            {"operator": {"extraArgs": ["watch-patience=1"]}},
            {"operator": {"extraEnv": [{"name": "TIDEGATE_NAMESPACES", "value": "x"}]}},
            {"operator": {"extraEnv": [{"name": "X", "value": "x", "valueFrom": {}}]}},
            {"operator": {"resources": {"limit": {"memory": "1Gi"}}}},
            {"operator": {"resources": {"limits": {"memory": "plenty"}}}},
            {"operator": {"tolerations": [{"effect": "Never"}]}},
            {"operator": {"affinity": {"podAffinities": {}}}},
            {"operator": {"image": {"digest": "sha256:0"}}},
            {"operator": {"image": {"pullPolicy": "always"}}},
            {"worker": {"image": {"tag": 1}}},
            {"rbac": {"aggregate": "yes"}},
            {"tenantPolicy": {"enable": False}},
            {"podDisruptionBudget": {"maxUnavailable": 0}},
            {"networkPolicy": {"apiServer": {"ports": []}}},
            {"networkPolicy": {"metricsFrom": [{"namespace": "monitoring"}]}},
            {"metrics": {"serviceMonitor": {"interval": "often"}}},
            {"metrics": {"rules": {"offNotHonouredFor": 60}}},
            {"metrics": {"dashboard": {"labels": {"grafana_dashboard": 1}}}},
        ],
        ids=json.dumps,
    )
    def test_that_the_chart_does_not_know_are_refused(self, wrong: Object, tmp_path: Path) -> None:
        values = tmp_path / "values.yaml"
        values.write_text(json.dumps(wrong))
        done = helm("template", str(CHART), "--values", str(values))
        assert done.returncode != 0
        assert "schema" in done.stderr

    def test_are_all_in_the_schema_and_the_schema_has_no_other(self) -> None:
        schema = json.loads((CHART / "values.schema.json").read_text())
        values = yaml.safe_load((CHART / "values.yaml").read_text())

        def compare(node: Any, schema_of_node: Object, path: str) -> None:
            if "$ref" in schema_of_node:
                schema_of_node = schema["$defs"][schema_of_node["$ref"].rpartition("/")[2]]
            known = schema_of_node.get("properties")
            if known is None or not isinstance(node, dict) or not node:
                return
            assert schema_of_node["additionalProperties"] is False, path
            assert set(known) - {"global", "claims"} == set(node), path
            for key, value in node.items():
                compare(value, known[key], f"{path}.{key}")

        compare(values, schema, "")

    def test_are_explained_by_helm_s_linter(self) -> None:
        done = helm("lint", "--strict", str(CHART), *EVERYTHING)
        assert done.returncode == 0, done.stdout
        assert "[WARNING]" not in done.stdout


class TestManifest:
    """The static manifest: what Helm renders, for who has no Helm."""

    @pytest.mark.parametrize("everywhere", [True, False], ids=["the whole cluster", "one namespace"])
    def test_is_taken_by_the_api_server_as_a_whole(self, control_plane: Cluster, everywhere: bool) -> None:
        kinds_that_are_not_there = ("ServiceMonitor", "PrometheusRule")
        options = () if everywhere else (f"--set=namespaces={{{NAMESPACE}}}", "--set=rbac.aggregate=true")
        documents = text_of(*EVERYTHING[:1], EVERYTHING[-1], *options).split("\n---\n")
        manifest = "\n---\n".join(
            d for d in documents if not any(f"kind: {k}\n" in d for k in kinds_that_are_not_there)
        )
        command = [str(toolchain.kubectl()), f"--kubeconfig={control_plane.kubeconfig}", "apply", "--server-side"]
        with Namespace.create(control_plane.kubeconfig, "manifest") as namespace:
            elsewhere = manifest.replace(f"namespace: {NAMESPACE}", f"namespace: {namespace.name}")
            done = subprocess.run(
                [*command, "--dry-run=server", "--validate=strict", "--force-conflicts", "--filename=-"],
                input=elsewhere,
                capture_output=True,
                text=True,
            )
        assert done.returncode == 0, done.stderr
        assert "Warning" not in done.stderr
        assert len(done.stdout.splitlines()) == len([d for d in yaml.safe_load_all(manifest) if d])

    def test_runs_in_a_namespace_of_restricted_pods(self, control_plane: Cluster) -> None:
        pod = operator_pod()
        pod.pop("serviceAccountName")
        with Namespace.create(control_plane.kubeconfig, "restricted") as namespace:
            label = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
            namespaces = namespace.client.resources.get(api_version="v1", kind="Namespace")
            namespaces.patch(name=namespace.name, body=label, content_type="application/merge-patch+json")
            body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "operator"}, "spec": pod}
            namespace.create_object(body)
            assert namespace.find("v1", "Pod", "operator")
