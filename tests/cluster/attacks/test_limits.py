"""Names, texts, times and structures as large as the API server takes them: a sync of them works, and others do."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from cluster.namespace import API_VERSION, KIND, Namespace, Object, condition, wait_for
from cluster.operator_process import OperatorProcess
from cluster.played_node import PlayedNode
from devcluster import toolchain
from devcluster.cluster import Cluster
from tidegate.api import names

LONGEST_NAME = 253


@pytest.fixture(scope="module")
def town(control_plane: Cluster, operator: OperatorProcess) -> Iterator[Namespace]:
    """A namespace for all these syncs; every run in it succeeds at once."""
    with (
        Namespace.create(control_plane.kubeconfig, "limits") as namespace,
        PlayedNode(control_plane.kubeconfig, namespace.name) as node,
    ):
        node.end_every_run()
        yield namespace


def works(namespace: Namespace, name: str, **spec: Any) -> Object:
    """A sync of that name and spec runs, and is turned OFF; return its status after the run."""
    namespace.create_integration(name, status="ON", **{"delay": "1h", **spec})
    return runs_and_ends(namespace, name)


def runs_and_ends(namespace: Namespace, name: str) -> Object:
    assert namespace.wait_ended(1, name)["mark"] == "✓"
    status = namespace.wait_phase("Waiting", name)
    namespace.patch(name, status="OFF")
    namespace.wait_phase("Off", name)
    return status


@pytest.mark.parametrize(
    "name",
    [
        "n",
        "0",
        "n" * 63,
        "n" * LONGEST_NAME,
        "n" * 39 + "-" + "m" * 60,
        "a." * 126 + "a",
        "a-" * 126 + "a",
        "n" * 199 + "." + "m" * 53,  # cut after 200 characters it ends with a dot
        "n" * 62 + "." + "m" * 50,
        "tidegate.dev",
    ],
    ids=lambda name: f"{name[:6]} of {len(name)}",
)
def test_a_name_at_the_limits(town: Namespace, name: str) -> None:
    works(town, name)
    uid = town.integration(name)["metadata"]["uid"]
    (job,) = (job for job in town.jobs() if job["metadata"]["labels"][names.INTEGRATION_UID_LABEL] == uid)
    assert len(job["metadata"]["name"]) <= 63
    (worker,) = job["spec"]["template"]["spec"]["containers"]
    assert {"name": "SYNC_NAME", "value": name} in worker["env"]

    def told() -> set[str]:
        return {event["reason"] for event in town.events() if event["regarding"]["name"] == name}

    wait_for("Events", lambda: told() >= {"TurnedOn", "CaughtUp", "TurnedOff"}, lambda: str(told()))


def test_names_that_differ_only_after_the_truncation_stay_distinct(town: Namespace) -> None:
    one, other = ("n" * 240 + end for end in ("-one", "-other"))
    works(town, one)
    works(town, other)
    jobs = {
        uid: {
            job["metadata"]["name"]
            for job in town.jobs()
            if job["metadata"]["labels"][names.INTEGRATION_UID_LABEL] == uid
        }
        for uid in (town.integration(name)["metadata"]["uid"] for name in (one, other))
    }
    first, second = jobs.values()
    assert len(first) == len(second) == 1
    assert not first & second


@pytest.mark.parametrize(
    ("what", "spec"),
    [
        ("the longest delay", {"delay": "99999h99999h99999h99999h"}),
        ("the longest time limit", {"runTimeout": "99999h99999h99999h99999h"}),
        ("the shortest time limit", {"runTimeout": "1ms", "cache": {"none": True}}),
        ("the most retries", {"retries": 100}),
        ("the longest memory", {"activityLimit": 50}),
        ("the largest cache", {"cache": {"size": "8E"}}),
        ("a cache of hardly anything", {"cache": {"size": "1"}}),
        (
            "unicode in the configuration",
            {"config": {"ключ": "значение ✓ \u202e", "日本": [None, 1.5, True, {}], "": ""}},
        ),
        ("numbers at their limits", {"config": {"a": 9223372036854775807, "b": -9223372036854775808, "c": 1.7e308}}),
        ("names of Python and JavaScript", {"config": {"__class__": 1, "__proto__": {"a": 1}, "constructor": "x"}}),
        ("references that mean nothing here", {"config": {"a": "$(SYNC_UID)", "b": "{{ .Values }}", "c": "${HOME}"}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_spec_at_the_limits(town: Namespace, what: str, spec: Object) -> None:
    name = what.replace(" ", "-").lower()
    if "runTimeout" in spec and spec["runTimeout"] == "1ms":
        town.create_integration(name, status="ON", delay="1h", **spec)
        assert town.wait_ended(1, name)["mark"] in "✓✗"
    else:
        works(town, name, **spec)
    uid = town.integration(name)["metadata"]["uid"]
    job = next(job for job in town.jobs() if job["metadata"]["labels"][names.INTEGRATION_UID_LABEL] == uid)
    told = job["spec"]["template"]["metadata"]["annotations"][names.SYNC_CONFIG_ANNOTATION]
    assert json.loads(told) == spec.get("config", {}), "to the letter"


REQUESTS = {
    "empty": "",
    "white space": " \n\t",
    "terminal escapes": "\x1b[2J\u202e",
    "unicode": "✓" * 80,
    "a quarter of a megabyte": "x" * 250_000,
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=list(REQUESTS))
@pytest.mark.parametrize("annotation", ["sync_requested_at", "reset_requested_at"])
def test_a_request_annotation_of_any_content_counts_once(
    namespace: Namespace, node: PlayedNode, annotation: str, request_: str
) -> None:
    node.end_every_run()
    namespace.create_integration(status="ON", delay="1h")
    namespace.wait_ended(1)
    namespace.annotate(**{annotation: request_})
    namespace.wait_ended(2)
    namespace.wait_phase("Waiting")
    namespace.annotate(unknown="a change that has to be looked at")
    namespace.annotate(**{annotation: "another"})
    namespace.wait_ended(3)
    status = namespace.wait_phase("Waiting")
    assert status["runs"] == 3
    assert len(json.dumps(status)) < 10_000


def test_a_long_request_annotation_is_truncated_in_the_status(namespace: Namespace, node: PlayedNode) -> None:
    """The twin shows what is short to the letter."""
    node.end_every_run()
    namespace.create_integration(status="ON", delay="1h")
    namespace.wait_ended(1)
    for run, value in ((2, "x" * 250_000), (3, "2026-11-24T12:00:00Z")):
        namespace.annotate(sync_requested_at=value)
        namespace.wait_ended(run)
        assert len(namespace.status()["handled"]["syncRequestedAt"]) <= 256
    assert namespace.status()["handled"]["syncRequestedAt"] == "2026-11-24T12:00:00Z"


def test_a_malformed_confirmation_of_deletes_confirms_nothing(namespace: Namespace, node: PlayedNode) -> None:
    namespace.create_integration(status="ON", delay="1h", retries=0)
    node.end(1, exit_code=3)
    namespace.wait_condition("Stalled")
    for value in ("*", "true", "01", "1.0", "١", "1 ", "2", "9" * 1000):
        namespace.annotate(approve=value)
    namespace.forge_status({"message": "forged"})
    status = namespace.wait_until("a look at it", lambda status: status["message"] != "forged")
    assert (status["runs"], condition(status, "Stalled")["status"]) == (1, "True")
    namespace.annotate(approve="1")
    node.end(2)
    assert namespace.wait_ended(2)["mark"] == "✓"


def test_a_sync_larger_than_a_pod_can_carry_stalls_with_the_api_server_s_message(
    namespace: Namespace, node: PlayedNode
) -> None:
    namespace.create_integration(status="ON", delay="1h", config={"x": "y" * 300_000})
    stalled = namespace.wait_condition("Stalled")
    assert "Too long" in stalled["message"]
    assert len(stalled["message"]) < 2000
    namespace.patch(config={"x": "y" * 200_000})
    node.end(1)
    assert namespace.wait_ended(1)["mark"] == "✓"


def test_an_object_of_the_maximum_size_can_be_turned_off(namespace: Namespace, node: PlayedNode) -> None:
    note = {"note": "x" * 250_000}
    filling = {"x" * 200: ["y" * 1000] * 900}
    namespace.create_integration(
        status="ON", delay="1h", config={"x": "y"}, template={"unknown": filling}, annotations=note
    )
    namespace.wait_condition("Stalled")
    namespace.patch(status="OFF")
    namespace.wait_until("an honoured OFF", lambda status: status.get("phase") == "Off")


def _nested(depth: int, opening: str, closing: str) -> str:
    return opening * depth + "1" + closing * depth


def _create(control_plane: Cluster, namespace: Namespace, config: str) -> None:
    """Create a SyncIntegration from text, which no client has to understand."""
    spec = f'{{"status": "ON", "delay": "1h", "config": {{"x": {config}}}}}'
    body = f'{{"apiVersion": "{API_VERSION}", "kind": "{KIND}", "metadata": {{"name": "deep"}}, "spec": {spec}}}'
    path = f"/apis/{API_VERSION}/namespaces/{namespace.name}/syncintegrations"
    command = [str(toolchain.kubectl()), f"--kubeconfig={control_plane.kubeconfig}", "create", "--raw", path]
    done = subprocess.run([*command, "--filename=-"], input=body, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# The API server takes 10,000 levels; three are around the value.
DEEPEST = 9_997


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")], ids=["lists", "objects"])
@pytest.mark.parametrize("depth", [10, 100, 1_000, 3_000, 9_900, DEEPEST])
def test_a_deeply_nested_structure_does_not_hide_other_objects(
    control_plane: Cluster,
    operator: OperatorProcess,
    namespace: Namespace,
    node: PlayedNode,
    depth: int,
    opening: str,
    closing: str,
) -> None:
    """The operator reads all syncs of the cluster in one list: one that it could not read would stop all of them."""
    node.end_every_run()
    _create(control_plane, namespace, _nested(depth, opening, closing))
    try:
        namespace.create_integration(status="ON", delay="1h")
        namespace.wait_ended(1)
        operator.restart()  # which begins with that list
        namespace.annotate(sync_requested_at="2")
        assert namespace.wait_ended(2)["mark"] == "✓"
        assert operator.running()
    finally:
        namespace.delete(API_VERSION, KIND, "deep")
