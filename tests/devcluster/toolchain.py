"""The programs of the cluster, built from Go modules at pinned versions and kept in the user's cache."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.lock import file_lock
from devcluster.paths import HERE, cache_home
from devcluster.progress import Advance, Reporter, Silent


@dataclass(frozen=True)
class GoTool:
    """A program that `go` builds.

    Its version is either pinned here, and the Go checksum database vouches for it, or by a go.mod and go.sum of ours,
    where `go install` cannot do (a module with replace directives, or a main package of our own).
    """

    name: str
    package: str
    version: str
    module: Path | None = None  # the directory of our go.mod
    ldflags: str = "-s -w"
    cost: str = "a minute or less the first time"  # as measured on two cores

    @property
    def path(self) -> Path:
        return cache_home() / "bin" / f"{self.name}-{self.version}" / self.name


def _required_version(module: Path, dependency: str) -> str:
    found = re.search(rf"^\s*(?:require )?{re.escape(dependency)} (v\S+)", (module / "go.mod").read_text(), re.M)
    if found is None:
        raise DevclusterError(f"{module / 'go.mod'} does not require {dependency}")
    return found.group(1)


_KUBERNETES = _required_version(HERE, "k8s.io/kubernetes")
_MAJOR, _MINOR = _KUBERNETES.removeprefix("v").split(".")[:2]
# Without these the version is a placeholder that clients fail to parse.
_KUBERNETES_LDFLAGS = f"-s -w -X k8s.io/component-base/version.gitVersion={_KUBERNETES}" + (
    f" -X k8s.io/component-base/version.gitMajor={_MAJOR} -X k8s.io/component-base/version.gitMinor={_MINOR}"
)
_GITOPS = HERE.parent / "cluster" / "gitops"
_CONTAINERD, _CONTAINERD_VERSION = "github.com/containerd/containerd/v2/cmd", "v2.4.2"


def _kubernetes(name: str, cost: str = GoTool.cost) -> GoTool:
    return GoTool(name, f"k8s.io/kubernetes/cmd/{name}", _KUBERNETES, HERE, _KUBERNETES_LDFLAGS, cost)


def _flux(name: str, cost: str = GoTool.cost) -> GoTool:
    package, module = f"github.com/fluxcd/{name}", _GITOPS / "flux"
    return GoTool(name, package, _required_version(module, package), module, cost=cost)


def _own(name: str, module: Path, cost: str = GoTool.cost) -> GoTool:
    """A main package of ours, whose version is what it is built from."""
    digest = hashlib.sha256()
    for file in sorted(module.glob("*.*")):
        digest.update(file.read_bytes())
    return GoTool(name, ".", digest.hexdigest()[:12], module, cost=cost)


_TOOLS = {
    tool.name: tool
    for tool in (
        _kubernetes("kube-apiserver", "the longest: 6 minutes and 1.4 GB of Go modules the first time"),
        _kubernetes("kube-controller-manager"),
        _kubernetes("kube-scheduler"),
        _kubernetes("kubelet"),
        _kubernetes("kube-proxy"),
        _kubernetes("kubectl"),
        # The flags are not etcd's, but with the same ones Go builds the packages they share only once.
        GoTool(
            "etcd",
            "go.etcd.io/etcd/server/v3",
            _required_version(HERE, "go.etcd.io/etcd/server/v3"),
            HERE,
            _KUBERNETES_LDFLAGS,
        ),
        GoTool("containerd", f"{_CONTAINERD}/containerd", _CONTAINERD_VERSION),
        GoTool("containerd-shim-runc-v2", f"{_CONTAINERD}/containerd-shim-runc-v2", _CONTAINERD_VERSION),
        GoTool("ctr", f"{_CONTAINERD}/ctr", _CONTAINERD_VERSION),
        GoTool("local-path-provisioner", "github.com/rancher/local-path-provisioner", "v0.0.30"),
        _own("coredns", HERE / "dns"),
        _own("pause", HERE / "pause"),
        _own("kstatus", HERE.parent / "cluster" / "kstatus"),
        _own("kueue", HERE.parent / "cluster" / "kueue", "5 minutes the first time"),
        _own("prometheusoperator", HERE.parent / "cluster" / "prometheusoperator"),
        _own("pocketbase", HERE.parent / "worker" / "real" / "pocketbase", "2 minutes the first time"),
        _own("argocd-engine", _GITOPS / "argocd", "3 minutes the first time"),
        _flux("source-controller", "4 minutes and 2 GB of Go modules the first time"),
        _flux("kustomize-controller"),
        GoTool("helm", "helm.sh/helm/v4/cmd/helm", "v4.3.1", cost="2 minutes the first time"),
        GoTool("kind", "sigs.k8s.io/kind", "v0.33.0"),
        GoTool("kube-score", "github.com/zegl/kube-score/cmd/kube-score", "v1.20.0"),
        GoTool("actionlint", "github.com/rhysd/actionlint/cmd/actionlint", "v1.7.12"),
    )
}

NAMES = tuple(_TOOLS)
CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd", "kubectl")
NODE = (
    *("kubelet", "kube-proxy", "containerd", "containerd-shim-runc-v2", "ctr"),
    *("coredns", "local-path-provisioner", "pause"),
)


def kubectl() -> Path:
    """The pinned kubectl, built if need be."""
    return program("kubectl")


def helm() -> Path:
    """The pinned Helm, built if need be."""
    return program("helm")


def kind() -> Path:
    """The pinned kind, built if need be."""
    return program("kind")


def built(control_plane_only: bool) -> bool:
    """Whether a cluster could be started without building anything."""
    wanted = CONTROL_PLANE + (() if control_plane_only else NODE)
    return all(_TOOLS[name].path.exists() for name in wanted)


def program(name: str, reporter: Reporter | None = None) -> Path:
    """One of the pinned programs, built if need be; where there is no Go to build it with, the installed one."""
    installed = shutil.which(name)
    if installed and not _TOOLS[name].path.exists() and shutil.which("go") is None:
        return Path(installed)  # who has Docker and the usual clients needs no Go
    return ensure([name], reporter)[name]


def ensure(names: Iterable[str], reporter: Reporter | None = None) -> dict[str, Path]:
    """Have these programs built; return where each is."""
    reporter = reporter or Silent()
    tools = [_TOOLS[name] for name in names]
    if any(not tool.path.exists() for tool in tools):
        with file_lock(cache_home() / "bin.lock", reporter, "builds the cluster's programs"):
            for tool in tools:
                if not tool.path.exists():  # the holder of the lock before us may have built it
                    _build(tool, reporter)
    return {tool.name: tool.path for tool in tools}


def _build(tool: GoTool, reporter: Reporter) -> None:
    go = shutil.which("go")
    if go is None:
        raise DevclusterError(
            f"Go is needed to build {tool.name} and is not on the PATH: install Go 1.26 or later from https://go.dev/dl/"
        )
    target = tool.path.parent
    target.parent.mkdir(parents=True, exist_ok=True)
    for abandoned in target.parent.glob(".*"):  # by a build that was killed; ours is the only one now
        shutil.rmtree(abandoned)
    # Built beside its place and renamed into it: what is in place is whole.
    with tempfile.TemporaryDirectory(prefix=f".{tool.name}-", dir=target.parent) as temporary:
        directory = Path(temporary) / "bin"
        directory.mkdir()
        flags = ["-v", "-trimpath", f"-ldflags={tool.ldflags}"]
        environment = {**os.environ, "CGO_ENABLED": "0"}
        if tool.module is not None:
            command = [go, "build", "-mod=readonly", *flags, "-o", str(directory / tool.name), tool.package]
        else:
            command = [go, "install", *flags, f"{tool.package}@{tool.version}"]
            environment["GOBIN"] = str(directory)
        with reporter.step(f"Building {tool.name} {tool.version}", tool.cost) as advance:
            _run(tool, command, environment, tool.module or Path(temporary), advance)
        directory.rename(target)


def _run(tool: GoTool, command: Sequence[str], environment: dict[str, str], directory: Path, advance: Advance) -> None:
    # The lowest priority that still works: a build of minutes should not be felt.
    process = subprocess.Popen(
        ["nice", *command], cwd=directory, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert process.stderr is not None
    output: list[str] = []
    try:
        for line in process.stderr:  # with -v, a line for each package compiled or module downloaded
            output.append(line)
            advance(len(output), None)
        status = process.wait()
    finally:
        process.kill()
    if status != 0:
        tail = "".join(output[-20:])
        raise DevclusterError(f"go could not build {tool.package} {tool.version}:\n{tail}")
