"""docs/how-to.md, Kueue: a real Kueue decides when runs start, and the operator leaves that to it."""

from collections.abc import Iterator

import pytest
import yaml

from cluster.fault_proxy import FaultProxy
from cluster.kueue_controller import API_VERSION, QUEUE_LABEL, Kueue, Queue
from cluster.namespace import NAME, Namespace, Object, condition, wait_for
from cluster.played_node import PlayedNode
from devcluster.cluster import Cluster
from documentation.pages import Page

pytestmark = pytest.mark.usefixtures("proxied_operator")

HELD = "run 1 cannot start yet: its Job is suspended by Kueue, in the queue sales"
RESUMED = (
    "waiting for run 1 to finish before turning OFF: its Job was suspended to pause it, and was resumed by Kueue, in "
    "the queue sales"
)
TAKING = "taking"


@pytest.fixture(scope="module")
def kueue(control_plane: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kueue]:
    """Kueue, installed."""
    with Kueue(control_plane, tmp_path_factory.mktemp("kueue")) as serving:
        yield serving


@pytest.fixture
def template() -> Object:
    """The page's."""
    (block,) = Page.read("docs/how-to.md").section("Let Kueue decide when runs start").blocks("yaml")
    found: Object = yaml.safe_load(block)["spec"]["template"]
    return found


@pytest.fixture
def queue(kueue: Kueue, namespace: Namespace, template: Object) -> Iterator[Queue]:
    """The page's queue, with room for one run."""
    with kueue.queue(namespace.name, **requests(template)) as made:
        made.lead_from(namespace, template["metadata"]["labels"][QUEUE_LABEL])
        yield made


@pytest.fixture
def taker(control_plane: Cluster, queue: Queue, template: Object) -> Iterator[Namespace]:
    """Another team's namespace, whose Job has taken all of the queue's room."""
    with Namespace.create(control_plane.kubeconfig, "taker") as namespace:
        queue.lead_from(namespace, "reports")
        container = {
            "name": "report",
            "image": "registry.example/report",
            "resources": {"requests": requests(template)},
        }
        namespace.create_object(
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": {"name": TAKING, "labels": {QUEUE_LABEL: "reports"}},
                "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}},
            }
        )
        wait_for("its admission", lambda: [w for w in workloads(namespace) if is_admitted(w)])
        yield namespace


def workloads(namespace: Namespace) -> list[Object]:
    """Kueue's own view of the Jobs of a namespace."""
    return namespace.objects(API_VERSION, "Workload")


def is_admitted(workload: Object) -> bool:
    return condition(workload.get("status", {}), "Admitted").get("status") == "True"


def requests(template: Object) -> dict[str, str]:
    """What a run of the page's template requests."""
    (container,) = template["spec"]["containers"]
    found: dict[str, str] = container["resources"]["requests"]
    return found


def wait_held(namespace: Namespace) -> None:
    """Wait until the status says that Kueue holds the run."""
    status = namespace.wait_until("the holder", lambda status: status["message"] == HELD)
    assert (status["phase"], condition(status, "Ready")["reason"]) == ("Waiting", "JobHeld")


def held_events(namespace: Namespace) -> list[Object]:
    return [event for event in namespace.events() if event["reason"] == "JobHeld"]


def suspensions(proxy: FaultProxy) -> list[object]:
    """What the operator has written to `suspend` of Jobs."""
    bodies = [request.body for request in proxy.writes if "/jobs" in request.path and request.method != "DELETE"]
    return [body["spec"]["suspend"] for body in bodies if "suspend" in body.get("spec", {})]


def test_a_run_starts_when_kueue_admits_it(
    queue: Queue, template: Object, namespace: Namespace, node: PlayedNode, proxy: FaultProxy
) -> None:
    node.end_every_run()
    namespace.create_integration(status="ON", delay="1s", template=template)
    status = namespace.wait_until("three runs", lambda status: status.get("lastRun", {}).get("number", 0) >= 3)
    assert {entry["mark"] for entry in status["recentActivity"]} == {"✓"}
    assert suspensions(proxy) == []


def test_a_run_waits_until_the_queue_has_room(
    taker: Namespace, template: Object, namespace: Namespace, node: PlayedNode, proxy: FaultProxy
) -> None:
    namespace.create_integration(status="ON", delay="1h", template=template)
    wait_held(namespace)
    wait_for("an Event", lambda: held_events(namespace))
    assert namespace.pods() == []
    uid = namespace.job(1)["metadata"]["uid"]
    taker.delete("batch/v1", "Job", TAKING)
    namespace.wait_phase("Syncing")
    node.end(1)
    assert namespace.wait_ended(1)["mark"] == "✓"
    assert [job["metadata"]["uid"] for job in namespace.jobs()] == [uid]
    assert [event["type"] for event in held_events(namespace)] == ["Normal"]
    assert suspensions(proxy) == []


def test_off_cancels_a_run_that_kueue_never_admitted(
    taker: Namespace, template: Object, namespace: Namespace, node: PlayedNode, proxy: FaultProxy
) -> None:
    namespace.create_integration(status="ON", delay="1h", template=template)
    wait_held(namespace)
    namespace.patch(status="OFF")
    status = namespace.wait_phase("Off")
    assert status["message"] == "OFF: no sync is running"
    assert namespace.jobs() == []
    assert suspensions(proxy) == []


def test_a_run_that_kueue_resumes_is_suspended_once(
    queue: Queue, template: Object, namespace: Namespace, node: PlayedNode, proxy: FaultProxy
) -> None:
    namespace.create_integration(status="ON", delay="1h", offPolicy="PauseRun", template=template)
    wait_for("a running Pod", lambda: [pod for pod in namespace.pods() if pod["status"]["phase"] == "Running"])
    namespace.patch(status="OFF")
    status = namespace.wait_until("the resumption", lambda status: "was resumed by" in status["message"])
    assert (status["phase"], status["message"]) == ("TurningOff", RESUMED)
    assert namespace.job(1)["spec"]["suspend"] is False
    assert suspensions(proxy) == [True]
    namespace.delete("tidegate.dev/v1alpha1", "SyncIntegration", NAME)  # while there is a node to end its Pod
    wait_for("the end of its Workload", lambda: not workloads(namespace))


def evict(namespace: Namespace, template: Object, queue: Queue) -> Object:
    """A first run that Kueue has evicted in the middle; return its Job."""
    namespace.create_integration(status="ON", delay="1h", template=template)
    wait_for("a running Pod", lambda: [pod for pod in namespace.pods() if pod["status"]["phase"] == "Running"])
    namespace.wait_phase("Syncing")
    queue.set_stop_policy("HoldAndDrain")
    wait_held(namespace)
    wait_for("the end of its Pod", lambda: not namespace.pods())
    return namespace.job(1)


def test_an_evicted_run_continues_when_kueue_admits_it_again(
    queue: Queue, template: Object, namespace: Namespace, node: PlayedNode, proxy: FaultProxy
) -> None:
    uid = evict(namespace, template, queue)["metadata"]["uid"]
    queue.set_stop_policy("None")
    namespace.wait_phase("Syncing")
    node.end(1)
    assert namespace.wait_ended(1)["mark"] == "✓"
    assert [job["metadata"]["uid"] for job in namespace.jobs()] == [uid]
    assert suspensions(proxy) == []


def test_off_waits_for_an_evicted_run_to_finish(
    queue: Queue, template: Object, namespace: Namespace, node: PlayedNode, proxy: FaultProxy
) -> None:
    evict(namespace, template, queue)
    namespace.patch(status="OFF")
    status = namespace.wait_phase("TurningOff")
    assert status["message"] == (
        "waiting for run 1 to finish, but it cannot start again: its Job is suspended by Kueue, in the queue sales; "
        "offPolicy PauseRun pauses it instead"
    )
    queue.set_stop_policy("None")
    node.end(1)
    status = namespace.wait_phase("Off")
    assert status["activity"].startswith("✓ run 1")
    assert suspensions(proxy) == []
