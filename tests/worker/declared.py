"""Runs of the worker's program as a SyncIntegration declares them: its configuration, and its Pod's environment."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import tidegate
from tidegate.api.contract import PROTOCOL, Environment


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit code, its termination message, and what it printed."""

    code: int
    message: dict[str, Any]
    log: str


class DeclaredSync:
    """A sync by its declaration, with a cache and a configuration in a directory of its own."""

    def __init__(self, directory: Path, sync: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self.directory = directory
        self._environment = environment
        self._runs = 0
        (directory / "cache").mkdir(parents=True)
        (directory / "sync.json").write_text(json.dumps(sync))

    @classmethod
    def read(cls, manifest: Path, directory: Path, instead: Mapping[str, str]) -> "DeclaredSync":
        """That of a manifest; `instead` has the test's own value for each of its addresses and passwords."""
        *others, integration = yaml.safe_load_all(manifest.read_text())
        (container,) = integration["spec"]["template"]["spec"]["containers"]
        secrets = {o["metadata"]["name"]: o["stringData"] for o in others if o["kind"] == "Secret"}
        given = {entry["name"]: entry["value"] for entry in container.get("env", [])}
        for source in container.get("envFrom", []):
            given |= secrets[source["secretRef"]["name"]]
        assert instead.keys() == given.keys(), "the worker's Pod has no other value"
        spec = integration["spec"]
        return cls(directory, spec["sync"] if "sync" in spec else spec["config"], instead)

    def run(self, scope: str = "full", *, push: bool = True) -> Ended:
        """The next run."""
        self._runs += 1
        message = self.directory / "message"
        order = {
            Environment.PROTOCOL: PROTOCOL,
            Environment.RUN: str(self._runs),
            Environment.SCOPE: scope,
            Environment.PUSH: str(push).lower(),
            Environment.CACHE_DIR: str(self.directory / "cache"),
            Environment.CACHE_EPOCH: "1",
            Environment.CONFIG: str(self.directory / "sync.json"),
            Environment.TERMINATION_LOG: str(message),
        }
        done = subprocess.run(
            [sys.executable, "-m", "tidegate.worker.main"],
            env={**os.environ, "PYTHONPATH": str(Path(tidegate.__file__).parents[1]), **self._environment, **order},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return Ended(done.returncode, json.loads(message.read_text()), done.stdout)
