"""The operator as its image starts it: `tidegate-operator`, a process of its own, ended by signals."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

WORKER_IMAGE = "registry.example/tidegate-worker:test"
OPERATOR_IMAGE = "registry.example/tidegate-operator:test"
_COUNTED = Path(__file__).parent / "counted_operator.py"


class OperatorProcess:
    """One operator, for one namespace."""

    def __init__(
        self, kubeconfig: Path, namespace: str, log: Path, *options: str, counted_in: Path | None = None
    ) -> None:
        """It does not run before it is entered or started.

        Where `counted_in` is given, it writes there when it is told to end how many functions it has called.
        """
        program = [str(_COUNTED), str(counted_in)] if counted_in else ["-m", "tidegate.control.main"]
        self._environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
        self._command = [
            *(sys.executable, *program),
            *(f"--operator-image={OPERATOR_IMAGE}", f"--worker-image={WORKER_IMAGE}", f"--namespaces={namespace}"),
            *options,
        ]
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._guard = threading.Lock()  # a proxy's thread restarts it while a test may be ending it
        self._over = False

    def start(self) -> None:
        """Start it; what it did before is forgotten, but for what the cluster holds."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """End it at once, as a node that fails does."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kill it and start it anew, unless its time is over."""
        with self._guard:
            if not self._over:
                self.kill()
                self.start()

    def stop(self) -> int:
        """End it gently; return its exit code."""
        return self._end(signal.SIGTERM)

    def wait(self) -> int:
        """Wait until it has ended by itself; return its exit code."""
        assert self._process is not None
        return self._process.wait()

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def log(self) -> str:
        """All that it has said."""
        return self._log.read_text()

    def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._guard:
            self._over = True
            if self.running():
                self.kill()
        if error is not None:
            error.add_note(f"the operator said:\n{self.log()[-6000:]}")
