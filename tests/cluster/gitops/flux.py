"""Flux's source controller and kustomize controller, as processes that serve the whole cluster."""

import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from devcluster import toolchain
from devcluster.free_port import free_port

CONTROLLERS = ("source-controller", "kustomize-controller")


class Flux:
    """The controllers of one cluster."""

    def __init__(self, kubeconfig: Path, directory: Path) -> None:
        self._programs = toolchain.ensure(CONTROLLERS)
        self._directory = directory
        self._environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "RUNTIME_NAMESPACE": "default"}
        self._processes: list[subprocess.Popen[bytes]] = []

    def _start(self, name: str, *options: str) -> None:
        nobody_asks = ("--metrics-addr=0", "--health-addr=0")
        with (self._directory / f"{name}.log").open("wb") as log:
            command = [str(self._programs[name]), *nobody_asks, *options]
            self._processes.append(subprocess.Popen(command, env=self._environment, stdout=log, stderr=log))

    def __enter__(self) -> Self:
        artifacts = self._directory / "artifacts"
        artifacts.mkdir()
        address = f"127.0.0.1:{free_port()}"
        storage = (f"--storage-path={artifacts}", f"--storage-addr={address}", f"--storage-adv-addr={address}")
        self._start("source-controller", *storage)
        self._start("kustomize-controller")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def log(self) -> str:
        """What both have said of late."""
        return "\n".join((self._directory / f"{name}.log").read_text()[-6000:] for name in CONTROLLERS)
