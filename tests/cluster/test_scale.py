"""The work of a start grows with the number of resources, and not with its square. Ten thousand are no trouble."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from cluster.etcd import Etcd
from cluster.namespace import PATIENCE, Namespace, wait_for
from cluster.operator_process import OperatorProcess
from devcluster.cluster import Cluster
from devcluster.free_port import free_port

SIZES = (40, 160, 640)
MANY = (2_500, 5_000, 10_000)
# An operator that counts its calls works for a minute on so many, and a busy machine has little time for it.
_PATIENCE_WITH_MANY = 8 * PATIENCE


@pytest.fixture
def namespaces(control_plane: Cluster) -> Iterator[list[Namespace]]:
    """A namespace for each size, with so many integrations that no operator has seen."""
    with ExitStack() as stack:
        creators = stack.enter_context(ThreadPoolExecutor(8))
        opened = [stack.enter_context(Namespace.create(control_plane.kubeconfig, f"scale-{size}")) for size in SIZES]
        for namespace, size in zip(opened, SIZES, strict=True):
            for created in [
                creators.submit(namespace.create_integration, f"sync-{n}", status="OFF") for n in range(size)
            ]:
                created.result()
        yield opened


def calls_of_a_start(control_plane: Cluster, namespace: Namespace, directory: Path, last: str) -> int:
    """Start the operator, let it look at everything, end it; return how many functions it has called.

    `last` names an integration that is made now. The queue is first in, first out, so all others come before it.
    """
    file = directory / f"{namespace.name}.calls"
    log = directory / "operator.log"
    with OperatorProcess(control_plane.kubeconfig, namespace.name, log, counted_in=file) as operator:
        namespace.create_integration(last, status="OFF")
        namespace.wait_phase("Off", last)
        assert operator.stop() == 0
    return int(file.read_text())


def test_the_work_of_a_start_does_not_grow_faster_than_the_number_of_resources(
    control_plane: Cluster, namespaces: list[Namespace], tmp_path: Path
) -> None:
    for start in ("the first, which writes each status", "a later one, which writes nothing"):
        few, more, many = (
            calls_of_a_start(control_plane, namespace, tmp_path, f"z-{start[0]}") for namespace in namespaces
        )
        among_few = (more - few) / (SIZES[1] - SIZES[0])
        among_many = (many - more) / (SIZES[2] - SIZES[1])
        assert among_many < 1.5 * among_few, (
            f"{start}: a resource costs {among_few:.0f} calls among few, and {among_many:.0f} among many"
        )


class Health:
    """What an operator's endpoint answers, and whether it has ever said that it is not well."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.complaints: list[str] = []

    def ready(self) -> bool:
        """Ask for both; an operator that does not listen yet is neither ill nor ready."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/healthz"):
                pass
        except urllib.error.HTTPError as error:
            self.complaints.append(error.read().decode())
        except OSError:
            return False
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/readyz"):
                return True
        except urllib.error.HTTPError:
            return False

    def reconciled(self) -> int:
        """How many passes over an integration there have been."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        passes = next(line for line in lines if line.startswith("tidegate_reconcile_duration_seconds_count"))
        return int(float(passes.split()[1]))


def test_an_operator_restarts_among_ten_thousand_resources(
    control_plane: Cluster, namespace: Namespace, tmp_path: Path
) -> None:
    log, calls = tmp_path / "operator.log", []
    with OperatorProcess(control_plane.kubeconfig, namespace.name, log):
        namespace.create_integration("idle", status="OFF")
        namespace.wait_phase("Off", "idle")
    stored = 0
    for size in MANY:
        names = [f"idle-{number:05}" for number in range(stored, size)]
        Etcd(control_plane.kubeconfig).copy("tidegate.dev", "syncintegrations", namespace.name, "idle", names)
        stored, last, file = size, f"z-{size}", tmp_path / f"{size}.calls"
        versions = [namespace.integration(name)["metadata"]["resourceVersion"] for name in (names[0], names[-1])]
        namespace.create_integration(last, status="ON")
        port = free_port()
        health = Health(port)
        options = (f"--port={port}",)
        with OperatorProcess(control_plane.kubeconfig, namespace.name, log, *options, counted_in=file) as operator:
            wait_for("an operator that sees all of them", health.ready, patience=_PATIENCE_WITH_MANY)
            namespace.wait_until("the run that was due", lambda status: status.get("run"), last)
            assert not health.complaints
            assert health.reconciled() < 1.1 * size
            assert operator.stop() == 0
        calls.append(int(file.read_text()))
        assert versions == [
            namespace.integration(name)["metadata"]["resourceVersion"] for name in (names[0], names[-1])
        ], "a restart writes nothing about those that are idle"
    few, more, many = calls
    among_few, among_many = (more - few) / (MANY[1] - MANY[0]), (many - more) / (MANY[2] - MANY[1])
    assert among_many < 1.3 * among_few, (
        f"a resource costs {among_few:.0f} calls among few, and {among_many:.0f} among many"
    )
