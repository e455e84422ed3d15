"""A real Prometheus, as a process in a directory of its own: it scrapes one operator and answers queries."""

import json
import os
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from cluster.namespace import Object, wait_for
from devcluster import packages
from devcluster.errors import DevclusterError
from devcluster.free_port import free_port
from devcluster.progress import for_stderr


def ensure() -> None:
    """Have Prometheus installed, or skip the test."""
    try:
        packages.ensure(packages.MONITORING, for_stderr())
    except DevclusterError as error:
        if os.environ.get("CI") == "true" and os.geteuid() == 0:
            pytest.fail(f"CI must have Prometheus: {error}")
        pytest.skip(f"no Prometheus: {error}")


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Prometheus' own tool."""
    ensure()
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True)


class Prometheus:
    """Scrapes the operator's port each second while it is entered."""

    def __init__(self, directory: Path, port_of_operator: int, namespace: str) -> None:
        """`namespace` is the operator's, which a ServiceMonitor attaches to what it scrapes."""
        ensure()
        self._directory = directory
        self._address = f"127.0.0.1:{free_port()}"
        target = {"targets": [f"127.0.0.1:{port_of_operator}"], "labels": {"namespace": namespace, "pod": "tidegate-0"}}
        self._configuration = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "scrape_configs": [{"job_name": "tidegate", "honor_labels": True, "static_configs": [target]}],
        }

    def query(self, expression: str) -> list[Object]:
        """The present value of an expression: series and values. Raises when Prometheus does not take it."""
        parameters = urllib.parse.urlencode({"query": expression})
        return list(self._get(f"/api/v1/query?{parameters}")["data"]["result"])

    def values_of(self, label: str, selector: str) -> list[str]:
        """The values of a label, as a dashboard's variable asks for them."""
        parameters = urllib.parse.urlencode({"match[]": selector})
        return list(self._get(f"/api/v1/label/{label}/values?{parameters}")["data"])

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://{self._address}{path}", timeout=30) as answer:
            return json.load(answer)

    def __enter__(self) -> Self:
        configuration, data = self._directory / "prometheus.yml", self._directory / "data"
        configuration.write_text(json.dumps(self._configuration))
        command = ["prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={data}"]
        with (self._directory / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, f"--web.listen-address={self._address}"], stdout=log, stderr=log
            )
        try:
            wait_for("a Prometheus", self._ready)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self._address}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()
