"""`kubectl sync` as its user runs it: the installed script, in a process, with or without a terminal."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cluster.namespace import PATIENCE

SCRIPTS = Path(sys.executable).parent

# Said on a busy machine, whatever the command.
UNHURRIED = re.compile(r"^waiting for the API server .*\n", re.MULTILINE)


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str


class Started:
    """A command that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._heard: list[str] = []
        # To end rather than to hang: the test then fails by the exit code.
        self._watchdog = threading.Timer(PATIENCE, process.kill)
        self._watchdog.start()

    def hear(self, text: str) -> str:
        """Wait until it says a line with this text on stderr; return the line."""
        return self._listen(self._process.stderr, text, self._heard)[-1]

    def hear_out(self, text: str) -> list[str]:
        """Wait until it says a line with this text on stdout; return all lines up to it."""
        return self._listen(self._process.stdout, text, [])

    def _listen(self, stream: IO[str] | None, text: str, heard: list[str]) -> list[str]:
        assert stream is not None
        for line in stream:
            heard.append(line)
            if text in line:
                return heard
        raise AssertionError(f"it ended without saying {text!r}:\n{''.join(heard)}")

    def running(self) -> bool:
        return self._process.poll() is None

    def interrupt(self) -> None:
        """Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def end(self) -> Ended:
        """Wait for its end."""
        # Not communicate(), which would miss what the lines that were heard came along with.
        out, err = (stream.read() if stream else "" for stream in (self._process.stdout, self._process.stderr))
        code = self._process.wait()
        self._watchdog.cancel()
        return Ended(code, out, UNHURRIED.sub("", "".join(self._heard) + err))


class Terminal:
    """A command on a terminal: what it draws, and what its user types."""

    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self._process = process
        self._screen = screen
        self.drawn = ""

    def see(self, text: str) -> None:
        """Wait until this is drawn."""
        deadline = time.monotonic() + PATIENCE
        while text not in plain(self.drawn):
            assert time.monotonic() < deadline, f"{text!r} is not drawn in {PATIENCE:.0f} s:\n{self.drawn}"
            assert self._read(), f"it ended without drawing {text!r}:\n{self.drawn}"

    def type(self, keys: str) -> None:
        os.write(self._screen, keys.encode())

    def interrupt(self) -> None:
        """Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """See all that is still drawn, until its end; return the exit code."""
        while self._read():
            pass
        return self._process.wait()

    def _read(self) -> bool:
        ready, _, _ = select.select([self._screen], [], [], 1)
        if not ready:
            return True
        try:
            piece = os.read(self._screen, 65536)
        except OSError:  # how Linux tells that the other side has closed
            return False
        self.drawn += piece.decode(errors="replace")
        return bool(piece)


def plain(drawn: str) -> str:
    """What is drawn, without colours and movements."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", drawn)


@dataclass(frozen=True)
class CommandLine:
    """The user's shell: a kubeconfig whose namespace is the test's."""

    kubeconfig: Path

    @classmethod
    def open(cls, kubeconfig: Path, namespace: str, directory: Path) -> "CommandLine":
        """With a kubeconfig of its own in `directory`."""
        content = json.loads(kubeconfig.read_text())
        content["contexts"][0]["context"]["namespace"] = namespace
        own = directory / f"{namespace}.kubeconfig"
        own.touch(mode=0o600)
        own.write_text(json.dumps(content))
        return cls(own)

    def __call__(self, *arguments: str) -> Ended:
        """Run it, as a script does."""
        return self.start(*arguments).end()

    def start(self, *arguments: str) -> Started:
        """Start it, as a script does."""
        process = subprocess.Popen(
            [SCRIPTS / "kubectl-sync", *arguments],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return Started(process)

    @contextmanager
    def terminal(self, *arguments: str, **environment: str) -> Iterator[Terminal]:
        """Start it on a terminal."""
        screen, inside = pty.openpty()
        process = subprocess.Popen(
            [SCRIPTS / "kubectl-sync", *arguments],
            env={**self.environment(), "TERM": "xterm-256color", "COLUMNS": "160", **environment},
            stdin=inside,
            stdout=inside,
            stderr=inside,
            start_new_session=True,
        )
        os.close(inside)
        try:
            yield Terminal(process, screen)
        finally:
            process.kill()
            process.wait()
            os.close(screen)

    def environment(self) -> dict[str, str]:
        """As in a plain shell: nothing that asks for colours or denies them."""
        asking = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
        kept = {name: value for name, value in os.environ.items() if name not in asking}
        path = f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"
        return {**kept, "KUBECONFIG": str(self.kubeconfig), "PATH": path}
