"""What the API server refuses when a SyncIntegration is applied, in words that name the field and what it may hold."""

import json
import subprocess
from typing import Any

import pytest

from cluster.namespace import API_VERSION, KIND, NAME, Namespace
from devcluster.cluster import Cluster
from devcluster.toolchain import kubectl


def apply(control_plane: Cluster, namespace: Namespace, manifest: str) -> subprocess.CompletedProcess[str]:
    """`kubectl apply`, as users type it."""
    command = [str(kubectl()), f"--kubeconfig={control_plane.kubeconfig}", f"--namespace={namespace.name}"]
    return subprocess.run([*command, "apply", "--filename=-"], input=manifest, capture_output=True, text=True)


def manifest(**spec: Any) -> str:
    body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": NAME}, "spec": {"status": "OFF", **spec}}
    return json.dumps(body)


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        ({"status": "Maybe"}, "spec.status", '"ON", "OFF"'),
        ({"status": "off"}, "spec.status", '"ON", "OFF"'),
        ({"status": 1}, "spec.status", '"ON", "OFF"'),
        ({"status": None}, "spec.status", "Required value"),
        ({"mode": "Both"}, "spec.mode", '"PastAndFuture", "FutureOnly"'),
        ({"offPolicy": "KillRun"}, "spec.offPolicy", '"FinishRun", "PauseRun"'),
        ({"delay": "soon"}, "spec.delay", "must be a duration of zero or more, such as 30s, 5m or 1h30m"),
        ({"delay": "-5s"}, "spec.delay", "must be a duration of zero or more, such as 30s, 5m or 1h30m"),
        ({"delay": "5"}, "spec.delay", "must be a duration of zero or more, such as 30s, 5m or 1h30m"),
        ({"delay": ""}, "spec.delay", "must be a duration of zero or more, such as 30s, 5m or 1h30m"),
        ({"delay": 300}, "spec.delay", "must be of type string"),
        ({"runTimeout": "0s"}, "spec.runTimeout", "must be longer than 0s"),
        ({"reset": "yes"}, "spec.reset", "must be of type boolean"),
        ({"retries": -1}, "spec.retries", "greater than or equal to 0"),
        ({"activityLimit": 0}, "spec.activityLimit", "greater than or equal to 1"),
        ({"activityLimit": 51}, "spec.activityLimit", "less than or equal to 50"),
        ({"cache": {"size": "plenty"}}, "spec.cache.size", "must be a size greater than zero, such as 512Mi or 1Gi"),
        ({"cache": {"size": "0"}}, "spec.cache.size", "must be a size greater than zero, such as 512Mi or 1Gi"),
        ({"cache": {"none": True, "size": "1Gi"}}, "spec.cache", "cannot be combined with none"),
        ({"sync": "everything"}, "spec.sync", "must be of type object"),
        ({"template": []}, "spec.template", "must be of type object"),
    ],
)
def test_an_invalid_value_is_refused_and_named(
    control_plane: Cluster, namespace: Namespace, spec: dict[str, Any], field: str, words: str
) -> None:
    answer = apply(control_plane, namespace, manifest(**spec))
    assert answer.returncode != 0
    assert field in answer.stderr
    assert words in answer.stderr


@pytest.mark.parametrize(("written", "stored"), [("ON", True), ('"ON"', "ON"), ("OFF", False), ("'OFF'", "OFF")])
def test_the_toggle_accepts_quoted_and_unquoted_values(
    control_plane: Cluster, namespace: Namespace, written: str, stored: object
) -> None:
    text = f"apiVersion: {API_VERSION}\nkind: {KIND}\nmetadata: {{name: {NAME}}}\nspec:\n  status: {written}\n"
    answer = apply(control_plane, namespace, text)
    assert answer.returncode == 0, answer.stderr
    assert namespace.integration()["spec"]["status"] == stored


def test_a_misspelt_field_is_named(control_plane: Cluster, namespace: Namespace) -> None:
    answer = apply(control_plane, namespace, manifest(dealy="5m"))
    assert answer.returncode != 0
    assert 'unknown field "spec.dealy"' in answer.stderr


def test_defaults_are_stored_and_visible(control_plane: Cluster, namespace: Namespace) -> None:
    apply(control_plane, namespace, manifest())
    spec = namespace.integration()["spec"]
    assert {
        key: spec[key] for key in ("mode", "delay", "reset", "offPolicy", "approval", "retries", "activityLimit")
    } == {
        "mode": "PastAndFuture",
        "delay": "5m",
        "reset": False,
        "offPolicy": "FinishRun",
        "approval": "Unusual",
        "retries": 2,
        "activityLimit": 10,
    }


def test_the_cache_settings_of_an_integration_are_immutable(control_plane: Cluster, namespace: Namespace) -> None:
    apply(control_plane, namespace, manifest(cache={"size": "1Gi"}))
    answer = apply(control_plane, namespace, manifest(cache={"size": "2Gi"}))
    assert answer.returncode != 0
    assert "immutable; delete and recreate the SyncIntegration to change it" in answer.stderr


def test_explain_describes_every_field(control_plane: Cluster) -> None:
    command = [str(kubectl()), f"--kubeconfig={control_plane.kubeconfig}", "explain", "sync.spec"]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert "<no description>" not in answer.stdout
