"""The chart installs the generated CRD, grants what is listed here and nothing else, and runs restricted Pods."""

import json
import logging
import subprocess
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from cluster import tenant
from cluster.chart import CHART, EVERYTHING, NAMESPACE, helm, only, rendered, text_of
from cluster.namespace import Namespace, Object
from devcluster import toolchain
from devcluster.cluster import Cluster
from devcluster.paths import ROOT
from tidegate.control.render import job
from tidegate.control.settings import Settings, parse
from unit.control.situations import FIRST, ON, Situation

CRD = ROOT / "crds" / "tidegate.dev_syncintegrations.yaml"

RIGHTS = {
    ("tidegate.dev", "syncintegrations"): {"list", "watch"},
    ("tidegate.dev", "syncintegrations/status"): {"patch"},
    ("batch", "jobs"): {"get", "list", "watch", "create", "patch", "delete"},
    ("", "pods"): {"list", "watch"},
    ("", "pods/eviction"): {"create"},
    ("", "persistentvolumeclaims"): {"get", "list", "watch", "create"},
    ("events.k8s.io", "events"): {"create"},
}


def rights(role: Object) -> dict[tuple[str, str], set[str]]:
    return {
        (group, resource): set(rule["verbs"])
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def given(setting: str, value: Any) -> tuple[str, str]:
    """Helm's options for a value that is a list or a mapping."""
    return "--set-json", f"{setting}={json.dumps(value)}"


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

    def test_on_leases_cover_only_the_operator_s_lease_in_its_own_namespace(self) -> None:
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
    def test_are_aggregated_to_user_roles_on_request(self, options: tuple[str, ...], there: bool) -> None:
        names = {o["metadata"]["name"] for o in rendered(*options) if o["kind"] == "ClusterRole"}
        assert (names >= {"tidegate-view", "tidegate-edit"}) is there


class TestOperator:
    def test_images_default_to_the_version_of_the_application(self) -> None:
        pod = operator_pod()
        version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
        told = environment(pod)
        assert pod["containers"][0]["image"] == told["TIDEGATE_OPERATOR_IMAGE"] == f"tidegate-operator:{version}"
        assert told["TIDEGATE_WORKER_IMAGE"] == f"tidegate-worker:{version}"

    def test_a_digest_replaces_the_tag(self) -> None:
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

    def test_custom_labels_and_annotations_are_in_its_pods(self) -> None:
        pod = operator_pod(
            *given("imagePullSecrets", [{"name": "registry"}]),
            *given("operator.extraVolumes", [{"name": "ca", "configMap": {"name": "company-ca"}}]),
            *given("operator.extraVolumeMounts", [{"name": "ca", "mountPath": "/etc/company"}]),
            *given("operator.podSecurityContext", {"fsGroup": 65532}),
        )
        assert pod["imagePullSecrets"] == [{"name": "registry"}]
        assert pod["volumes"] == [{"name": "ca", "configMap": {"name": "company-ca"}}]
        assert pod["containers"][0]["volumeMounts"] == [{"name": "ca", "mountPath": "/etc/company"}]
        assert pod["securityContext"]["fsGroup"] == 65532
        assert pod["securityContext"]["runAsNonRoot"] is True, "the chart's own stays beside it"

    def test_every_object_has_the_common_labels(self) -> None:
        objects = rendered(*EVERYTHING, *given("commonLabels", {"team": "data"}))
        unlabelled = [o["kind"] for o in objects if o["metadata"].get("labels", {}).get("team") != "data"]
        assert unlabelled == ["CustomResourceDefinition"], "which is the generated one, and stays after an uninstall"
        deployment = only(objects, "Deployment")["spec"]
        assert deployment["template"]["metadata"]["labels"]["team"] == "data"
        assert "team" not in deployment["selector"]["matchLabels"], "it could never be changed"

    def test_the_deployment_has_annotations_of_its_own(self) -> None:
        objects = rendered(*given("operator.annotations", {"reloader": "on"}))
        assert only(objects, "Deployment")["metadata"]["annotations"] == {"reloader": "on"}

    def test_log_settings_of_the_chart_set_those_of_the_program(self) -> None:
        pod = operator_pod("--set", "operator.log.level=debug", "--set", "operator.log.format=json")
        said = parse([], {name: value for name, value in environment(pod).items() if value is not None})
        assert (said.log_level, said.log_format) == (logging.DEBUG, "json")

    @pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
    def test_a_tuned_probe_keeps_its_path(self, probe: str) -> None:
        (container,) = operator_pod("--set", f"operator.{probe}.failureThreshold=7")["containers"]
        (before,) = operator_pod()["containers"]
        assert container[probe] == before[probe] | {"failureThreshold": 7}
        assert container[probe]["httpGet"]["port"] == "http"

    def test_replicas_prefer_different_nodes_unless_another_affinity_is_set(self) -> None:
        (rather,) = operator_pod()["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
        labels = only(rendered(), "Deployment")["spec"]["selector"]["matchLabels"]
        assert rather["podAffinityTerm"]["labelSelector"]["matchLabels"] == labels
        other = "operator.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution=[]"
        assert operator_pod("--set-json", other)["affinity"].keys() == {"podAffinity"}

    @pytest.mark.parametrize(("replicas", "budgets"), [(1, 0), (2, 1)])
    def test_two_replicas_get_a_disruption_budget(self, replicas: int, budgets: int) -> None:
        found = [o for o in rendered("--set", f"operator.replicas={replicas}") if o["kind"] == "PodDisruptionBudget"]
        assert len(found) == budgets, "with one replica it would keep nodes from being drained, or do nothing"

    def test_the_network_policy_allows_the_api_server_dns_and_metrics_readers(self) -> None:
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


class TestRuns:
    """What `worker` says of all runs reaches the operator, which lays it beneath each template."""

    VALUES: ClassVar[Object] = {
        "imagePullSecrets": [{"name": "registry"}],
        "resources": {"requests": {"memory": "128Mi"}},
        "podSecurityContext": {"runAsUser": None, "supplementalGroups": [7]},
        "securityContext": {"privileged": False},
        "extraEnv": [{"name": "SSL_CERT_FILE", "value": "/etc/company/ca.crt"}],
        "extraVolumes": [{"name": "ca", "configMap": {"name": "company-ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/company"}],
        "podAnnotations": {"example.org/scrape": "no"},
        "podLabels": {"team": "data"},
        "nodeSelector": {"pool": "syncs"},
        "tolerations": [{"key": "syncs", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {}}
        ],
        "priorityClassName": "low",
    }

    def settings(self, *options: str) -> Settings:
        told = environment(operator_pod(*options))
        # A kubelet puts variables in place of $(NAME), and $ in place of $$.
        return parse([], {name: value.replace("$$", "$") for name, value in told.items() if value is not None})

    def test_have_only_the_operator_s_defaults_unless_others_are_set(self) -> None:
        assert self.settings().run_template == {}

    def test_get_the_given_defaults_in_their_pods(self, tmp_path: Path) -> None:
        file = tmp_path / "values.yaml"
        file.write_text(json.dumps({"worker": self.VALUES}))
        settings = self.settings(f"--values={file}")
        template = job(Situation(ON).observe().integration, FIRST, settings)["spec"]["template"]
        pod = template["spec"]
        assert template["metadata"]["labels"]["team"] == "data"
        assert template["metadata"]["annotations"]["example.org/scrape"] == "no"
        for setting in ("imagePullSecrets", "nodeSelector", "tolerations", "affinity", "priorityClassName"):
            assert pod[setting] == self.VALUES[setting]
        assert pod["topologySpreadConstraints"] == self.VALUES["topologySpreadConstraints"]
        assert "runAsUser" not in pod["securityContext"]
        assert pod["securityContext"]["supplementalGroups"] == [7]
        (worker,), (prepare,) = pod["containers"], pod["initContainers"]
        for container in (worker, prepare):
            assert container["resources"] == self.VALUES["resources"]
            assert container["securityContext"].items() >= {"privileged": False, "readOnlyRootFilesystem": True}.items()
        assert self.VALUES["extraEnv"][0] in worker["env"]
        assert self.VALUES["extraVolumes"][0] in pod["volumes"]
        assert [mount["name"] for mount in worker["volumeMounts"]] == ["cache", "config", "tmp", "ca"]

    def test_refer_to_their_own_environment_and_not_to_the_operator_s(self) -> None:
        references = [{"name": "LABEL", "value": "$(SYNC_RUN) $(TIDEGATE_LEASE) $$(LITERAL)"}]
        options = given("worker.extraEnv", references)
        (worker,) = self.settings(*options).run_template["spec"]["containers"]
        assert worker["env"] == references
        told = environment(operator_pod(*options))["TIDEGATE_RUN_TEMPLATE"]
        assert "$(" not in told.replace("$$", ""), "no reference is left for the operator's own Pod"

    def test_use_every_setting_of_the_chart(self) -> None:
        values = yaml.safe_load((CHART / "values.yaml").read_text())
        assert values["worker"].keys() - {"image"} == self.VALUES.keys()


class TestAccount:
    def test_is_created_by_the_chart_unless_one_is_named(self) -> None:
        own = ("--set", "serviceAccount.create=false", "--set", "serviceAccount.name=mine")
        objects = rendered(*own)
        assert "ServiceAccount" not in {o["kind"] for o in objects}
        assert only(objects, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == "mine"
        assert only(objects, "ClusterRoleBinding")["subjects"][0]["name"] == "mine"

    def test_rights_can_be_created_by_an_administrator_instead(self) -> None:
        groups = {o["apiVersion"].partition("/")[0] for o in rendered("--set", "rbac.create=false")}
        assert "rbac.authorization.k8s.io" not in groups


class TestService:
    @pytest.mark.parametrize(
        ("options", "there"),
        [
            ((), False),
            (("--set", "metrics.service.enabled=true"), True),
            (("--set", "metrics.serviceMonitor.enabled=true"), True),
        ],
        ids=["by default", "for any scraper", "for the Prometheus Operator"],
    )
    def test_exposes_the_metrics(self, options: tuple[str, ...], there: bool) -> None:
        assert ("Service" in {o["kind"] for o in rendered(*options)}) is there

    def test_has_scrape_annotations_and_selects_the_pods(self) -> None:
        objects = rendered(
            "--set",
            "metrics.service.enabled=true",
            *given("metrics.service.annotations", {"prometheus.io/scrape": "true"}),
        )
        service = only(objects, "Service")
        pod = only(objects, "Deployment")["spec"]["template"]
        assert service["metadata"]["annotations"] == {"prometheus.io/scrape": "true"}
        assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
        assert [port["targetPort"] for port in service["spec"]["ports"]] == [
            port["name"] for port in pod["spec"]["containers"][0]["ports"]
        ]


class TestHelm:
    """What Helm says to whoever types its commands."""

    @pytest.mark.parametrize("command", [("template", "tidegate"), ("lint",), ("show", "chart")], ids=" ".join)
    def test_lints_the_chart_without_findings(self, command: tuple[str, ...]) -> None:
        done = helm(*command, str(CHART))
        assert done.returncode == 0
        assert done.stderr == ""

    def test_shows_the_readme(self) -> None:
        assert helm("show", "readme", str(CHART)).stdout.strip() == (CHART / "README.md").read_text().strip()

    def test_reports_global_settings_as_unknown(self) -> None:
        done = helm("template", str(CHART), "--set", "global.imageRegistry=registry.example")
        assert done.returncode != 0
        assert "global.imageRegistry is not a setting of this chart" in done.stderr

    def test_accepts_global_settings_of_a_parent_chart(self, tmp_path: Path) -> None:
        (tmp_path / "Chart.yaml").write_text("{apiVersion: v2, name: platform, version: 1.0.0}")
        (tmp_path / "charts").mkdir()
        (tmp_path / "charts" / "tidegate").symlink_to(CHART)
        done = helm("template", str(tmp_path), "--set", "global.imageRegistry=registry.example")
        assert done.returncode == 0, done.stderr

    def test_refuses_a_missing_namespace_before_it_installs_anything(
        self, control_plane: Cluster, namespace: Namespace
    ) -> None:
        system = f"{namespace.name}-system"
        options = ("--create-namespace", "--set=crds.install=false", f"--kubeconfig={control_plane.kubeconfig}")
        install = ("install", "tidegate", str(CHART), f"--namespace={system}", *options)
        done = helm(*install, f"--set=namespaces={{{namespace.name},nosuch,neither}}")
        assert done.returncode != 0
        assert "namespaces: there is no namespace nosuch, neither; create it first" in done.stderr
        assert helm(*install, "--set=namespaces={nosuch}").returncode != 0
        assert not namespace.objects("rbac.authorization.k8s.io/v1", "Role")
        assert not Namespace(system, namespace.client).objects("rbac.authorization.k8s.io/v1", "Role")
        checked = helm(*install, f"--set=namespaces={{{namespace.name}}}", "--dry-run=server")
        assert checked.returncode == 0, checked.stderr
        assert "kubectl sync status" in checked.stdout, "the notes name the plugin"

    def test_installs_with_rights_in_one_namespace_only(self, control_plane: Cluster, namespace: Namespace) -> None:
        """What is the cluster's, and the operator's rights, an administrator has made."""
        namespace.create_object(tenant.binding("installer", "ClusterRole", "edit"))
        options = {"namespace": namespace.name, "kubeconfig": control_plane.kubeconfig, "kube-as-user": "installer"}
        as_installer = [f"--{name}={value}" for name, value in options.items()]
        left_out = ("rbac.create", "serviceAccount.create", "crds.install", "tenantPolicy.enabled")
        done = helm(
            *("install", "tidegate", str(CHART), *as_installer, f"--set=namespaces={{{namespace.name}}}"),
            *(f"--set={setting}=false" for setting in left_out),
        )
        assert done.returncode == 0, done.stderr
        assert namespace.find("apps/v1", "Deployment", "tidegate")
        assert helm("uninstall", "tidegate", *as_installer).returncode == 0


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
            {"operator": {"extraVolumeMounts": [{"name": "ca", "path": "/etc/company"}]}},
            {"operator": {"log": {"level": "loud"}}},
            {"operator": {"readinessProbe": {"httpGet": {"path": "/"}}}},
            {"operator": {"securityContext": {"readonlyRootFilesystem": True}}},
            {"imagePullSecrets": ["registry"]},
            {"worker": {"image": {"tag": 1}}},
            {"worker": {"imagePullSecrets": ["registry"]}},
            {"worker": {"resource": {}}},
            {"worker": {"extraEnv": [{"name": "SYNC_PUSH", "value": "true"}]}},
            {"worker": {"extraVolumes": [{"name": "cache", "emptyDir": {}}]}},
            {"worker": {"podSecurityContext": {"runAsuser": 1}}},
            {"commonLabels": {"team": 1}},
            {"serviceAccount": {"create": "no"}},
            {"metrics": {"service": {"enable": True}}},
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
    def test_unknown_to_the_chart_are_refused(self, wrong: Object, tmp_path: Path) -> None:
        values = tmp_path / "values.yaml"
        values.write_text(json.dumps(wrong))
        done = helm("template", str(CHART), "--values", str(values))
        assert done.returncode != 0
        assert "schema" in done.stderr

    def test_match_the_schema_exactly(self) -> None:
        schema = json.loads((CHART / "values.schema.json").read_text())
        values = yaml.safe_load((CHART / "values.yaml").read_text())

        def compare(node: Any, schema_of_node: Object, path: str) -> None:
            if "$ref" in schema_of_node:
                schema_of_node = schema["$defs"][schema_of_node["$ref"].rpartition("/")[2]]
            known = schema_of_node.get("properties")
            if known is None or path.endswith("Probe") or not isinstance(node, dict) or not node:
                return
            assert schema_of_node["additionalProperties"] is False, path
            assert set(known) - {"global", "claims"} == set(node), path
            for key, value in node.items():
                compare(value, known[key], f"{path}.{key}")

        compare(values, schema, "")

    def test_are_explained_in_helm_s_errors(self) -> None:
        done = helm("lint", "--strict", str(CHART), *EVERYTHING)
        assert done.returncode == 0, done.stdout
        assert "[WARNING]" not in done.stdout


class TestManifest:
    """The static manifest: what Helm renders, for who has no Helm."""

    @pytest.mark.parametrize("everywhere", [True, False], ids=["the whole cluster", "one namespace"])
    def test_is_accepted_by_the_api_server_as_a_whole(self, control_plane: Cluster, everywhere: bool) -> None:
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
