"""A cluster with Tidegate in it: the development cluster, our images, and the Helm chart as users install it."""

import subprocess
from pathlib import Path

from demo.errors import DemoError
from devcluster import front, images, toolchain
from devcluster.front import DevelopmentCluster
from devcluster.paths import ROOT
from devcluster.progress import Reporter

NAMESPACE = "tidegate-system"
RELEASE = "tidegate"
CHART = ROOT / "charts" / "tidegate"


def install(cluster_name: str, progress: Reporter) -> DevelopmentCluster:
    """The named cluster, with the images and the chart of this checkout; what is there already is kept."""
    cluster = front.up(cluster_name, progress=progress)
    cluster.load_images(images.ALL, progress)
    with progress.step("Installing the Helm chart"):
        install_chart(cluster.kubeconfig)
    return cluster


def install_chart(kubeconfig: Path, *options: str) -> None:
    """Install or upgrade the chart, and wait until the operator serves; `options` are Helm's."""
    # The tag is always the same; the fingerprint replaces the operator's Pod when the image has changed.
    fingerprint = images.OPERATOR.fingerprint()
    helm(
        kubeconfig,
        *("upgrade", "--install", RELEASE, str(CHART), f"--namespace={NAMESPACE}", "--create-namespace"),
        *("--set", "operator.image.tag=dev,worker.image.tag=dev"),
        *("--set-string", f"operator.podAnnotations.image={fingerprint}"),
        *("--wait", "--timeout=5m", *options),
    )


def helm(kubeconfig: Path, *arguments: str) -> str:
    """Run Helm on a cluster; return what it prints."""
    command = [str(toolchain.helm()), f"--kubeconfig={kubeconfig}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise DemoError(f"`helm {' '.join(arguments)}` failed:\n{done.stderr.rstrip()}")
    return done.stdout
