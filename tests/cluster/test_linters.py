"""kube-score on what the chart and the operator make, actionlint on the workflows: no finding without a reason.

That the API server takes all of it as it is, with strict validation, is for test_chart and the tests of runs; what is
for the Prometheus Operator, which is not there, is read here with its own types.
"""

import json
import subprocess
from pathlib import Path

import pytest

from cluster.chart import EVERYTHING, rendered, text_of
from cluster.namespace import Object
from devcluster.errors import DevclusterError
from devcluster.paths import ROOT
from devcluster.toolchain import program
from tidegate.control.render import job
from tidegate.control.settings import Settings
from unit.control.situations import FIRST, ON, Situation

OPTIONAL = ("container-seccomp-profile", "container-ports-check")

# What is accepted, and why.
OF_BOTH = {
    "container-image-pull-policy": "a tag is a version and never moves; Always makes a start depend on the registry",
}
OF_THE_OPERATOR = {
    **OF_BOTH,
    "container-resources": "no CPU limit: it would be throttled just when many syncs are due",
    "container-ephemeral-storage-request-and-limit": "it writes nothing but its log, which the kubelet rotates",
    "container-security-context-user-group-id": "the image's own, 65532; a cluster may give another, as OpenShift does",
}
WITHOUT_NETWORK_POLICY = {
    "pod-networkpolicy": "a wrong address would cut the operator off, so that it is off until an admin turns it on",
}
OF_A_RUN = {
    **OF_BOTH,
    "container-resources": "how much it needs depends on what is synced: spec.template says it",
    "container-ephemeral-storage-request-and-limit": "likewise",
    "pod-networkpolicy": "what it must reach depends on what is synced: docs/tenants.md tells admins to add one",
}


def linter(name: str) -> Path:
    try:
        return program(name)
    except DevclusterError as error:
        pytest.skip(f"no {name}: {error}")


def findings(manifest: str) -> set[str]:
    """The checks that do not pass."""
    options = ["--output-format=json", "--kubernetes-version=v1.34", *(f"--enable-optional-test={o}" for o in OPTIONAL)]
    done = subprocess.run(
        [linter("kube-score"), "score", *options, "-"], input=manifest, capture_output=True, text=True
    )
    scored = json.loads(done.stdout)
    assert scored, done.stderr
    checks = [check for each in scored for check in each["checks"]]
    return {check["check"]["id"] for check in checks if not check["skipped"] and check["grade"] < 10}


@pytest.mark.parametrize(
    ("options", "accepted"),
    [((), OF_THE_OPERATOR | WITHOUT_NETWORK_POLICY), (EVERYTHING, OF_THE_OPERATOR)],
    ids=["as it is", "with everything"],
)
def test_the_chart_has_no_finding_without_a_reason(options: tuple[str, ...], accepted: dict[str, str]) -> None:
    assert findings(text_of(*options)) == accepted.keys()


def prometheus_operator_says(objects: list[Object]) -> str:
    done = subprocess.run(
        [linter("prometheusoperator")], input=json.dumps(objects), capture_output=True, text=True, check=True
    )
    return done.stdout


def test_prometheus_operator_resources_have_known_fields_only() -> None:
    ours = [o for o in rendered(*EVERYTHING) if o["apiVersion"] == "monitoring.coreos.com/v1"]
    assert sorted(o["kind"] for o in ours) == ["PrometheusRule", "ServiceMonitor"]
    assert prometheus_operator_says(ours) == ""
    for wrong in ours:
        wrong["spec"]["intervall"] = "30s"
    assert prometheus_operator_says(ours).count('unknown field "intervall"') == 2


def test_a_run_has_no_finding_without_a_reason() -> None:
    manifest = job(Situation(ON).observe().integration, FIRST, Settings("operator:0.1.0", "worker:0.1.0"))
    assert findings(json.dumps(manifest)) == OF_A_RUN.keys()


def test_the_workflows_have_no_finding() -> None:
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))
    done = subprocess.run([linter("actionlint"), "-no-color", *workflows], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
