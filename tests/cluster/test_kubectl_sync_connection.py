"""What `kubectl sync` makes of an API server that loses its patience, its memory or its connections."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import pytest
from kubernetes import client

from cluster.command_line import CommandLine
from cluster.namespace import API_VERSION, KIND, NAME, Namespace
from devcluster.cluster import Cluster as ControlPlane
from tidegate.api.spec import Mode
from tidegate.cli.apply import carry_out
from tidegate.cli.cluster.client import ChangedMeanwhileError, Cluster
from tidegate.cli.cluster.kubeconfig import Connection
from tidegate.cli.cluster.list_watch import Follower, Gone
from tidegate.cli.decisions.change import TurnOff, TurnOn
from tidegate.cli.decisions.integration import Key
from tidegate.cli.display.screen import Screen
from tidegate.cli.errors import ExitCode
from tidegate.cli.invocation import Invocation
from tidegate.cli.selection import Chosen, Scope


class Line:
    """The line to the API server, which can be cut."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self.calls = 0
        self.dead = False  # nobody answers

    @property
    def address(self) -> str:
        host, port = self._listener.getsockname()
        return f"https://{host}:{port}"

    def cut(self) -> None:
        """Break all connections; new ones can be made."""
        ends, self._ends = self._ends, []
        for end in ends:
            with contextlib.suppress(OSError):  # closed already
                end.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        threading.Thread(target=self._connect, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _connect(self) -> None:
        with contextlib.suppress(OSError):  # the listener is closed
            while True:
                caller, _ = self._listener.accept()
                if self.dead:
                    caller.close()
                    continue
                server = socket.create_connection(self._server)
                self.calls += 1
                self._ends += [caller, server]
                for source, target in ((caller, server), (server, caller)):
                    threading.Thread(target=_carry, args=(source, target), daemon=True).start()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def line(control_plane: ControlPlane) -> Iterator[Line]:
    server = urlsplit(json.loads(control_plane.kubeconfig.read_text())["clusters"][0]["cluster"]["server"])
    assert server.hostname
    assert server.port
    with Line(server.hostname, server.port) as connected:
        yield connected


@pytest.fixture
def sync(control_plane: ControlPlane, namespace: Namespace, line: Line, tmp_path: Path) -> CommandLine:
    """`kubectl sync` over that line."""
    content = json.loads(control_plane.kubeconfig.read_text())
    cluster = content["clusters"][0]["cluster"]
    cluster |= {"server": line.address, "tls-server-name": urlsplit(cluster["server"]).hostname}
    kubeconfig = tmp_path / "over-the-line"
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_text(json.dumps(content))
    return CommandLine.open(kubeconfig, namespace.name, tmp_path)


@pytest.fixture
def cluster(control_plane: ControlPlane, namespace: Namespace, tmp_path: Path) -> Cluster:
    """The client's own view of the cluster."""
    own = CommandLine.open(control_plane.kubeconfig, namespace.name, tmp_path).kubeconfig
    return Cluster.connect(Connection(str(own)))


def play(namespace: Namespace, phase: str, *, generation: int = 1, **status: Any) -> None:
    """Write a status, as the operator would."""
    ready = "True" if phase in ("Off", "Waiting") else "False"
    condition = {"type": "Ready", "status": ready, "reason": "Played", "message": "as played"}
    times = {"observedGeneration": generation, "lastTransitionTime": "2026-11-24T12:00:00Z"}
    said = {"observedGeneration": generation, "phase": phase, "message": "as played", **status}
    namespace.client.resources.get(api_version=API_VERSION, kind=KIND).status.patch(
        name=NAME,
        namespace=namespace.name,
        body={"status": {**said, "conditions": [{**condition, **times}]}},
        content_type="application/merge-patch+json",
    )


def test_a_watch_outlives_its_connections(namespace: Namespace, line: Line, sync: CommandLine) -> None:
    namespace.create_integration(status="ON")
    watching = sync.start("watch")
    watching.hear_out("contacts: the operator has not picked it up yet")
    for phase in ("Syncing", "Waiting", "Off"):
        before = line.calls
        line.cut()
        play(namespace, phase)
        watching.hear_out(f"contacts: {phase}: as played")
        assert line.calls > before
    watching.interrupt()
    assert watching.end().code == 0


def test_a_wait_continues_after_the_connection_is_cut(namespace: Namespace, line: Line, sync: CommandLine) -> None:
    namespace.create_integration(status="ON")
    turning_off = sync.start("off", "contacts", "--wait")
    turning_off.hear_out("turning OFF")
    play(namespace, "TurningOff", generation=2)
    turning_off.hear("contacts: TurningOff: as played")
    line.cut()
    play(namespace, "Off", generation=2)
    done = turning_off.end()
    assert (done.code, "cannot be reached" in done.err) == (0, False)


def test_a_wait_outlives_the_api_server(namespace: Namespace, line: Line, sync: CommandLine) -> None:
    namespace.create_integration(status="ON")
    turning_off = sync.start("off", "contacts", "--wait")
    turning_off.hear_out("turning OFF")
    play(namespace, "TurningOff", generation=2)
    turning_off.hear("contacts: TurningOff: as played")
    line.dead = True
    line.cut()
    assert turning_off.hear("the API server cannot be reached").endswith("; retrying\n")
    play(namespace, "Off", generation=2)
    line.dead = False
    assert turning_off.end().code == 0


def test_a_watch_with_an_expired_resource_version_restarts(namespace: Namespace, cluster: Cluster) -> None:
    namespace.create_integration(status="ON")
    gone = Key(namespace.name, "somebody-else")
    list_them = client.CustomObjectsApi(cluster.api).list_namespaced_custom_object
    listing = partial(list_them, "tidegate.dev", "v1alpha1", namespace.name, "syncintegrations")
    changes = Follower(listing, {gone}, version="1").changes()
    assert next(changes) == Gone(gone)
    body = next(changes)
    assert isinstance(body, dict)
    assert body["metadata"]["name"] == "contacts"


def test_a_decision_on_a_stale_view_is_not_written(namespace: Namespace, cluster: Cluster) -> None:
    namespace.create_integration(status="ON")
    seen = cluster.get(Key(namespace.name, "contacts"))
    namespace.patch(delay="1h")
    with pytest.raises(ChangedMeanwhileError):
        cluster.patch(seen, TurnOff().change(seen))
    assert namespace.integration()["spec"]["status"] == "ON"


def test_a_stale_decision_is_made_again_on_the_current_state(
    namespace: Namespace, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    namespace.create_integration(status="OFF")
    seen = cluster.get(Key(namespace.name, "contacts"))
    activation = {"number": 1, "mode": "FutureOnly", "reset": False, "startedAt": "2026-11-24T12:00:00Z"}
    namespace.patch(status="ON", mode="FutureOnly")  # by somebody who is quicker
    play(namespace, "Syncing", generation=2, activation=activation)
    wish = TurnOn("now", Mode.PAST_AND_FUTURE)
    code = carry_out(Invocation(cluster, Scope(), Screen()), Chosen([seen]), wish)
    assert code is ExitCode.FAILED
    assert "it was turned ON with FutureOnly" in capsys.readouterr().err
