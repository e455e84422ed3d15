"""Two Pods of one run: the Job controller has acted on an old view (invariant I1)."""

from cluster import job_controller
from cluster.namespace import Namespace, wait_for
from cluster.operator_process import OperatorProcess
from cluster.played_node import PlayedNode
from devcluster.cluster import Cluster


def test_the_second_pod_of_a_run_is_evicted_and_the_run_is_not_disturbed(
    control_plane: Cluster, namespace: Namespace, node: PlayedNode, operator: OperatorProcess
) -> None:
    namespace.create_integration(status="ON", delay="1h", retries=0)
    wait_for("a running Pod", lambda: [pod for pod in namespace.pods() if pod["status"]["phase"] == "Running"])
    (first,) = namespace.pods()
    with job_controller.standing_still(control_plane):
        second = job_controller.make_second_pod(namespace)["metadata"]
        (told,) = wait_for("the Event", lambda: [e for e in namespace.events() if e["reason"] == "DuplicatePod"])
        assert told["type"] == "Warning"
        assert told["note"].endswith(f"{second['name']} is stopped, because {first['metadata']['name']} began earlier")
        wait_for("its end", lambda: namespace.find("v1", "Pod", second["name"]) is None)
        (left,) = namespace.pods()
        assert (left["metadata"]["uid"], left["status"]["phase"]) == (first["metadata"]["uid"], "Running")
        assert "deletionTimestamp" not in left["metadata"]
    node.end(1)
    assert namespace.wait_ended(1)["mark"] == "✓"
    assert "DuplicatePod" not in str(namespace.status()["conditions"])
