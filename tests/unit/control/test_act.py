"""What goes over the wire: each write with its precondition, and what is made of the API server's answers."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio import client
from kubernetes.aio.client.exceptions import ApiException

from tidegate.control.act import RefusedError, StaleViewError, Writer
from tidegate.control.observation import Integration
from tidegate.control.parse import integration_of
from tidegate.control.render import job
from tidegate.control.rest import METADATA, Rest
from tidegate.control.settings import Settings
from tidegate.control.step import Action, Announce, CreateCache, CreateJob, DeleteJob, EvictPod, SuspendJob

from .situations import NAME, NAMESPACE, UID, run

RUN = run(12)
SETTINGS = Settings(operator_image="registry.example/operator:1", worker_image="registry.example/worker:1")
JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"


def owned_by(uid: str) -> dict[str, Any]:
    reference = {"apiVersion": "example/v1", "kind": "Owner", "name": "owner", "uid": uid, "controller": True}
    return {"metadata": {"resourceVersion": "77", "ownerReferences": [reference]}}


OURS, FOREIGN = owned_by(UID), owned_by("somebody else")


@dataclass
class Heard:
    """One request, as it came over the wire."""

    method: str
    path: str
    query: dict[str, str]
    content_type: str
    accept: str
    body: dict[str, Any]


Answers = Callable[[Heard], tuple[int, dict[str, Any]]]


@dataclass
class ApiServer:
    """An API server that writes down what it is asked, and answers as it is told."""

    heard: list[Heard] = field(default_factory=list)
    answers: Answers = lambda heard: (201 if heard.method == "POST" else 200, {"metadata": {"resourceVersion": "42"}})

    async def handle(self, request: web.Request) -> web.Response:
        text = await request.text()
        heard = Heard(
            *(request.method, request.path, dict(request.query), request.content_type, request.headers["Accept"]),
            json.loads(text) if text else {},
        )
        self.heard.append(heard)
        status, body = self.answers(heard)
        return web.json_response(body, status=status)

    def refuses(self, status: int, message: str, then: dict[str, Any] | None = None) -> None:
        """Answer writes with this error; a read finds `then`, or nothing."""

        def answers(heard: Heard) -> tuple[int, dict[str, Any]]:
            if heard.method != "GET":
                return status, {"kind": "Status", "message": message}
            return (200, then) if then is not None else (404, {"message": "not found"})

        self.answers = answers


@pytest.fixture
def server() -> ApiServer:
    return ApiServer()


@pytest_asyncio.fixture
async def writer(server: ApiServer) -> AsyncIterator[Writer]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    async with TestServer(application) as listening:
        configuration = client.Configuration(host=str(listening.make_url("")).rstrip("/"))
        async with client.ApiClient(configuration) as api:
            yield Writer(Rest(api), SETTINGS, "operator-0")


@pytest.fixture
def integration() -> Integration:
    metadata = {"name": NAME, "namespace": NAMESPACE, "uid": UID, "generation": 1, "resourceVersion": "10"}
    status = {"phase": "Waiting", "runs": 11, "nextRunAt": "2026-11-24T12:00:00Z"}
    return integration_of({"metadata": metadata, "spec": {"status": "ON"}, "status": status})


async def test_what_was_written_is_answered_by_its_metadata_alone(
    server: ApiServer, writer: Writer, integration: Integration
) -> None:
    """A Job is a few kilobytes, and only its resourceVersion is read."""
    await writer.write_status(integration, {"phase": "Syncing"})
    await writer.take(integration, CreateJob(RUN))
    await writer.take(integration, SuspendJob(RUN.job_name, "job-uid", "20", suspend=True))
    assert [heard.accept for heard in server.heard] == [METADATA] * 3


class TestStatus:
    async def test_only_differences_are_written_with_the_observed_resource_version(
        self, server: ApiServer, writer: Writer, integration: Integration
    ) -> None:
        version = await writer.write_status(integration, {"phase": "Syncing", "runs": 11})
        (heard,) = server.heard
        assert (heard.method, heard.content_type) == ("PATCH", "application/merge-patch+json")
        assert heard.path == f"/apis/tidegate.dev/v1alpha1/namespaces/{NAMESPACE}/syncintegrations/{NAME}/status"
        assert heard.body == {
            "metadata": {"resourceVersion": "10", "uid": UID},
            "status": {"phase": "Syncing", "nextRunAt": None},
        }
        assert version == "42"

    @pytest.mark.parametrize("status", [409, 404])
    async def test_a_conflict_is_distinguished_from_other_errors(
        self, server: ApiServer, writer: Writer, integration: Integration, status: int
    ) -> None:
        server.refuses(status, "the object has been modified")
        with pytest.raises(StaleViewError, match="the object has been modified"):
            await writer.write_status(integration, {"phase": "Syncing"})

    @pytest.mark.parametrize("status", [401, 403, 422, 429, 500, 503])
    async def test_other_errors_are_raised_for_the_queue_s_backoff(
        self, server: ApiServer, writer: Writer, integration: Integration, status: int
    ) -> None:
        server.refuses(status, "not now")
        with pytest.raises(ApiException):
            await writer.write_status(integration, {"phase": "Syncing"})


CREATIONS = [
    pytest.param(CreateJob(RUN), "Job", id="Job"),
    pytest.param(CreateCache(), "PersistentVolumeClaim", id="cache"),
]


class TestCreation:
    async def test_a_job_is_created_under_its_name_with_strict_field_validation(
        self, server: ApiServer, writer: Writer, integration: Integration
    ) -> None:
        assert await writer.take(integration, CreateJob(RUN)) == "42"
        (heard,) = server.heard
        assert (heard.method, heard.path) == ("POST", JOBS)
        assert heard.query["fieldValidation"] == "Strict"
        assert heard.body["metadata"]["name"] == RUN.job_name
        assert "generateName" not in heard.body["metadata"]

    @pytest.mark.parametrize(("action", "kind"), CREATIONS)
    async def test_an_existing_job_of_the_sync_is_adopted(
        self, server: ApiServer, writer: Writer, integration: Integration, action: Action, kind: str
    ) -> None:
        server.refuses(409, "already exists", then=OURS)
        assert await writer.take(integration, action) == "77"

    @pytest.mark.parametrize(("action", "kind"), CREATIONS)
    async def test_a_foreign_job_is_left_alone_and_stalls_the_sync(
        self, server: ApiServer, writer: Writer, integration: Integration, action: Action, kind: str
    ) -> None:
        server.refuses(409, "already exists", then=FOREIGN)
        with pytest.raises(
            RefusedError, match=f"{kind} .* does not belong to this SyncIntegration: delete or rename it"
        ) as refused:
            await writer.take(integration, action)
        assert refused.value.needs_human
        assert {heard.method for heard in server.heard} == {"POST", "GET"}

    async def test_a_job_that_has_just_disappeared_is_looked_up_again(
        self, server: ApiServer, writer: Writer, integration: Integration
    ) -> None:
        server.refuses(409, "already exists")
        with pytest.raises(StaleViewError):
            await writer.take(integration, CreateJob(RUN))

    @pytest.mark.parametrize(("status", "needs_human"), [(400, True), (422, True), (403, False), (404, False)])
    @pytest.mark.parametrize(("action", "kind"), CREATIONS)
    async def test_a_refusal_has_the_api_server_s_message(
        self,
        server: ApiServer,
        writer: Writer,
        integration: Integration,
        action: Action,
        kind: str,
        status: int,
        needs_human: bool,
    ) -> None:
        server.refuses(status, "exceeded quota:\n no-jobs")
        with pytest.raises(RefusedError, match="exceeded quota: no-jobs") as refused:
            await writer.take(integration, action)
        assert refused.value.needs_human is needs_human

    @pytest.mark.parametrize("status", [429, 500, 503])
    @pytest.mark.parametrize(("action", "kind"), CREATIONS)
    async def test_a_failing_webhook_and_an_overloaded_api_server_refuse_temporarily(
        self, server: ApiServer, writer: Writer, integration: Integration, action: Action, kind: str, status: int
    ) -> None:
        server.refuses(status, 'failed calling webhook "policy.example": connection refused')
        with pytest.raises(RefusedError, match="failed calling webhook") as refused:
            await writer.take(integration, action)
        assert not refused.value.needs_human


class TestSuspension:
    @pytest.mark.parametrize("suspend", [True, False])
    async def test_the_observed_version_of_the_job_is_a_precondition(
        self, server: ApiServer, writer: Writer, integration: Integration, suspend: bool
    ) -> None:
        action = SuspendJob(RUN.job_name, "job-uid", "20", suspend=suspend)
        assert await writer.take(integration, action) == "42"
        (heard,) = server.heard
        assert (heard.method, heard.path) == ("PATCH", f"{JOBS}/{RUN.job_name}")
        assert heard.body == {
            "metadata": {
                "resourceVersion": "20",
                "uid": "job-uid",
                "annotations": {"tidegate.dev/suspended-by-operator": "true" if suspend else None},
            },
            "spec": {"suspend": suspend},
        }

    @pytest.mark.parametrize("status", [409, 404])
    async def test_a_changed_job_is_observed_again(
        self, server: ApiServer, writer: Writer, integration: Integration, status: int
    ) -> None:
        server.refuses(status, "the object has been modified")
        with pytest.raises(StaleViewError):
            await writer.take(integration, SuspendJob(RUN.job_name, "job-uid", "20", suspend=True))


class TestDeletion:
    async def test_the_job_s_uid_is_a_precondition_and_its_pods_are_deleted_too(
        self, server: ApiServer, writer: Writer, integration: Integration
    ) -> None:
        await writer.take(integration, DeleteJob(RUN.job_name, "job-uid", "20"))
        (heard,) = server.heard
        assert (heard.method, heard.path) == ("DELETE", f"{JOBS}/{RUN.job_name}")
        assert heard.body["preconditions"] == {"uid": "job-uid", "resourceVersion": "20"}
        assert heard.body["propagationPolicy"] == "Background"

    @pytest.mark.parametrize("status", [409, 404])
    async def test_a_missing_or_replaced_job_is_no_error(
        self, server: ApiServer, writer: Writer, integration: Integration, status: int
    ) -> None:
        server.refuses(status, "not found")
        await writer.take(integration, DeleteJob(RUN.job_name, "job-uid", "20"))


class TestATooDeeplyNestedTemplate:
    async def test_is_refused_with_a_message_and_nothing_is_sent(
        self, server: ApiServer, writer: Writer, integration: Integration
    ) -> None:
        nested: dict[str, Any] = {}
        for _ in range(9_000):
            nested = {"a": nested}
        deep = integration.spec.model_copy(update={"template": {"spec": nested}})
        with pytest.raises(RefusedError, match="nested too deeply") as refused:
            await writer.take(replace(integration, spec=deep), CreateJob(RUN))
        assert refused.value.needs_human
        assert server.heard == []
        assert deep.digest != integration.spec.digest


class TestEviction:
    EVICTION = EvictPod("younger", "pod-uid", "30")

    async def test_the_observed_version_of_the_pod_is_a_precondition(
        self, server: ApiServer, writer: Writer, integration: Integration
    ) -> None:
        server.answers = lambda heard: (201, {"kind": "Status", "status": "Success"})
        assert await writer.attempt(integration, self.EVICTION)
        (heard,) = server.heard
        assert (heard.method, heard.path) == ("POST", f"/api/v1/namespaces/{NAMESPACE}/pods/younger/eviction")
        assert heard.body["metadata"] == {"name": "younger", "namespace": NAMESPACE}
        assert heard.body["deleteOptions"]["preconditions"] == {"uid": "pod-uid", "resourceVersion": "30"}

    @pytest.mark.parametrize("status", [404, 409])
    async def test_a_changed_pod_is_observed_again(
        self, server: ApiServer, writer: Writer, integration: Integration, status: int
    ) -> None:
        server.refuses(status, "the object has been modified")
        with pytest.raises(StaleViewError):
            await writer.attempt(integration, self.EVICTION)

    @pytest.mark.parametrize(
        ("status", "words"),
        [(429, "it would violate the pod's disruption budget"), (403, "cannot create pods/eviction")],
    )
    async def test_a_refusal_is_reported_and_blocks_nothing(
        self,
        server: ApiServer,
        writer: Writer,
        integration: Integration,
        caplog: pytest.LogCaptureFixture,
        status: int,
        words: str,
    ) -> None:
        server.refuses(status, words)
        assert not await writer.attempt(integration, self.EVICTION)
        (line,) = caplog.messages
        assert line.startswith("cannot evict the Pod younger")
        assert line.endswith(words)


class TestLook:
    PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"

    def stored(self, server: ApiServer, job: dict[str, Any] | None, *phases: str, job_name: str = RUN.job_name) -> None:
        reference = {"apiVersion": "batch/v1", "kind": "Job", "name": job_name, "uid": "job-uid", "controller": True}
        metadata = {"name": "a", "uid": "a", "resourceVersion": "1", "creationTimestamp": "2026-11-24T12:00:00Z"}
        pods = [
            {
                "metadata": {**metadata, "ownerReferences": [reference]},
                "spec": {"containers": [{"name": "sync"}]},
                "status": {"phase": phase},
            }
            for phase in phases
        ]

        def answers(heard: Heard) -> tuple[int, dict[str, Any]]:
            if heard.path == self.PODS:
                return 200, {"items": pods, "metadata": {}}
            return (404, {"message": "not found"}) if job is None else (200, job)

        server.answers = answers

    @pytest.mark.parametrize(
        ("job", "phases", "absent"),
        [
            (None, (), True),
            (None, ("Succeeded", "Failed"), True),
            (None, ("Failed", "Running"), False),
            (None, ("Pending",), False),
            (OURS, (), False),
            (FOREIGN, (), True),  # so that its creation is tried, and the user told whose name it is
        ],
    )
    async def test_a_run_is_absent_when_it_has_neither_a_job_nor_a_live_pod(
        self,
        server: ApiServer,
        writer: Writer,
        integration: Integration,
        job: dict[str, Any] | None,
        phases: tuple[str, ...],
        absent: bool,
    ) -> None:
        self.stored(server, job, *phases)
        assert await writer.job_is_absent(integration, RUN.job_name) is absent
        assert {heard.method for heard in server.heard} == {"GET"}

    async def test_a_pod_with_similar_labels_is_ignored(
        self, server: ApiServer, writer: Writer, integration: Integration
    ) -> None:
        self.stored(server, None, "Running", job_name="of-somebody-else")
        assert await writer.job_is_absent(integration, RUN.job_name)

    async def test_an_unanswered_request_does_not_prove_absence(
        self, server: ApiServer, writer: Writer, integration: Integration
    ) -> None:
        server.answers = lambda heard: (500, {"message": "etcdserver: request timed out"})
        with pytest.raises(ApiException):
            await writer.job_is_absent(integration, RUN.job_name)


class TestEvents:
    async def test_an_event_is_about_the_integration(
        self, server: ApiServer, writer: Writer, integration: Integration
    ) -> None:
        await writer.take(integration, Announce("RunFailed", "x" * 5000, warning=True))
        (heard,) = server.heard
        assert (heard.method, heard.path) == ("POST", f"/apis/events.k8s.io/v1/namespaces/{NAMESPACE}/events")
        assert (heard.body["type"], heard.body["reason"], heard.body["note"]) == ("Warning", "RunFailed", "x" * 1024)
        assert heard.body["regarding"]["uid"] == UID

    async def test_a_failed_event_is_no_error(
        self, server: ApiServer, writer: Writer, integration: Integration
    ) -> None:
        server.refuses(403, "no events in a terminating namespace")
        assert not await writer.attempt(integration, Announce("TurnedOff", "OFF is honoured"))


class TestAJobWithoutItsLabels:
    """Whoever takes its labels or annotations away hides it from the watch, and OFF would never be honoured."""

    async def test_is_relabelled_with_the_observed_version_as_precondition(
        self, server: ApiServer, writer: Writer, integration: Integration
    ) -> None:
        claimed = replace(integration, status=integration.status.model_copy(update={"run": RUN}))
        server.answers = lambda heard: (200, OURS | {"metadata": OURS["metadata"] | {"name": RUN.job_name, "uid": "j"}})
        assert not await writer.job_is_absent(claimed, RUN.job_name)
        patch = server.heard[-1]
        assert (patch.method, patch.path) == ("PATCH", f"{JOBS}/{RUN.job_name}")
        assert patch.body["metadata"]["resourceVersion"] == "77"
        assert patch.body["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "tidegate"
        assert patch.body["metadata"]["annotations"]["tidegate.dev/run-kind"] == RUN.kind

    async def test_is_left_alone_while_it_has_its_labels(
        self, server: ApiServer, writer: Writer, integration: Integration
    ) -> None:
        claimed = replace(integration, status=integration.status.model_copy(update={"run": RUN}))
        rendered = job(claimed, RUN, SETTINGS)["metadata"]
        server.answers = lambda heard: (200, {"metadata": {**rendered, "uid": "j", "resourceVersion": "77"}})
        assert not await writer.job_is_absent(claimed, RUN.job_name)
        assert [heard.method for heard in server.heard] == ["GET"]
