"""Daemons that outlive the command which starts them, and that are never mistaken for another process."""

import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError

# The daemon writes its own pid file, as its first act: whenever we are interrupted, no daemon goes unrecorded.
# The line is that of /proc/PID/stat, which also has the start time: a recycled pid has another one.
_LAUNCH = 'IFS= read -r stat <"/proc/$$/stat"; printf "%s\\n" "$stat" >"$0"; exec "$@"'


@dataclass(frozen=True)
class Daemon:
    """A process known by pid and start time, in a session and process group of its own."""

    name: str
    pid: int
    started: int  # clock ticks since boot
    pid_file: Path
    log: Path

    def alive(self) -> bool:
        """Whether this very process (not a later one of the same pid) runs."""
        _reap(self.pid)
        stat = _read_stat(Path(f"/proc/{self.pid}/stat"))
        return stat is not None and stat.started == self.started and stat.state not in "ZX"

    def signal(self, number: signal.Signals) -> None:
        """Signal the whole group, so that what the daemon started goes with it."""
        if self.alive():
            with suppress(ProcessLookupError):  # it may end in between: as wanted
                os.killpg(self.pid, number)

    def log_tail(self, lines: int = 15) -> str:
        """The end of its log, for error messages."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return "(no log)"


def environment(*first: Path) -> dict[str, str]:
    """Our environment, with directories put first on the PATH, and those of the system's daemons on it in any case."""
    path = [*map(str, first), os.environ.get("PATH", "/usr/bin:/bin"), "/usr/sbin", "/sbin"]
    return {**os.environ, "PATH": ":".join(path)}


def spawn(name: str, command: Sequence[str], directory: Path, variables: Mapping[str, str] | None = None) -> Daemon:
    """Start `command` as the daemon `name` of the cluster in `directory`."""
    pid_file, log = directory / "run" / f"{name}.pid", directory / "log" / f"{name}.log"
    for path in (pid_file, log):
        path.parent.mkdir(parents=True, exist_ok=True)
    pid_file.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        "/bin/sh",
        ["sh", "-c", _LAUNCH, str(pid_file), *command],
        dict(environment() if variables is None else variables),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    deadline = time.monotonic() + 10
    while (daemon := _recorded(pid_file)) is None:
        if time.monotonic() > deadline:
            raise DevclusterError(f"{name} (pid {pid}) did not start; see {log}")
        time.sleep(0.005)
    return daemon


def recorded(directory: Path) -> list[Daemon]:
    """All daemons ever recorded for the cluster in `directory`, dead ones too, oldest first."""
    daemons = (_recorded(path) for path in (directory / "run").glob("*.pid"))
    return sorted((daemon for daemon in daemons if daemon), key=lambda daemon: daemon.started)


def stop(daemons: Iterable[Daemon], patience: float = 8.0) -> None:
    """End them one after the other, gently first; each is gone (and its pid file too) on return."""
    for daemon in daemons:
        daemon.signal(signal.SIGTERM)
        if not _gone(daemon, patience):
            daemon.signal(signal.SIGKILL)
            if not _gone(daemon, 10):
                raise DevclusterError(f"{daemon.name} (pid {daemon.pid}) survives SIGKILL; see {daemon.log}")
        daemon.pid_file.unlink(missing_ok=True)


def _gone(daemon: Daemon, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while daemon.alive():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@dataclass(frozen=True)
class _Stat:
    pid: int
    state: str
    started: int


def _read_stat(path: Path) -> _Stat | None:
    try:
        line = path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if not line.endswith("\n"):
        return None  # being written
    # "pid (command) state …": the command may hold anything, so split at the last parenthesis.
    fields = line.rpartition(")")[2].split()
    return _Stat(pid=int(line.split(" ", 1)[0]), state=fields[0], started=int(fields[19]))


def _recorded(pid_file: Path) -> Daemon | None:
    stat = _read_stat(pid_file)
    if stat is None:
        return None
    name = pid_file.stem
    log = pid_file.parent.parent / "log" / f"{name}.log"
    return Daemon(name=name, pid=stat.pid, started=stat.started, pid_file=pid_file, log=log)


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):  # daemons of an earlier command are not our children
        os.waitpid(pid, os.WNOHANG)
