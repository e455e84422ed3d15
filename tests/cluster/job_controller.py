"""What Kubernetes' Job controller does wrong, played while the real one stands still."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from cluster.namespace import Namespace, Object
from devcluster import process
from devcluster.cluster import Cluster


@contextmanager
def standing_still(control_plane: Cluster) -> Iterator[None]:
    """Stop the controller manager, so that nothing corrects what is played."""
    (manager,) = (d for d in process.recorded(control_plane.directory) if d.name == "kube-controller-manager")
    manager.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        manager.signal(signal.SIGCONT)


def make_second_pod(namespace: Namespace) -> Object:
    """Make another Pod of the Job whose Pod there is, as the Job controller does on an old view of it."""
    (first,) = (pod for pod in namespace.pods() if pod["status"]["phase"] == "Running")
    metadata = {key: first["metadata"][key] for key in ("labels", "annotations", "ownerReferences")}
    spec = {key: value for key, value in first["spec"].items() if key != "nodeName"}
    # Of two that were made within a second the one whose name comes first goes on.
    second = {**metadata, "name": f"{first['metadata']['name'].rpartition('-')[0]}-zzzzz"}
    return namespace.create_object({"apiVersion": "v1", "kind": "Pod", "metadata": second, "spec": spec})
