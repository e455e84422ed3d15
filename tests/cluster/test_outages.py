"""What ends the operator is said in one sentence, not in tracebacks."""

import subprocess

from cluster.namespace import Namespace
from cluster.operator_process import OperatorProcess
from devcluster.cluster import Cluster
from devcluster.paths import ROOT
from devcluster.toolchain import kubectl


def test_a_deleted_definition_is_reported_by_name(
    control_plane: Cluster, namespace: Namespace, operator: OperatorProcess
) -> None:
    namespace.create_integration(status="OFF")
    namespace.wait_phase("Off")
    delete = ("delete", "customresourcedefinition", "syncintegrations.tidegate.dev")
    subprocess.run([kubectl(), f"--kubeconfig={control_plane.kubeconfig}", *delete], check=True)
    try:
        assert operator.wait() == 1
    finally:
        Namespace.install_definition(control_plane.kubeconfig, kubectl(), ROOT / "crds")
    assert "Traceback" not in operator.log()
    assert "the CustomResourceDefinition was deleted" in operator.log().splitlines()[-1]
