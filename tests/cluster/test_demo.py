"""How the demo begins on a cluster where it was played before, and how it ends, without what lies between."""

import re
import time
from collections.abc import Iterator

import pytest

from cluster.namespace import Namespace, connect, wait_for
from demo import epilogue, story
from demo.kubectl import Kubectl
from demo.screen import Screen
from devcluster.cluster import Cluster
from devcluster.toolchain import kubectl


@pytest.fixture
def played(control_plane: Cluster) -> Iterator[Namespace]:
    """The namespace that the demo leaves behind."""
    namespace = Namespace(story.NAMESPACE, connect(control_plane.kubeconfig))
    namespaces = namespace.client.resources.get(api_version="v1", kind="Namespace")
    namespaces.create(body={"metadata": {"name": story.NAMESPACE}})
    yield namespace
    namespaces.delete(name=story.NAMESPACE)
    wait_for(
        "the end of the namespace", lambda: story.NAMESPACE not in [n.metadata.name for n in namespaces.get().items]
    )


def test_it_ends_with_the_path_of_the_plugin(
    control_plane: Cluster, played: Namespace, capsys: pytest.CaptureFixture[str]
) -> None:
    played.create_integration(status="ON")
    epilogue.show(Screen(), control_plane.kubeconfig, time.monotonic())
    said = capsys.readouterr().out
    assert re.search(r"^   \$ kubectl sync status contacts -n demo\n   Name +demo/contacts$", said, re.M)
    assert f"   export KUBECONFIG={control_plane.kubeconfig} PATH={epilogue.PLUGIN.parent}:" in said
    assert said.rstrip().endswith("`make demo-down` removes the cluster.")


def test_it_detects_an_earlier_run_of_the_demo(control_plane: Cluster, played: Namespace) -> None:
    assert story.exists(Kubectl(kubectl(), control_plane.kubeconfig, story.NAMESPACE, Screen()))


def test_it_detects_that_the_demo_has_never_run(control_plane: Cluster) -> None:
    namespaces = connect(control_plane.kubeconfig).resources.get(api_version="v1", kind="Namespace")
    assert story.NAMESPACE not in [namespace.metadata.name for namespace in namespaces.get().items]
    assert not story.exists(Kubectl(kubectl(), control_plane.kubeconfig, story.NAMESPACE, Screen()))
