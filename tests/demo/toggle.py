"""The SyncIntegration as its user handles it: applied, patched, waited for, and read from its status."""

import contextlib
import json
import subprocess
import time
from collections.abc import Callable
from typing import Any

from demo.diagnosis import describe
from demo.errors import DemoError
from demo.kubectl import Kubectl
from demo.screen import Screen

NAME = "contacts"

# Generous, to end rather than to hang: what is waited for takes seconds.
_PATIENCE = 900
_TIMEOUT = "15m"
_LOOK_AGAIN = 0.5


class Toggle:
    """The demo's one SyncIntegration."""

    def __init__(self, kubectl: Kubectl, screen: Screen) -> None:
        self._kubectl = kubectl
        self._screen = screen

    def apply(self, manifest: str) -> None:
        self._kubectl.show("apply", "--filename", manifest)

    def patch(self, **spec: Any) -> None:
        """Change fields of the spec."""
        change = json.dumps({"spec": spec}, separators=(",", ":"))
        self._kubectl.tell("patch", "sync", NAME, "--type", "merge", "--patch", change)

    def replace(self, path: str, value: str) -> None:
        """Change what stands at a path, also within a list."""
        change = json.dumps([{"op": "replace", "path": path, "value": value}], separators=(",", ":"))
        self._kubectl.tell("patch", "sync", NAME, "--type", "json", "--patch", change)

    def sync_now(self) -> int:
        """Ask for a run before the delay is over; return its number."""
        number = int(self.status["runs"]) + 1
        request = f"tidegate.dev/sync-requested-at=run-{number}"
        self._kubectl.tell("annotate", "sync", NAME, "--overwrite", request)
        return number

    def wait(self, condition: str) -> None:
        """`kubectl wait`, which gives up early when a run has failed."""
        waiting = self._kubectl.start("wait", "sync", NAME, f"--for={condition}", f"--timeout={_TIMEOUT}")
        try:
            while waiting.poll() is None:
                self._fail_if_in_trouble()
                self._pause(waiting)
        finally:
            waiting.kill()
            output, complaint = waiting.communicate()
        if waiting.returncode != 0:
            raise DemoError(f"{condition} did not come to be: {(complaint or output).strip()}\n{self.diagnosis()}")

    def wait_for_run(self, number: int) -> None:
        """Wait until the run has ended, and check that it did so well."""
        self.wait(f"jsonpath={{.status.lastRun.number}}={number}")
        self.expect_success(number)

    def wait_until(self, what: str, holds: Callable[[], bool]) -> None:
        """Look again and again until it holds."""
        deadline = time.monotonic() + _PATIENCE
        while not holds():
            self._fail_if_in_trouble()
            if time.monotonic() > deadline:
                raise DemoError(f"{what} did not come to be in {_PATIENCE} s\n{self.diagnosis()}")
            time.sleep(_LOOK_AGAIN)

    def show(self) -> None:
        """The resource's row."""
        self._kubectl.show("get", "sync", NAME)

    @property
    def status(self) -> dict[str, Any]:
        """The resource's status; empty before the operator has seen it."""
        status: dict[str, Any] = self._kubectl.get("sync", NAME).get("status", {})
        return status

    def expect_phase(self, expected: str) -> None:
        status = self.status
        if status.get("phase") != expected:
            raise DemoError(f"expected phase {expected}, and it is {status.get('phase')}\n{self.diagnosis()}")
        self._screen.proof(status["message"])

    def expect_success(self, number: int) -> None:
        """Check that this run is the last one and has its check mark."""
        entry = self.status["recentActivity"][0]
        if (entry["run"], entry["mark"]) != (number, "✓"):
            raise DemoError(f"expected `✓ run {number}`, and it is `{entry['summary']}`\n{self.diagnosis()}")

    def expect_pushed(self, number: int, expected: dict[str, int]) -> None:
        """Check and show what a run wrote to each side."""
        entry = next(entry for entry in self.status["recentActivity"] if entry["run"] == number)
        report = entry.get("report") or {}
        pushed = {side: report.get("pushed", {}).get(side, 0) for side in expected}
        if pushed != expected:
            raise DemoError(f"run {number}: expected pushes {expected}, and it reports {report}\n{self.diagnosis()}")
        read = ", ".join(f"{side} {count:,}" for side, count in report.get("read", {}).items())
        wrote = ", ".join(f"{side} {count:,}" for side, count in pushed.items())
        self._screen.proof(f"run {number}: read {read}; pushed {wrote}")

    def expect_plan(self, expected: dict[str, tuple[int, int]]) -> None:
        """Check and show what the newest plan counts: per side the records to create and to update."""
        plan = self.status["plan"]
        counted = {side["connector"]: (side["create"], side["update"]) for side in plan.get("sides", ())}
        if counted != expected or any(side["delete"] for side in plan["sides"]):
            raise DemoError(f"expected a plan of {expected}, and it is {plan}\n{self.diagnosis()}")
        told = ", ".join(f"{side} {new:,} new and {edited:,} edited" for side, (new, edited) in counted.items())
        self._screen.proof(f"the plan counted what past and future would push: {told}")

    def expect_one_undisturbed_pod(self, number: int) -> None:
        """Check that a run took one Pod, which was never killed nor restarted."""
        pods = self._kubectl.get("pods", f"--selector=tidegate.dev/run={number}")["items"]
        phases = [pod["status"]["phase"] for pod in pods]
        restarts = sum(c["restartCount"] for pod in pods for c in pod["status"].get("containerStatuses", []))
        if phases != ["Succeeded"] or restarts:
            raise DemoError(
                f"run {number}: expected one Pod that succeeded, and there are {phases}, {restarts} restarts"
            )
        self._screen.proof(f"run {number} was not killed: one Pod, Succeeded, 0 restarts")

    def diagnosis(self) -> str:
        """What an admin would look at."""
        return describe(self._kubectl, NAME)

    def _fail_if_in_trouble(self) -> None:
        """In this story every run succeeds: the first that does not ends it."""
        status = self.status
        stalled = any(c["type"] == "Stalled" and c["status"] == "True" for c in status.get("conditions", ()))
        if stalled or status.get("consecutiveFailures"):
            raise DemoError(f"the sync does not go well: {status['message']}\n{self.diagnosis()}")

    def _pause(self, process: subprocess.Popen[str]) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_LOOK_AGAIN)
