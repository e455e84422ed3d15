"""Argo CD's own code, asked for one thing at a time."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.namespace import Object
from devcluster import toolchain


@dataclass(frozen=True)
class ArgoCD:
    """An Argo CD that has its settings in a namespace."""

    kubeconfig: Path
    namespace: str

    def health(self, integration: Object) -> str:
        """The health that its user interface shows."""
        status: str = self._ask(integration, "health")["status"]
        return status

    def offered(self, integration: Object) -> dict[str, bool]:
        """The actions of the resource's menu, and whether each can be chosen."""
        return {action["name"]: not action.get("disabled", False) for action in self._ask(integration, "actions")}

    def patch_of(self, action: str, integration: Object) -> Object:
        """The merge patch that an action sends to the API server."""
        patch: Object = self._ask(integration, "run", action)
        return patch

    def differs(self, application: Object, manifest: Object, live: Object) -> bool:
        """Whether the Application is OutOfSync."""
        asked = {"application": application, "targets": [manifest], "live": live}
        modified: bool = self._ask(asked, "diff")["modified"]
        return modified

    def start_sync(self, application: Object, manifests: list[Object]) -> "Sync":
        """Sync the Application; it may have to wait."""
        process = self._start("sync")
        assert process.stdin is not None
        json.dump({"application": application, "targets": manifests}, process.stdin)
        process.stdin.close()
        process.stdin = None
        return Sync(process)

    def sync(self, application: Object, manifest: Object) -> None:
        """Sync an Application of one resource, which waits for nothing."""
        with self.start_sync(application, [manifest]) as sync:
            sync.succeeds()

    def _ask(self, object_: Object, *command: str) -> Any:
        process = self._start(*command)
        answer, complaint = process.communicate(json.dumps(object_))
        assert process.returncode == 0, complaint
        return json.loads(answer)

    def _start(self, *command: str) -> subprocess.Popen[str]:
        program = toolchain.ensure(["argocd-engine"])["argocd-engine"]
        return subprocess.Popen(
            [program, self.namespace, *command],
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@dataclass(frozen=True)
class Sync:
    """A sync under way."""

    _process: subprocess.Popen[str]

    def succeeds(self) -> None:
        """Wait for its end, and that every resource was applied."""
        answer, complaint = self._process.communicate()
        assert self._process.returncode == 0, complaint
        for result in json.loads(answer):
            assert result["Status"] == "Synced", result

    def over(self) -> bool:
        return self._process.poll() is not None

    def __enter__(self) -> "Sync":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
