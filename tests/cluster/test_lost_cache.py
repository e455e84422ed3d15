"""A cache volume that is gone, or is another one, means a full sync in the activation's own mode (invariant I4)."""

from cluster.namespace import Namespace, Object, wait_for
from cluster.operator_process import OperatorProcess
from cluster.played_node import PlayedNode


def told(namespace: Namespace, run: int) -> dict[str, str]:
    """What a run's worker is told."""
    (worker,) = namespace.job(run)["spec"]["template"]["spec"]["containers"]
    return {variable["name"]: variable["value"] for variable in worker["env"]}


def claim(namespace: Namespace) -> Object:
    return namespace.objects("v1", "PersistentVolumeClaim")[0]


def caught_up(namespace: Namespace, node: PlayedNode) -> None:
    """Runs 1, which is read-only, and 2, which pushes what has changed."""
    namespace.create_integration(status="ON", mode="FutureOnly", delay="1h")
    node.end(1)
    namespace.wait_ended(1)
    namespace.annotate(sync_requested_at="2")
    node.end(2)
    namespace.wait_ended(2)
    assert (told(namespace, 2)["SYNC_SCOPE"], told(namespace, 2)["SYNC_CACHE_RUN"]) == ("changes", "1")


def test_a_deleted_claim_never_counts_as_an_empty_cache(
    namespace: Namespace, node: PlayedNode, operator: OperatorProcess
) -> None:
    caught_up(namespace, node)
    before = claim(namespace)["metadata"]
    namespace.delete("v1", "PersistentVolumeClaim", before["name"])
    wait_for("its deletion", lambda: "deletionTimestamp" in claim(namespace)["metadata"])
    namespace.annotate(sync_requested_at="3")
    run = told(namespace, 3)
    assert (run["SYNC_SCOPE"], run["SYNC_PUSH"], run["SYNC_CACHE_EPOCH"]) == ("full", "false", "3")
    assert "SYNC_CACHE_RUN" not in run
    message = namespace.wait_phase("Syncing")["message"]
    assert "a full sync is owed again: the cache that run 2 used is gone" in message
    lost = wait_for("the Event", lambda: [event for event in namespace.events() if event["reason"] == "CacheLost"])
    assert lost[0]["type"] == "Warning"
    node.end(3)
    namespace.wait_ended(3)
    status = namespace.wait_phase("Waiting")
    assert status["activation"]["caughtUp"]
    assert claim(namespace)["metadata"]["uid"] != before["uid"]
    assert status["cache"] == {"volume": claim(namespace)["metadata"]["uid"], "run": 3}


def test_a_volume_restored_from_a_backup_is_detected_by_the_run_and_replaced_by_the_next(
    namespace: Namespace, node: PlayedNode, operator: OperatorProcess
) -> None:
    caught_up(namespace, node)
    words = "the cache is as it was after run 1, but run 2 has used the cache of this sync"
    node.refuse_cache(3, words)
    namespace.annotate(sync_requested_at="3")
    entry = namespace.wait_ended(3)
    assert (entry["outcome"], entry["report"]["reason"]) == ("CacheLost", words)
    namespace.annotate(sync_requested_at="4")
    run = told(namespace, 4)
    assert (run["SYNC_SCOPE"], run["SYNC_PUSH"], run["SYNC_CACHE_EPOCH"]) == ("full", "false", "4")
    node.end(4)
    assert namespace.wait_ended(4)["mark"] == "✓"
