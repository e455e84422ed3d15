"""The worker under test: started as the operator's Jobs start it, paused and killed, and the systems that it syncs.

What is particular to it comes from who runs the command: its configuration, and shell commands that put the systems
back to a beginning, that print what they hold, and that edit something. `checks` uses nothing else.
"""

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tidegate.api.contract import PROTOCOL, TERMINATION_MESSAGE_BYTES, Environment
from tidegate.worker.epoch import Expected, look, prepare
from tidegate.worker.errors import ConfigurationError

_POLL_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Systems:
    """The shell commands; None where there is none."""

    reset: str | None = None
    state: str | None = None
    edit: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process of the worker has ended; `code` None: not within the grace period after SIGTERM."""

    code: int | None
    message: bytes
    longest_message: int
    seconds: float
    output: str

    def said(self) -> Any:
        """The termination message, or None when it is not one JSON object."""
        try:
            said = json.loads(self.message)
        except ValueError:
            return None
        return said if isinstance(said, dict) else None


class Place:
    """A cache volume and what goes with it: all that outlives a process."""

    def __init__(self, directory: Path) -> None:
        self.cache = directory / "cache"
        self.message = directory / "message"
        self.log = directory / "log"
        self.cache.mkdir()

    def cached(self) -> Mapping[str, bytes]:
        """What the cache holds, by the files' paths."""
        return {str(path): path.read_bytes() for path in sorted(self.cache.rglob("*")) if path.is_file()}


class Subject:
    """A command that is a worker."""

    def __init__(
        self, command: Sequence[str], config: Path, systems: Systems, grace_seconds: float, interruptions: int
    ) -> None:
        self._command = list(command)
        self._config = config
        self.systems = systems
        self.grace_seconds = grace_seconds
        # As parts of the time that an undisturbed run takes.
        self.moments = [n / interruptions for n in range(interruptions)]

    @contextmanager
    def place(self) -> Iterator[Place]:
        """A new cache volume, and the systems at their beginning."""
        if self.systems.reset is not None:
            _shell(self.systems.reset)
        with tempfile.TemporaryDirectory(prefix="conformance-") as directory:
            yield Place(Path(directory))

    def state(self) -> str:
        """What the systems hold."""
        assert self.systems.state is not None  # noqa: S101 - a check that needs it is not made without it
        return _shell(self.systems.state)

    def edit(self) -> None:
        """Have something edited that a run is to push."""
        assert self.systems.edit is not None  # noqa: S101
        _shell(self.systems.edit)

    def run(
        self,
        place: Place,
        run: int = 1,
        scope: str = "full",
        *,
        push: bool = True,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> Ended:
        """A run, to its end; with other values of some environment variables."""
        with self._started(place, run, scope, push=push, more=variables) as process:
            return _wait(process, place, None)

    def plan(self, place: Place, run: int) -> Ended:
        """A run that is asked for a plan, to its end."""
        return self.run(place, run, push=False, variables={Environment.PLAN: "true"})

    def interrupt(self, place: Place, number: signal.Signals, after_seconds: float) -> Ended:
        """Run 1, with a signal some time after its first sign of life."""
        with self._started(place, 1, "full", push=True, more={}) as process:
            while process.poll() is None and not place.message.read_bytes() and not place.log.read_bytes():
                time.sleep(_POLL_SECONDS)
            time.sleep(after_seconds)
            if number == signal.SIGKILL:
                _kill_all(process)
            else:
                process.send_signal(number)  # and to nothing that it has started, as Kubernetes does
            return _wait(process, place, self.grace_seconds)

    @contextmanager
    def _started(
        self, place: Place, run: int, scope: str, *, push: bool, more: Mapping[str, str]
    ) -> Iterator["subprocess.Popen[bytes]"]:
        epoch = more.get(Environment.CACHE_EPOCH, "1")
        do = look if Environment.PLAN in more else prepare  # as the init container does
        do(place.cache, Expected(epoch))
        place.message.write_bytes(b"")
        variables = {name: value for name, value in os.environ.items() if not name.startswith("SYNC_")} | {
            Environment.PROTOCOL: PROTOCOL,
            Environment.NAME: "conformance",
            Environment.NAMESPACE: "default",
            Environment.UID: "00000000-0000-4000-8000-000000000000",
            Environment.RUN: str(run),
            Environment.SCOPE: scope,
            Environment.PUSH: "true" if push else "false",
            Environment.CACHE_DIR: str(place.cache),
            Environment.CACHE_EPOCH: epoch,
            Environment.CONFIG: str(self._config),
            Environment.TERMINATION_LOG: str(place.message),
            **more,
        }
        with place.log.open("wb") as log:
            process = subprocess.Popen(
                self._command,
                env=variables,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=_obey_sigterm,
            )
        try:
            yield process
        finally:
            _kill_all(process)
            process.wait()


def _obey_sigterm() -> None:
    """As in a container: a shell that inherits an ignored signal cannot trap it."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])


def _kill_all(process: "subprocess.Popen[bytes]") -> None:
    """End it with all that it has started, as the end of a container does."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _wait(process: "subprocess.Popen[bytes]", place: Place, patience: float | None) -> Ended:
    began = time.monotonic()
    longest = 0
    while process.poll() is None:
        longest = max(longest, place.message.stat().st_size)
        if patience is not None and time.monotonic() - began > patience:
            break
        time.sleep(_POLL_SECONDS)
    message = place.message.read_bytes()
    seconds = time.monotonic() - began
    output = place.log.read_text(errors="replace")[-TERMINATION_MESSAGE_BYTES:]
    return Ended(process.returncode, message, max(longest, len(message)), seconds, output)


def _shell(command: str) -> str:
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)  # noqa: S602 - it is theirs
    if done.returncode != 0:
        raise ConfigurationError(f"`{command}` exits with {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout
