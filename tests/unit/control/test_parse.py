"""From the API server's JSON to frozen views; what workers and clusters say is bounded and rendered inert."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tidegate.api import names
from tidegate.api.runs import RunKind
from tidegate.api.spec import Mode, Switch
from tidegate.control.observation import JobState, Requests
from tidegate.control.parse import cache_of, controller_uid, integration_of, is_of_a_run, job_of, pod_of

from .situations import UID

CREATED = "2026-11-24T11:59:00Z"
LARGEST = 2**53 - 1


def metadata(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "namespace": "sales", "uid": f"{name}-uid", "resourceVersion": "7", **fields}


def owned(name: str, uid: str = UID, **fields: Any) -> dict[str, Any]:
    reference = {"apiVersion": "tidegate.dev/v1alpha1", "kind": "SyncIntegration", "uid": uid, "controller": True}
    return metadata(name, ownerReferences=[reference], creationTimestamp=CREATED, **fields)


def job_body(spec: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    annotations = {
        "tidegate.dev/run-kind": "Incremental",
        "tidegate.dev/run-push": "true",
        "tidegate.dev/run-cache-epoch": "3",
        "tidegate.dev/run-started-at": "2026-11-24T11:58:00Z",
        "tidegate.dev/run-generation": "4",
    }
    body = owned("crm-1-12", annotations=annotations, labels={"tidegate.dev/run": "12"})
    return {"metadata": body, "spec": spec or {}, "status": status}


def pod_body(phase: str, *containers: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {
        "metadata": owned("crm-1-12-abcde", "job-12"),
        "status": {"phase": phase, "containerStatuses": list(containers), **status},
    }


def terminated(name: str, exit_code: int, message: str = "") -> dict[str, Any]:
    return {"name": name, "state": {"terminated": {"exitCode": exit_code, "message": message}}}


def waiting(name: str, reason: str, message: str = "") -> dict[str, Any]:
    return {"name": name, "state": {"waiting": {"reason": reason, "message": message}}}


class TestIntegration:
    BODY = {
        "metadata": metadata("crm", generation=5),
        "spec": {"status": "ON", "mode": "FutureOnly", "delay": "1h30m"},
    }

    def test_the_spec_is_read_with_its_defaults(self) -> None:
        seen = integration_of(self.BODY)
        assert (seen.spec.status, seen.spec.mode, seen.spec.delay) == (
            Switch.ON,
            Mode.FUTURE_ONLY,
            timedelta(minutes=90),
        )
        assert (seen.spec.retries, seen.spec.activity_limit, seen.spec.run_timeout) == (2, 10, None)
        assert (seen.generation, seen.resource_version, seen.deleting) == (5, "7", False)

    @pytest.mark.parametrize(("written", "read"), [("ON", "ON"), ("OFF", "OFF"), (True, "ON"), (False, "OFF")])
    def test_the_toggle_may_be_a_yaml_boolean(self, written: object, read: str) -> None:
        assert integration_of({**self.BODY, "spec": {"status": written}}).spec.status == read

    def test_the_stored_status_is_kept_unchanged(self) -> None:
        stored = {"phase": "Off", "somethingNewer": {"kept": True}}
        seen = integration_of({**self.BODY, "status": stored})
        assert seen.stored_status == stored
        assert seen.status.phase == "Off"

    @pytest.mark.parametrize(
        ("unreadable", "lost"),
        [
            ({"phase": "FromANewerVersion"}, {"phase"}),
            ({"lastRun": {"number": 12}, "lastSyncedAt": "yesterday"}, {"last_run", "last_synced_at"}),
            ({"run": {"number": 12}}, {"run", "runs"}),  # without the number, its Job can be taken for what it is
        ],
    )
    def test_unreadable_parts_of_a_status_are_dropped_and_the_rest_is_kept(
        self, unreadable: dict[str, Any], lost: set[str]
    ) -> None:
        stored = {"phase": "Syncing", "runs": 12, "cacheEpoch": 3, "activations": 2}
        seen = integration_of({**self.BODY, "status": {**stored, **unreadable}})
        kept = {"phase", "runs", "cache_epoch", "activations"} - lost
        assert seen.status.model_fields_set == kept
        assert seen.stored_status == {**stored, **unreadable}

    def test_an_annotation_value_is_one_request(self) -> None:
        annotations = {
            "tidegate.dev/sync-requested-at": "1",
            "tidegate.dev/full-sync-requested-at": "5",
            "tidegate.dev/reset-requested-at": "2",
            "tidegate.dev/approve": "4",
            "tidegate.dev/allow-deletes": "3",
        }
        body = {**self.BODY, "metadata": metadata("crm", generation=5, annotations=annotations)}
        asked = Requests(sync="1", full_sync="5", reset="2", approve="4", allow_deletes="3")
        assert integration_of(body).requests == asked

    def test_a_request_for_a_reset_may_name_objects_however_long_it_is(self) -> None:
        objects = [f"object {n}" for n in range(40)]
        value = f"2026-11-27T10:00:00Z {','.join(objects)}"
        annotations = {"tidegate.dev/reset-requested-at": value}
        body = {**self.BODY, "metadata": metadata("crm", generation=5, annotations=annotations)}
        requests = integration_of(body).requests
        assert requests.reset_objects == tuple(objects)
        assert (requests.reset or "").startswith("sha256:")
        assert integration_of(self.BODY).requests == Requests()

    def test_a_resource_that_is_being_deleted_is_marked(self) -> None:
        body = {**self.BODY, "metadata": metadata("crm", generation=5, deletionTimestamp=CREATED)}
        assert integration_of(body).deleting

    def test_a_spec_of_another_version_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="status"):
            integration_of({**self.BODY, "spec": {"status": "Maybe"}})


class TestJob:
    def test_its_annotations_repeat_its_claim(self) -> None:
        run = job_of(job_body()).run
        assert (run.number, run.kind, run.push, run.cache_epoch) == (12, RunKind.INCREMENTAL, True, 3)
        assert (run.started_at, run.generation) == (datetime(2026, 11, 24, 11, 58, tzinfo=UTC), 4)

    @pytest.mark.parametrize(
        ("status", "state"),
        [
            ({}, JobState.UNFINISHED),
            ({"conditions": [{"type": "Suspended", "status": "True"}]}, JobState.UNFINISHED),
            # Its Pods are still ending: Kubernetes says so before it says Failed.
            ({"conditions": [{"type": "FailureTarget", "status": "True"}]}, JobState.UNFINISHED),
            ({"conditions": [{"type": "SuccessCriteriaMet", "status": "True"}]}, JobState.UNFINISHED),
            ({"conditions": [{"type": "Complete", "status": "False"}]}, JobState.UNFINISHED),
            (
                {"conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": CREATED}]},
                JobState.COMPLETE,
            ),
            ({"conditions": [{"type": "Failed", "status": "True", "lastTransitionTime": CREATED}]}, JobState.FAILED),
        ],
    )
    def test_its_conditions_show_whether_it_has_finished(self, status: dict[str, Any], state: JobState) -> None:
        assert job_of(job_body(**status)).state is state

    def test_its_end_is_its_completion_or_failure_time(self) -> None:
        condition = {"type": "Complete", "status": "True", "lastTransitionTime": "2026-11-24T12:00:05Z"}
        seen = job_of(job_body(conditions=[condition], completionTime="2026-11-24T12:00:00Z"))
        assert seen.finished_at == datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
        seen = job_of(job_body(conditions=[{**condition, "type": "Failed", "reason": "DeadlineExceeded"}]))
        assert seen.finished_at == datetime(2026, 11, 24, 12, 0, 5, tzinfo=UTC)
        assert seen.failure_reason == "DeadlineExceeded"

    def test_active_and_terminating_pods_count(self) -> None:
        assert job_of(job_body(active=1, terminating=2)).pods == 3

    def test_suspension_is_first_declared_and_then_acknowledged(self) -> None:
        declared = job_of(job_body({"suspend": True}))
        assert (declared.suspended, declared.suspension_seen) == (True, False)
        acknowledged = job_of(job_body({"suspend": True}, conditions=[{"type": "Suspended", "status": "True"}]))
        assert (acknowledged.suspended, acknowledged.suspension_seen) == (True, True)
        resumed = job_of(job_body({"suspend": False}, conditions=[{"type": "Suspended", "status": "False"}]))
        assert (resumed.suspended, resumed.suspension_seen) == (False, False)

    def test_a_job_suspended_by_another_manager_names_it(self) -> None:
        body = job_body({"suspend": True})
        ours = {"manager": "tidegate", "fieldsV1": {"f:spec": {"f:suspend": {}}}}
        theirs = {"manager": "kubectl-edit", "fieldsV1": {"f:spec": {"f:suspend": {}}}}
        body["metadata"]["managedFields"] = [ours, theirs]
        assert job_of(body).held_by == "kubectl-edit"
        body["metadata"]["managedFields"] = [ours]  # an admission webhook's change counts as the writer's
        assert job_of(body).held_by == "another controller"
        body["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] = "sales"
        assert job_of(body).held_by == "Kueue, in the queue sales"

    def test_a_job_suspended_by_the_operator_names_no_other_manager(self) -> None:
        body = job_body({"suspend": True})
        body["metadata"]["annotations"]["tidegate.dev/suspended-by-operator"] = "true"
        assert job_of(body).held_by is None
        assert job_of(job_body({"suspend": False})).held_by is None

    def test_a_job_that_another_manager_resumes_after_the_operator_has_suspended_it_names_it(self) -> None:
        body = job_body({"suspend": False})
        body["metadata"]["managedFields"] = [{"manager": "kubectl-patch", "fieldsV1": {"f:spec": {"f:suspend": {}}}}]
        assert job_of(body).resumed_by is None
        body["metadata"]["annotations"]["tidegate.dev/suspended-by-operator"] = "true"
        assert job_of(body).resumed_by == "kubectl-patch"
        assert job_of(body).held_by is None
        body["spec"]["suspend"] = True
        assert job_of(body).resumed_by is None

    def test_a_job_without_the_operator_s_annotations_is_foreign(self) -> None:
        body = job_body()
        del body["metadata"]["annotations"]["tidegate.dev/run-kind"]
        with pytest.raises(KeyError):
            job_of(body)

    @pytest.mark.parametrize("number", ["0", "-1", "twelve", "9" * 40])
    def test_an_invalid_number_is_an_error(self, number: str) -> None:
        body = job_body()
        body["metadata"]["labels"]["tidegate.dev/run"] = number
        with pytest.raises(ValueError, match=r"number|literal"):
            job_of(body)


class TestPodOwner:
    OURS = names.job_name("crm", "crm-uid", 3)

    @pytest.mark.parametrize(
        ("controller", "label", "ours"),
        [
            ("the run's Job", None, True),
            (None, "the run's Job", True),  # its Job was deleted with --cascade=orphan
            ("another Job", "the run's Job", True),
            (None, None, False),
            ("another Job", None, False),
            (None, "another Job", False),
        ],
    )
    def test_a_pod_belongs_to_the_job_that_created_it_whoever_controls_it_now(
        self, controller: str | None, label: str | None, ours: bool
    ) -> None:
        job_names = {"the run's Job": self.OURS, "another Job": "other-1", None: ""}
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job_names[controller], "uid": "u", "controller": True}
        pod = metadata(
            "a-pod",
            creationTimestamp=CREATED,
            labels={"batch.kubernetes.io/job-name": job_names[label]} if label else {},
            ownerReferences=[owner] if controller else [],
        )
        integration = integration_of(TestIntegration.BODY)
        assert is_of_a_run(pod_of({"metadata": pod}), integration) == ours


class TestPod:
    @pytest.mark.parametrize(
        ("phase", "live"),
        [("Pending", True), ("Running", True), ("Unknown", True), ("Succeeded", False), ("Failed", False)],
    )
    def test_it_is_alive_until_it_has_ended(self, phase: str, live: bool) -> None:
        assert pod_of(pod_body(phase)).live is live

    def test_a_pod_without_a_status_may_still_start(self) -> None:
        assert pod_of({"metadata": owned("new", "job-12")}).live

    def test_the_worker_s_message_counts_and_not_a_sidecar_s(self) -> None:
        seen = pod_of(pod_body("Failed", terminated("proxy", 1, "proxy"), terminated("sync", 3, "sync")))
        assert (seen.exit_code, seen.termination_message) == (3, "sync")

    def test_without_a_started_worker_the_init_container_s_message_counts(self) -> None:
        body = pod_body(
            "Failed",
            waiting("sync", "PodInitializing"),
            initContainerStatuses=[
                terminated("prepare-cache", 1, "the cache cannot be prepared: read-only file system")
            ],
        )
        seen = pod_of(body)
        assert seen.exit_code is None
        assert seen.termination_message == "the cache cannot be prepared: read-only file system"

    @pytest.mark.parametrize(
        ("more", "started"),
        [
            ({}, False),
            ({"containerID": "containerd://1"}, True),
            ({"lastState": {"terminated": {"exitCode": 1, "startedAt": "2026-01-01T00:00:00Z"}}}, True),
        ],
    )
    def test_a_worker_that_was_never_created_has_not_started_even_when_its_pod_has_ended(
        self, more: dict[str, Any], started: bool
    ) -> None:
        lost = {"exitCode": 137, "reason": "ContainerStatusUnknown", "startedAt": None, "finishedAt": None}
        seen = pod_of(pod_body("Failed", {"name": "sync", "state": {"terminated": lost}, **more}))
        assert seen.worker_started is started
        assert seen.exit_code == (137 if started else None)

    def test_an_ended_pod_without_a_worker_status_proves_nothing(self) -> None:
        assert pod_of(pod_body("Failed")).worker_started

    def test_it_belongs_to_the_job_that_controls_it(self) -> None:
        assert pod_of(pod_body("Running")).job_uid == "job-12"

    @pytest.mark.parametrize(
        ("status", "trouble"),
        [
            ({}, ""),
            ({"conditions": [{"type": "PodScheduled", "status": "True"}]}, ""),
            (
                {
                    "conditions": [
                        {
                            "type": "PodScheduled",
                            "status": "False",
                            "reason": "Unschedulable",
                            "message": "0/3 nodes are available",
                        }
                    ]
                },
                "Unschedulable: 0/3 nodes are available",
            ),
            (
                {"initContainerStatuses": [waiting("prepare-cache", "ErrImagePull", "no such image")]},
                "ErrImagePull: no such image",
            ),
            ({"initContainerStatuses": [waiting("prepare-cache", "PodInitializing")]}, ""),
            ({"initContainerStatuses": [{"name": "prepare-cache", "state": {"waiting": {}}}]}, ""),
            ({"initContainerStatuses": [{"name": "prepare-cache"}]}, ""),
        ],
    )
    def test_a_pending_pod_has_the_cluster_s_reason(self, status: dict[str, Any], trouble: str) -> None:
        assert pod_of(pod_body("Pending", **status)).trouble == trouble

    def test_the_cluster_s_reason_is_bounded_and_inert(self) -> None:
        hostile = waiting("sync", "CreateContainerError", "\x1b[31m" + "x" * 10_000)
        trouble = pod_of(pod_body("Pending", hostile)).trouble
        assert trouble.isprintable()
        assert len(trouble) <= 512

    def test_a_crashing_native_sidecar_is_no_problem_while_the_worker_runs(self) -> None:
        crashing = waiting("proxy", "CrashLoopBackOff", "back-off 10s restarting failed container")
        running = {"name": "sync", "state": {"running": {}}}
        assert pod_of(pod_body("Running", running, initContainerStatuses=[crashing])).trouble == ""

    def test_an_ordinary_container_keeps_the_pod_of_an_ended_worker_alive(self) -> None:
        """Be it at work or unable to start; native sidecars are ended by the kubelet."""
        proxies = [{"name": "proxy", "state": {"running": {}}}, waiting("agent", "ImagePullBackOff")]
        native = [{"name": "mesh", "state": {"running": {}}}]
        seen = pod_of(pod_body("Running", terminated("sync", 0, ""), *proxies, initContainerStatuses=native))
        assert (seen.live, seen.exit_code, seen.not_ended) == (True, 0, ("proxy", "agent"))

    def test_a_terminating_pod_has_a_deadline_and_a_node(self) -> None:
        body = pod_body("Running")
        body["metadata"]["deletionTimestamp"] = "2026-11-24T12:00:30Z"
        body["spec"] = {"nodeName": "worker-7"}
        seen = pod_of(body)
        assert (seen.terminating, seen.node) == (True, "worker-7")
        assert seen.ends_by == datetime(2026, 11, 24, 12, 0, 30, tzinfo=UTC)

    def test_an_ended_pod_has_no_problem(self) -> None:
        assert pod_of(pod_body("Failed", waiting("sync", "ErrImagePull"))).trouble == ""


@pytest.mark.parametrize(("phase", "bound"), [("Bound", True), ("Pending", False)])
def test_a_cache_is_bound_or_unbound(phase: str, bound: bool) -> None:
    assert cache_of({"metadata": owned("crm-cache"), "status": {"phase": phase}}).bound is bound


@pytest.mark.parametrize(
    ("references", "uid"),
    [
        ([], None),
        ([{"uid": "a"}], None),
        ([{"uid": "a", "controller": False}, {"uid": "b", "controller": True}], "b"),
    ],
)
def test_an_object_belongs_to_its_controller_and_to_no_other_owner(
    references: list[dict[str, Any]], uid: str | None
) -> None:
    assert controller_uid({"metadata": {"ownerReferences": references}}) == uid
    assert controller_uid({"metadata": {}}) is None
