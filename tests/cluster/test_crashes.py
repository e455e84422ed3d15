"""The operator is killed, or its writes go wrong, at every write of a full life: the end is always the same.

A write is disturbed the first time that it is tried, and passed on the next time, so that one life has every one of
its writes disturbed. A life with a single disturbed write for each is what `make test-long` adds.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster.fault_proxy import Fault, FaultProxy, Request
from cluster.lifecycle import RUNS, Life, live, without_times
from cluster.namespace import Namespace
from cluster.operator_process import OperatorProcess
from cluster.played_node import PlayedNode
from devcluster.cluster import Cluster


def identity(request: Request) -> str:
    """The same for a write and its repetition."""
    return json.dumps([request.method, request.path, without_times(request.body)], sort_keys=True)


def says_only(write: Request) -> bool:
    """Whether a write only says how things stand: an operator that is down at that moment has nothing to write later.

    An Event that is lost with its operator is not repeated either.
    """
    if write.path.endswith("/events"):
        return True
    said = write.body.get("status", {}) if write.path.endswith("/status") else {}
    return bool(said) and (
        said.keys() <= {"conditions", "message", "activity"} or said == {"run": {"interrupted": True}}
    )


class EachOnce:
    """Disturbs each write the first time that it is tried."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.disturbed: set[str] = set()

    def __call__(self, request: Request) -> Fault | None:
        if identity(request) in self.disturbed:
            return None
        self.disturbed.add(identity(request))
        return self.fault


class OneWrite:
    """Disturbs one write of a life, by its number."""

    def __init__(self, fault: Fault, number: int) -> None:
        self.fault = fault
        self.number = number
        self.count = 0

    def __call__(self, request: Request) -> Fault | None:
        self.count += 1
        return self.fault if self.count == self.number else None


@contextmanager
def world(
    control_plane: Cluster, proxy: FaultProxy, title: str, directory: Path
) -> Iterator[tuple[Namespace, PlayedNode]]:
    """A namespace, a node and an operator that comes back when it is killed."""
    options = ("--request-timeout=1",)
    with (
        Namespace.create(control_plane.kubeconfig, title) as namespace,
        PlayedNode(control_plane.kubeconfig, namespace.name) as node,
        OperatorProcess(proxy.kubeconfig, namespace.name, directory / "operator.log", *options) as operator,
    ):
        proxy.kill = operator.restart
        yield namespace, node


@pytest.fixture(scope="module")
def undisturbed(control_plane: Cluster, tmp_path_factory: pytest.TempPathFactory) -> tuple[Life, list[Request]]:
    """How it goes when nothing goes wrong, and the writes that it takes."""
    directory = tmp_path_factory.mktemp("undisturbed")
    with (
        FaultProxy(control_plane.kubeconfig, directory) as proxy,
        world(control_plane, proxy, "undisturbed", directory) as (namespace, node),
    ):
        return live(namespace, node), proxy.writes


def test_an_undisturbed_life(undisturbed: tuple[Life, list[Request]]) -> None:
    life, _ = undisturbed
    assert life.pods_at_once == 1
    assert life.pods_of_run == {run: 2 if run == 4 else 1 for run in range(1, RUNS + 1)}
    assert [(run, epoch) for run, _, epoch in life.jobs] == [(run, "1" if run < 5 else "5") for run in range(1, 9)]
    assert life.activity[2] == (6, "Incremental", "Failed")
    assert life.status["phase"] == "Off"


@pytest.mark.parametrize("fault", Fault)
def test_each_write_disturbed_once_changes_nothing(
    control_plane: Cluster,
    proxy: FaultProxy,
    undisturbed: tuple[Life, list[Request]],
    tmp_path: Path,
    fault: Fault,
) -> None:
    expected, writes = undisturbed
    choice = EachOnce(fault)
    proxy.choose = choice
    with world(control_plane, proxy, f"each-{fault.name}", tmp_path) as (namespace, node):
        assert live(namespace, node) == expected
    needed = {identity(write) for write in writes if not says_only(write)}
    assert len(choice.disturbed) >= len(needed)


@pytest.mark.long
@pytest.mark.parametrize("fault", Fault)
def test_any_single_disturbed_write_changes_nothing(
    control_plane: Cluster, undisturbed: tuple[Life, list[Request]], tmp_path: Path, fault: Fault
) -> None:
    expected, writes = undisturbed
    for number in range(1, len(writes) + 1):
        directory = tmp_path / str(number)
        directory.mkdir()
        with FaultProxy(control_plane.kubeconfig, directory) as proxy:
            proxy.choose = OneWrite(fault, number)
            with world(control_plane, proxy, f"one-{fault.name}-{number}", directory) as (namespace, node):
                assert live(namespace, node) == expected, f"write {number} of {len(writes)}"
