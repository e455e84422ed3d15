"""The work of a start grows with the number of resources, and not with its square."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from cluster.namespace import Namespace
from cluster.operator_process import OperatorProcess
from devcluster.cluster import Cluster

SIZES = (40, 160, 640)


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


def test_the_work_of_a_start_grows_no_faster_than_the_number_of_resources(
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
