"""kubectl on the demo's namespace: run as it is shown, and shown as it is run."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.errors import DemoError
from demo.screen import Screen


@dataclass(frozen=True)
class Kubectl:
    """The client for one cluster and one namespace."""

    binary: Path
    kubeconfig: Path
    namespace: str
    screen: Screen

    def show(self, *arguments: str) -> str:
        """Run it before the visitor's eyes; print and return what it says."""
        self.screen.command(["kubectl", "-n", self.namespace, *arguments])
        output = self.run(*arguments)
        self.screen.output(output)
        return output

    def tell(self, *arguments: str) -> None:
        """Run it before the visitor's eyes, where what it says is of no interest."""
        self.screen.command(["kubectl", "-n", self.namespace, *arguments])
        self.run(*arguments)

    def run(self, *arguments: str, text: str | None = None) -> str:
        """Run it; return what it says."""
        done = subprocess.run(self.command(arguments), input=text, capture_output=True, text=True)
        if done.returncode != 0:
            raise DemoError(f"`kubectl {' '.join(arguments)}` failed:\n{(done.stderr or done.stdout).rstrip()}")
        return done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start it, for what takes long; announce it to the visitor."""
        self.screen.command(["kubectl", "-n", self.namespace, *arguments])
        return subprocess.Popen(self.command(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def get(self, *arguments: str) -> dict[str, Any]:
        """The JSON of an object or list."""
        answer: dict[str, Any] = json.loads(self.run("get", *arguments, "--output=json"))
        return answer

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The whole command line."""
        return [str(self.binary), f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}", *arguments]
