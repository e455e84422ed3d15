"""Alerts and dashboard: every expression is taken by a real Prometheus, finds its data, and fires when it should."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster import chart
from cluster.namespace import Namespace, Object, wait_for
from cluster.operator_process import OperatorProcess
from cluster.played_node import PlayedNode
from cluster.prometheus import Prometheus, promtool
from devcluster.cluster import Cluster
from devcluster.free_port import free_port
from devcluster.paths import ROOT

ALL_ON = tuple(f"--set=metrics.{part}.enabled=true" for part in ("serviceMonitor", "rules", "dashboard"))


def rules() -> Object:
    """The rules as Prometheus reads them."""
    found: Object = chart.only(chart.rendered(*ALL_ON), "PrometheusRule")["spec"]
    return found


def alerts() -> list[Object]:
    return [rule for group in rules()["groups"] for rule in group["rules"]]


def dashboard() -> Any:
    data = chart.only(chart.rendered(*ALL_ON), "ConfigMap", "tidegate-dashboard")["data"]
    return json.loads(data["tidegate.json"])


def targets() -> list[tuple[str, str]]:
    """Each query of the dashboard, with its panel's title and its variables filled in."""
    variables = {"$__rate_interval": "1m", "$namespace": ".*", "$name": ".*"}
    found = []
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            expression = target["expr"]
            for variable, value in variables.items():
                expression = expression.replace(variable, value)
            found.append((f"{panel['title']} {target['refId']}", expression))
    return found


# What has no data in the life below: nothing has failed by a defect or for want of the API server.
_EMPTY = ("Looks at integrations B",)


@pytest.fixture(scope="module")
def monitored(control_plane: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that has seen a sync succeed, fail, be turned OFF, and stall."""
    directory, port = tmp_path_factory.mktemp("prometheus"), free_port()
    with (
        Namespace.create(control_plane.kubeconfig, "monitored") as namespace,
        PlayedNode(control_plane.kubeconfig, namespace.name) as node,
        OperatorProcess(control_plane.kubeconfig, namespace.name, directory / "operator.log", f"--port={port}"),
        Prometheus(directory, port, chart.NAMESPACE) as prometheus,
    ):
        namespace.create_integration("stalled", status="ON", delay="1h")
        node.end(1, exit_code=2)
        namespace.wait_condition("Stalled", name="stalled")
        namespace.create_integration("contacts", status="ON", delay="1s", retries=0)
        report = {"read": {"crm": 3, "erp": 0}, "pushed": {"erp": {"create": 2}}, "setAside": 1, "waiting": 1}
        node.end(1, message=json.dumps(report))
        namespace.wait_ended(1)
        wait_for("the first samples", lambda: prometheus.query("tidegate_runs_total"))
        namespace.wait_phase("Syncing")
        namespace.patch(status="OFF")
        namespace.wait_phase("TurningOff")
        node.end(2)
        namespace.wait_phase("Off")
        namespace.patch(status="ON")
        node.end(3, exit_code=1)
        namespace.wait_ended(3)
        # Two samples at least, so that there is a rate.
        wait_for("the last samples", lambda: _value(prometheus, 'sum(rate(tidegate_runs_total{outcome="Failed"}[1m]))'))
        yield prometheus


def _value(prometheus: Prometheus, expression: str) -> bool:
    return bool(prometheus.query(expression))


def test_the_chart_has_alerts_and_panels_to_test() -> None:
    assert len(alerts()) == 13
    assert len(targets()) > 25


@pytest.mark.parametrize(("title", "expression"), targets(), ids=[title for title, _ in targets()])
def test_every_query_of_the_dashboard_returns_data(monitored: Prometheus, title: str, expression: str) -> None:
    found = monitored.query(expression)
    assert bool(found) is (title not in _EMPTY), expression


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_the_metrics_of_every_alert_exist(monitored: Prometheus, alert: Object) -> None:
    monitored.query(alert["expr"])
    for metric in set(re.findall(r"\btidegate_\w+", alert["expr"])):
        assert monitored.query(metric) or metric == "tidegate_reconcile_errors_total", metric


def test_the_stalled_sync_is_found_by_its_name(monitored: Prometheus) -> None:
    (alert,) = (alert for alert in alerts() if alert["alert"] == "TidegateSyncStalled")
    (found,) = monitored.query(alert["expr"])
    assert found["metric"]["name"] == "stalled"
    assert found["metric"]["namespace"].startswith("monitored-"), "not the operator's namespace"


def test_the_dashboard_s_variables_list_the_syncs(monitored: Prometheus) -> None:
    variables = {v["name"]: v["definition"] for v in dashboard()["templating"]["list"] if v["type"] == "query"}
    for name, offered in (("namespace", "monitored-"), ("name", "contacts")):
        parsed = re.fullmatch(r"label_values\((.+), (\w+)\)", variables[name])
        assert parsed
        selector, label = parsed[1].replace("$namespace", ".*"), parsed[2]
        assert any(value.startswith(offered) for value in monitored.values_of(label, selector))


def test_panels_have_unique_ids_and_do_not_overlap() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for at in (panel["gridPos"] for panel in panels):
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells


@pytest.fixture(scope="module")
def rules_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(yaml.safe_dump(rules()))
    return path


def test_promtool_accepts_the_rules(rules_file: Path) -> None:
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", str(rules_file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS: 13 rules found" in done.stdout


@dataclass(frozen=True)
class Firing:
    """An alert that fires on these series, and not on the twin's, where one thing is as it should be.

    Series are of one-minute samples, in promtool's notation: `1x90` is 1 for 90 minutes.
    """

    alert: str
    series: dict[str, str]
    twin: dict[str, str]
    after: str = "90m"


SYNC = '{namespace="sales", name="contacts"}'
STALE = {
    f"tidegate_last_success_timestamp_seconds{SYNC}": "0x90",
    f"tidegate_delay_seconds{SYNC}": "300x90",
    'tidegate_phase{namespace="sales", name="contacts", phase="Syncing"}': "1x90",
    'tidegate_phase{namespace="sales", name="contacts", phase="Off"}': "0x90",
}
FIRINGS = [
    Firing("TidegateSyncStalled", {f"tidegate_stalled{SYNC}": "1x90"}, {f"tidegate_stalled{SYNC}": "0x90"}),
    *(
        Firing(alert, {f"{metric}{SYNC}": "1x90"}, {f"{metric}{SYNC}": "1 1 1 1 0 " * 18})
        for alert, metric in (
            ("TidegatePodCannotStart", "tidegate_pod_cannot_start"),
            ("TidegateJobRefused", "tidegate_job_refused"),
            ("TidegatePodDoesNotEnd", "tidegate_pod_does_not_end"),
            ("TidegateDuplicatePod", "tidegate_duplicate_pod"),
        )
    ),
    Firing("TidegateSyncStale", STALE, STALE | {f"tidegate_last_success_timestamp_seconds{SYNC}": "901x90"}),
    Firing(
        "TidegateSyncStale",
        STALE,
        STALE
        | {
            'tidegate_phase{namespace="sales", name="contacts", phase="Syncing"}': "0x90",
            'tidegate_phase{namespace="sales", name="contacts", phase="Off"}': "1x90",
        },
    ),
    Firing("TidegateSyncStale", STALE, STALE | {f"tidegate_delay_seconds{SYNC}": "3600x90"}),
    Firing(
        "TidegateSyncNeverSucceeded",
        {f"tidegate_activation_timestamp_seconds{SYNC}": "0x90", f"tidegate_delay_seconds{SYNC}": "300x90"},
        {
            f"tidegate_activation_timestamp_seconds{SYNC}": "0x90",
            f"tidegate_delay_seconds{SYNC}": "300x90",
            f"tidegate_last_success_timestamp_seconds{SYNC}": "60x90",
        },
    ),
    Firing(
        "TidegateRecordsWaiting",
        {f"tidegate_waiting_records{SYNC}": "3x90"},
        {f"tidegate_waiting_records{SYNC}": "0x90"},
    ),
    Firing(
        "TidegateSyncFailing",
        {f"tidegate_consecutive_failures{SYNC}": "3x90"},
        {f"tidegate_consecutive_failures{SYNC}": "2x90"},
    ),
    Firing(
        "TidegateOffNotHonoured",
        {'tidegate_phase{namespace="sales", name="contacts", phase="TurningOff"}': "1x90"},
        {'tidegate_phase{namespace="sales", name="contacts", phase="TurningOff"}': "0x40 1x49"},
    ),
    Firing("TidegateOperatorNotReady", {}, {'tidegate_ready{pod="a"}': "1x90"}),
    Firing("TidegateOperatorNotReady", {'tidegate_ready{pod="a"}': "0x90"}, {'tidegate_ready{pod="b"}': "1x90"}),
    Firing(
        "TidegateOperatorNotReady",
        {'tidegate_ready{pod="a"}': "1 0 0 0 " * 22},
        {'tidegate_ready{pod="a"}': "1 1 1 0 " * 22},
    ),
    Firing(
        "TidegateWithoutLeader",
        {'tidegate_leading{pod="a"}': "0x90", 'tidegate_leading{pod="b"}': "0x90"},
        {'tidegate_leading{pod="a"}': "0x90", 'tidegate_leading{pod="b"}': "1x90"},
    ),
    Firing(
        "TidegateReconcileDefects",
        {'tidegate_reconcile_errors_total{reason="defect"}': "0+1x90"},
        {'tidegate_reconcile_errors_total{reason="api"}': "0+1x90"},
    ),
]


@pytest.mark.parametrize("case", FIRINGS, ids=lambda case: case.alert)
@pytest.mark.parametrize("fires", [True, False], ids=["fires", "its twin does not"])
def test_an_alert_fires_under_its_condition(rules_file: Path, tmp_path: Path, case: Firing, fires: bool) -> None:
    alert = next(alert for alert in alerts() if alert["alert"] == case.alert)
    series = case.series if fires else case.twin
    # promtool compares labels and annotations to the letter: what fires is asked for by its synthetic series instead.
    firing = f'count(ALERTS{{alertname="{case.alert}", alertstate="firing"}})'
    test = {
        "rule_files": [str(rules_file)],
        "evaluation_interval": "30s",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values.strip()} for name, values in series.items()],
                "promql_expr_test": [
                    {
                        "expr": firing,
                        "eval_time": case.after,
                        "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
                    }
                ],
            }
        ],
    }
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump(test))
    done = promtool("test", "rules", str(path))
    assert done.returncode == 0, f"{alert['expr']}\n{done.stdout}{done.stderr}"


def test_an_alert_names_the_sync_and_what_to_do() -> None:
    for alert in alerts():
        annotations = alert["annotations"]
        assert alert["labels"]["severity"] in ("critical", "warning")
        assert annotations["summary"].endswith(".")
        assert annotations["description"].endswith(".")
        if "by (namespace, name)" in alert["expr"]:
            assert "{{ $labels.namespace }}/{{ $labels.name }}" in annotations["summary"]


def test_a_service_monitor_finds_the_operator_and_keeps_the_syncs_namespaces() -> None:
    objects = chart.rendered(*ALL_ON, "--set=metrics.serviceMonitor.labels.release=prometheus")
    service, monitor = chart.only(objects, "Service"), chart.only(objects, "ServiceMonitor")
    pod = chart.only(objects, "Deployment")["spec"]["template"]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    (port,) = service["spec"]["ports"]
    assert (endpoint["port"], endpoint["path"], endpoint["honorLabels"]) == (port["name"], "/metrics", True)
    assert port["targetPort"] in {p["name"] for p in pod["spec"]["containers"][0]["ports"]}
    assert monitor["metadata"]["labels"]["release"] == "prometheus"


def test_monitoring_is_absent_unless_it_is_enabled() -> None:
    kinds = {o["kind"] for o in chart.rendered()}
    assert not kinds & {"Service", "ServiceMonitor", "PrometheusRule", "ConfigMap"}


def test_the_documentation_lists_every_alert() -> None:
    table = re.findall(r"^\| `(Tidegate\w+)` \|", (ROOT / "docs" / "install.md").read_text(), re.M)
    assert table == [alert["alert"] for alert in alerts()]
